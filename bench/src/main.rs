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
//!   main ─┬─ run ─┬─ load     under the lab's drive: produce, fetch, tail, connections     ─▶ table, goals ─▶ output
//!         │       └─ cases    compaction, a tail beside other work, real producers, starting
//!         ├─ restart          stopped or killed, and started again
//!         ├─ page             docs/performance.md out of what runs left
//!         └─ profile          where the time of ours goes in a case, or the floor's in a load
//! ```
#![allow(clippy::print_stdout, reason = "prints its report")]
#![allow(clippy::cast_precision_loss, reason = "figures are printed with three digits")]

mod broker;
mod cases;
mod change;
mod client;
mod commit;
mod deliveries;
mod floor;
mod goals;
mod kafka;
mod load;
mod node;
mod output;
mod page;
mod place;
mod plots;
mod prepared;
mod profile;
mod report;
mod restart;
mod routes;
mod run;
mod table;

use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use pagewire_lab::drive::Target;

use node::Recipe;

/// Measure brokers side by side: `cargo xtask bench`. Stops, kills and starts of long logs: `cargo xtask bench restart
/// --help`. A page out of the files of runs: `cargo xtask bench page --help`. Where the time goes: `cargo xtask profile --help`.
///
/// The first broker is the floor, a loop without a broker around it; ratios are to it. Figures are least / middle / largest of
/// the rounds. Run it on a machine that does nothing else, and look at the load that the first line tells. All cases with Kafka take
/// about an hour and a half; some by name take minutes.
#[derive(Parser)]
#[command(bin_name = "cargo xtask bench")]
struct Args {
    /// Cases to run [default: all]; `--list` names them
    #[arg(value_name = "CASE")]
    cases: Vec<String>,
    /// Name the cases and stop
    #[arg(long)]
    list: bool,
    /// Go without Apache Kafka, which Maven fetches
    #[arg(long)]
    no_kafka: bool,
    /// What is done anyway: older commands have it.
    #[arg(long, hide = true, conflicts_with = "no_kafka")]
    kafka: bool,
    /// A line of Kafka's server.properties; may be repeated
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "no_kafka")]
    kafka_set: Vec<String>,
    /// Start another broker by its path, or by its name where it is on PATH: {port} and {dir} stand for a free port (and the next
    /// one is free too) and an empty directory. --start 'older=/opt/older/pagewire serve --listen 127.0.0.1:{port} --set
    /// log.dirs={dir}'; one that wants a file of settings is started by a script that writes it. May be repeated
    #[arg(long, value_name = "NAME=COMMAND")]
    start: Vec<Recipe>,
    /// A broker that runs already: its process is looked for unless it is said. Of one that is not found, or runs elsewhere, loads
    /// alone are measured, without CPU and memory. May be repeated
    #[arg(long, value_name = "NAME=HOST:PORT[,PID]")]
    rival: Vec<Target>,
    /// Where brokers have their files [default: the temporary directory]; on a file system in memory what is of a disk has no goals
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Interleaved rounds of each case that count [default: 3, and 5 of what is measured alone and beside other work]
    #[arg(long)]
    rounds: Option<NonZero<usize>>,
    /// Rounds of a load before them that do not, and at most one of another case. Whoever is neither the floor nor ours has three
    /// times as many more of a load: a virtual machine compiles its code meanwhile
    #[arg(long, default_value_t = 2)]
    warm_up: usize,
    /// Seconds of a round
    #[arg(long, default_value = "5")]
    seconds: NonZero<u64>,
    /// Seconds to wait at most until the machine has done nothing for five of them; with 0 nothing is waited for, nor looked at
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait: u64,
    /// MiB after which a round of produce ends too, and that are compacted
    #[arg(long, default_value_t = 1024)]
    mib: u64,
    /// A setting of our broker, as `serve --set` takes it; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Write what was measured into this file, a JSON object a line: the run, then a table for each case, and before that of a load
    /// a cell for each broker, with the distribution of its latencies
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the lab's page of the loads into this directory, with plots: index.html, and the records beside it
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

/// Of most cases.
const ROUNDS: usize = 3;

impl Args {
    /// As many as were asked for; else what is usual, or the least that a case wants.
    fn rounds_of(&self, least: usize) -> usize {
        self.rounds.map_or(ROUNDS.max(least), NonZero::get)
    }
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let done = match words.next() {
        Some(first) if first == restart::COMMAND => restart::run(words),
        Some(first) if first == floor::COMMAND => floor::run(words),
        Some(first) if first == page::COMMAND => page::run(words),
        Some(first) if first == profile::COMMAND => profile::run(words),
        _ => run::run(&Args::parse()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafka_is_measured_unless_it_is_left_out() {
        let no_kafka = |words: &[&str]| {
            Args::try_parse_from([&["bench"], words].concat()).map(|args| args.no_kafka).ok()
        };
        assert_eq!(no_kafka(&[]), Some(false));
        assert_eq!(no_kafka(&["produce", "--kafka"]), Some(false));
        assert_eq!(no_kafka(&["--no-kafka"]), Some(true));
        assert_eq!(no_kafka(&["--no-kafka", "--kafka"]), None);
    }
}
