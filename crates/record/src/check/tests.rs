//! Every rule with the batch that breaks it. What Kafka 4.3.1's own validator does with such batches was compared
//! on thousands of generated ones; where we differ on purpose, the test's name says so.

use std::io::Write;

use super::*;
use crate::batch::SharedBatch;
use crate::builder::BatchBuilder;
use crate::compress::{Compression, DecompressLimits, Deflater, deflate};
use crate::crc;
use crate::header::{BatchHeader, CRC_START, TimestampType};
use crate::records::Record;
use crate::varint::write_i32;

const NOW: i64 = 1_700_000_000_000;

fn rules() -> ProduceRules {
    ProduceRules::defaults(13, NOW)
}

/// Three records at NOW, NOW + 2, NOW + 1, the middle one without a key.
fn batch(codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new(codec).producer(7, 0, 0);
    for (later, key) in [(0, Some(b"k".as_slice())), (2, None), (1, Some(b"k"))] {
        builder.append(NOW + later, key, Some(b"value value value"), &[(b"h", Some(b"x"))]).unwrap();
    }
    builder.build().unwrap()
}

/// The batch with a changed header and a CRC that fits.
fn with_header(batch: &Bytes, change: impl FnOnce(&mut BatchHeader)) -> Bytes {
    let mut header = BatchHeader::parse(batch).unwrap();
    change(&mut header);
    let mut out = header.encode().to_vec();
    out.extend_from_slice(&batch[HEADER_LEN..]);
    mended(out)
}

/// The batch with other records, compressed as its header says.
fn with_records(header_of: &Bytes, count: i32, records: &[u8]) -> Bytes {
    let mut header = BatchHeader::parse(header_of).unwrap();
    let payload = deflate(header.codec().unwrap().into(), records).unwrap();
    header.records_count = count;
    header.last_offset_delta = count - 1;
    header.batch_length = (HEADER_LEN - LENGTH_PREFIX + payload.len()) as i32;
    let mut out = header.encode().to_vec();
    out.extend(payload);
    mended(out)
}

fn mended(mut batch: Vec<u8>) -> Bytes {
    let crc = crc::crc32c(&batch[CRC_START..]);
    batch[17..CRC_START].copy_from_slice(&crc.to_be_bytes());
    batch.into()
}

fn kind(bytes: &Bytes, rules: &ProduceRules) -> RejectKind {
    check_produced(bytes, rules).expect_err("the batch was to be refused").kind
}

fn indices(rejected: &Rejected) -> Vec<i32> {
    rejected.record_errors.iter().map(|error| error.index).collect()
}

fn stored(bytes: &Bytes) -> (BatchHeader, Vec<Record>) {
    let batch = SharedBatch::first(bytes).unwrap();
    assert_eq!(batch.bytes.len(), bytes.len());
    batch.verify_crc().unwrap();
    let records = batch.records(&DecompressLimits::default()).unwrap().map(Result::unwrap).collect();
    (batch.header, records)
}

#[test]
fn a_good_batch_is_taken_as_it_is_without_a_copy() {
    for codec in Codec::ALL {
        let bytes = batch(codec);
        let checked = check_produced(&bytes, &rules()).unwrap();
        assert_eq!(checked.rewritten, Rewritten::No);
        assert_eq!(
            (checked.count(), checked.max_timestamp(), checked.log_append_time_ms()),
            (3, NOW + 2, -1)
        );
        assert_eq!(checked.size_in_bytes(), bytes.len());
        let out = checked.into_bytes();
        assert_eq!((out.as_ptr(), out.len()), (bytes.as_ptr(), bytes.len()), "{codec}");
    }
}

#[test]
fn an_empty_or_cut_records_field_is_invalid() {
    let whole = batch(Codec::None);
    for cut in [0, 1, 11, 12, 16, 17, 60, 61, whole.len() - 1] {
        assert_eq!(kind(&whole.slice(..cut), &rules()), RejectKind::InvalidRecord, "{cut} bytes");
    }
}

