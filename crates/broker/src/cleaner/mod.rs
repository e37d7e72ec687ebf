//! Compaction in the background: the threads, and what is known of their work.
//!
//! ```text
//!   lead thread    look ── something due? ──▶ clean ── look again          nothing: rest until log.cleaner.backoff.ms is over,
//!                            │ another thread is allowed                    settings change, or the broker stops
//!                            └──▶ helper: the same, and it ends where the lead rests
//! ```
//!
//! What is due, and how a log is cleaned, the log says ([`pagewire_log::LogDir::dirtiest`]); which log is at whom, too.
//! Here are the threads: of their own, because a clean takes as long as it takes, and scheduled so that they interrupt
//! nobody. At rest there is one of them and no map of keys. A panic costs the clean it happened in, not the thread.

mod counts;
mod gauges;
#[cfg(test)]
mod tests;
mod thread;

use std::{
    sync::Arc,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use pagewire_log::Throttle;
use parking_lot::{Condvar, Mutex};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use gauges::CleanerGauges;
pub(crate) use gauges::{gauges, gauges_of};

use crate::{broker::Broker, config::CleanerConfig};
use counts::Counts;

/// What the threads share, and others tell them.
pub(crate) struct Cleaners {
    throttle: Throttle,
    /// Somebody wants them to look before their rest is over.
    woken: Mutex<bool>,
    wake: Condvar,
    helpers: AtomicUsize,
    lead: AtomicBool,
    counts: Counts,
}

impl Cleaners {
    pub(crate) fn new(config: &CleanerConfig) -> Self {
        Self {
            throttle: Throttle::new(config.io_max_bytes_per_second),
            woken: Mutex::default(),
            wake: Condvar::new(),
            helpers: AtomicUsize::new(0),
            lead: AtomicBool::new(false),
            counts: Counts::default(),
        }
    }

    /// Settings are other than they were, topics' or these.
    pub(crate) fn settings_changed(&self, config: &CleanerConfig) {
        self.throttle.set_rate(config.io_max_bytes_per_second);
        self.wake();
    }

    /// Logs cleaned since the start.
    pub(crate) fn cleans(&self) -> u64 {
        self.counts.cleans.load(Ordering::Relaxed)
    }

    fn wake(&self) {
        *self.woken.lock() = true;
        self.wake.notify_all();
    }

    /// Ends what is under way at the next batch, and the threads with it.
    fn stop(&self) {
        self.throttle.stop();
        self.wake();
    }

    fn is_stopped(&self) -> bool {
        self.throttle.is_stopped()
    }

    /// Waits until it is time to look again.
    fn rest(&self, backoff: Duration) {
        let mut woken = self.woken.lock();
        if !*woken && !self.is_stopped() {
            self.wake.wait_for(&mut woken, backoff);
        }
        *woken = false;
    }

    /// Takes a place for one more helper, where `threads` may clean in all.
    fn take_place(&self, threads: usize) -> bool {
        let free = |helpers: usize| (helpers + 1 < threads).then_some(helpers + 1);
        self.helpers.fetch_update(Ordering::AcqRel, Ordering::Acquire, free).is_ok()
    }

    /// Gives a place back if there are more helpers than may be.
    fn is_one_too_many(&self, threads: usize) -> bool {
        self.helpers.load(Ordering::Acquire) + 1 > threads
    }
}

/// Starts compaction, unless it is switched off; it ends with `stop`. Whoever waits for `tasks` waits for its threads
/// too.
pub(crate) fn start(broker: &Arc<Broker>, tasks: &TaskTracker, stop: &CancellationToken) {
    if !broker.config().cleaner.enable {
        return;
    }
    let (stopping, stop) = (Arc::clone(broker), stop.clone());
    tasks.spawn(async move {
        stop.cancelled().await;
        stopping.cleaners().stop();
    });
    thread::start_lead(broker, tasks);
}
