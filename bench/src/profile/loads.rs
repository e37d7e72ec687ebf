//! A load under `perf`: the drive says when a round begins and when what it measures is over.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use pagewire_lab::drive::{Audience, Case};
use pagewire_lab::record::DriveCell;
use pagewire_lab::watch::Watch;

use super::perf::{Eye, Look};
use super::{Args, Seen, Whose};
use crate::broker::{self, Broker};
use crate::load::{self, Extent, LoadCase};
use crate::node::Recipe;
use crate::table::short;

/// MiB after which a round of produce ends, unless it is said.
const MIB: u64 = 4096;

/// One round to warm up, one that is sampled and one that is counted by name; then the drive's own, in which it counts all calls.
pub(super) fn run(case: &LoadCase, args: &Args) -> Result<Seen> {
    let broker = Broker::start(&recipe(case, args)?)?;
    let extent = Extent {
        rounds: 2,
        warm_up: 1,
        length: Duration::from_secs(args.seconds),
        round_bytes: args.mib.unwrap_or(MIB) << 20,
    };
    let mut observed =
        Observed { eye: Eye::of(&args.out), pid: broker.pid, cells: Vec::new(), skipped: None };
    let driven = load::drive(case, &[broker.target()], extent, &mut observed);
    observed.eye.close();
    observed.eye.seen()?;
    driven?;
    if let Some(why) = observed.skipped {
        bail!("{} cannot be measured here: {why}", case.name);
    }
    let cell = observed.cells.first().context("no round was measured")?;
    let in_round = |key: &str, round: usize| cell.samples.get(key)?.get(round).copied();
    // Those of the first: to be counted costs more than to be sampled.
    let figure = |key: &str| short(in_round(key, 0).unwrap_or(f64::NAN));
    let figures = format!(
        "{} requests/s, {} \u{b5}s of CPU a request, {} s a GB",
        figure("requests_per_s"),
        figure("cpu_us_per_request"),
        figure("cpu_s_per_gb")
    );
    Ok(Seen { figures, calls_per_request: in_round("syscalls_per_request", 0) })
}

/// What a case sets is set of ours.
fn recipe(case: &LoadCase, args: &Args) -> Result<Recipe> {
    match args.broker {
        Whose::Floor => broker::the_floor(),
        Whose::Pagewire => Ok(broker::ours(&args.set)?.with(&case.settings())),
    }
}

/// Watches the broker's process in the rounds.
struct Observed {
    eye: Eye,
    pid: u32,
    cells: Vec<DriveCell>,
    skipped: Option<String>,
}

impl Watch for Observed {
    fn step(&mut self, what: &str) {
        eprintln!("{what}");
    }

    fn note(&mut self, line: &str) {
        println!("{line}\n");
    }

    fn is_stopped(&self) -> bool {
        self.eye.has_failed()
    }
}

impl Audience for Observed {
    fn take(&mut self, cells: &[DriveCell]) {
        self.cells.extend_from_slice(cells);
    }

    fn skipped(&mut self, _case: Case, why: &str) {
        self.skipped = Some(why.to_owned());
    }

    fn round(&mut self, number: Option<usize>) {
        let look = if number == Some(1) { Look::Sample } else { Look::Count };
        if number.is_some() {
            self.eye.open(look, self.pid);
        }
    }

    fn round_done(&mut self) {
        self.eye.close();
    }
}
