//! The order in which Java's hash maps give out what they hold. Kafka's assignors go through members, topics and
//! partitions in that order, so who gets what depends on it. To give out the very assignments that Kafka does (a group
//! that moves here keeps its partitions, a test can hold one against the other) the order is followed here; nothing else
//! of this crate depends on it.
//!
//! ```text
//!   java.util.HashMap          bucket = (h ^ h >>> 16) & (size - 1); size doubles beyond 3/4
//!                              within a bucket: put appends, computeIfAbsent puts in front
//!   Kafka's TimelineHashMap    bucket = the high bits of h * 0x9E37_79B9_7F4A_7C15, within a bucket the last one first
//! ```
//!
//! Buckets of eight and more become trees in Java, which may show their root first: hashes that collide by chance do
//! not come to that.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::input::TopicId;

const DEFAULT_SIZE: usize = 16;
const SIZE_MAX: usize = 1 << 30;

/// What `hashCode()` says.
pub(crate) trait JavaHash {
    fn java_hash(&self) -> i32;
}

impl JavaHash for Arc<str> {
    fn java_hash(&self) -> i32 {
        self.encode_utf16().fold(0, |hash: i32, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
    }
}

impl JavaHash for i32 {
    fn java_hash(&self) -> i32 {
        *self
    }
}

impl JavaHash for TopicId {
    /// That of Kafka's own `Uuid`.
    fn java_hash(&self) -> i32 {
        let bits = u128::from_be_bytes(*self);
        let folded = (bits >> 64) as u64 ^ bits as u64;
        (folded >> 32) as i32 ^ folded as i32
    }
}

/// A `java.util.HashMap`, as far as its order goes.
#[derive(Clone, Debug)]
pub(crate) struct JavaMap<K, V> {
    /// In order of insertion, each with its rank within its bucket; removed ones leave a gap.
    entries: Vec<Option<(i64, K, V)>>,
    index: HashMap<K, usize>,
    size: usize,
}

impl<K: JavaHash + Eq + Hash + Clone, V> JavaMap<K, V> {
    /// `new HashMap<>()`
    pub(crate) fn new() -> Self {
        Self::with_capacity(DEFAULT_SIZE)
    }

    /// `new HashMap<>(capacity)`
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let size = capacity.next_power_of_two().clamp(1, SIZE_MAX);
        Self { entries: Vec::new(), index: HashMap::new(), size }
    }

    /// What `new HashSet<>(collection)` makes room for.
    pub(crate) fn for_collection(len: usize) -> Self {
        Self::with_capacity((room_for(len)).max(DEFAULT_SIZE))
    }

    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.index.is_empty()
    }

    pub(crate) fn contains(&self, key: &K) -> bool {
        self.index.contains_key(key)
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = *self.index.get(key)?;
        self.entries.get_mut(at)?.as_mut().map(|(_, _, value)| value)
    }

    /// `put`: grows after the entry is in.
    pub(crate) fn put(&mut self, key: K, value: V) {
        if let Some(present) = self.get_mut(&key) {
            *present = value;
            return;
        }
        self.push(key, value, 1);
        if self.is_crowded() {
            self.size *= 2;
        }
    }

    /// `computeIfAbsent`: grows before it looks.
    pub(crate) fn get_or_put_with(&mut self, key: &K, value: impl FnOnce() -> V) -> Option<&mut V> {
        if self.is_crowded() {
            self.size *= 2;
        }
        if !self.contains(key) {
            self.push(key.clone(), value(), -1);
        }
        self.get_mut(key)
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.index.remove(key)?;
        self.entries.get_mut(at)?.take().map(|(_, _, value)| value)
    }

    /// What it holds, in Java's order.
    pub(crate) fn in_order(&self) -> Vec<(&K, &V)> {
        let mut entries: Vec<&(i64, K, V)> = self.entries.iter().flatten().collect();
        entries.sort_by_key(|(rank, key, _)| (bucket(key, self.size), *rank));
        entries.into_iter().map(|(_, key, value)| (key, value)).collect()
    }

    /// Its keys, in Java's order.
    pub(crate) fn keys_in_order(&self) -> Vec<K> {
        self.in_order().into_iter().map(|(key, _)| key.clone()).collect()
    }

    /// Puts an entry behind (1) or in front of (-1) all others of its bucket.
    fn push(&mut self, key: K, value: V, side: i64) {
        let at = self.entries.len();
        self.index.insert(key.clone(), at);
        self.entries.push(Some((side * (at as i64 + 1), key, value)));
    }

    fn is_crowded(&self) -> bool {
        self.len() > self.size / 4 * 3 + self.size % 4 * 3 / 4 && self.size < SIZE_MAX
    }
}

/// `(int) (len / 0.75f + 1)`, the capacity that Java code asks for to hold so many.
pub(crate) const fn room_for(len: usize) -> usize {
    len * 4 / 3 + 1
}

fn bucket(key: &impl JavaHash, size: usize) -> usize {
    let hash = key.java_hash() as u32;
    (hash ^ hash >> 16) as usize & (size - 1)
}

/// Keys in the order of a `java.util.HashSet` that was made of a collection in this order. `claimed` is the size that the
/// collection says it has.
pub(crate) fn set_order<K: JavaHash + Eq + Hash + Clone>(
    keys: impl IntoIterator<Item = K>,
    claimed: usize,
) -> Vec<K> {
    let mut set = JavaMap::for_collection(claimed);
    keys.into_iter().for_each(|key| set.put(key, ()));
    set.keys_in_order()
}

/// Keys in the order of one of Kafka's `TimelineHashMap`s of the size that holds `peak` entries, into which they came in
/// this order.
pub(crate) fn timeline_order<K: JavaHash>(mut keys: Vec<K>, peak: usize) -> Vec<K> {
    let mut bits = 1;
    // It grows before an entry goes in, whether or not that is a new one: when it is replaced, one place too early.
    while (peak + 1) * 3 > (1 << bits) * 4 && bits < 30 {
        bits += 1;
    }
    // Within a bucket the last one comes first.
    keys.reverse();
    keys.sort_by_key(|key| timeline_slot(key, bits));
    keys
}

fn timeline_slot(key: &impl JavaHash, bits: u32) -> u64 {
    let hash = i64::from(key.java_hash()) as u64;
    hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_by_bucket_and_within_one_by_insertion() {
        assert_eq!(set_order([17, 1, 0, 16], 4), [0, 16, 17, 1]);
        assert_eq!(set_order(0..13, 1), (0..13).collect::<Vec<i32>>());
    }

    #[test]
    fn a_map_grows_when_java_does() {
        let mut map: JavaMap<i32, ()> = JavaMap::with_capacity(1);
        assert_eq!(map.size, 1);
        map.put(1, ());
        assert_eq!(map.size, 2);
        map.put(2, ());
        assert_eq!(map.size, 4);
        let mut lazy: JavaMap<i32, ()> = JavaMap::new();
        (0..13).for_each(|key| _ = lazy.get_or_put_with(&key, || ()));
        assert_eq!(lazy.size, 16);
        lazy.get_or_put_with(&0, || ());
        assert_eq!(lazy.size, 32);
    }

    #[test]
    fn hashes_are_those_of_java() {
        assert_eq!(Arc::<str>::from("polygenelubricants").java_hash(), i32::MIN);
        let mut id: TopicId = [0; 16];
        (id[7], id[15], id[8]) = (3, 1, 0x80);
        assert_eq!(id.java_hash(), i32::MIN ^ 2);
    }
}
