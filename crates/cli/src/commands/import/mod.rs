//! `pagewire import`: a data directory out of those that Apache Kafka left.

mod page;
mod places;
mod settings;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use pagewire_takeover::{Depth, How, ImportError, Options, import};

use crate::args::import::{ImportArgs, Verify};
use crate::output::progress::Progress;
use crate::output::{Format, Out};
use settings::Tables;

/// More threads than this only wait for the disk.
const THREADS_MAX: usize = 8;

/// Does it.
pub(crate) fn run(args: &ImportArgs) -> anyhow::Result<()> {
    let options = options(args)?;
    let shown = Progress::new(true, Some(0));
    let report = import(&options, &Tables::new(), &|progress| {
        shown.set_of(progress.done, progress.total, progress.what);
    });
    shown.clear();
    let mut out = Out::new();
    let report = match report {
        Err(ImportError::Refused(refused)) if args.output.format == Format::Json => {
            // All of them for programs; the error has the first.
            out.json(&BTreeMap::from([("refused", &refused)]))?;
            out.flush()?;
            return Err(ImportError::Refused(refused).into());
        }
        report => report?,
    };
    match args.output.format {
        Format::Json => out.json(&report)?,
        Format::Table => page::print(&report, &mut out)?,
    }
    out.flush()
}

fn options(args: &ImportArgs) -> anyhow::Result<Options> {
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
        from: places::all(&args.from, &args.config)?,
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
