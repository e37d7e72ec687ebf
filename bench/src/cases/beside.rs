//! Latencies of something alone, and of the same while something else goes on.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use anyhow::{Result, anyhow};
use pagewire_lab::drive::{Busy, Latencies, WasBusy};

use crate::report::Name;

/// What comes of it; the last one is how much of the other work was done meanwhile, which the cores and calls are for too.
pub(super) const fn columns(other: Name) -> [Name; 15] {
    [
        ALONE_P50,
        P50,
        ALONE_P99,
        P99,
        "alone p99.9 ms",
        "p99.9 ms",
        "alone max ms",
        "max ms",
        "alone cores busy",
        "cores busy",
        "alone machine's cores busy",
        "machine's cores busy",
        "alone system calls/s",
        "system calls/s",
        other,
    ]
}

pub(super) const ALONE_P50: Name = "alone p50 ms";
pub(super) const P50: Name = "p50 ms";
pub(super) const ALONE_P99: Name = "alone p99 ms";
pub(super) const P99: Name = "p99 ms";

const PERCENTILES: [f64; 4] = [50.0, 99.0, 99.9, 100.0];

/// Measures a broker, then again while `other` works until it is told to end.
pub(super) fn run(
    pid: u32,
    measure: impl Fn() -> Result<Latencies>,
    other: impl FnOnce(&Until) -> Result<f64> + Send,
) -> Result<Vec<f64>> {
    let measure = || {
        let busy = Busy::start(pid)?;
        Ok::<_, anyhow::Error>((measure()?, busy.stop()?))
    };
    let alone = measure()?;
    let until = Until::default();
    let (busy, amount) = thread::scope(|scope| {
        let other = scope.spawn(|| other(&until));
        let busy = measure();
        until.0.store(true, Relaxed);
        let amount = other.join().map_err(|_| anyhow!("the thread beside it died"))?;
        Ok::<_, anyhow::Error>((busy?, amount?))
    })?;
    let ((alone, alone_took), (busy, took)) = (alone, busy);
    let ms = |latencies: &Latencies, percentile| latencies.percentile_us(percentile) / 1e3;
    let both = PERCENTILES.into_iter().flat_map(|at| [ms(&alone, at), ms(&busy, at)]);
    let costs = costs(alone_took).into_iter().zip(costs(took)).flat_map(|(alone, busy)| [alone, busy]);
    Ok(both.chain(costs).chain([amount]).collect())
}

/// As figures; no number is none.
fn costs(took: WasBusy) -> [f64; 3] {
    [took.cores, took.machine_cores.unwrap_or(f64::NAN), took.calls_per_s.unwrap_or(f64::NAN)]
}

/// Until it was measured.
#[derive(Default)]
pub(super) struct Until(AtomicBool);

impl Until {
    pub(super) fn is_over(&self) -> bool {
        self.0.load(Relaxed)
    }
}
