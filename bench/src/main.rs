//! Figures: one neutral client, every broker in the same interleaved run.
//!
//! ```text
//!   round 1:  bare  pagewire  rival     round 2:  bare  pagewire  rival     ...     min / median / max of each
//! ```
//!
//! `bare` is the floor: a loop that receives, checks and writes (or sends by `sendfile`) and knows no protocol beyond
//! this client's frames. `pagewire` is the release binary of this repository, started here. A rival is any Kafka broker
//! that runs already, named by its address and process id. CPU is the broker process's own, from `/proc`: wall time on
//! a shared machine says little, CPU-seconds per GiB and ratios within one run say more.
#![allow(clippy::print_stdout, reason = "prints its report")]
#![allow(clippy::cast_precision_loss, reason = "figures are printed with three digits")]

mod bare;
mod broker;
mod cases;
mod client;
mod report;
mod restart;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use broker::Rival;

/// Measure brokers side by side: `cargo xtask bench`. Stops, kills and starts: `cargo xtask bench restart --help`.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Args {
    /// A broker that runs already: NAME=HOST:PORT,PID. May be repeated.
    #[arg(long, value_name = "NAME=HOST:PORT,PID")]
    rival: Vec<Rival>,
    /// Cases to run: produce, fetch, small-fetch, tail, compact, compact-zstd, tail-cleaning, start. All of them if
    /// none is named.
    cases: Vec<String>,
    /// Interleaved rounds of each case.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// MiB moved in one round of produce and fetch.
    #[arg(long, default_value_t = 512)]
    mib: u64,
    /// Extra settings for our broker, as --set takes them.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let done = match words.next() {
        Some(first) if first == restart::COMMAND => restart::run(words),
        Some(first) if first == bare::COMMAND => bare::run(words.nth(1).unwrap_or_default().as_ref()),
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
    let chosen = cases::chosen(&args.cases)?;
    let brokers = broker::start_all(&args.rival, &args.set)?;
    report::machine();
    for case in chosen {
        println!("\n## {}: {}\n", case.name, case.what);
        let mut table = report::Table::new(case.columns);
        for round in 0..args.rounds {
            for broker in brokers.iter().filter(|b| case.fits(b)) {
                eprintln!("{} round {}/{}: {}", case.name, round + 1, args.rounds, broker.name);
                table.add(&broker.name, (case.run)(broker, args.mib)?);
            }
        }
        table.print();
    }
    Ok(())
}
