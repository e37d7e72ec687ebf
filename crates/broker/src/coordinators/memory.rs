//! What the groups of all shards take in memory together. The shards of a node share one bound: before a shard acts it
//! is told what it may hold, which is what it holds and what nobody holds yet.
//!
//! Shards that act at the same time may take the same bytes, once each: the bound is passed by no more than a request
//! for each of them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The most bytes of all shards together. What logs hold is loaded in any case.
const BYTES_MAX: usize = 512 << 20;

/// The bytes that all shards together hold, about.
pub(super) struct GroupMemory {
    held: AtomicUsize,
    max: usize,
}

/// What one shard holds of it; given back on drop.
pub(super) struct Share {
    memory: Arc<GroupMemory>,
    bytes: usize,
}

impl Default for GroupMemory {
    fn default() -> Self {
        Self::new(BYTES_MAX)
    }
}

impl GroupMemory {
    pub(super) const fn new(max: usize) -> Self {
        Self { held: AtomicUsize::new(0), max }
    }

    /// The share of a shard that holds nothing yet.
    pub(super) fn share(self: &Arc<Self>) -> Share {
        Share { memory: Arc::clone(self), bytes: 0 }
    }
}

impl Share {
    /// What the shard may hold at this moment.
    pub(super) fn limit(&self) -> usize {
        let left = self.memory.max.saturating_sub(self.memory.held.load(Relaxed));
        self.bytes.saturating_add(left)
    }

    /// The shard holds so much from now on.
    pub(super) fn set(&mut self, bytes: usize) {
        let held = &self.memory.held;
        if bytes > self.bytes {
            held.fetch_add(bytes - self.bytes, Relaxed);
        } else if bytes < self.bytes {
            held.fetch_sub(self.bytes - bytes, Relaxed);
        }
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_shard_holds_another_cannot() {
        let memory = Arc::new(GroupMemory::new(100));
        let (mut one, mut two) = (memory.share(), memory.share());
        one.set(70);
        assert_eq!((one.limit(), two.limit()), (100, 30));
        two.set(50);
        assert_eq!((one.limit(), two.limit()), (70, 50), "more than there is: nobody may take more");
        one.set(10);
        assert_eq!((one.limit(), two.limit()), (50, 90));
        drop(two);
        assert_eq!(one.limit(), 100);
    }
}
