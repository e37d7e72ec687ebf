//! How fast compaction may read and write, and whether it may go on: shared by all threads that clean.
//!
//! The rate is a debt that time pays off. Whoever moves bytes adds to it and waits until it is paid; a burst of a
//! tenth of a second is free. Waiting uses the monotonic clock and ends at once when everybody is told to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// What may be moved at once without waiting, in time at full rate.
const BURST: Duration = Duration::from_millis(100);

/// `log.cleaner.io.max.bytes.per.second`, and the word to stop.
#[derive(Debug)]
pub struct Throttle {
    account: Mutex<Account>,
    stopped: AtomicBool,
    wake: Condvar,
}

/// The rate, and what is owed at it: they change together, or a debt of the earlier rate would outlive it.
#[derive(Debug)]
struct Account {
    bytes_per_second: u64,
    /// How many rates there were before this one.
    earlier_rates: u64,
    /// When all that was moved so far is paid for.
    paid_at: Option<Instant>,
}

impl Account {
    fn change(&mut self, bytes_per_second: u64) {
        self.bytes_per_second = bytes_per_second;
        self.earlier_rates += 1;
        self.paid_at = None;
    }

    /// So many bytes more: when all are paid for.
    fn owe(&mut self, bytes: u64) -> Instant {
        let due = after(self.paid_at, Instant::now(), cost(bytes, self.bytes_per_second));
        self.paid_at = Some(due);
        due
    }
}

impl Throttle {
    /// Read and written bytes count alike. `u64::MAX` is no limit; 0 counts as 1.
    pub fn new(bytes_per_second: u64) -> Self {
        let bytes_per_second = bytes_per_second.max(1);
        Self {
            account: Mutex::new(Account { bytes_per_second, earlier_rates: 0, paid_at: None }),
            stopped: AtomicBool::new(false),
            wake: Condvar::new(),
        }
    }

    /// Another rate, from now on: what was moved before is forgiven, and who waits for it goes on. The same one changes nothing.
    pub fn set_rate(&self, bytes_per_second: u64) {
        let mut account = self.account.lock();
        if account.bytes_per_second != bytes_per_second.max(1) {
            account.change(bytes_per_second.max(1));
            self.wake.notify_all();
        }
    }

    /// Ends every clean that uses this at its next batch. For good.
    pub fn stop(&self) {
        let _account = self.account.lock();
        self.stopped.store(true, Ordering::Release);
        self.wake.notify_all();
    }

    /// Whether [`stop`](Self::stop) was called.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// So many bytes were moved: waits until that is within the rate, the rate is another one, or everybody is told to stop.
    pub(crate) fn spend(&self, bytes: u64) {
        let mut account = self.account.lock();
        if account.bytes_per_second == u64::MAX || bytes == 0 {
            return;
        }
        let due = account.owe(bytes);
        self.wait(account, due.checked_sub(BURST).unwrap_or(due));
    }

    fn wait(&self, mut account: MutexGuard<'_, Account>, until: Instant) {
        let earlier_rates = account.earlier_rates;
        // Not whether anything is owed: somebody else may owe something again by the time this one is awake.
        while !self.is_stopped() && account.earlier_rates == earlier_rates {
            if Instant::now() >= until || self.wake.wait_until(&mut account, until).timed_out() {
                return;
            }
        }
    }
}

/// What moving so many bytes takes at that rate.
fn cost(bytes: u64, bytes_per_second: u64) -> Duration {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_second);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// When a further cost is paid for. Time in which nothing was moved saves nothing up.
fn after(paid_at: Option<Instant>, now: Instant, cost: Duration) -> Instant {
    paid_at.map_or(now, |paid_at| paid_at.max(now)) + cost
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, channel};

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
    fn what_takes_longer_than_anybody_waits_is_no_short_while() {
        assert_eq!(cost(u64::MAX, 1), Duration::from_nanos(u64::MAX));
        assert!(after(Some(Instant::now()), Instant::now(), cost(u64::MAX, 1)) > Instant::now());
    }

    /// Somebody who owes more than anybody waits for, and is told of here when he goes on.
    fn one_who_waits(throttle: &Arc<Throttle>) -> Receiver<()> {
        let (goes_on, told) = channel();
        let his = Arc::clone(throttle);
        std::thread::spawn(move || {
            his.spend(1 << 40);
            let _ = goes_on.send(());
        });
        while throttle.account.lock().paid_at.is_none() {
            std::thread::yield_now();
        }
        told
    }

    fn goes_on(told: &Receiver<()>) -> bool {
        told.recv_timeout(Duration::from_secs(30)).is_ok()
    }

    #[test]
    fn who_is_told_to_stop_waits_no_longer() {
        let throttle = Arc::new(Throttle::new(1));
        let told = one_who_waits(&throttle);
        throttle.stop();
        assert!(goes_on(&told) && throttle.is_stopped());
        throttle.spend(1 << 40);
    }

    #[test]
    fn another_rate_frees_those_who_wait() {
        for rate in [2, u64::MAX] {
            let throttle = Arc::new(Throttle::new(1));
            let told = one_who_waits(&throttle);
            throttle.set_rate(rate);
            assert!(goes_on(&told), "{rate}");
        }
    }

    /// Whoever was freed first, or comes, may owe something before the others are awake.
    #[test]
    fn another_rate_frees_those_who_wait_though_somebody_owes_something_at_once() {
        let throttle = Arc::new(Throttle::new(1));
        let told = one_who_waits(&throttle);
        let mut account = throttle.account.lock();
        account.change(2);
        account.owe(1 << 40);
        throttle.wake.notify_all();
        drop(account);
        assert!(goes_on(&told));
    }

    #[test]
    fn the_same_rate_again_forgives_nothing() {
        let throttle = Throttle::new(1 << 20);
        throttle.spend(1 << 10);
        let owed = throttle.account.lock().paid_at;
        throttle.set_rate(1 << 20);
        assert!(owed.is_some() && throttle.account.lock().paid_at == owed);
    }
}
