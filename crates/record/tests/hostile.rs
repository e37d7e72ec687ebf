//! Bytes nobody meant well: whatever comes in, an answer comes out, and nothing large is made of it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use bytes::Bytes;
use pagewire_record::compress::deflate;
use pagewire_record::header::CRC_START;
use pagewire_record::{
    BatchBuilder, Codec, DecompressLimits, HEADER_LEN, ProduceRules, TopicCompression, batches,
    check_produced, complete_batches, crc,
};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMITS: DecompressLimits = DecompressLimits { max_bytes: 1 << 20 };

fn rules(target: Option<Codec>) -> ProduceRules {
    ProduceRules {
        limits: LIMITS,
        compression: target.map_or(TopicCompression::Producer, |codec| TopicCompression::Fixed(codec.into())),
        ..ProduceRules::defaults(13, 1_000_000)
    }
}

/// Everything a broker or a client does with a batch. Where the check passes, a consumer must be able to read.
fn treat(bytes: &Bytes, target: Option<Codec>) {
    for batch in batches(bytes).flatten() {
        if let Ok(records) = batch.records(&LIMITS) {
            records.for_each(drop);
        }
    }
    for batch in complete_batches(bytes).flatten() {
        if let Ok(records) = batch.records(&LIMITS) {
            records.for_each(drop);
        }
    }
    if let Ok(checked) = check_produced(bytes, &rules(target)) {
        let stored = checked.into_bytes();
        let batch = complete_batches(&stored).next().unwrap().unwrap();
        batch.verify_crc().unwrap();
        let records: Result<Vec<_>, _> = batch.records(&LIMITS).unwrap().collect();
        let records = records.unwrap();
        assert_eq!(records.len() as i32, batch.header.records_count);
        let max = records.iter().map(|record| record.timestamp).max().unwrap();
        assert_eq!(batch.header.max_timestamp, max.max(-1));
    }
}

fn sample(codec: Codec, records: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    for index in 0..records {
        let value = vec![b'v'; index * 3 % 50];
        builder.append(999_000 + index as i64, Some(b"key"), Some(&value), &[(b"h", None)]).unwrap();
    }
    builder.build().unwrap().to_vec()
}

/// Makes the CRC fit, so that what lies behind it is reached.
fn mend(batch: &mut [u8]) {
    if batch.len() > CRC_START {
        let fitting = crc::crc32c(&batch[CRC_START..]).to_be_bytes();
        batch[17..CRC_START].copy_from_slice(&fitting);
    }
}

fn codec() -> impl Strategy<Value = Codec> {
    (0u8..5).prop_map(|id| Codec::from_id(id).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn random_bytes(bytes in vec(any::<u8>(), 0..300), magic in any::<bool>()) {
        let mut bytes = bytes;
        if magic && bytes.len() > 16 {
            bytes[16] = 2;
            bytes[8..11].fill(0);
        }
        treat(&Bytes::from(bytes), None);
    }

    #[test]
    fn a_batch_with_flipped_bits_and_a_fitting_crc(
        source in codec(),
        target in proptest::option::of(codec()),
        records in 1usize..40,
        flips in vec((any::<prop::sample::Index>(), 0u8..8), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut batch = sample(source, records);
        for (at, bit) in flips {
            let at = at.index(batch.len());
            batch[at] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            batch.truncate(cut.index(batch.len()));
        }
        mend(&mut batch);
        treat(&Bytes::from(batch), target);
    }

    #[test]
    fn a_payload_of_random_records_in_any_codec(
        source in codec(),
        target in proptest::option::of(codec()),
        payload in vec(prop_oneof![any::<u8>(), 0u8..4], 0..200),
        count in prop_oneof![0i32..10, any::<i32>()],
    ) {
        let mut batch = sample(source, 1)[..HEADER_LEN].to_vec();
        batch.extend(deflate(source.into(), &payload).unwrap());
        let length = (batch.len() - 12) as i32;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        batch[23..27].copy_from_slice(&count.wrapping_sub(1).to_be_bytes());
        batch[57..61].copy_from_slice(&count.to_be_bytes());
        mend(&mut batch);
        treat(&Bytes::from(batch), target);
    }
}
