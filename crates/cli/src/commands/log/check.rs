//! `pagewire log check`: reads all, has what is found [told](super::telling), and sums up.

use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use pagewire_disk::{Disk, OsDisk};
use pagewire_log::verify::{Again, Event, Severity, Tally, VerifyOptions, verify};
use serde::Serialize;

use super::named::{Named, cannot};
use super::telling::Telling;
use super::topics::{self, Beside};
use crate::args::log::CheckArgs;
use crate::commands::stop;
use crate::output::units::{bytes, count, several};
use crate::output::{Format, Out};

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

/// Checks all of the paths. An error, and so exit code 1, if anything is damaged, or cannot be read.
pub(super) async fn run(args: &CheckArgs, format: Format) -> anyhow::Result<()> {
    // What is checked holds few files open; recovery, which is rehearsed, some more.
    let _ = pagewire_broker::raise_descriptor_limit();
    let disk: Arc<dyn Disk> = Arc::new(OsDisk::new());
    let Named { paths, strangers, mut failures } = Named::of(&*disk, &args.paths)?;
    let Beside { topics, findings } = topics::beside(&paths).await;
    let again = topics::Again::of(&paths);
    let again = || again.topics();
    let mut sum = Tally::default();
    let total = paths.iter().map(|path| size_of(&*disk, path, 0)).sum();
    let telling = Telling::new(format, total);
    telling.end_on(&stop::on_signal()?);
    let options = VerifyOptions {
        deep: args.deep,
        topics: Some(&topics),
        again: Some(Again(&again)),
        ..VerifyOptions::default()
    };
    for finding in findings {
        sum.count(&finding);
        telling.tell(finding)?;
    }
    let (mut done, mut told) = (0, Ok(()));
    for path in &paths {
        let tally = verify(&disk, path, options, &mut |event| match event {
            Event::Read { path, bytes } => {
                done += bytes;
                telling.is_at(done, short(path));
            }
            // A reader that went away hears no more.
            Event::Found(finding) if told.is_ok() && !(args.quiet && finding.severity == Severity::Note) => {
                told = telling.tell(finding);
            }
            Event::Found(_) => {}
        });
        match tally {
            Ok(tally) => sum.add(&tally),
            Err(error) => telling.beside(|| failures.note(cannot(path, error), "")),
        }
    }
    told?;
    let mut out = telling.end()?;
    sum_up(&sum, format, args.quiet, &mut out)?;
    if sum.damage > 0 {
        bail!("{} damaged", count(sum.damage));
    }
    failures.end()?;
    strangers.map_or(Ok(()), Err)
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
