//! `pagewire log check`: tells each finding as it comes, but those that fold (`folded`) at the end, and sums up.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use pagewire_disk::{Disk, OsDisk};
use pagewire_log::verify::{Again, Event, Fate, Finding, Onward, Severity, Tally, VerifyOptions, verify};
use serde::Serialize;

use super::folded::Folded;
use super::named::Named;
use super::topics::{self, Beside};
use crate::args::log::CheckArgs;
use crate::output::progress::Progress;
use crate::output::units::{bytes, count, several};
use crate::output::{Format, Out};

/// A finding for programs.
#[derive(Serialize)]
struct Line<'a> {
    severity: &'static str,
    path: &'a Path,
    position: Option<u64>,
    offset: Option<i64>,
    /// Of records that are damaged or missing: where good ones go on, null if none follow. Not there of anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<NextOffset>,
    what: &'a str,
    fate: &'static str,
    /// Where the log ends afterwards, if it is cut.
    ends_at: Option<i64>,
    /// When what it tells of was last written to, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_ms: Option<i64>,
    /// How many it stands for.
    count: u64,
}

/// Where good records go on; none if none follow.
#[derive(Serialize)]
struct NextOffset(Option<i64>);

/// The last line for programs.
#[derive(Serialize)]
struct Summary {
    summary: Counts,
}

#[derive(Serialize)]
struct Counts {
    logs: u64,
    segments: u64,
    bytes: u64,
    batches: u64,
    records: u64,
    damage: u64,
    doubts: u64,
    notes: u64,
}

/// Checks all of the paths. An error, and so exit code 1, if anything is damaged.
pub(super) async fn run(args: &CheckArgs, format: Format) -> anyhow::Result<()> {
    // What is checked holds few files open; recovery, which is rehearsed, some more.
    let _ = pagewire_broker::raise_descriptor_limit();
    let disk: Arc<dyn Disk> = Arc::new(OsDisk::new());
    let Named { paths, strangers } = Named::of(&*disk, &args.paths)?;
    let Beside { topics, findings } = topics::beside(&paths).await;
    let again = || topics::again(&paths);
    let (mut out, mut sum) = (Out::new(), Tally::default());
    let total = paths.iter().map(|path| size_of(&*disk, path, 0)).sum();
    let progress = Progress::new(true, Some(total));
    let options = VerifyOptions {
        deep: args.deep,
        topics: Some(&topics),
        again: Some(Again(&again)),
        ..VerifyOptions::default()
    };
    let (mut done, mut told, mut folded) = (0, Ok(()), Folded::default());
    for finding in findings {
        sum.count(&finding);
        tell(finding, format, &mut folded, &mut out)?;
    }
    for path in &paths {
        let tally = verify(&disk, path, options, &mut |event| match event {
            Event::Read { path, bytes } => {
                done += bytes;
                progress.set(done, short(path));
            }
            // A reader that went away hears no more.
            Event::Found(finding) if told.is_ok() && !(args.quiet && finding.severity == Severity::Note) => {
                told = progress.aside(|| tell(finding, format, &mut folded, &mut out));
            }
            Event::Found(_) => {}
        });
        sum.add(&tally.with_context(|| format!("{} cannot be checked", path.display()))?);
    }
    progress.clear();
    told?;
    folded.lines().try_for_each(|line| out.line(line))?;
    sum_up(&sum, format, args.quiet, &mut out)?;
    if sum.damage > 0 {
        bail!("{} damaged", count(sum.damage));
    }
    strangers.map_or(Ok(()), Err)
}

/// Programs hear of each finding, people of all of one cause at the end.
fn tell(finding: Finding, format: Format, folded: &mut Folded, out: &mut Out) -> anyhow::Result<()> {
    match format {
        Format::Json => out.json_line(&line(&finding))?,
        Format::Table => folded.keep(dated(finding)).map_or(Ok(()), |finding| out.line(finding))?,
    }
    out.flush()
}

/// For people a time is in the words.
fn dated(finding: Finding) -> Finding {
    let time = finding.time_ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let Some(time) = time else { return finding };
    Finding { what: format!("{}; it was last written to at {time}", finding.what), ..finding }
}

fn line(finding: &Finding) -> Line<'_> {
    let Finding { severity, path, position, offset, onward, what, fate, time_ms, count } = finding;
    Line {
        severity: severity.name(),
        path,
        position: *position,
        offset: *offset,
        next_offset: onward.map(|onward| match onward {
            Onward::At(offset) => NextOffset(Some(offset)),
            Onward::Nowhere => NextOffset(None),
        }),
        what,
        fate: fate.name(),
        ends_at: if let Fate::Cut { offset } = fate { Some(*offset) } else { None },
        time_ms: *time_ms,
        count: *count,
    }
}

fn sum_up(sum: &Tally, format: Format, quiet: bool, out: &mut Out) -> anyhow::Result<()> {
    let Tally { logs, segments, bytes: size, batches, records, notes, doubts, damage } = *sum;
    match format {
        Format::Json => {
            let summary = Counts { logs, segments, bytes: size, batches, records, damage, doubts, notes };
            out.json_line(&Summary { summary })?;
        }
        Format::Table => {
            if damage + doubts + notes > 0 {
                out.line("")?;
            }
            let read = [(logs, "log"), (segments, "segment")].map(|(number, thing)| several(number, thing));
            let held =
                [(batches, "batch"), (records, "record")].map(|(number, thing)| several(number, thing));
            out.line(format_args!("{}, {}, {}", read.join(", "), bytes(size), held.join(", ")))?;
            let found = [several(damage, "damage"), several(doubts, "doubt"), several(notes, "note")];
            let unsaid = if quiet && notes > 0 { " (not printed)" } else { "" };
            out.line(format_args!("{}{unsaid}", found.join(", ")))?;
        }
    }
    out.flush()
}

/// Directory and name: what tells files of many partitions apart.
fn short(path: &Path) -> String {
    let mut parts = path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect::<Vec<_>>();
    parts.reverse();
    parts.join("/")
}

/// Bytes of the records below `path`, for the display of progress alone.
fn size_of(disk: &dyn Disk, path: &Path, depth: u8) -> u64 {
    /// A log directory holds directories of files, and no more.
    const DEPTH_MAX: u8 = 2;
    let is_log = path.extension().is_some_and(|extension| extension == "log");
    if is_log {
        return std::fs::metadata(path).map_or(0, |meta| meta.len());
    }
    if depth >= DEPTH_MAX {
        return 0;
    }
    let entries = disk.read_dir(path).unwrap_or_default();
    entries.iter().map(|entry| size_of(disk, &path.join(&entry.name), depth + 1)).sum()
}
