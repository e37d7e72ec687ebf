//! Latencies of something alone, and of the same while something else goes on.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use anyhow::{Result, anyhow};
use pagewire_lab::drive::Latencies;

use crate::report::Name;

/// What comes of it; the last one is how much of the other work was done meanwhile.
pub(super) const fn columns(other: Name) -> [Name; 9] {
    [ALONE_P50, P50, ALONE_P99, P99, "alone p99.9 ms", "p99.9 ms", "alone max ms", "max ms", other]
}

pub(super) const ALONE_P50: Name = "alone p50 ms";
pub(super) const P50: Name = "p50 ms";
pub(super) const ALONE_P99: Name = "alone p99 ms";
pub(super) const P99: Name = "p99 ms";

const PERCENTILES: [f64; 4] = [50.0, 99.0, 99.9, 100.0];

/// Measures, then again while `other` works until it is told to end.
pub(super) fn run(
    measure: impl Fn() -> Result<Latencies>,
    other: impl FnOnce(&Until) -> Result<f64> + Send,
) -> Result<Vec<f64>> {
    let alone = measure()?;
    let until = Until::default();
    let (busy, amount) = thread::scope(|scope| {
        let other = scope.spawn(|| other(&until));
        let busy = measure();
        until.0.store(true, Relaxed);
        let amount = other.join().map_err(|_| anyhow!("the thread beside it died"))?;
        Ok::<_, anyhow::Error>((busy?, amount?))
    })?;
    let ms = |latencies: &Latencies, percentile| latencies.percentile_us(percentile) / 1e3;
    let both = PERCENTILES.into_iter().flat_map(|at| [ms(&alone, at), ms(&busy, at)]);
    Ok(both.chain([amount]).collect())
}

/// Until it was measured.
#[derive(Default)]
pub(super) struct Until(AtomicBool);

impl Until {
    pub(super) fn is_over(&self) -> bool {
        self.0.load(Relaxed)
    }
}
