//! `[rules u8][codec u8][bytes]`: what a Produce request brings, before the leader appends it.

use bytes::Bytes;
use pagewire_record::{Batch, Codec, ProduceRules, TimestampType, TopicCompression, check_produced};

use super::batch::{LIMITS, mend_checksums, samples};
use crate::input::Input;

const NOW_MS: i64 = 1_700_000_000_500;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (flags, codec) = (input.u8(), input.u8());
    let mut rules = ProduceRules::defaults(if flags & 2 == 0 { 3 } else { 9 }, NOW_MS);
    rules.limits = LIMITS;
    rules.compacted = flags & 4 != 0;
    if flags & 8 != 0 {
        rules.timestamp_type = TimestampType::LogAppendTime;
    }
    if let Some(codec) = Codec::from_id(codec) {
        rules.compression = TopicCompression::Fixed(codec.into());
    }
    let mut bytes = input.rest().to_vec();
    if flags & 1 == 1 {
        mend_checksums(&mut bytes);
    }
    let sent = Bytes::from(bytes);
    let Ok(checked) = check_produced(&sent, &rules) else { return };

    let stored = checked.into_bytes();
    let batch = Batch::first(&stored).expect("an accepted batch parses");
    batch.verify_crc().expect("an accepted batch has its checksum");
    let values = |bytes: &[u8]| -> Vec<_> {
        let batch = Batch::first(bytes).expect("parses");
        let records = batch.records(&LIMITS).expect("an accepted batch decompresses");
        records
            .map(|record| record.expect("an accepted batch has whole records"))
            .map(|record| {
                (record.offset - batch.header.base_offset, record.key, record.value, record.headers)
            })
            .collect()
    };
    assert_eq!(values(&stored), values(&sent), "the records are those that were sent");
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (at, batch) in samples().iter().enumerate() {
        for (flags, codec) in [(3, 255), (11, 255), (7, at as u8 % 5)] {
            seeds.push([&[flags, codec][..], batch].concat());
        }
    }
    seeds
}
