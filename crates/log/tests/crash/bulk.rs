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

/// Between two words about how far it has come. Whoever interrupts it has the last one.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// How far it has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress<'s> {
    done: u64,
    total: u64,
    failed: &'s [u64],
    took: Duration,
}

/// What the threads share.
struct Shared {
    outcome: Outcome,
    told: Instant,
}

/// Lives through the seeds; `told` hears how far it is every few seconds and at the end.
pub(crate) fn run(seeds: Range<u64>, told: impl Fn(Progress<'_>) + Sync) -> Outcome {
    let (since, total) = (Instant::now(), seeds.end - seeds.start);
    let outcome = Outcome { done: 0, failed: Vec::new(), tally: Tally::default(), took: Duration::ZERO };
    let (next, shared) = (AtomicU64::new(seeds.start), Mutex::new(Shared { outcome, told: since }));
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
                    let mut shared = shared.lock().expect("nobody panics with it");
                    shared.outcome.add(seed, lived.ok());
                    let Shared { outcome: Outcome { done, failed, .. }, told: last } = &mut *shared;
                    if last.elapsed() >= TELL_EVERY || *done == total {
                        told(Progress { done: *done, total, failed, took: since.elapsed() });
                        *last = Instant::now();
                    }
                }
            });
        }
    });
    let mut outcome = shared.into_inner().expect("nobody panics with it").outcome;
    outcome.failed.sort_unstable();
    Outcome { took: since.elapsed(), ..outcome }
}

impl Outcome {
    /// A seed is done; it failed without a tally.
    fn add(&mut self, seed: u64, tally: Option<Tally>) {
        self.done += 1;
        if let Some(tally) = tally {
            self.tally.merge(&tally);
        } else {
            println!("seed {seed} failed; again: cargo xtask crash --seeds 1 --from {seed}");
            self.failed.push(seed);
        }
    }
}

/// Prints a line.
pub(crate) fn progress(at: Progress<'_>) {
    let Progress { done, total, failed, took } = at;
    let rate = u128::from(done) * 1000 / took.as_millis().max(1);
    println!("{done} of {total} seeds, {} failed {failed:?}, {rate} a second", failed.len());
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, failed, tally, took } = self;
        writeln!(f, "{done} seeds in {:.1} s, {} failed {failed:?}", took.as_secs_f64(), failed.len())?;
        tally.lines().try_for_each(|line| writeln!(f, "{line}"))
    }
}