#[test]
fn two_batches_are_invalid_but_a_cut_second_one_is_dropped() {
    let one = batch(Codec::None);
    let mut two = one.to_vec();
    two.extend_from_slice(&one);
    assert_eq!(kind(&two.clone().into(), &rules()), RejectKind::InvalidRecord);
    two.pop();
    assert_eq!(check_produced(&two.into(), &rules()).unwrap().into_bytes(), one);
    let mut zeros = one.to_vec();
    zeros.extend([0; 12]);
    assert_eq!(kind(&zeros.into(), &rules()), RejectKind::CorruptMessage);
}

#[test]
fn magic_0_and_1_are_invalid_and_unknown_ones_corrupt() {
    for (magic, expected) in [
        (0, RejectKind::InvalidRecord),
        (1, RejectKind::InvalidRecord),
        (3, RejectKind::CorruptMessage),
        (-1, RejectKind::CorruptMessage),
    ] {
        let changed = with_header(&batch(Codec::None), |header| header.magic = magic);
        assert_eq!(kind(&changed, &rules()), expected, "magic {magic}");
    }
}

#[test]
fn a_length_that_holds_no_header_is_corrupt() {
    for length in [-1, 0, 13, 14, 48] {
        let changed = with_header(&batch(Codec::None), |header| header.batch_length = length);
        assert_eq!(kind(&changed, &rules()), RejectKind::CorruptMessage, "length {length}");
    }
}

#[test]
fn zstd_needs_produce_7() {
    let zstd = batch(Codec::Zstd);
    for version in [3, 6] {
        let old = ProduceRules { produce_version: version, ..rules() };
        assert_eq!(kind(&zstd, &old), RejectKind::UnsupportedCompressionType);
        assert!(check_produced(&batch(Codec::Lz4), &old).is_ok());
    }
    assert!(check_produced(&zstd, &ProduceRules { produce_version: 7, ..rules() }).is_ok());
}

#[test]
fn an_unknown_codec_is_unsupported() {
    for id in 5..=7 {
        let changed = with_header(&batch(Codec::None), |header| header.attributes |= id);
        assert_eq!(kind(&changed, &rules()), RejectKind::UnsupportedCompressionType);
    }
}

#[test]
fn a_wrong_crc_is_corrupt() {
    let mut bytes = batch(Codec::None).to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    assert_eq!(kind(&bytes.into(), &rules()), RejectKind::CorruptMessage);
}

#[test]
fn sizes_are_bounded_by_message_and_segment() {
    let bytes = batch(Codec::None);
    let len = bytes.len() as u32;
    assert!(
        check_produced(&bytes, &ProduceRules { max_message_bytes: len, segment_bytes: len, ..rules() })
            .is_ok()
    );
    let message = ProduceRules { max_message_bytes: len - 1, ..rules() };
    assert_eq!(kind(&bytes, &message), RejectKind::MessageTooLarge);
    let segment = ProduceRules { segment_bytes: len - 1, ..rules() };
    assert_eq!(kind(&bytes, &segment), RejectKind::RecordListTooLarge);
}

#[test]
fn headers_that_contradict_themselves_are_invalid() {
    let changes: [fn(&mut BatchHeader); 9] = [
        |header| header.base_offset = 1,
        |header| header.last_offset_delta = 1,
        |header| header.last_offset_delta = -1,
        |header| header.last_offset_delta = i32::MIN,
        |header| header.records_count = 0,
        |header| header.records_count = -3,
        |header| header.records_count = 4,
        |header| header.attributes |= 0x20,
        |header| header.base_sequence = -1,
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let changed = with_header(&batch(Codec::None), change);
        assert_eq!(kind(&changed, &rules()), RejectKind::InvalidRecord, "change {index}");
    }
}

