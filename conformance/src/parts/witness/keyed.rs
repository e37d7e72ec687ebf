//! Records as they are written to a witness: keys that come again, tombstones, headers, times, every codec.
//!
//! Everything follows from a seed, so that two brokers can be given the same bytes.

use anyhow::Result;
use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::testing::Rng;

use crate::harness::raw::Producer;

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];
/// Records of one batch, at most.
const RECORDS_MAX: usize = 20;
/// A value is this long at most. Some of it repeats itself, so that codecs find something.
const VALUE_MAX: usize = 400;
/// One record in so many is a tombstone.
const TOMBSTONES: usize = 6;
/// Between two records, at most, unless said otherwise. They go back now and then, as those of many producers do.
const STEP_MS: usize = 40;

/// A stream of batches. A copy goes on in the same way.
#[derive(Debug, Clone)]
pub(super) struct Keyed {
    rng: Rng,
    keys: usize,
    time_ms: i64,
    step_ms: usize,
    /// Batches may have records without a key.
    keyless: bool,
}

impl Keyed {
    /// Batches whose records have one of `keys` keys, from `time_ms` on.
    pub(super) fn new(seed: u64, keys: usize, time_ms: i64) -> Self {
        Self { rng: Rng::new(seed), keys, time_ms, step_ms: STEP_MS, keyless: false }
    }

    /// As much time at most is between two records.
    pub(super) fn set_step(&mut self, step_ms: usize) {
        self.step_ms = step_ms;
    }

    /// Whether some records have no key, which a compacted topic refuses.
    pub(super) fn set_keyless(&mut self, keyless: bool) {
        self.keyless = keyless;
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound)
    }

    /// The next batch and how many records it has.
    pub(super) fn batch(&mut self, producer: Option<(Producer, i32)>) -> Result<(Bytes, i32)> {
        let codec = CODECS.get(self.rng.below(CODECS.len())).copied().unwrap_or_default();
        let mut builder = BatchBuilder::new(codec);
        if let Some((producer, sequence)) = producer {
            builder = builder.producer(producer.id, producer.epoch, sequence);
        }
        for _ in 0..=self.rng.below(RECORDS_MAX) {
            self.append(&mut builder)?;
        }
        let count = builder.count();
        Ok((builder.build()?, count))
    }

    fn append(&mut self, builder: &mut BatchBuilder) -> Result<()> {
        self.time_ms += i64::try_from(self.rng.below(self.step_ms))?;
        let late_ms = if self.rng.below(8) == 0 { self.rng.below(500) } else { 0 };
        let time_ms = self.time_ms - i64::try_from(late_ms)?;
        let key = format!("key-{}", self.rng.below(self.keys));
        let key = (!self.keyless || self.rng.coin()).then_some(key.as_bytes());
        let len = self.rng.below(VALUE_MAX / 2);
        let mut value = self.rng.bytes(len);
        value.resize(value.len() + self.rng.below(VALUE_MAX / 2), b'.');
        let value = (self.rng.below(TOMBSTONES) > 0).then_some(value.as_slice());
        let header: (&[u8], Option<&[u8]>) = (b"from", Some(b"witness"));
        let headers: &[_] = if self.rng.coin() { &[header, (b"empty", None)] } else { &[] };
        builder.append(time_ms, key, value, headers)?;
        Ok(())
    }
}
