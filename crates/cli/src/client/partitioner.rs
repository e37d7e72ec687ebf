//! Which partition a record goes to: as Java's default partitioner decides.
//!
//! A record with a key goes by the murmur2 hash of the key, so that every client of the cluster agrees on it. Records
//! without a key stay with one partition until its batch is sent, then move on (KIP-480), which fills batches.

/// Kafka's murmur2, 32 bits, with its fixed seed.
#[doc(alias = "Utils.murmur2")]
pub(crate) fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    let mut hash = SEED ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// Chooses partitions of one topic.
#[derive(Debug)]
pub(crate) struct Partitioner {
    partitions: u32,
    fixed: Option<i32>,
    /// Where records without a key go: never empty.
    open: Vec<i32>,
    /// Which of these they go to now.
    current: usize,
    random: u64,
}

impl Partitioner {
    /// For a topic of so many partitions (at least one), or always `fixed`. `seed` varies where records without a
    /// key start.
    pub(crate) fn new(partitions: usize, fixed: Option<i32>, seed: u64) -> Self {
        let partitions = u32::try_from(partitions).unwrap_or(u32::MAX).max(1);
        let open = (0..).take(partitions as usize).collect();
        let mut partitioner = Self { partitions, fixed, open, current: 0, random: seed | 1 };
        partitioner.move_on();
        partitioner
    }

    /// Records without a key go to these only, if there are any.
    pub(crate) fn among(mut self, open: Vec<i32>) -> Self {
        if !open.is_empty() {
            self.current %= open.len();
            self.open = open;
        }
        self
    }

    /// Where records without a key go now.
    fn current(&self) -> i32 {
        self.open.get(self.current).copied().unwrap_or_default()
    }

    /// The partition of a record with this key.
    pub(crate) fn partition(&self, key: Option<&[u8]>) -> i32 {
        match (self.fixed, key) {
            (Some(fixed), _) => fixed,
            (None, Some(key)) => ((murmur2(key) & 0x7fff_ffff) % self.partitions) as i32,
            (None, None) => self.current(),
        }
    }

    /// The batch of `partition` was sent: records without a key go elsewhere if they went there.
    pub(crate) fn sent(&mut self, partition: i32) {
        if partition == self.current() {
            self.move_on();
        }
    }

    /// Another partition, if there is one.
    fn move_on(&mut self) {
        // xorshift64: spread is all that is asked of it
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let others = (self.open.len() - 1).max(1);
        let step = 1 + (self.random % others as u64) as usize;
        self.current = (self.current + step) % self.open.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_javas() {
        for (text, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(text.as_bytes()) as i32, hash, "{text}");
        }
    }

    #[test]
    fn equal_keys_meet_and_records_without_one_stay_until_their_batch_is_sent() {
        let mut partitioner = Partitioner::new(7, None, 42);
        assert_eq!(partitioner.partition(Some(b"foobar")), 1_357_151_166 % 7);
        let first = partitioner.partition(None);
        assert_eq!(partitioner.partition(None), first);
        partitioner.sent((first + 1) % 7);
        assert_eq!(partitioner.partition(None), first);
        partitioner.sent(first);
        assert_ne!(partitioner.partition(None), first);
        assert!((0..7).contains(&partitioner.partition(None)));
    }

    #[test]
    fn records_without_a_key_go_only_where_there_is_a_leader_and_those_with_one_where_they_always_go() {
        let mut partitioner = Partitioner::new(7, None, 42).among(vec![2, 5]);
        let key = partitioner.partition(Some(b"foobar"));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            seen.insert(partitioner.partition(None));
            partitioner.sent(partitioner.partition(None));
        }
        assert_eq!((seen.into_iter().collect::<Vec<_>>(), key), (vec![2, 5], 1_357_151_166 % 7));
        assert!((0..7).contains(&Partitioner::new(7, None, 42).among(Vec::new()).partition(None)));
    }

    #[test]
    fn one_partition_is_always_it_and_a_fixed_one_too() {
        let mut one = Partitioner::new(1, None, 3);
        one.sent(0);
        assert_eq!((one.partition(None), one.partition(Some(b"k"))), (0, 0));
        assert_eq!(Partitioner::new(9, Some(4), 3).partition(Some(b"k")), 4);
    }
}
