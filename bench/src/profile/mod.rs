//! Where our broker's time goes in a load: a flame graph, the functions that are most of it, and its system calls by name.
//!
//! ```text
//!   warm-up ─▶ round 1 under `perf record` ─▶ flame graph, functions ─▶ round 2 under `perf stat` ─▶ system calls a request
//! ```
//!
//! `cargo xtask profile` builds with frame pointers, without which no stack could be walked.

mod calls;
mod stacks;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Parser;
use pagewire_lab::drive::Audience;
use pagewire_lab::record::DriveCell;
use pagewire_lab::watch::Watch;

use crate::broker::{self, Broker};
use crate::load::{self, Extent};
use crate::place::Place;
use crate::table::short;

/// The first word of the command line that leads here.
pub(crate) const COMMAND: &str = "profile";

/// Show where the broker's time goes in one of the bench's loads: a flame graph, the functions and the system calls. Needs
/// `perf` and the right to use it (root, or kernel.perf_event_paranoid at -1).
#[derive(Parser)]
#[command(bin_name = "cargo xtask profile")]
struct Args {
    /// A load, as `cargo xtask bench --list` names them
    case: String,
    /// Seconds of each of the two rounds
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// MiB after which a round of produce ends too
    #[arg(long, default_value_t = 4096)]
    mib: u64,
    /// Where the flame graph and perf's file go
    #[arg(long, value_name = "DIR", default_value = "target/profile")]
    out: PathBuf,
    /// A setting of the broker, as `serve --set` takes it; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

pub(crate) fn run(words: impl Iterator<Item = String>) -> Result<()> {
    let args = Args::parse_from(std::iter::once(COMMAND.to_owned()).chain(words));
    let Some(case) = load::CASES.iter().find(|case| case.name == args.case) else {
        let known: Vec<_> = load::CASES.iter().map(|case| case.name).collect();
        bail!("there is no load {:?}; the loads are: {}", args.case, known.join(", "))
    };
    if let Some(paced) = Place::settle(None, false)?.paced {
        eprintln!("{paced}");
    }
    fs::create_dir_all(&args.out).with_context(|| args.out.display().to_string())?;
    let broker = Broker::start(&broker::ours(&args.set)?.with(&case.settings()))?;
    let extent = Extent {
        rounds: 2,
        warm_up: 1,
        length: Duration::from_secs(args.seconds),
        round_bytes: args.mib << 20,
    };
    let mut observed = Observed::new(&args, broker.pid);
    load::drive(case, &[broker.target()], extent, &mut observed)?;
    observed.tell(case.name)
}

/// Watches the broker's process in the rounds.
struct Observed<'a> {
    args: &'a Args,
    pid: u32,
    /// `perf`, as long as it watches.
    watching: Option<Child>,
    failed: Option<anyhow::Error>,
    cells: Vec<DriveCell>,
}

impl<'a> Observed<'a> {
    fn new(args: &'a Args, pid: u32) -> Self {
        Self { args, pid, watching: None, failed: None, cells: Vec::new() }
    }

    fn data(&self) -> PathBuf {
        self.args.out.join("perf.data")
    }

    fn counts(&self) -> PathBuf {
        self.args.out.join("syscalls.csv")
    }

    /// This round begins.
    fn watch(&mut self, round: usize) -> Result<()> {
        self.end()?;
        let mut perf = Command::new("perf");
        match round {
            1 => perf.args(["record", "-q", "-F", "1999", "--call-graph", "fp", "-o"]).arg(self.data()),
            _ => perf.args(["stat", "-x", ",", "-e", calls::EVENTS, "-o"]).arg(self.counts()),
        };
        perf.args(["-p", &self.pid.to_string(), "--", "sleep", &self.args.seconds.to_string()]);
        let child = perf.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        self.watching = Some(child.context("perf cannot be run: install linux-perf")?);
        Ok(())
    }

    /// `perf` ends by itself with the time of a round.
    fn end(&mut self) -> Result<()> {
        let Some(mut perf) = self.watching.take() else { return Ok(()) };
        let status = perf.wait()?;
        ensure!(
            status.success(),
            "perf ended with {status}: it takes root, or kernel.perf_event_paranoid at -1"
        );
        Ok(())
    }

    /// Draws and prints.
    fn tell(mut self, case: &str) -> Result<()> {
        self.end()?;
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        let cell = self.cells.first().context("no round was measured")?;
        let figure = |key: &str| cell.figures.get(key).map_or(f64::NAN, |spread| spread.median);
        println!(
            "{case}: {} requests/s, {} \u{b5}s of CPU a request, {} s a GB",
            short(figure("requests_per_s")),
            short(figure("cpu_us_per_request")),
            short(figure("cpu_s_per_gb"))
        );
        let stacks = stacks::fold(&self.data())?;
        let graph = self.args.out.join(format!("{case}.svg"));
        stacks::draw(&stacks, &graph, case)?;
        println!("\n| of the time | function |\n|-:|-|");
        for (share, name) in stacks::hottest(&stacks) {
            println!("| {share:.1} % | {name} |");
        }
        // `perf` looks a little longer or shorter than a round: how many calls there are a request the drive has counted.
        let calls = calls::read(&fs::read_to_string(self.counts())?);
        let all = calls.iter().map(|(count, _)| count).sum::<u64>() as f64;
        println!("\n| calls a request | system call |\n|-:|-|");
        for (count, name) in calls {
            println!("| {} | {name} |", short(count as f64 / all * figure("syscalls_per_request")));
        }
        println!("\nflame graph: {}", graph.display());
        Ok(())
    }
}

impl Watch for Observed<'_> {
    fn begin(&mut self, _steps: u64) {}

    fn step(&mut self, what: &str) {
        eprintln!("{what}");
    }

    fn skip(&mut self, _steps: u64) {}

    fn note(&mut self, line: &str) {
        println!("{line}\n");
    }

    fn is_stopped(&self) -> bool {
        self.failed.is_some()
    }
}

impl Audience for Observed<'_> {
    fn take(&mut self, cells: &[DriveCell]) {
        self.cells.extend_from_slice(cells);
    }

    fn round(&mut self, number: Option<usize>) {
        if let Some(number) = number.filter(|_| self.failed.is_none()) {
            self.failed = self.watch(number).err();
        }
    }
}
