//! A case that is no load under `perf`: the whole of it, what it prepares included, since it says not when it measures.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use pagewire_lab::drive::process;
use rustix::process::{Pid, Signal, kill_process};

use super::perf::{Eye, Look};
use super::{Args, Seen};
use crate::broker::{self, Broker};
use crate::cases::{Case, Turn};
use crate::table::short;

/// MiB that are written, unless it is said: as the bench has it.
const MIB: u64 = 1024;

/// As often as the bench does to warm up, then sampled, then counted.
pub(super) fn run(case: &Case, args: &Args) -> Result<Seen> {
    (case.can_be_had)().with_context(|| format!("{} cannot be measured here", case.name))?;
    let eye = Arc::new(Mutex::new(Eye::of(&args.out)));
    let turned = Arc::clone(&eye);
    let settings: Vec<_> = case.ours.iter().map(|&setting| setting.to_owned()).collect();
    let recipe = broker::ours(&args.set)?.with(&settings).telling(move |pid| begin(&turned, pid));
    let broker = Broker::start(&recipe)?;
    let pids = [broker.pid];
    // Nobody asks for routes here, and what must be known of a tail is the bench's to tell.
    let (sent, known) = Default::default();
    let mib = args.mib.unwrap_or(MIB);
    let turn = Turn { broker: &broker, mib, pids: &pids, sent: &sent, known: &known };
    for _ in 0..case.warm_up_max.min(1) {
        eprintln!("{}: warm-up", case.name);
        (case.run)(&turn)?;
    }
    let mut figures = None;
    for look in [Look::Sample, Look::Count] {
        eprintln!("{}: {look:?}", case.name);
        if case.writes {
            process::settle(broker.pid);
        }
        locked(&eye).open(look, broker.pid);
        let ran = (case.run)(&turn);
        locked(&eye).close();
        locked(&eye).seen()?;
        let told = case.columns.iter().zip(ran?);
        let told: Vec<_> = told.map(|(column, value)| format!("{column} {}", short(value))).collect();
        // Those of the first: to be counted costs more than to be sampled.
        figures.get_or_insert(told.join(", "));
    }
    Ok(Seen { figures: figures.unwrap_or_default(), calls_per_request: None })
}

fn locked(eye: &Mutex<Eye>) -> MutexGuard<'_, Eye> {
    eye.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The case has started a broker of its own: that one is looked at, from its first moment on. The last one is what the case is about.
fn begin(eye: &Mutex<Eye>, pid: u32) {
    let signal = |signal| {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
        // One that has ended already is told by who started it.
        pid.map(|pid| kill_process(pid, signal))
    };
    signal(Signal::STOP);
    locked(eye).turn(pid);
    signal(Signal::CONT);
}
