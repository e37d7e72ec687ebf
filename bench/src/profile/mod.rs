//! Where a broker's time goes in a case, ours or the floor's: a flame graph, the functions that are most of it, its system calls by
//! name, and what the processor counts where it may be asked. What ours does beyond the floor shows when both lie side by side.
//!
//! ```text
//!   warm-up ─▶ round under `perf record` ─▶ flame graph, functions ─▶ round under `perf stat` ─▶ system calls, cache misses
//! ```
//!
//! `perf` watches as long as a round measures. The figures that are told are of the first round: to count hundreds of calls apart
//! costs at every switch of threads, and slows down what is switched often. How many calls a request takes the drive counts in a
//! round behind both. `cargo xtask profile` builds with frame pointers, without which no stack could be walked.

mod counts;
mod loads;
mod others;
mod perf;
mod stacks;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::{Parser, ValueEnum};

use crate::broker::{FLOOR, OURS};
use crate::cases;
use crate::load;
use crate::place::Place;
use crate::table::short;
use perf::Look;

/// The first word of the command line that leads here.
pub(crate) const COMMAND: &str = "profile";

/// Show where the broker's time goes in one of the bench's cases: a flame graph, the functions, the system calls, and cycles,
/// instructions and cache misses where the machine lets them be counted. Needs `perf` and the right to use it (root, or
/// kernel.perf_event_paranoid at -1).
#[derive(Parser)]
#[command(bin_name = "cargo xtask profile")]
struct Args {
    /// A case, as `cargo xtask bench --list` names them. One that is no load is watched whole, what it prepares included; one that
    /// starts brokers of its own, in the last one
    case: String,
    /// Whose time: the floor, the bare loop that the bench measures brokers by, serves loads alone
    #[arg(long, value_enum, default_value_t = Whose::Pagewire)]
    broker: Whose,
    /// Seconds of each round of a load
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// MiB after which a round of produce ends too [default: 4096], or that other cases write [default: 1024]
    #[arg(long)]
    mib: Option<u64>,
    /// Where the broker has its files [default: the temporary directory]; in memory, a sync costs nothing
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Where the flame graph and perf's files go
    #[arg(long, value_name = "DIR", default_value = "target/profile")]
    out: PathBuf,
    /// A setting of our broker, as `serve --set` takes it; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// The broker that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Whose {
    Floor,
    Pagewire,
}

impl Whose {
    /// As the bench calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Floor => FLOOR,
            Self::Pagewire => OURS,
        }
    }
}

/// What came of a case, beside what `perf` saw.
struct Seen {
    /// Its figures in words.
    figures: String,
    /// As the drive counts them; of a case without requests that count, nothing.
    calls_per_request: Option<f64>,
}

pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let args = Args::parse_from(std::iter::once(COMMAND.to_owned()).chain(words));
    let case = find(&args.case)?;
    serves(&args, &case)?;
    Place::settle(args.dir.as_deref(), false)?.reasons().for_each(|why| println!("{why}\n"));
    fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let seen = match case {
        Found::Load(case) => loads::run(case, &args)?,
        Found::Other(case) => others::run(case, &args)?,
    };
    tell(&args, &seen)
}

/// The floor takes and gives, and does nothing else.
fn serves(args: &Args, case: &Found) -> Result<()> {
    if args.broker == Whose::Pagewire {
        return Ok(());
    }
    if let Found::Other(case) = case {
        bail!("{} is no load, and the floor serves loads alone: --broker pagewire", case.name);
    }
    ensure!(args.set.is_empty(), "the floor has no settings: --set is of pagewire");
    Ok(())
}

