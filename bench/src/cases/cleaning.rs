//! The tail once more, while the cleaner compacts another topic: what background work costs those who append.
//!
//! The scrub of ours runs beside it if the run sets `pagewire.log.scrub.interval.ms=1`; a rival has none.

use std::{thread, time::Duration};

use anyhow::Result;

use super::Turn;
use super::compact::Dirty;
use super::tail;

/// How often the compacted topic is looked at.
const LOOK: Duration = Duration::from_millis(500);

pub(super) fn run(turn: &Turn<'_>) -> Result<Vec<f64>> {
    let broker = turn.broker;
    let mut tail = tail::of(broker.address)?;
    let mut dirty = Dirty::fill(broker, turn.mib)?;
    let before = dirty.size()?;
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let values = turn.way(broker.pid).run(
        || turn.tail(&mut tail),
        |until| {
            dirty.release()?;
            let mut least = before;
            while !until.is_over() {
                thread::sleep(LOOK);
                least = least.min(dirty.size()?);
            }
            dirty.await_cleaned()?;
            Ok([mib(before - least), mib(least)])
        },
    )?;
    dirty.remove()?;
    Ok(values)
}