#[test]
fn a_count_that_the_records_do_not_bear_out_is_invalid() {
    for codec in Codec::ALL {
        for count in [2, 4, 1 << 28, i32::MAX] {
            let changed = with_header(&batch(codec), |header| {
                header.records_count = count;
                header.last_offset_delta = count - 1;
            });
            assert_eq!(kind(&changed, &rules()), RejectKind::InvalidRecord, "{codec} {count}");
        }
    }
}

#[test]
fn offset_deltas_out_of_order_are_invalid_even_where_kafka_stores_them() {
    let records: Vec<u8> =
        [0, 2, 1].into_iter().flat_map(|delta: u8| [12, 0, 0, delta << 1, 1, 1, 0]).collect();
    for codec in Codec::ALL {
        let rejected = check_produced(&with_records(&batch(codec), 3, &records), &rules()).unwrap_err();
        assert_eq!((rejected.kind, indices(&rejected)), (RejectKind::InvalidRecord, vec![1, 2]), "{codec}");
    }
}

#[test]
fn broken_records_are_invalid_in_every_codec() {
    let good = [12u8, 0, 0, 0, 1, 1, 0];
    let broken: [(&str, Vec<u8>); 8] = [
        ("nothing", vec![]),
        ("a negative length", vec![1, 0, 0, 0, 1, 1, 0]),
        ("a length below the fields", vec![10, 0, 0, 0, 1, 1, 0]),
        ("a length above the fields", vec![14, 0, 0, 0, 1, 1, 0, 0]),
        ("a key beyond the record", vec![12, 0, 0, 0, 100, 1, 0]),
        ("a header count beyond the record", vec![12, 0, 0, 0, 1, 1, 2]),
        ("a header without a key", vec![16, 0, 0, 0, 1, 1, 2, 1, 1]),
        ("an endless integer", vec![0xff; 20]),
    ];
    for codec in Codec::ALL {
        assert!(check_produced(&with_records(&batch(codec), 1, &good), &rules()).is_ok());
        for (what, records) in &broken {
            let rejected = check_produced(&with_records(&batch(codec), 1, records), &rules()).unwrap_err();
            assert_eq!(rejected.kind, RejectKind::InvalidRecord, "{codec}: {what}");
            assert!(rejected.record_errors.is_empty());
        }
        let mut trailing = good.to_vec();
        trailing.push(0);
        assert_eq!(kind(&with_records(&batch(codec), 1, &trailing), &rules()), RejectKind::InvalidRecord);
    }
}

#[test]
fn a_payload_that_does_not_decompress_is_invalid_where_kafka_has_no_name_for_it() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let plain = batch(Codec::None);
        let changed = with_header(&plain, |header| header.attributes |= i16::from(codec.id()));
        assert_eq!(kind(&changed, &rules()), RejectKind::InvalidRecord, "{codec}");
    }
}

#[test]
fn a_compacted_topic_names_the_records_without_a_key() {
    for codec in Codec::ALL {
        let compacted = ProduceRules { compacted: true, ..rules() };
        let rejected = check_produced(&batch(codec), &compacted).unwrap_err();
        assert_eq!((rejected.kind, indices(&rejected)), (RejectKind::InvalidRecord, vec![1]));
    }
}

#[test]
fn times_out_of_bounds_are_named() {
    let bounds = ProduceRules { before_max_ms: 1000, after_max_ms: 500, ..rules() };
    let times = [NOW - 1000, NOW + 500, NOW - 1001, NOW + 501, -1, i64::MIN, i64::MAX];
    let mut builder = BatchBuilder::new(Codec::Gzip);
    for time in times {
        builder.append(time, None, None, &[]).unwrap();
    }
    let rejected = check_produced(&builder.build().unwrap(), &bounds).unwrap_err();
    assert_eq!((rejected.kind, indices(&rejected)), (RejectKind::InvalidTimestamp, vec![2, 3, 5, 6]));
    assert!(rejected.record_errors[0].message.contains(&(NOW - 1001).to_string()));
}

