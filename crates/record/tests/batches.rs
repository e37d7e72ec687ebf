//! Facts about headers, walks over batches, and what the builder writes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use bytes::Bytes;
use pagewire_record::{
    BatchBuilder, BatchError, BatchHeader, BuildError, Codec, DecompressLimits, HEADER_LEN, Record,
    RecordFault, RecordsError, SharedBatch, TimestampType, add_sequence, batches, complete_batches,
    patch_header,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const LIMITS: DecompressLimits = DecompressLimits { max_bytes: 16 << 20 };

fn three(codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new(codec).base_offset(100);
    for value in [b"a", b"b", b"c"] {
        builder.append(10, None, Some(value), &[]).unwrap();
    }
    builder.build().unwrap()
}

fn records(bytes: &Bytes) -> Vec<Record> {
    let batch = SharedBatch::first(bytes).unwrap();
    batch.records(&LIMITS).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_cut_header_says_how_much_is_missing() {
    let batch = three(Codec::None);
    assert_eq!(BatchHeader::parse(&batch[..60]), Err(BatchError::Truncated { needed: 61, available: 60 }));
    assert_eq!(BatchHeader::parse(&[]), Err(BatchError::Truncated { needed: 61, available: 0 }));
}

#[test]
fn another_magic_is_told_before_the_header_is_whole() {
    let mut batch = three(Codec::None).to_vec();
    batch[16] = 1;
    assert_eq!(BatchHeader::parse(&batch[..17]), Err(BatchError::Magic(1)));
}

#[test]
fn a_length_below_the_header_is_refused() {
    for length in [48, 0, -1, i32::MIN] {
        let mut batch = three(Codec::None).to_vec();
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        assert_eq!(BatchHeader::parse(&batch), Err(BatchError::Length(length)));
    }
}

#[test]
fn placing_a_batch_leaves_its_crc_true() {
    let mut batch = three(Codec::Zstd).to_vec();
    patch_header(batch.first_chunk_mut::<HEADER_LEN>().unwrap(), 1 << 40, 17);
    let batch = Bytes::from(batch);
    let placed = SharedBatch::first(&batch).unwrap();
    placed.verify_crc().unwrap();
    assert_eq!((placed.header.base_offset, placed.header.partition_leader_epoch), (1 << 40, 17));
    assert_eq!((placed.header.last_offset(), placed.header.next_offset()), ((1 << 40) + 2, (1 << 40) + 3));
    assert_eq!(records(&batch)[2].offset, (1 << 40) + 2);
}

#[test]
fn a_flipped_bit_behind_the_crc_is_found() {
    let mut batch = three(Codec::None).to_vec();
    *batch.last_mut().unwrap() ^= 1;
    assert!(matches!(
        SharedBatch::first(&batch.into()).unwrap().verify_crc(),
        Err(BatchError::Checksum { .. })
    ));
}

#[test]
fn sequences_wrap_to_zero() {
    assert_eq!(add_sequence(i32::MAX, 1), 0);
    assert_eq!(add_sequence(i32::MAX - 1, 5), 3);
    assert_eq!(add_sequence(7, 3), 10);
    let mut builder = BatchBuilder::new(Codec::None).producer(1, 0, i32::MAX);
    for _ in 0..3 {
        builder.append(0, None, None, &[]).unwrap();
    }
    let header = BatchHeader::parse(&builder.build().unwrap()).unwrap();
    assert_eq!((header.base_sequence, header.last_sequence()), (i32::MAX, 1));
}

#[test]
fn both_walks_see_every_batch_and_differ_at_a_cut_tail() {
    let whole = three(Codec::None);
    let mut bytes = Vec::new();
    for _ in 0..3 {
        bytes.extend_from_slice(&whole);
    }
    bytes.extend_from_slice(&whole[..whole.len() - 1]);
    let walked: Vec<_> = batches(&bytes).collect();
    assert_eq!(walked.iter().filter(|batch| batch.is_ok()).count(), 3);
    assert!(matches!(walked[3], Err(BatchError::Truncated { .. })));
    assert_eq!(complete_batches(&bytes.into()).map(Result::unwrap).count(), 3);
    assert_eq!(complete_batches(&whole.slice(..5)).count(), 0);
}

#[test]
fn a_broken_header_ends_both_walks_with_one_error() {
    let mut bytes = three(Codec::None).to_vec();
    bytes.extend_from_slice(&[0xff; 100]);
    assert_eq!(batches(&bytes).map(|batch| batch.is_ok()).collect::<Vec<_>>(), [true, false]);
    assert_eq!(complete_batches(&bytes.into()).map(|batch| batch.is_ok()).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn keys_and_values_of_an_uncompressed_batch_are_not_copied() {
    let batch = three(Codec::None);
    let range = batch.as_ptr_range();
    for record in records(&batch) {
        assert!(range.contains(&record.value.unwrap().as_ptr()));
    }
}

#[test]
fn equal_header_keys_keep_their_order() {
    for codec in Codec::ALL {
        let mut builder = BatchBuilder::new(codec);
        let headers: [(&[u8], Option<&[u8]>); 4] =
            [(b"b", Some(b"1")), (b"a", None), (b"b", Some(b"")), (b"b", Some(b"1"))];
        builder.append(0, None, None, &headers).unwrap();
        let read = &records(&builder.build().unwrap())[0];
        let read: Vec<_> =
            read.headers.iter().map(|header| (header.key.as_ref(), header.value.as_deref())).collect();
        assert_eq!(read, headers);
    }
}

#[test]
fn append_time_is_the_time_of_every_record() {
    let mut builder = BatchBuilder::new(Codec::Lz4).log_append_time(5000);
    builder.append(10, None, None, &[]).unwrap();
    builder.append(20, None, None, &[]).unwrap();
    let batch = builder.build().unwrap();
    let header = BatchHeader::parse(&batch).unwrap();
    assert_eq!((header.timestamp_type(), header.max_timestamp), (TimestampType::LogAppendTime, 5000));
    assert!(records(&batch).iter().all(|record| record.timestamp == 5000));
}

#[test]
fn an_empty_batch_is_not_built_but_an_emptied_one_is_read() {
    assert!(matches!(BatchBuilder::new(Codec::Gzip).build(), Err(BuildError::Empty)));
    let mut header = BatchHeader::parse(&three(Codec::Gzip)).unwrap();
    header.records_count = 0;
    header.batch_length = 49;
    let emptied = Bytes::copy_from_slice(&header.encode());
    assert_eq!(records(&emptied), []);
}

#[test]
fn a_count_that_disagrees_with_the_records_is_an_error_not_a_loop() {
    let batch = SharedBatch::first(&three(Codec::None)).unwrap();
    let mut header = batch.header;
    let read = |header: &BatchHeader| {
        let batch = SharedBatch { header: *header, bytes: batch.bytes.clone() };
        batch.records(&LIMITS).and_then(Iterator::collect::<Result<Vec<_>, _>>)
    };
    header.records_count = 1 << 28;
    assert_eq!(read(&header), Err(RecordsError::Record { index: 3, fault: RecordFault::Eof }));
    header.records_count = 2;
    assert_eq!(read(&header), Err(RecordsError::Trailing { count: 2 }));
    header.records_count = -1;
    assert_eq!(read(&header), Err(RecordsError::Count(-1)));
    header.records_count = 3;
    header.attributes |= 5;
    assert_eq!(read(&header), Err(RecordsError::UnknownCodec(5)));
}

type Blob = Option<Vec<u8>>;
type Plain = (i64, Blob, Blob, Vec<(Vec<u8>, Blob)>);

proptest! {
    #[test]
    fn headers_round_trip(raw in vec(any::<u8>(), HEADER_LEN)) {
        let raw: [u8; HEADER_LEN] = raw.try_into().unwrap();
        prop_assert_eq!(BatchHeader::decode(&raw).encode(), raw);
    }

    #[test]
    fn what_is_appended_is_read(
        codec in (0u8..5).prop_map(|id| Codec::from_id(id).unwrap()),
        plain in vec(
            (any::<i64>(), option::of(vec(any::<u8>(), 0..30)), option::of(vec(any::<u8>(), 0..300)),
             vec((vec(any::<u8>(), 0..5), option::of(vec(any::<u8>(), 0..5))), 0..4)),
            1..30,
        ),
    ) {
        let plain: Vec<Plain> = plain;
        let mut builder = BatchBuilder::new(codec);
        for (timestamp, key, value, headers) in &plain {
            let headers: Vec<_> = headers.iter().map(|(key, value)| (key.as_slice(), value.as_deref())).collect();
            builder.append(*timestamp, key.as_deref(), value.as_deref(), &headers).unwrap();
        }
        let plain_size = builder.size_in_bytes();
        let batch = builder.build().unwrap();
        if codec == Codec::None {
            prop_assert_eq!(batch.len(), plain_size);
        }
        SharedBatch::first(&batch).unwrap().verify_crc().unwrap();
        let read: Vec<Plain> = records(&batch).into_iter().map(|record| {
            let headers = record.headers.into_iter()
                .map(|header| (header.key.to_vec(), header.value.map(|value| value.to_vec())))
                .collect();
            (record.timestamp, record.key.map(|key| key.to_vec()), record.value.map(|value| value.to_vec()), headers)
        }).collect();
        prop_assert_eq!(read, plain);
    }
}
