//! Figures of a broker's whole life: stopped or killed, and started again on the same directory.
//!
//! ```text
//!   empty directory ─▶ start ─▶ fill ─▶ stop or kill -9 ─▶ start again ─▶ until every record can be read
//! ```
//!
//! Each broker is given as a command that is started here, ours and rivals alike, one at a time, each on a directory of
//! its own that goes afterwards.

mod fill;
mod partitions;
mod recovery;
mod segments;
mod topics;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::{
    broker,
    node::Recipe,
    report::{self, Name, Samples},
};

pub(crate) use partitions::{COLUMNS as PARTITIONS, MEMORY_THEN, SERVES_EACH, run as partitions};

/// The first word of the command line that leads here.
pub(crate) const COMMAND: &str = "restart";
/// The word behind it that makes a process measure itself.
const OPEN: &str = "open";

/// Measure what stopping, killing and starting again costs: `cargo xtask bench restart`.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench restart")]
struct Args {
    /// A rival to be started here: NAME=COMMAND, in which {port} and {dir} stand for a free port (the next one is free
    /// too) and an empty directory. May be repeated.
    #[arg(long, value_name = "NAME=COMMAND")]
    rival: Vec<Recipe>,
    /// Cases to run: partitions, topics, recovery, segments. All of them if none is named.
    cases: Vec<String>,
    /// Interleaved rounds of each case.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Partitions, in ten topics, each of which is written once.
    #[arg(long, default_value_t = 10_000)]
    partitions: i32,
    /// Topics of one partition in the case of that name.
    #[arg(long, default_value_t = 10_000)]
    topics: usize,
    /// Segments of each partition in the case of that name, which is ours alone.
    #[arg(long, default_value_t = 10)]
    segments: i64,
    /// MiB in the log that is recovered.
    #[arg(long, default_value_t = 10 << 10)]
    mib: u64,
    /// Extra settings for our broker, as --set takes them.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// A measurement of one broker's life.
struct Case {
    name: &'static str,
    what: fn(&Args) -> String,
    columns: &'static [Name],
    run: fn(&Recipe, &Args) -> Result<Vec<f64>>,
    /// Not of a broker but of our library.
    ours_only: bool,
}

static CASES: &[Case] = &[
    Case {
        name: "partitions",
        what: |args| {
            format!(
                "{} partitions in ten topics, each written once, stopped, started; each is served when a record of every one was \
                 read, those of a topic asked for together",
                args.partitions
            )
        },
        columns: partitions::COLUMNS,
        run: |recipe, args| partitions::run(recipe, args.partitions, |_| ()),
        ours_only: false,
    },
    Case {
        name: "topics",
        what: |args| {
            format!("{} topics of one partition, made one after another, at rest, started", args.topics)
        },
        columns: topics::COLUMNS,
        run: |recipe, args| topics::run(recipe, args.topics),
        ours_only: false,
    },
    Case {
        name: "recovery",
        what: |args| format!("one log of {} MiB in default segments, kill -9, started", args.mib),
        columns: recovery::COLUMNS,
        run: |recipe, args| recovery::run(recipe, args.mib),
        ours_only: false,
    },
    Case {
        name: "segments",
        what: |args| {
            format!("{} partitions of {} segments each, opened and read", args.partitions, args.segments)
        },
        columns: segments::COLUMNS,
        run: |_, args| segments::run(args.partitions, args.segments),
        ours_only: true,
    },
];

/// Runs the chosen cases.
pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let words: Vec<String> = words.collect();
    if let Some((first, rest)) = words.split_first()
        && first == OPEN
    {
        return segments::open(rest);
    }
    let args = Args::parse_from(std::iter::once("restart".to_owned()).chain(words));
    let mut brokers = vec![broker::ours(&args.set)?];
    brokers.extend(args.rival.iter().cloned());
    println!("{}", report::on(&report::machine()));
    for case in chosen(&args.cases)? {
        let mut samples = Samples::new(case.columns);
        for round in 0..args.rounds {
            for broker in brokers.iter().take(if case.ours_only { 1 } else { usize::MAX }) {
                eprintln!("{} round {}/{}: {}", case.name, round + 1, args.rounds, broker.name);
                let row =
                    (case.run)(broker, &args).with_context(|| format!("{} of {}", case.name, broker.name))?;
                samples.add(&broker.name, row);
            }
        }
        let what = (case.what)(&args);
        println!("\n## {}: {what}\n\n{}", case.name, samples.table(case.name, &what));
    }
    Ok(())
}

fn chosen(names: &[String]) -> Result<Vec<&'static Case>> {
    if let Some(unknown) = names.iter().find(|name| CASES.iter().all(|case| case.name != **name)) {
        bail!(
            "there is no case {unknown:?}; the cases are: {}",
            CASES.iter().map(|case| case.name).collect::<Vec<_>>().join(", ")
        );
    }
    Ok(CASES.iter().filter(|case| names.is_empty() || names.iter().any(|name| name == case.name)).collect())
}
