//! The latest offset of each key, in bounded memory: Kafka's `SkimpyOffsetMap` with a keyed hash.
//!
//! ```text
//!   slot = | hash of the key, 128 bits | offset + 1, 0: free |      24 bytes; linear probing
//! ```
//!
//! Keys are not kept: two keys with one hash would count as one, and a record would be lost. 128 bits of a hash whose
//! secret nobody outside knows make that a matter of chance, of less than 2^-70 for a billion keys, and nobody's
//! choice.
//!
//! The table takes memory as keys come, and is rebuilt in its own place when it grows: never more than the bound.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};
use uuid::Uuid;

use crate::share::Share;

/// Bytes of a slot.
const SLOT_LEN: usize = size_of::<Slot>();
/// Slots of the smallest table.
const SLOTS_MIN: usize = 1 << 10;
/// A table that may still grow does so when it is this full, in quarters.
const CROWDED_QUARTERS: usize = 3;
/// Marks a slot that has not yet been moved to its place in a grown table. Offsets stay below it.
const UNMOVED: u64 = 1 << 63;

#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    hash: [u64; 2],
    /// Offset + 1; 0 for a free slot.
    stored: u64,
}

impl Slot {
    fn is_free(self) -> bool {
        self.stored == 0
    }

    fn is_unmoved(self) -> bool {
        self.stored & UNMOVED != 0
    }
}

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Put {
    /// It is in the map.
    Done,
    /// It is not: the map has as many keys as it may.
    Full,
}

/// The latest offset of each key.
pub(super) struct OffsetMap {
    slots: Vec<Slot>,
    len: usize,
    slots_max: usize,
    len_max: usize,
    hasher: SipHasher24,
}

impl OffsetMap {
    /// An empty map of at most `bytes` bytes, to be filled up to `load`. It can take one key at least.
    pub(super) fn new(bytes: usize, load: Share) -> Self {
        let slots_max = (bytes / SLOT_LEN).max(2);
        let len_max = load.part_of(slots_max).clamp(1, slots_max - 1);
        let (high, low) = Uuid::new_v4().as_u64_pair();
        Self { slots: Vec::new(), len: 0, slots_max, len_max, hasher: SipHasher24::new_with_keys(high, low) }
    }

    /// Forgets everything. Memory is kept for the next log, unless it is much.
    pub(super) fn clear(&mut self) {
        self.len = 0;
        if self.slots.len() > SLOTS_MIN * 64 {
            self.slots = Vec::new();
        } else {
            self.slots.fill(Slot::default());
        }
    }

    /// How full it is, of what it may hold.
    pub(super) fn utilisation(&self) -> Share {
        Share::of(self.len as u64, self.slots_max as u64)
    }

    /// Keys in it.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes it has taken.
    #[cfg(test)]
    fn bytes(&self) -> usize {
        self.slots.capacity() * SLOT_LEN
    }

    /// The record at `offset` has this key; offsets only rise.
    pub(super) fn put(&mut self, key: &[u8], offset: i64) -> Put {
        self.put_hash(self.hash(key), offset)
    }

    fn put_hash(&mut self, hash: [u64; 2], offset: i64) -> Put {
        let stored = offset as u64 + 1;
        if let Some(at) = self.find(hash)
            && let Some(slot) = self.slots.get_mut(at)
            && !slot.is_free()
        {
            slot.stored = stored;
            return Put::Done;
        }
        if self.len >= self.len_max {
            return Put::Full;
        }
        self.make_room();
        if let Some(slot) = self.find(hash).and_then(|at| self.slots.get_mut(at)) {
            *slot = Slot { hash, stored };
            self.len += 1;
        }
        Put::Done
    }

    /// The latest offset of this key.
    pub(super) fn get(&self, key: &[u8]) -> Option<i64> {
        let slot = self.slots.get(self.find(self.hash(key))?)?;
        slot.stored.checked_sub(1).map(|offset| offset as i64)
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        let mut hasher = self.hasher;
        hasher.write(key);
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }

    /// Where the key is, or the free slot where it belongs. There is always a free slot.
    fn find(&self, hash: [u64; 2]) -> Option<usize> {
        let mut at = self.home(hash)?;
        loop {
            let slot = self.slots.get(at)?;
            if slot.is_free() || slot.hash == hash {
                return Some(at);
            }
            at = self.after(at);
        }
    }

