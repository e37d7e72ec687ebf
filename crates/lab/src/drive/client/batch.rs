//! Batches to produce: values that compress about as text does, times of now.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use pagewire_record::{BatchBuilder, BuildError, Codec};

/// What a record takes in a batch beside its value, at most: lengths, deltas, no key, no headers.
const RECORD_OVERHEAD: usize = 13;
/// Values are made of these: four bits of information in eight.
const ALPHABET: &[u8; 16] = b"0123456789abcdef";

/// How many records of `value_len` bytes fill a batch of `batch_len` bytes; at least one.
pub fn records_in(batch_len: usize, value_len: usize) -> usize {
    let room = batch_len.saturating_sub(pagewire_record::HEADER_LEN);
    (room / (value_len + RECORD_OVERHEAD)).max(1)
}

/// A batch of `records` records with values of `value_len` bytes.
pub fn batch(records: usize, value_len: usize, codec: Codec) -> Result<Bytes, BuildError> {
    filled(BatchBuilder::new(codec), records, value_len)
}

/// The same in a batch that was begun.
pub(super) fn filled(
    mut builder: BatchBuilder,
    records: usize,
    value_len: usize,
) -> Result<Bytes, BuildError> {
    let now_ms = now_ms();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..records {
        builder.append(now_ms, None, Some(&value(value_len, &mut state)), &[])?;
    }
    builder.build()
}

/// Milliseconds since the epoch. Records of older times would be retention's at once.
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A value, different each time (xorshift).
pub(crate) fn value(len: usize, state: &mut u64) -> Vec<u8> {
    let letter = |_| {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        ALPHABET[(*state & 15) as usize]
    };
    (0..len).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_about_as_long_as_was_asked_and_never_longer() {
        for (batch_len, value_len) in [(16_384, 100), (65_536, 1024), (1 << 20, 1024)] {
            let made = batch(records_in(batch_len, value_len), value_len, Codec::None).unwrap();
            assert!(made.len() <= batch_len, "{} > {batch_len}", made.len());
            assert!(
                made.len() + value_len + 64 > batch_len - batch_len / 20,
                "{} << {batch_len}",
                made.len()
            );
        }
        assert_eq!(records_in(10, 1024), 1);
    }

    #[test]
    fn values_compress_about_as_text_does() {
        let plain = batch(64, 1024, Codec::None).unwrap().len();
        let packed = batch(64, 1024, Codec::Zstd).unwrap().len();
        assert!(packed * 3 > plain && packed * 3 < plain * 2, "{packed} of {plain}");
    }
}
