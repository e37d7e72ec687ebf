//! Figures: one neutral client, every broker in the same interleaved run.
//!
//! ```text
//!   round 1:  floor  pagewire  kafka     round 2:  pagewire  kafka  floor     ...     min / median / max of each, and ratios
//! ```
//!
//! `floor` is a loop that receives, checks and writes (or sends by `sendfile`) and is no broker. `pagewire` is the release
//! binary of this repository. `kafka` is Apache Kafka from Maven. All are started here, each on an empty directory; others
//! can be named, by a command or by their address and process. CPU is the broker process's own: wall time on a shared machine
//! says little, CPU-seconds per GB and ratios within one round say more.
//!
//! ```text
//!   main ─┬─ load      under the lab's drive: produce, fetch, tail, connections      goals
//!         ├─ cases     compaction, a tail beside it, starting
//!         └─ restart   stopped or killed, and started again
//! ```
#![allow(clippy::print_stdout, reason = "prints its report")]
#![allow(clippy::cast_precision_loss, reason = "figures are printed with three digits")]

mod broker;
mod cases;
mod client;
mod floor;
mod kafka;
mod load;
mod node;
mod report;
mod restart;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Parser;

use broker::{Broker, FLOOR, Running};
use load::Extent;
use node::Recipe;

/// Measure brokers side by side: `cargo xtask bench`. Stops, kills and starts: `cargo xtask bench restart --help`.
///
/// The first broker is the floor, a loop without a broker around it; ratios are to it. Figures are least / middle / largest of
/// the rounds. Run it on a machine that does nothing else, and look at the load that the first line tells.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Args {
    /// Cases to run [default: all]; `--list` names them
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    /// Name the cases and stop
    #[arg(long)]
    list: bool,
    /// Start Apache Kafka too, fetched by Maven
    #[arg(long)]
    kafka: bool,
    /// A line of Kafka's server.properties; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    kafka_set: Vec<String>,
    /// Start another broker: a command in which {port} and {dir} stand for a free port and an empty directory
    #[arg(long, value_name = "NAME=COMMAND")]
    start: Vec<Recipe>,
    /// A broker that runs already; may be repeated
    #[arg(long, value_name = "NAME=HOST:PORT,PID")]
    rival: Vec<Running>,
    /// Interleaved rounds of each case that count
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Rounds of a load before them that do not: a virtual machine compiles its code meanwhile
    #[arg(long, default_value_t = 2)]
    warm_up: usize,
    /// Seconds of a round
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// MiB after which a round of produce ends too, and that are compacted
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// A setting of our broker, as `serve --set` takes it; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Append what was measured to this file, a JSON object a line
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let done = match words.next() {
        Some(first) if first == restart::COMMAND => restart::run(words),
        Some(first) if first == floor::COMMAND => floor::run(words),
        _ => run(&Args::parse()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    if args.list {
        known().for_each(|(name, what)| println!("{name:<20} {what}"));
        return Ok(());
    }
    if let Some(unknown) = args.cases.iter().find(|name| known().all(|(one, _)| one != name.as_str())) {
        bail!("there is no case {unknown:?}; --list names them");
    }
    let is_chosen = |name: &str| args.cases.is_empty() || args.cases.iter().any(|one| one == name);
    let brokers = start_all(args)?;
    report::machine();
    let mut noted = BTreeSet::new();
    for case in load::CASES.iter().filter(|case| is_chosen(case.name)) {
        let extent = Extent {
            rounds: args.rounds,
            warm_up: args.warm_up,
            length: Duration::from_secs(args.seconds),
            round_bytes: args.mib << 20,
        };
        let targets: Vec<_> = brokers.iter().map(Broker::target).collect();
        load::run(case, &targets, extent, args.json.as_deref(), &mut noted)?;
    }
    for case in cases::CASES.iter().filter(|case| is_chosen(case.name)) {
        println!("\n## {}: {}\n", case.name, case.what);
        let mut table = report::Table::new(case.columns);
        for round in 0..args.rounds {
            for broker in brokers.iter().filter(|broker| case.fits(broker)) {
                eprintln!("{} round {}/{}: {}", case.name, round + 1, args.rounds, broker.name);
                table.add(&broker.name, (case.run)(broker, args.mib)?);
            }
        }
        table.print();
    }
    Ok(())
}

/// All cases, by name.
fn known() -> impl Iterator<Item = (&'static str, &'static str)> {
    let loads = load::CASES.iter().map(|case| (case.name, case.what));
    loads.chain(cases::CASES.iter().map(|case| (case.name, case.what)))
}

/// The floor, ours, Kafka, and whoever was named.
fn start_all(args: &Args) -> Result<Vec<Broker>> {
    let mut recipes = vec![broker::the_floor()?, broker::ours(&args.set)?];
    if args.kafka {
        recipes.push(kafka::recipe(&args.kafka_set)?);
    }
    recipes.extend(args.start.iter().cloned());
    let mut brokers = recipes.iter().map(Broker::start).collect::<Result<Vec<_>>>()?;
    debug_assert_eq!(brokers.first().map(|first| first.name.as_str()), Some(FLOOR));
    brokers.extend(args.rival.iter().map(Broker::from));
    Ok(brokers)
}
