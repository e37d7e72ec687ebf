//! How fast compaction may read and write, and whether it may go on: shared by all threads that clean.
//!
//! The rate is a debt that time pays off. Whoever moves bytes adds to it and waits until it is paid; a burst of a
//! tenth of a second is free. Waiting uses the monotonic clock and ends at once when everybody is told to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// What may be moved at once without waiting, in time at full rate.
const BURST: Duration = Duration::from_millis(100);

/// `log.cleaner.io.max.bytes.per.second`, and the word to stop.
#[derive(Debug)]
pub struct Throttle {
    bytes_per_second: AtomicU64,
    stopped: AtomicBool,
    /// When all that was moved so far is paid for.
    paid_at: Mutex<Option<Instant>>,
    wake: Condvar,
}

impl Throttle {
    /// Read and written bytes count alike. `u64::MAX` is no limit; 0 counts as 1.
    pub fn new(bytes_per_second: u64) -> Self {
        Self {
            bytes_per_second: AtomicU64::new(bytes_per_second.max(1)),
            stopped: AtomicBool::new(false),
            paid_at: Mutex::default(),
            wake: Condvar::new(),
        }
    }

    /// Another rate, from now on: what was moved before is forgiven.
    pub fn set_rate(&self, bytes_per_second: u64) {
        self.bytes_per_second.store(bytes_per_second.max(1), Ordering::Relaxed);
        *self.paid_at.lock() = None;
        self.wake.notify_all();
    }

    /// Ends every clean that uses this at its next batch. For good.
    pub fn stop(&self) {
        let _paid_at = self.paid_at.lock();
        self.stopped.store(true, Ordering::Release);
        self.wake.notify_all();
    }

    /// Whether [`stop`](Self::stop) was called.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// So many bytes were moved: waits until that is within the rate, or everybody is told to stop.
    pub(crate) fn spend(&self, bytes: u64) {
        let rate = self.bytes_per_second.load(Ordering::Relaxed);
        if rate == u64::MAX || bytes == 0 {
            return;
        }
        let mut paid_at = self.paid_at.lock();
        let due = after(*paid_at, Instant::now(), cost(bytes, rate));
        *paid_at = Some(due);
        while !self.is_stopped() && paid_at.is_some() {
            let until = due.checked_sub(BURST).unwrap_or(due);
            if Instant::now() >= until || self.wake.wait_until(&mut paid_at, until).timed_out() {
                return;
            }
        }
    }
}

/// What moving so many bytes takes at that rate.
fn cost(bytes: u64, bytes_per_second: u64) -> Duration {
    Duration::from_nanos((u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_second)) as u64)
}

/// When a further cost is paid for. Time in which nothing was moved saves nothing up.
fn after(paid_at: Option<Instant>, now: Instant, cost: Duration) -> Instant {
    paid_at.map_or(now, |paid_at| paid_at.max(now)) + cost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debt_grows_with_what_is_moved_and_idle_time_saves_nothing_up() {
        let now = Instant::now();
        let later = now + Duration::from_secs(9);
        assert_eq!(cost(1 << 20, 1 << 20), Duration::from_secs(1));
        let first = after(None, now, Duration::from_secs(1));
        assert_eq!(first, now + Duration::from_secs(1));
        assert_eq!(after(Some(first), now, Duration::from_secs(1)), now + Duration::from_secs(2));
        assert_eq!(after(Some(first), later, Duration::from_secs(1)), later + Duration::from_secs(1));
    }

    #[test]
    fn who_is_told_to_stop_waits_no_longer() {
        let throttle = Throttle::new(1);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| throttle.spend(1 << 40));
            throttle.stop();
            assert!(waiting.join().is_ok());
        });
        assert!(throttle.is_stopped());
        throttle.spend(1 << 40);
    }

    #[test]
    fn another_rate_frees_those_who_wait() {
        let throttle = Throttle::new(1);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| throttle.spend(1 << 40));
            while throttle.paid_at.lock().is_none() && !waiting.is_finished() {
                std::thread::yield_now();
            }
            throttle.set_rate(u64::MAX);
            assert!(waiting.join().is_ok());
        });
    }
}