    /// The slot where the search for a key begins.
    fn home(&self, hash: [u64; 2]) -> Option<usize> {
        let slots = self.slots.len();
        (slots > 0).then(|| ((u128::from(hash[0]) * slots as u128) >> 64) as usize)
    }

    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// Grows a table that is crowded and may grow.
    fn make_room(&mut self) {
        let slots = self.slots.len();
        if slots == self.slots_max || (self.len + 1) * 4 <= slots * CROWDED_QUARTERS {
            return;
        }
        let grown = (slots * 2).clamp(SLOTS_MIN.min(self.slots_max), self.slots_max);
        self.slots.reserve_exact(grown - slots);
        self.slots.resize(grown, Slot::default());
        self.rehash();
    }

    /// Moves every key to its place in a table that has grown, without a second table: a key that finds its place taken
    /// by one that has not moved yet changes places with it, and that one goes on.
    fn rehash(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| !slot.is_free()) {
            slot.stored |= UNMOVED;
        }
        for at in 0..self.slots.len() {
            let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.is_unmoved()) else { continue };
            let mut homeless = std::mem::take(slot);
            while !homeless.is_free() {
                homeless = self.settle(homeless);
            }
        }
    }

    /// Puts a slot into the first place that is its own; what was there and has not moved yet, or a free slot.
    fn settle(&mut self, homeless: Slot) -> Slot {
        let Some(mut at) = self.home(homeless.hash) else { return Slot::default() };
        loop {
            let next = self.after(at);
            let Some(slot) = self.slots.get_mut(at) else { return Slot::default() };
            if slot.is_free() || slot.is_unmoved() {
                return std::mem::replace(slot, Slot { stored: homeless.stored & !UNMOVED, ..homeless });
            }
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    fn key(n: u64) -> [u8; 8] {
        n.to_be_bytes()
    }

    #[test]
    fn the_latest_offset_of_each_key_is_found_however_the_table_grew() {
        let mut map = OffsetMap::new(100_000 * SLOT_LEN, Share::new(0.9));
        for offset in 0..200_000 {
            assert_eq!(map.put(&key(offset % 50_000), offset as i64), Put::Done);
        }
        assert_eq!(map.len(), 50_000);
        for n in 0..50_000 {
            assert_eq!(map.get(&key(n)), Some((150_000 + n) as i64));
        }
        assert!((50_000..60_000).all(|n| map.get(&key(n)).is_none()));
    }

    #[test]
    fn it_takes_memory_as_keys_come_and_never_more_than_its_bound() {
        let bytes = 10_000 * SLOT_LEN + 7;
        let mut map = OffsetMap::new(bytes, Share::new(0.9));
        assert_eq!(map.bytes(), 0);
        map.put(b"one", 0);
        assert_eq!(map.bytes(), SLOTS_MIN * SLOT_LEN);
        let put = (1..20_000).take_while(|n| map.put(&key(*n), *n as i64) == Put::Done).count();
        assert_eq!(put, 8_999);
        assert!(map.bytes() <= bytes);
        assert_eq!(map.put(b"one", 99_999), Put::Done, "a key it has");
        assert_eq!((map.get(b"one"), map.utilisation()), (Some(99_999), Share::new(0.9)));
    }

    #[test]
    fn a_map_without_memory_takes_one_key() {
        for load in [0.0, 0.9, 1.0] {
            let mut map = OffsetMap::new(0, Share::new(load));
            assert_eq!(
                (map.put(b"a", 4), map.put(b"b", 5), map.put(b"a", 6)),
                (Put::Done, Put::Full, Put::Done)
            );
            assert_eq!((map.get(b"a"), map.get(b"b")), (Some(6), None));
        }
    }

    #[test]
    fn a_cleared_map_is_empty() {
        let mut map = OffsetMap::new(1 << 20, Share::new(0.9));
        map.put(b"a", 0);
        map.clear();
        assert_eq!((map.len(), map.get(b"a")), (0, None));
    }

    proptest! {
        #[test]
        fn it_answers_as_a_map_of_the_keys_would(
            keys in proptest::collection::vec(0u64..400, 0..2000),
            slots in 2usize..300,
            load in 0.1f64..1.0,
        ) {
            let mut map = OffsetMap::new(slots * SLOT_LEN, Share::new(load));
            let mut model = HashMap::new();
            for (offset, n) in keys.iter().enumerate() {
                if map.put(&key(*n), offset as i64) == Put::Done {
                    model.insert(*n, offset as i64);
                } else {
                    prop_assert!(!model.contains_key(n));
                }
            }
            for n in 0..400 {
                prop_assert_eq!(map.get(&key(n)), model.get(&n).copied());
            }
        }
    }
}
