//! Who holds memory for a frame that is not whole, and who of them has to go when others wait for memory.
//!
//! Memory that holds half a frame comes back only with the other half, which may never come. While nobody needs it
//! that is fine. When somebody waits, the receiver is told to give up that holds the most and has had the least to
//! show for it: less than [`PROGRESS_BYTES`] since the pool's `patience`. Those who wait for memory themselves cannot
//! make progress; they have four times as long, which is what ends it when large halves block one another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Fewer bytes than this are no progress.
const PROGRESS_BYTES: usize = 64 << 10;
/// Those who wait for memory themselves have so many times the patience.
const STARVED_PATIENCE: u32 = 4;
/// Looks per `patience`, at most: one look costs a glance at every holder, and takes one of them.
const LOOKS_PER_PATIENCE: u32 = 50;

/// A receiver was told to give up: close the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "half a frame held {held_bytes} bytes while others waited for memory, and hardly more of it came in {}",
    show(patience)
)]
pub struct Evicted {
    /// What it held.
    pub held_bytes: usize,
    /// How long it made no progress, at least.
    pub patience: Duration,
}

fn show(patience: &Duration) -> String {
    format!("{patience:?}")
}

/// What one receiver holds of a frame that is not whole.
#[derive(Debug)]
pub(crate) struct Holder {
    held: Mutex<Held>,
    evicted: AtomicBool,
    told: Notify,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    bytes: usize,
    since: Instant,
    /// Arrived since then; never as much as `PROGRESS_BYTES`.
    arrived: usize,
    starved: bool,
}

impl Holder {
    fn new(now: Instant) -> Self {
        let held = Held { bytes: 0, since: now, arrived: 0, starved: false };
        Self { held: Mutex::new(held), evicted: AtomicBool::new(false), told: Notify::new() }
    }

    /// It waits with `bytes` of memory: for memory if `starved`, else for its peer.
    pub(crate) fn waits(&self, bytes: usize, starved: bool, now: Instant) {
        let mut held = self.held.lock();
        let fresh = held.bytes == 0 || (held.starved && !starved);
        *held = Held { bytes, starved, ..*held };
        if fresh {
            (held.since, held.arrived) = (now, 0);
        }
    }

    /// More came.
    pub(crate) fn arrived(&self, bytes: usize, now: Instant) {
        let mut held = self.held.lock();
        held.arrived = held.arrived.saturating_add(bytes);
        if held.arrived >= PROGRESS_BYTES {
            (held.since, held.arrived) = (now, 0);
        }
    }

    /// The frame is whole.
    pub(crate) fn done(&self) {
        self.held.lock().bytes = 0;
        // Who was told to give up in that moment has nothing to give any more.
        self.evicted.store(false, Ordering::Release);
    }

    /// Returns when it has to give up: how much it holds.
    pub(crate) async fn evicted(&self) -> usize {
        loop {
            // One that is notified before it waits finds the permit.
            if self.evicted.load(Ordering::Acquire) {
                return self.held.lock().bytes;
            }
            self.told.notified().await;
        }
    }
}

/// The holders of one pool.
#[derive(Debug, Default)]
pub(super) struct Holders(Mutex<List>);

#[derive(Debug, Default)]
struct List {
    all: Vec<Weak<Holder>>,
    /// Receivers that ended are forgotten when there are as many as this.
    sweep_at: usize,
    looked: Option<Instant>,
}

impl Holders {
    pub(super) fn register(&self, now: Instant) -> Arc<Holder> {
        let holder = Arc::new(Holder::new(now));
        let mut list = self.0.lock();
        if list.all.len() >= list.sweep_at {
            list.all.retain(|holder| holder.strong_count() > 0);
            list.sweep_at = 2 * list.all.len() + 16;
        }
        list.all.push(Arc::downgrade(&holder));
        holder
    }

    /// Somebody waits for memory: tells the holder to give up whose turn it is, if anyone's. Whether one was told.
    pub(super) fn relieve(&self, patience: Duration, now: Instant) -> bool {
        let mut list = self.0.lock();
        let rested = |last| now.saturating_duration_since(last) * LOOKS_PER_PATIENCE >= patience;
        if !list.looked.is_none_or(rested) {
            return false;
        }
        list.looked = Some(now);
        let holders: Vec<_> = list.all.iter().filter_map(Weak::upgrade).collect();
        drop(list);
        let held = holders
            .iter()
            .map(|holder| (!holder.evicted.load(Ordering::Acquire)).then(|| *holder.held.lock()));
        let Some(holder) = victim(held, patience, now).and_then(|at| holders.get(at)) else { return false };
        holder.evicted.store(true, Ordering::Release);
        holder.told.notify_one();
        true
    }
}

/// Which of them goes: the largest of those who wait for their peer too long, else of those who wait for memory.
fn victim(held: impl Iterator<Item = Option<Held>>, patience: Duration, now: Instant) -> Option<usize> {
    held.enumerate()
        .filter_map(|(at, held)| held.map(|held| (at, held)))
        .filter(|(_, held)| {
            let limit = if held.starved { patience * STARVED_PATIENCE } else { patience };
            held.bytes > 0 && now.saturating_duration_since(held.since) >= limit
        })
        .max_by_key(|(_, held)| (!held.starved, held.bytes))
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[test]
    fn the_largest_that_makes_no_progress_goes_first() {
        let start = Instant::now();
        let after = |s| start + Duration::from_secs(s);
        let holders = Holders::default();
        let [small, large, busy, starved] = [100, 900, 5_000, 9_000].map(|bytes| {
            let holder = holders.register(start);
            holder.waits(bytes, bytes == 9_000, start);
            holder
        });
        assert!(!holders.relieve(PATIENCE, after(4)), "all are given time");
        busy.arrived(PROGRESS_BYTES, after(4));
        small.arrived(PROGRESS_BYTES - 1, after(4));
        let told = |holder: &Holder| holder.evicted.load(Ordering::Acquire);
        assert!(holders.relieve(PATIENCE, after(6)) && told(&large));
        assert!(!holders.relieve(PATIENCE, after(6)), "one at a time");
        assert!(holders.relieve(PATIENCE, after(7)) && told(&small), "a trickle is no progress");
        assert!(!holders.relieve(PATIENCE, after(8)));
        busy.done();
        assert!(!holders.relieve(PATIENCE, after(19)), "a whole frame is nobody's fault");
        assert!(holders.relieve(PATIENCE, after(20)) && told(&starved), "even those who wait end some day");
        assert!(!told(&busy));
    }

    #[test]
    fn who_got_memory_has_time_anew_and_who_ended_is_forgotten() {
        let start = Instant::now();
        let holders = Holders::default();
        let holder = holders.register(start);
        holder.waits(10, true, start);
        let later = start + 3 * PATIENCE;
        holder.waits(10, false, later);
        assert!(!holders.relieve(PATIENCE, later));
        for _ in 0..1000 {
            drop(holders.register(start));
        }
        assert!(holders.0.lock().all.len() < 100);
    }
}
