//! Writing a batch again with fewer records, with a delete horizon, or without any record.
//!
//! Base offset, last offset delta, producer and leader epoch stay: offsets and sequences never change. What changes is
//! the base timestamp (the first record's, or the horizon), the largest timestamp, the count, the CRC. The records are
//! compressed by the batch's own codec at its default level.

use std::io;

use pagewire_record::compress::deflate;
use pagewire_record::crc::crc32c;
use pagewire_record::header::CRC_START;
use pagewire_record::{BatchHeader, Codec, HEADER_LEN, LENGTH_PREFIX, NO_TIMESTAMP, TimestampType};

use super::raw_record::RawRecord;

/// The attribute bits that stay: who set the times, transactional, control.
const KEPT_BITS: i16 = 0x08 | 0x10 | 0x20;
/// The base timestamp is a delete horizon.
const DELETE_HORIZON: i16 = 0x40;

/// Appends to `out` the batch of `header` with these records, of which there is at least one. `horizon_ms`: its delete
/// horizon.
pub(super) fn rebuild(
    header: &BatchHeader,
    codec: Codec,
    records: &[RawRecord<'_>],
    horizon_ms: Option<i64>,
    plain: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> io::Result<BatchHeader> {
    let times = || records.iter().map(|record| record.timestamp(header));
    let base_timestamp = horizon_ms.or(times().next()).unwrap_or(NO_TIMESTAMP);
    plain.clear();
    for record in records {
        record.write(record.timestamp(header).wrapping_sub(base_timestamp), plain);
    }
    let horizon_bit = if horizon_ms.is_some() { DELETE_HORIZON } else { 0 };
    let written = BatchHeader {
        attributes: header.attributes & KEPT_BITS | horizon_bit | i16::from(codec.id()),
        base_timestamp,
        max_timestamp: match header.timestamp_type() {
            TimestampType::LogAppendTime => header.max_timestamp,
            TimestampType::CreateTime => times().max().unwrap_or(NO_TIMESTAMP).max(NO_TIMESTAMP),
        },
        records_count: records.len() as i32,
        ..*header
    };
    if codec == Codec::None {
        return seal(written, plain, out);
    }
    seal(written, &deflate(codec.into(), plain)?, out)
}

/// Appends to `out` the bare header of a batch, as Kafka writes it: without codec, horizon and base timestamp.
pub(super) fn empty(header: &BatchHeader, out: &mut Vec<u8>) -> io::Result<BatchHeader> {
    let bare = BatchHeader {
        attributes: header.attributes & KEPT_BITS,
        base_timestamp: NO_TIMESTAMP,
        records_count: 0,
        ..*header
    };
    seal(bare, &[], out)
}

fn seal(header: BatchHeader, payload: &[u8], out: &mut Vec<u8>) -> io::Result<BatchHeader> {
    let length = i32::try_from(HEADER_LEN - LENGTH_PREFIX + payload.len());
    let batch_length = length.map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let mut header = BatchHeader { batch_length, ..header };
    let start = out.len();
    out.extend_from_slice(&header.encode());
    out.extend_from_slice(payload);
    header.crc = crc32c(out.get(start + CRC_START..).unwrap_or_default());
    if let Some(head) = out.get_mut(start..start + HEADER_LEN) {
        head.copy_from_slice(&header.encode());
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use pagewire_record::{BatchBuilder, DecompressLimits, SharedBatch};

    use super::*;

    fn three(codec: Codec) -> (BatchHeader, Vec<u8>) {
        let mut builder = BatchBuilder::new(codec).base_offset(100).leader_epoch(4).producer(7, 2, 30);
        for (key, time) in [(b"a", 1000), (b"b", 3000), (b"c", 2000)] {
            builder.append(time, Some(key), Some(b"v"), &[(b"h", Some(b"x"))]).expect("record");
        }
        let bytes = builder.build().expect("batch");
        let header = BatchHeader::parse(&bytes).expect("header");
        let plain =
            pagewire_record::compress::inflate(codec, &bytes[HEADER_LEN..], &DecompressLimits::default());
        (header, plain.expect("inflates"))
    }

    fn records(mut plain: &[u8]) -> Vec<RawRecord<'_>> {
        let mut found = Vec::new();
        while !plain.is_empty() {
            found.push(RawRecord::take(&mut plain).expect("record"));
        }
        found
    }

    #[test]
    fn a_batch_with_fewer_records_keeps_its_place_and_its_sequence() {
        for codec in Codec::ALL {
            let (header, plain) = three(codec);
            let all = records(&plain);
            let (mut out, mut scratch) = (Vec::new(), Vec::new());
            let written =
                rebuild(&header, codec, &[all[0], all[2]], None, &mut scratch, &mut out).expect("rebuilt");
            let batch = SharedBatch::first(&Bytes::from(out)).expect("batch");
            batch.verify_crc().expect("crc");
            assert_eq!(batch.header, written);
            assert_eq!((written.base_offset, written.last_offset(), written.last_sequence()), (100, 102, 32));
            assert_eq!((written.base_timestamp, written.max_timestamp), (1000, 2000));
            let read: Vec<_> = batch.records(&DecompressLimits::default()).expect("records").collect();
            let read: Vec<_> = read.into_iter().map(|record| record.expect("record")).collect();
            assert_eq!(
                read.iter().map(|r| (r.offset, r.timestamp)).collect::<Vec<_>>(),
                [(100, 1000), (102, 2000)]
            );
            assert!(read.iter().all(|record| record.headers.len() == 1));
        }
    }

    #[test]
    fn a_horizon_takes_the_place_of_the_base_timestamp_and_times_stay() {
        let (header, plain) = three(Codec::Lz4);
        let (mut out, mut scratch) = (Vec::new(), Vec::new());
        rebuild(&header, Codec::Lz4, &records(&plain), Some(9_999), &mut scratch, &mut out).expect("rebuilt");
        let batch = SharedBatch::first(&Bytes::from(out)).expect("batch");
        assert_eq!(batch.header.delete_horizon_ms(), Some(9_999));
        let times = batch.records(&DecompressLimits::default()).expect("records");
        assert_eq!(times.map(|r| r.expect("record").timestamp).collect::<Vec<_>>(), [1000, 3000, 2000]);
    }

    #[test]
    fn an_empty_batch_is_a_header_with_its_last_sequence() {
        let (header, _) = three(Codec::Zstd);
        let mut out = Vec::new();
        let bare = empty(&header, &mut out).expect("written");
        let batch = SharedBatch::first(&Bytes::from(out)).expect("batch");
        batch.verify_crc().expect("crc");
        assert_eq!((batch.bytes.len(), batch.header), (HEADER_LEN, bare));
        assert_eq!((bare.last_offset(), bare.last_sequence(), bare.records_count), (102, 32, 0));
        assert_eq!((bare.codec_id(), bare.base_timestamp, bare.max_timestamp), (0, -1, 3000));
    }
}
