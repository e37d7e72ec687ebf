//! The batch layout against an independent implementation, both ways. It never sees bytes it did not ask for: its
//! decoder is not made for hostile input. It keeps headers in a map, so keys are unique here.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use kafka_protocol::indexmap::IndexMap;
use kafka_protocol::protocol::StrBytes;
use kafka_protocol::records::{
    Compression as TheirCodec, Record as TheirRecord, RecordBatchDecoder, RecordBatchEncoder,
    RecordEncodeOptions, TimestampType as TheirType,
};
use pagewire_record::compress::{deflate, inflate};
use pagewire_record::{BatchBuilder, Codec, DecompressLimits, complete_batches};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const CODECS: [(Codec, TheirCodec); 5] = [
    (Codec::None, TheirCodec::None),
    (Codec::Gzip, TheirCodec::Gzip),
    (Codec::Snappy, TheirCodec::Snappy),
    (Codec::Lz4, TheirCodec::Lz4),
    (Codec::Zstd, TheirCodec::Zstd),
];

fn ours(codec: TheirCodec) -> Codec {
    CODECS.into_iter().find_map(|(ours, theirs)| (theirs == codec).then_some(ours)).unwrap_or_default()
}

type Blob = Option<Vec<u8>>;

#[derive(Debug, Clone)]
struct Plain {
    timestamp: i64,
    key: Blob,
    value: Blob,
    headers: Vec<Blob>,
}

fn plain() -> impl Strategy<Value = Plain> {
    let blob = || option::of(vec(any::<u8>(), 0..40));
    (0i64..1 << 41, blob(), blob(), vec(blob(), 0..3)).prop_map(|(timestamp, key, value, headers)| Plain {
        timestamp,
        key,
        value,
        headers,
    })
}

fn header_key(index: usize) -> String {
    format!("h{index}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn it_reads_what_we_write(
        records in vec(plain(), 1..20),
        codec in 0usize..5,
        producer in option::of((0i64..1 << 40, 0i16..i16::MAX, 0i32..1 << 30)),
        base_offset in 0i64..1 << 50,
        leader_epoch in -1i32..1000,
    ) {
        let mut builder = BatchBuilder::new(CODECS[codec].0).base_offset(base_offset).leader_epoch(leader_epoch);
        if let Some((id, epoch, sequence)) = producer {
            builder = builder.producer(id, epoch, sequence).transactional();
        }
        for record in &records {
            let keys: Vec<String> = (0..record.headers.len()).map(header_key).collect();
            let headers: Vec<(&[u8], Option<&[u8]>)> =
                keys.iter().map(String::as_bytes).zip(record.headers.iter().map(Option::as_deref)).collect();
            builder.append(record.timestamp, record.key.as_deref(), record.value.as_deref(), &headers).unwrap();
        }
        let mut batch = builder.build().unwrap();
        let unpack = |payload: &mut Bytes, codec: TheirCodec| {
            Ok(Bytes::from(inflate(ours(codec), payload, &DecompressLimits::default())?))
        };
        let read = RecordBatchDecoder::decode_with_custom_compression(&mut batch, Some(unpack)).unwrap();
        prop_assert!(!batch.has_remaining());
        prop_assert_eq!(read.records.len(), records.len());
        for (index, (theirs, record)) in read.records.iter().zip(&records).enumerate() {
            prop_assert_eq!(theirs.offset, base_offset + index as i64);
            prop_assert_eq!(theirs.timestamp, record.timestamp);
            prop_assert_eq!(theirs.partition_leader_epoch, leader_epoch);
            prop_assert_eq!(theirs.timestamp_type, TheirType::Creation);
            prop_assert_eq!(theirs.transactional, producer.is_some());
            prop_assert_eq!(theirs.producer_id, producer.map_or(-1, |producer| producer.0));
            prop_assert_eq!(theirs.producer_epoch, producer.map_or(-1, |producer| producer.1));
            if let Some((_, _, sequence)) = producer {
                prop_assert_eq!(theirs.sequence, sequence + index as i32);
            }
            prop_assert_eq!(theirs.key.as_deref(), record.key.as_deref());
            prop_assert_eq!(theirs.value.as_deref(), record.value.as_deref());
            let headers: Vec<_> = theirs.headers.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
            let expected: Vec<_> = record.headers.iter().enumerate()
                .map(|(index, value)| (header_key(index), value.clone().map(Bytes::from)))
                .collect();
            prop_assert_eq!(headers, expected);
        }
    }

    #[test]
    fn we_read_what_it_writes(records in vec(plain(), 1..20), codec in 0usize..5, base_offset in 0i64..1 << 50) {
        let theirs: Vec<TheirRecord> = records.iter().enumerate().map(|(index, record)| TheirRecord {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: 4,
            producer_id: 11,
            producer_epoch: 2,
            timestamp_type: TheirType::Creation,
            offset: base_offset + index as i64,
            sequence: 100 + index as i32,
            timestamp: record.timestamp,
            key: record.key.clone().map(Bytes::from),
            value: record.value.clone().map(Bytes::from),
            headers: record.headers.iter().enumerate()
                .map(|(index, value)| (StrBytes::from_string(header_key(index)), value.clone().map(Bytes::from)))
                .collect::<IndexMap<_, _>>(),
        }).collect();
        let pack = |records: &mut BytesMut, out: &mut BytesMut, codec: TheirCodec| {
            out.put_slice(&deflate(ours(codec).into(), records)?);
            Ok(())
        };
        let options = RecordEncodeOptions { version: 2, compression: CODECS[codec].1 };
        let mut out = BytesMut::new();
        RecordBatchEncoder::encode_with_custom_compression(&mut out, theirs.iter(), &options, Some(pack)).unwrap();

        let bytes = out.freeze();
        let mut seen = Vec::new();
        for batch in complete_batches(&bytes) {
            let batch = batch.unwrap();
            batch.verify_crc().unwrap();
            prop_assert_eq!(batch.header.codec(), Some(CODECS[codec].0));
            prop_assert_eq!((batch.header.producer_id, batch.header.producer_epoch), (11, 2));
            prop_assert_eq!(batch.header.partition_leader_epoch, 4);
            for record in batch.records(&DecompressLimits::default()).unwrap() {
                seen.push(record.unwrap());
            }
        }
        prop_assert_eq!(seen.len(), records.len());
        for (index, (read, record)) in seen.iter().zip(&records).enumerate() {
            prop_assert_eq!(read.offset, base_offset + index as i64);
            prop_assert_eq!(read.timestamp, record.timestamp);
            prop_assert_eq!(read.key.as_deref(), record.key.as_deref());
            prop_assert_eq!(read.value.as_deref(), record.value.as_deref());
            let headers: Vec<_> = read.headers.iter().map(|header| header.value.as_deref()).collect();
            let expected: Vec<_> = record.headers.iter().map(Option::as_deref).collect();
            prop_assert_eq!(headers, expected);
        }
    }
}