#[test]
fn one_bad_time_makes_the_answer_one_about_times() {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(NOW, None, None, &[]).unwrap();
    builder.append(NOW + 4_000_000, Some(b"k"), None, &[]).unwrap();
    let rejected =
        check_produced(&builder.build().unwrap(), &ProduceRules { compacted: true, ..rules() }).unwrap_err();
    assert_eq!((rejected.kind, indices(&rejected)), (RejectKind::InvalidTimestamp, vec![0, 1]));
}

#[test]
fn append_time_topics_do_not_look_at_the_producers_times() {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(NOW + 4_000_000, None, None, &[]).unwrap();
    let topic = ProduceRules { timestamp_type: TimestampType::LogAppendTime, before_max_ms: 0, ..rules() };
    assert!(check_produced(&builder.build().unwrap(), &topic).is_ok());
}

#[test]
fn a_producer_may_not_claim_append_time_on_any_topic() {
    let mut builder = BatchBuilder::new(Codec::None).log_append_time(NOW);
    builder.append(NOW, None, None, &[]).unwrap();
    let bytes = builder.build().unwrap();
    for timestamp_type in [TimestampType::CreateTime, TimestampType::LogAppendTime] {
        let rejected = check_produced(&bytes, &ProduceRules { timestamp_type, ..rules() }).unwrap_err();
        assert_eq!((rejected.kind, indices(&rejected)), (RejectKind::InvalidTimestamp, vec![0]));
    }
}

#[test]
fn append_time_is_written_without_touching_the_records() {
    for codec in Codec::ALL {
        let bytes = batch(codec);
        let topic =
            ProduceRules { timestamp_type: TimestampType::LogAppendTime, now_ms: NOW + 99, ..rules() };
        let checked = check_produced(&bytes, &topic).unwrap();
        assert_eq!(checked.rewritten, Rewritten::Header);
        assert_eq!((checked.log_append_time_ms(), checked.max_timestamp()), (NOW + 99, NOW + 99));
        assert_eq!(checked.payload.as_ptr(), bytes[HEADER_LEN..].as_ptr());
        let (header, records) = stored(&checked.into_bytes());
        assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
        assert!(records.iter().all(|record| record.timestamp == NOW + 99));
        let came = BatchHeader::parse(&bytes).unwrap();
        assert_eq!((header.base_timestamp, header.producer_id), (came.base_timestamp, came.producer_id));
    }
}

#[test]
fn a_wrong_maximum_timestamp_is_put_right() {
    for (codec, wrong) in Codec::ALL.into_iter().zip([0, -1, i64::MAX, NOW, i64::MIN]) {
        let changed = with_header(&batch(codec), |header| header.max_timestamp = wrong);
        let checked = check_produced(&changed, &rules()).unwrap();
        assert_eq!((checked.rewritten, checked.max_timestamp()), (Rewritten::Header, NOW + 2));
        let (header, _) = stored(&checked.into_bytes());
        assert_eq!(header.max_timestamp, NOW + 2);
    }
}

#[test]
fn flags_without_meaning_stay_until_the_header_is_rewritten() {
    let odd = with_header(&batch(Codec::None), |header| header.attributes |= 0x7fc0);
    assert_eq!(check_produced(&odd, &rules()).unwrap().rewritten, Rewritten::No);
    let topic = ProduceRules { timestamp_type: TimestampType::LogAppendTime, ..rules() };
    assert_eq!(check_produced(&odd, &topic).unwrap().header.attributes, 0x08);
}

