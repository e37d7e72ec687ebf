//! The tail's load once more, while the cleaner compacts another topic: what background work costs those who append.
//!
//! The scrub of ours runs beside it if the run sets `pagewire.log.scrub.interval.ms=1`; a rival has none.

use std::{
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::Duration,
};

use anyhow::{Result, anyhow};

use super::{compact::Dirty, tail};
use crate::broker::Broker;

/// How often the compacted topic is looked at.
const LOOK: Duration = Duration::from_millis(500);

pub(super) fn run(broker: &Broker, mib: u64) -> Result<Vec<f64>> {
    let mut dirty = Dirty::fill(broker, mib)?;
    let quiet = tail::run(broker, mib)?;
    let before = dirty.size()?;
    dirty.release()?;
    let measured = AtomicBool::new(false);
    let (busy, least) = thread::scope(|scope| {
        let watch = scope.spawn(|| -> Result<u64> {
            let mut least = before;
            while !measured.load(Relaxed) {
                thread::sleep(LOOK);
                least = least.min(dirty.size()?);
            }
            Ok(least)
        });
        let busy = tail::run(broker, mib);
        measured.store(true, Relaxed);
        let least = watch.join().map_err(|_| anyhow!("the thread that watches the cleaner died"))?;
        Ok::<_, anyhow::Error>((busy?, least?))
    })?;
    dirty.remove()?;
    let [_, quiet_p50, quiet_p99, quiet_max] = quiet[..] else {
        return Err(anyhow!("the tail has four figures"));
    };
    let [_, p50, p99, max] = busy[..] else { return Err(anyhow!("the tail has four figures")) };
    let cleaned_mib = (before - least) as f64 / f64::from(1 << 20);
    Ok(vec![quiet_p50, p50, quiet_p99, p99, quiet_max, max, cleaned_mib])
}