/// A case of the bench.
enum Found {
    Load(&'static load::LoadCase),
    Other(&'static cases::Case),
}

fn find(name: &str) -> Result<Found> {
    let load = load::CASES.iter().find(|case| case.name == name).map(Found::Load);
    let other = || cases::CASES.iter().find(|case| case.name == name).map(Found::Other);
    if let Some(found) = load.or_else(other) {
        return Ok(found);
    }
    let loads = load::CASES.iter().map(|case| case.name);
    let known: Vec<_> = loads.chain(cases::CASES.iter().map(|case| case.name)).collect();
    bail!("there is no case {name:?}; the cases are: {}", known.join(", "))
}

/// Draws and prints.
fn tell(args: &Args, seen: &Seen) -> Result<()> {
    let title = format!("{}: {}", args.broker.name(), args.case);
    println!("{title}: {}", seen.figures);
    let stacks = stacks::fold(&Look::Sample.file(&args.out))?;
    let graph = args.out.join(format!("{}-{}.svg", args.case, args.broker.name()));
    stacks::draw(&stacks, &graph, &title)?;
    println!("\n| of the time | function |\n|-:|-|");
    for (share, name) in stacks::hottest(&stacks) {
        println!("| {share:.1} % | {name} |");
    }
    println!("\n{}", counted(&fs::read_to_string(Look::Count.file(&args.out))?, seen.calls_per_request));
    println!("flame graph: {}", graph.display());
    Ok(())
}

/// What `perf stat` has counted, for each request where it is known how many calls one takes.
fn counted(csv: &str, calls_per_request: Option<f64>) -> String {
    let calls = counts::calls(csv);
    let all = calls.iter().map(|(count, _)| count).sum::<u64>() as f64;
    let each = calls_per_request.map(|calls| calls / all);
    let unit = if each.is_some() { "a request" } else { "in all" };
    let row = |(count, name): &(u64, String)| {
        let told = each.map_or_else(|| count.to_string(), |each| short(*count as f64 * each));
        format!("| {told} | {name} |\n")
    };
    let table = |what: &str, rows: String| format!("| {unit} | {what} |\n|-:|-|\n{rows}");
    let hardware = counts::hardware(csv);
    let processor = if hardware.is_empty() {
        format!(
            "{} cannot be counted: perf has no counters of this processor, as in many a virtual machine\n",
            counts::HARDWARE.replace(',', ", ")
        )
    } else {
        table("of the processor", hardware.iter().map(row).collect())
    };
    format!("{}\n{processor}", table("system call", calls.iter().map(row).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loads_and_other_cases_are_found_by_their_names() {
        assert!(matches!(find("produce").unwrap(), Found::Load(_)));
        assert!(matches!(find("tail-slow-disk").unwrap(), Found::Other(_)));
        let Err(unknown) = find("lunch") else { panic!("lunch is no case") };
        assert!(unknown.to_string().contains("produce, ") && unknown.to_string().contains(", partitions"));
    }

    #[test]
    fn the_floor_is_looked_at_in_loads_alone_and_without_settings() {
        let may = |words: &[&str]| {
            let args = Args::try_parse_from([&[COMMAND], words].concat()).unwrap();
            serves(&args, &find(&args.case).unwrap()).map_err(|error| error.to_string())
        };
        for words in
            [["produce", "--broker", "floor"], ["start", "--broker", "pagewire"], ["start", "--set", "a=b"]]
        {
            assert_eq!(may(&words), Ok(()), "{words:?}");
        }
        let no_load = may(&["start", "--broker", "floor"]).unwrap_err();
        assert!(no_load.contains("start is no load"), "{no_load}");
        let settings = may(&["produce", "--broker", "floor", "--set", "a=b"]).unwrap_err();
        assert!(settings.contains("no settings"), "{settings}");
    }

    #[test]
    fn counts_are_of_a_request_where_its_calls_are_known() {
        let csv = "30,,syscalls:sys_enter_sendfile64,1,1,,\n10,,syscalls:sys_enter_recvfrom,1,1,,\n2000,,cache-misses,1,1,,\n";
        let told = counted(csv, Some(4.0));
        assert_eq!(
            told,
            "| a request | system call |\n|-:|-|\n| 3.00 | sendfile64 |\n| 1.00 | recvfrom |\n\n\
             | a request | of the processor |\n|-:|-|\n| 200 | cache-misses |\n"
        );
        assert!(counted(csv, None).contains("| in all | system call |\n|-:|-|\n| 30 | sendfile64 |"));
    }

    #[test]
    fn what_the_machine_does_not_let_be_counted_is_said() {
        let told = counted("10,,syscalls:sys_enter_read,1,1,,\n<not supported>,,cycles,0,1,,\n", None);
        assert!(
            told.contains("cycles, instructions, cache-references, cache-misses cannot be counted"),
            "{told}"
        );
    }
}
