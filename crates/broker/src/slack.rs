//! Memory that a burst left with the allocator goes back to the system: a broker that many large answers once went out
//! of does not look large for the rest of its life.

use std::fmt::Debug;
use std::sync::Arc;

use pagewire_zcopy::{own_memory, trim_heap};

/// So much more than at its smallest the process must be before it is looked for what can go back: looking locks the
/// allocator for a moment.
const WORTH: u64 = 32 << 20;

/// Whose memory it is. A test has one that nothing else of the process grows.
pub(crate) trait Heap: Debug + Send + Sync {
    /// Bytes that are the process's own, where the system tells.
    fn size(&self) -> Option<u64>;
    /// Gives freed memory back.
    fn trim(&self);
}

/// This process.
#[derive(Debug)]
struct Own;

impl Heap for Own {
    fn size(&self) -> Option<u64> {
        own_memory()
    }

    fn trim(&self) {
        trim_heap();
    }
}

/// How small the process was since memory was given back the last time.
#[derive(Debug, Clone)]
pub(crate) struct Slack {
    heap: Arc<dyn Heap>,
    smallest: Option<u64>,
}

impl Default for Slack {
    fn default() -> Self {
        Self::of(Arc::new(Own))
    }
}

impl Slack {
    pub(crate) fn of(heap: Arc<dyn Heap>) -> Self {
        Self { heap, smallest: None }
    }

    /// Gives back what there is, if the process has grown enough for that to be worth it. To be called now and then,
    /// where waiting hurts nobody.
    pub(crate) fn give_back(&mut self) {
        if self.heap.size().is_some_and(|now| self.has_grown(now)) {
            self.heap.trim();
            // What is left is in use: that is where growth begins anew.
            self.smallest = self.heap.size();
        }
    }

    /// Whether `now` bytes are worth a look.
    fn has_grown(&mut self, now: u64) -> bool {
        let smallest = self.smallest.map_or(now, |smallest| smallest.min(now));
        self.smallest = Some(smallest);
        now - smallest >= WORTH
    }
}

/// Memory that a test makes grow.
#[cfg(test)]
pub(crate) mod testing {
    use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

    use super::{Heap, WORTH};

    /// Memory of which some is in use, and some was freed.
    #[derive(Debug, Default)]
    pub(crate) struct Pretended {
        used: AtomicU64,
        freed: AtomicU64,
        /// How often it was looked through.
        pub(crate) trims: AtomicUsize,
    }

    impl Pretended {
        /// A burst that is worth a look: a part of it stays in use.
        pub(crate) fn burst(&self) {
            self.used.fetch_add(WORTH / 2, Relaxed);
            self.freed.fetch_add(WORTH / 2, Relaxed);
        }
    }

    impl Heap for Pretended {
        fn size(&self) -> Option<u64> {
            Some(self.used.load(Relaxed) + self.freed.load(Relaxed))
        }

        fn trim(&self) {
            self.freed.store(0, Relaxed);
            self.trims.fetch_add(1, Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering::Relaxed;

    use super::testing::Pretended;
    use super::*;

    #[test]
    fn only_growth_is_worth_a_look() {
        let mut slack = Slack::default();
        assert!(!slack.has_grown(900 << 20), "a large process that stays as it is");
        assert!(!slack.has_grown((900 << 20) + WORTH - 1));
        assert!(slack.has_grown((900 << 20) + WORTH));
        assert!(!slack.has_grown(100 << 20), "it shrank");
        assert!(slack.has_grown((100 << 20) + WORTH), "and grew from there");
    }

    #[test]
    fn what_is_in_use_is_not_looked_through_again() {
        let heap = Arc::new(Pretended::default());
        let mut slack = Slack::of(Arc::clone(&heap) as Arc<dyn Heap>);
        for (bursts, trims) in [(0, 0), (1, 1), (0, 1), (0, 1), (1, 2), (0, 2)] {
            (0..bursts).for_each(|_| heap.burst());
            slack.give_back();
            assert_eq!(heap.trims.load(Relaxed), trims);
        }
    }
}
