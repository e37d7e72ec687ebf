//! `pagewire import`: a data directory out of those that Apache Kafka left.

mod page;
mod places;
mod properties;
mod settings;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use pagewire_disk::Pasted;
use pagewire_takeover::{Begun, Depth, How, ImportError, Options, Report, Unfinished, import};

use super::backup::resumed;
use super::stop;
use crate::Stopped;
use crate::args::import::{ImportArgs, Verify};
use crate::output::progress::Progress;
use crate::output::{Format, Out, complain};
use properties::Properties;
use settings::Tables;

/// More threads than this only wait for the disk.
const THREADS_MAX: usize = 8;

/// Does it. A signal ends the process as a kill would: nothing that was begun is ever served.
pub(crate) async fn run(args: ImportArgs) -> anyhow::Result<()> {
    let (stop, is_rehearsal, to) = (stop::on_signal()?, args.dry_run, args.to.clone());
    let begun = Arc::new(Begun::default());
    let noted = Arc::clone(&begun);
    let shown = Arc::new(Progress::new(true, None));
    let line = Arc::clone(&shown);
    let work = tokio::task::spawn_blocking(move || work(&args, &noted, &line));
    tokio::select! {
        done = work => done.unwrap_or_else(resumed),
        () = stop.cancelled() => {
            shown.clear();
            if is_rehearsal {
                complain("stopped: nothing was made, as by any rehearsal");
            } else {
                for to in &to {
                    tell_left(&begun, to);
                }
            }
            Err(Stopped.into())
        }
    }
}

/// What an import that is stopped leaves beside `to`.
fn tell_left(begun: &Begun, to: &Path) {
    match begun.unfinished(to) {
        Unfinished::Partial(left) => complain(format_args!(
            "stopped: {} is unfinished and not served. The next import to {} clears it first; without one, remove it",
            left.display(),
            Pasted(to)
        )),
        Unfinished::Whole(left) => complain(format_args!(
            "stopped: {} is whole, and was about to get its name. The next import to the same places gives it to it",
            left.display()
        )),
        Unfinished::AtWork(left) => complain(format_args!(
            "stopped before anything was made: {} is another import's, which is at work",
            left.display()
        )),
        Unfinished::None => {
            complain(format_args!("stopped: nothing unfinished is left beside {}", to.display()));
        }
    }
}

fn work(args: &ImportArgs, begun: &Begun, shown: &Progress) -> anyhow::Result<()> {
    let files = args.config.iter().map(|file| Properties::read(file)).collect::<anyhow::Result<Vec<_>>>()?;
    let options = options(args, &files)?;
    let report = import(&options, &Tables::under(files.first()), begun, &|progress| {
        shown.set_of(progress.done, progress.total, progress.what);
    });
    shown.clear();
    let served = |mut report: Report| {
        report.notes.extend(of_files(&files));
        report
    };
    let mut out = Out::new();
    let report = match report {
        Err(ImportError::Refused(refused)) if args.output.format == Format::Json => {
            // All of them for programs; the error has the first.
            out.json(&BTreeMap::from([("refused", &refused)]))?;
            out.flush()?;
            return Err(ImportError::Refused(refused).into());
        }
        report => report.map(served)?,
    };
    match args.output.format {
        Format::Json => out.json(&report)?,
        Format::Table => page::print(&report, file_of(&files, report.node_id), &mut out)?,
    }
    out.flush()
}

/// What people should know of settings that are in files, and so in no new directory: topics without their own get
/// others without them.
fn of_files(files: &[Properties]) -> Vec<String> {
    const WITHOUT: &str = "Kafka's server.properties was not read (--config). What it sets for topics without settings of their own, such as \
                           log.retention.ms and log.cleanup.policy, is in no directory: serve with --config, or the defaults here \
                           delete their records after seven days";
    let told = |file: &Properties| {
        let path = file.path.display();
        if let Err(error) = file.broker() {
            return Some(format!("serve refuses {path}: {error}"));
        }
        let others = file.others();
        let told = format!(
            "topics without settings of their own have, by {path} alone: {}. It has to be served with --config {path}",
            others.join(", ")
        );
        (!others.is_empty()).then_some(told)
    };
    if files.is_empty() { vec![WITHOUT.to_owned()] } else { files.iter().filter_map(told).collect() }
}

/// The file of the node that serves what was taken over.
fn file_of(files: &[Properties], node_id: i32) -> Option<&Properties> {
    files.iter().find(|file| file.node_id() == Some(node_id)).or(files.first())
}

fn options(args: &ImportArgs, files: &[Properties]) -> anyhow::Result<Options> {
    let how = match (args.copy, args.reflink, args.link) {
        (true, ..) => How::Copy,
        (_, true, _) => How::Reflink,
        (.., true) => How::Link,
        _ => How::Auto,
    };
    let verify = match args.verify {
        Verify::Deep => Depth::Deep,
        Verify::Headers => Depth::Headers,
        Verify::None => Depth::None,
    };
    let (to, others) = args.to.split_first().context("--to is missing")?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Options {
        from: places::all(&args.from, files)?,
        to: to.clone(),
        others: others.to_vec(),
        how,
        verify,
        topics: args.topics.clone(),
        exclude: args.exclude.clone(),
        allow_missing: args.allow_missing,
        accept_damage: args.accept_damage,
        end_transactions: args.end_transactions,
        dry_run: args.dry_run,
        threads: std::thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX),
        now_ms: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
    })
}
