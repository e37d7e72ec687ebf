//! The tail once more, while the cleaner compacts another topic: what background work costs those who append.
//!
//! The scrub of ours runs beside it if the run sets `pagewire.log.scrub.interval.ms=1`; a rival has none.

use std::{thread, time::Duration};

use anyhow::Result;

use super::{
    beside,
    compact::Dirty,
    tail::{self, Tail},
};
use crate::broker::Broker;

/// How often the compacted topic is looked at.
const LOOK: Duration = Duration::from_millis(500);

pub(super) fn run(broker: &Broker, mib: u64) -> Result<Vec<f64>> {
    let tail = Tail::of(broker)?;
    let mut dirty = Dirty::fill(broker, mib)?;
    let before = dirty.size()?;
    let values = beside::run(
        broker.pid,
        || tail::run(&tail),
        |until| {
            dirty.release()?;
            let mut least = before;
            while !until.is_over() {
                thread::sleep(LOOK);
                least = least.min(dirty.size()?);
            }
            Ok((before - least) as f64 / f64::from(1 << 20))
        },
    )?;
    dirty.remove()?;
    Ok(values)
}
