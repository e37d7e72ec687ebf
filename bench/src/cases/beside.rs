//! A tail alone, and the same tail while something else goes on.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use anyhow::{Result, anyhow};

use super::tail::{self, Tail};
use crate::report::Name;

/// What comes of it; the last one is how much of the other work was done meanwhile.
pub(super) const fn columns(other: Name) -> [Name; 7] {
    [ALONE_P50, P50, ALONE_P99, P99, "alone max ms", "max ms", other]
}

pub(super) const ALONE_P50: Name = "alone p50 ms";
pub(super) const P50: Name = "p50 ms";
pub(super) const ALONE_P99: Name = "alone p99 ms";
pub(super) const P99: Name = "p99 ms";

/// Measures the tail, then again while `other` works until it is told to end.
pub(super) fn run(tail: &Tail<'_>, other: impl FnOnce(&Until) -> Result<f64> + Send) -> Result<Vec<f64>> {
    let alone = tail::run(tail)?;
    let until = Until::default();
    let (busy, amount) = thread::scope(|scope| {
        let other = scope.spawn(|| other(&until));
        let busy = tail::run(tail);
        until.0.store(true, Relaxed);
        let amount = other.join().map_err(|_| anyhow!("the thread beside the tail died"))?;
        Ok::<_, anyhow::Error>((busy?, amount?))
    })?;
    Ok(vec![alone.p50, busy.p50, alone.p99, busy.p99, alone.max, busy.max, amount])
}

/// Until the tail was measured.
#[derive(Default)]
pub(super) struct Until(AtomicBool);

impl Until {
    pub(super) fn is_over(&self) -> bool {
        self.0.load(Relaxed)
    }
}
