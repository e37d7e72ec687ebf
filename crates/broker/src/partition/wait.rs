//! Who waits for a partition to change. A waiter registers first and looks second, an append publishes first and wakes
//! second; with a full fence on both sides one of the two sees the other, so no wake-up is lost and none is polled for.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering, fence},
};

use parking_lot::Mutex;
use smallvec::SmallVec;
use tokio::sync::Notify;

use super::Partition;

/// Waiters that are woken under one hold of the lock.
const WAKE_AT_ONCE: usize = 64;
/// Slots that a list keeps when the last waiter leaves.
const KEPT_SLOTS: usize = 4;

/// One waiting request; it may watch many partitions with it.
#[derive(Debug, Default)]
pub(crate) struct Waker(Notify);

impl Waker {
    /// Returns after the next wake-up, or at once if there was one since the last call.
    pub(crate) async fn woken(&self) {
        self.0.notified().await;
    }
}

/// Who waits for one partition. Registering and leaving cost the same however many wait; a wake-up holds the lock for a
/// few of them at a time, so that appends and fetches of others get in between.
#[derive(Default)]
pub(super) struct WaitList {
    /// How many wait, readable without the lock: most appends find nobody.
    waiting: AtomicUsize,
    slots: Mutex<Slots>,
}

/// Wakers by slot. A slot keeps its number as long as it is taken, whoever else comes and goes.
#[derive(Default)]
struct Slots {
    wakers: Vec<Option<Arc<Waker>>>,
    free: Vec<usize>,
}

impl WaitList {
    pub(super) fn wake_all(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::Relaxed) == 0 {
            return;
        }
        // Who comes later than this sees what was published and needs no wake-up.
        let end = self.slots.lock().wakers.len();
        for from in (0..end).step_by(WAKE_AT_ONCE) {
            let some: SmallVec<[Arc<Waker>; WAKE_AT_ONCE]> = {
                let slots = self.slots.lock();
                let taken = slots.wakers.iter().skip(from).take(WAKE_AT_ONCE);
                taken.flatten().map(Arc::clone).collect()
            };
            for waker in some {
                waker.0.notify_one();
            }
        }
    }

    /// Answers the slot that is to be given back.
    fn add(&self, waker: &Arc<Waker>) -> usize {
        let mut slots = self.slots.lock();
        let slot = slots.take(Arc::clone(waker));
        self.waiting.store(slots.taken(), Ordering::Relaxed);
        drop(slots);
        fence(Ordering::SeqCst);
        slot
    }

    fn remove(&self, slot: usize) {
        let mut slots = self.slots.lock();
        let waker = slots.give_back(slot);
        self.waiting.store(slots.taken(), Ordering::Relaxed);
        drop(slots);
        drop(waker);
    }
}

impl Slots {
    fn taken(&self) -> usize {
        self.wakers.len() - self.free.len()
    }

    fn take(&mut self, waker: Arc<Waker>) -> usize {
        if let Some(slot) = self.free.pop()
            && let Some(empty) = self.wakers.get_mut(slot)
        {
            *empty = Some(waker);
            return slot;
        }
        self.wakers.push(Some(waker));
        self.wakers.len() - 1
    }

    fn give_back(&mut self, slot: usize) -> Option<Arc<Waker>> {
        let waker = self.wakers.get_mut(slot)?.take()?;
        self.free.push(slot);
        if self.taken() == 0 {
            self.wakers.clear();
            self.free.clear();
            self.wakers.shrink_to(KEPT_SLOTS);
            self.free.shrink_to(KEPT_SLOTS);
        }
        Some(waker)
    }
}

/// A registration; ends when it is dropped.
pub(crate) struct Ticket {
    partition: Arc<Partition>,
    slot: usize,
}

impl Ticket {
    pub(super) fn new(partition: Arc<Partition>, waker: &Arc<Waker>) -> Self {
        let slot = partition.waiting.add(waker);
        Self { partition, slot }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.partition.waiting.remove(self.slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_wake_up_before_the_wait_is_not_lost() {
        let (list, waker) = (WaitList::default(), Arc::new(Waker::default()));
        list.add(&waker);
        list.wake_all();
        waker.woken().await;
    }

    #[test]
    fn a_removed_waiter_leaves_nothing_behind() {
        let (list, waker) = (WaitList::default(), Arc::new(Waker::default()));
        let slot = list.add(&waker);
        list.remove(slot);
        assert_eq!(list.waiting.load(Ordering::Relaxed), 0);
        assert!(list.slots.lock().wakers.is_empty());
        assert_eq!(Arc::strong_count(&waker), 1);
    }

    #[tokio::test]
    async fn all_who_stay_are_woken_whoever_left_before_them() {
        let list = WaitList::default();
        let wakers: Vec<_> = (0..5 * WAKE_AT_ONCE).map(|_| Arc::new(Waker::default())).collect();
        let slots: Vec<_> = wakers.iter().map(|waker| list.add(waker)).collect();
        for slot in slots.iter().step_by(2) {
            list.remove(*slot);
        }
        list.wake_all();
        for waker in wakers.iter().skip(1).step_by(2) {
            waker.woken().await;
        }
        assert!(wakers.iter().step_by(2).all(|waker| Arc::strong_count(waker) == 1));
    }

    /// A million of them took hours when each leaving one was searched for.
    #[test]
    fn leaving_costs_the_same_however_many_wait() {
        let (list, waker) = (WaitList::default(), Arc::new(Waker::default()));
        let slots: Vec<_> = (0..1_000_000).map(|_| list.add(&waker)).collect();
        for slot in slots {
            list.remove(slot);
        }
        assert_eq!(list.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn slots_are_used_again() {
        let (list, waker) = (WaitList::default(), Arc::new(Waker::default()));
        list.add(&waker);
        for _ in 0..100 {
            let slot = list.add(&waker);
            list.remove(slot);
        }
        assert_eq!(list.slots.lock().wakers.len(), 2);
    }
}
