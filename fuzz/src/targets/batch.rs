//! `[flags u8][bytes of batches]`: reading a slice of a log, as the console, the command line and recovery do.

use bytes::Bytes;
use pagewire_record::header::CRC_START;
use pagewire_record::{BatchBuilder, Codec, DecompressLimits, HEADER_LEN, batches, complete_batches};

use crate::input::Input;

/// Small, so that the fuzzer soon finds bombs.
pub(super) const LIMITS: DecompressLimits = DecompressLimits { max_bytes: 1 << 20 };
const CRC_AT: usize = 17;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mend = input.u8() & 1 == 1;
    let mut bytes = input.rest().to_vec();
    if mend {
        mend_checksums(&mut bytes);
    }
    for batch in batches(&bytes) {
        let Ok(batch) = batch else { break };
        let Ok(()) = batch.verify_crc() else { continue };
        let Ok(records) = batch.records(&LIMITS) else { continue };
        let mut unfolded = 0;
        for record in records {
            let Ok(record) = record else { break };
            unfolded += record.key.map_or(0, |key| key.len()) + record.value.map_or(0, |value| value.len());
        }
        assert!(unfolded <= LIMITS.max_bytes.max(bytes.len()), "more records than the limit allows");
    }
    for batch in complete_batches(&Bytes::from(bytes)).take_while(Result::is_ok).flatten() {
        let _ = batch.records(&LIMITS).map(Iterator::count);
    }
}

/// Gives every batch a checksum that is right, so that what lies behind the check is reached too.
pub(super) fn mend_checksums(bytes: &mut [u8]) {
    let mut at = 0usize;
    while let Some(batch) = bytes.get_mut(at..).filter(|batch| batch.len() >= HEADER_LEN) {
        let length =
            batch.get(8..12).and_then(|b| b.first_chunk::<4>()).map_or(0, |b| i32::from_be_bytes(*b));
        let size = usize::try_from(length).unwrap_or_default().saturating_add(12).min(batch.len());
        if size < HEADER_LEN {
            return;
        }
        let crc = batch.get(CRC_START..size).map_or(0, pagewire_record::crc::crc32c);
        if let Some(place) = batch.get_mut(CRC_AT..CRC_START) {
            place.copy_from_slice(&crc.to_be_bytes());
        }
        at += size;
    }
}

/// Gives a file that begins with a version and a checksum of all that follows, as snapshots and lists of segments do, the
/// right one.
pub(super) fn mend_sum(bytes: &mut [u8]) {
    let Some((head, body)) = bytes.split_first_chunk_mut::<6>() else { return };
    let sum = pagewire_record::crc::crc32c(body).to_be_bytes();
    head.iter_mut().skip(2).zip(sum).for_each(|(byte, sum)| *byte = sum);
}

/// A few batches of every codec.
pub(super) fn samples() -> Vec<Bytes> {
    let mut samples = Vec::new();
    for codec in Codec::ALL {
        for records in [1, 5] {
            let mut builder = BatchBuilder::new(codec).producer(7, 0, 3);
            for at in 0..records {
                let value = format!("value {at} {}", "x".repeat(at * 10));
                let header: (&[u8], Option<&[u8]>) = (b"trace", Some(b"1"));
                builder
                    .append(1_700_000_000_000 + at as i64, Some(b"key"), Some(value.as_bytes()), &[header])
                    .expect("a small record fits");
            }
            samples.push(builder.build().expect("a small batch builds"));
        }
    }
    samples
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let samples = samples();
    let mut seeds: Vec<Vec<u8>> =
        samples.iter().flat_map(|batch| [0u8, 1].map(|flag| [&[flag][..], batch].concat())).collect();
    seeds.push([&[1u8][..], &samples.concat()].concat());
    seeds
}