#[test]
fn the_topics_codec_replaces_the_producers() {
    for source in Codec::ALL {
        for target in Codec::ALL {
            let compression = TopicCompression::Fixed(Compression { codec: target, level: Some(5) });
            for timestamp_type in [TimestampType::CreateTime, TimestampType::LogAppendTime] {
                let topic = ProduceRules { timestamp_type, compression, ..rules() };
                let bytes = batch(source);
                let checked = check_produced(&bytes, &topic).unwrap();
                assert_eq!(checked.rewritten == Rewritten::Payload, source != target, "{source} to {target}");
                let (header, records) = stored(&checked.into_bytes());
                assert_eq!((header.codec(), header.timestamp_type()), (Some(target), timestamp_type));
                assert_eq!((header.producer_id, header.base_sequence, header.records_count), (7, 0, 3));
                let (_, came) = stored(&bytes);
                for (record, came) in records.iter().zip(&came) {
                    assert_eq!((&record.key, &record.value), (&came.key, &came.value));
                    assert_eq!((&record.headers, record.offset), (&came.headers, came.offset));
                }
            }
        }
    }
}

#[test]
fn what_grows_too_large_in_the_topics_codec_is_refused() {
    let mut builder = BatchBuilder::new(Codec::Zstd);
    builder.append(NOW, None, Some(&vec![0; 100_000]), &[]).unwrap();
    let bytes = builder.build().unwrap();
    assert!(bytes.len() < 1000);
    let compression = TopicCompression::Fixed(Codec::None.into());
    let topic = ProduceRules { compression, max_message_bytes: 50_000, ..rules() };
    assert_eq!(kind(&bytes, &topic), RejectKind::MessageTooLarge);
}

#[test]
fn a_bomb_is_refused_at_the_cap() {
    // 8 KB on the wire; 2^28 records by its own count; 64 MiB of value, if anyone asked.
    let mut deflater = Deflater::new(Codec::Zstd.into(), Vec::new()).unwrap();
    let mut start = Vec::new();
    write_i32(&mut start, (64 << 20) + 64);
    start.extend([0, 0, 0, 1]);
    write_i32(&mut start, 64 << 20);
    deflater.write_all(&start).unwrap();
    let zeros = vec![0; 64 << 10];
    for _ in 0..1024 {
        deflater.write_all(&zeros).unwrap();
    }
    let payload = deflater.finish().unwrap();
    assert!(payload.len() < 8 << 10);
    let mut header = BatchHeader::parse(&batch(Codec::Zstd)).unwrap();
    header.records_count = 1 << 28;
    header.last_offset_delta = (1 << 28) - 1;
    header.batch_length = (HEADER_LEN - LENGTH_PREFIX + payload.len()) as i32;
    let mut bytes = header.encode().to_vec();
    bytes.extend(payload);
    let bomb = mended(bytes);
    let capped = ProduceRules { limits: DecompressLimits { max_bytes: 1 << 20 }, ..rules() };
    let rejected = check_produced(&bomb, &capped).unwrap_err();
    assert_eq!(rejected.kind, RejectKind::MessageTooLarge);
    assert!(rejected.message.contains("1048576"), "{}", rejected.message);
}

#[test]
fn an_answer_names_a_bounded_number_of_records() {
    let mut builder = BatchBuilder::new(Codec::Lz4);
    for _ in 0..RECORD_ERRORS_MAX + 5 {
        builder.append(NOW, None, None, &[]).unwrap();
    }
    let bytes = builder.build().unwrap();
    let rejected = check_produced(&bytes, &ProduceRules { compacted: true, ..rules() }).unwrap_err();
    assert_eq!(rejected.record_errors.len(), RECORD_ERRORS_MAX);
    assert!(rejected.message.contains("1005 records"), "{}", rejected.message);
}

#[test]
fn kinds_have_kafkas_codes() {
    let codes = [
        (RejectKind::CorruptMessage, 2),
        (RejectKind::MessageTooLarge, 10),
        (RejectKind::RecordListTooLarge, 18),
        (RejectKind::InvalidTimestamp, 32),
        (RejectKind::UnsupportedCompressionType, 76),
        (RejectKind::InvalidRecord, 87),
    ];
    for (kind, code) in codes {
        assert_eq!(kind.code(), code);
    }
}
