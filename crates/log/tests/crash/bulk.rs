//! Many seeds on all cores.
#![allow(clippy::print_stdout, reason = "the test's own output, for whoever runs seeds in bulk")]

use std::fmt;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::life::live;
use crate::tally::Tally;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) done: u64,
    pub(crate) failed: Vec<u64>,
    pub(crate) tally: Tally,
    took: Duration,
}

/// How far it has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    done: u64,
    total: u64,
    failed: usize,
    since: Instant,
}

/// Lives through the seeds; `told` hears of each that is done.
pub(crate) fn run(seeds: Range<u64>, told: impl Fn(Progress) + Sync) -> Outcome {
    let since = Instant::now();
    let (next, outcome) = (AtomicU64::new(seeds.start), Mutex::new((0, Vec::new(), Tally::default())));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !seeds.contains(&seed) {
                        break;
                    }
                    let lived = catch_unwind(AssertUnwindSafe(|| live(seed)));
                    let mut outcome = outcome.lock().expect("nobody panics with it");
                    outcome.0 += 1;
                    if let Ok(tally) = lived {
                        outcome.2.merge(&tally);
                    } else {
                        println!("seed {seed} failed; again: cargo xtask crash --seeds 1 --from {seed}");
                        outcome.1.push(seed);
                    }
                    let (done, failed) = (outcome.0, outcome.1.len());
                    told(Progress { done, total: seeds.end - seeds.start, failed, since });
                }
            });
        }
    });
    let (done, mut failed, tally) = outcome.into_inner().expect("nobody panics with it");
    failed.sort_unstable();
    Outcome { done, failed, tally, took: since.elapsed() }
}

/// Prints a line now and then.
pub(crate) fn progress(at: Progress) {
    if at.done.is_multiple_of(500) || at.done == at.total {
        let rate = u128::from(at.done) * 1000 / at.since.elapsed().as_millis().max(1);
        println!("{} of {} seeds, {} failed, {rate} a second", at.done, at.total, at.failed);
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, failed, tally, took } = self;
        writeln!(f, "{done} seeds in {:.1} s, {} failed {failed:?}", took.as_secs_f64(), failed.len())?;
        tally.lines().try_for_each(|line| writeln!(f, "{line}"))
    }
}
