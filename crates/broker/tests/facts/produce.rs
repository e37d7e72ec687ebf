//! Produce: what a leader refuses, with which error, and what it does to records that it takes.

use bytes::Bytes;
use pagewire_record::{
    BatchBuilder, BatchHeader, Codec, ControlType, EndTxnMarker, HEADER_LEN, TimestampType, control_batch,
};
use pagewire_wire::{
    Records, Uuid,
    messages::{produce_request::ProduceRequest, produce_response::PartitionProduceResponse},
};

use crate::harness::{
    Broker, Client, FetchAt, Fetched, batch, batch_of, keyed, now_ms, produce_request, records_of, values_of,
};

const HOUR_MS: i64 = 3_600_000;

/// Produces `records` at every version with error details, which must refuse them; the code.
fn refused(client: &mut Client, topic: &'static str, records: &Bytes) -> i16 {
    let end = client.end_of(topic, 0);
    let answers: Vec<PartitionProduceResponse> =
        [3, 7, 8, 9, 12].map(|version| client.try_produce(topic, 0, records.clone(), version)).into();
    for (answer, version) in answers.iter().zip([3, 7, 8, 9, 12]) {
        assert_eq!((answer.base_offset, answer.log_append_time_ms), (-1, -1), "{answer:?}");
        assert_eq!(answer.error_message.is_some(), version >= 8, "{answer:?}");
    }
    assert!(answers.iter().all(|answer| answer.error_code == answers[0].error_code), "{answers:?}");
    assert_eq!(client.end_of(topic, 0), end, "nothing of a refused batch is kept");
    answers[0].error_code
}

/// The batch with bytes changed and the CRC made right again.
fn forged(batch: &Bytes, at: usize, bytes: &[u8]) -> Bytes {
    let mut forged = batch.to_vec();
    forged[at..at + bytes.len()].copy_from_slice(bytes);
    let crc = pagewire_record::crc::crc32c(&forged[21..]);
    forged[17..21].copy_from_slice(&crc.to_be_bytes());
    forged.into()
}

/// Kafka counts no more copies than the partition has.
#[test]
fn one_copy_satisfies_any_number_of_in_sync_copies() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("min.insync.replicas", "2")]);
    let mut request = produce_request("t", Uuid::NIL, &[(0, batch(&["a"]))]);
    request.acks = -1;
    let answer = client.call(&request, 9).responses.remove(0).partition_responses.remove(0);
    assert_eq!((answer.error_code, answer.base_offset), (0, 0));
}

#[test]
fn each_broken_batch_has_its_error() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let good = batch(&["a", "b"]);
    let two = Bytes::from([&good[..], &good[..]].concat());
    let mut crc = good.to_vec();
    crc[20] ^= 1;
    let marker = EndTxnMarker { control_type: ControlType::Commit, coordinator_epoch: 0 };
    let broken: [(&str, Bytes, i16); 14] = [
        ("no records", Bytes::new(), 87),
        ("two batches", two, 87),
        ("a cut batch", good.slice(..good.len() - 1), 87),
        ("a wrong checksum", crc.into(), 2),
        ("the format before", forged(&good, 16, &[1]), 87),
        ("a format that never was", forged(&good, 16, &[9]), 2),
        ("a base offset", forged(&good, 0, &7_i64.to_be_bytes()), 87),
        ("a last offset that does not fit the count", forged(&good, 23, &5_i32.to_be_bytes()), 87),
        ("a count of none", forged(&good, 57, &0_i32.to_be_bytes()), 87),
        (
            "a count above what is there",
            forged(&forged(&good, 57, &3_i32.to_be_bytes()), 23, &2_i32.to_be_bytes()),
            87,
        ),
        ("a control batch", forged(&good, 21, &0x20_i16.to_be_bytes()), 87),
        ("the end of a transaction", control_batch(marker, 1, 0, now_ms()).unwrap(), 53),
        (
            "a producer without a sequence",
            batch_of(BatchBuilder::new(Codec::None).producer(5, 0, -1), &["x"]),
            87,
        ),
        ("a codec that does not exist", forged(&good, 21, &7_i16.to_be_bytes()), 76),
    ];
    for (what, records, error) in broken {
        assert_eq!(refused(&mut client, "t", &records), error, "{what}");
    }
}

#[test]
fn a_batch_over_max_message_bytes_is_too_large() {
    let broker = Broker::start();
    let mut client = broker.client();
    let fits = batch(&["0123456789"]);
    client.create_topic_with("t", 1, &[("max.message.bytes", "100")]);
    assert!(fits.len() <= 100);
    client.produce("t", 0, fits);
    assert_eq!(refused(&mut client, "t", &batch(&[&"x".repeat(100)])), 10);
}

#[test]
fn a_batch_over_segment_bytes_is_a_record_list_too_large() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("segment.bytes", "1048576"), ("max.message.bytes", "3000000")]);
    assert_eq!(refused(&mut client, "t", &batch(&[&"x".repeat(2 << 20)])), 18);
}

#[test]
fn zstd_comes_with_version_7() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let records = batch_of(BatchBuilder::new(Codec::Zstd), &["squeezed"]);
    assert_eq!(client.try_produce("t", 0, records.clone(), 6).error_code, 76);
    assert_eq!(client.try_produce("t", 0, records, 7).error_code, 0);
}

#[test]
fn a_compacted_topic_names_the_records_without_a_key() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("cleanup.policy", "compact")]);
    let now = now_ms();
    let records =
        keyed(Codec::Gzip, &[(now, Some("k"), Some("v")), (now, None, Some("v")), (now, None, None)]);
    assert_eq!(refused(&mut client, "t", &records), 87);
    let answer = client.try_produce("t", 0, records, 8);
    let named: Vec<i32> = answer.record_errors.iter().map(|error| error.batch_index).collect();
    assert_eq!(named, [1, 2]);
    assert!(answer.record_errors.iter().all(|error| error.batch_index_error_message.is_some()));
}

#[test]
fn times_out_of_bounds_are_named_one_by_one() {
    let broker = Broker::start();
    let mut client = broker.client();
    let bounds =
        [("message.timestamp.before.max.ms", "3600000"), ("message.timestamp.after.max.ms", "3600000")];
    client.create_topic_with("t", 1, &bounds);
    let now = now_ms();
    let records = keyed(
        Codec::None,
        &[(now, None, None), (now + 2 * HOUR_MS, None, None), (now - 2 * HOUR_MS, None, None)],
    );
    assert_eq!(refused(&mut client, "t", &records), 32);
    let answer = client.try_produce("t", 0, records, 9);
    let named: Vec<i32> = answer.record_errors.iter().map(|error| error.batch_index).collect();
    assert_eq!(named, [1, 2]);
}

#[test]
fn a_time_an_hour_ahead_is_the_most_by_default() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let at = |time_ms| keyed(Codec::None, &[(time_ms, None, Some("x"))]);
    assert_eq!(refused(&mut client, "t", &at(now_ms() + 2 * HOUR_MS)), 32);
    client.produce("t", 0, at(now_ms() + HOUR_MS / 2));
    client.produce("t", 0, at(0));
}

#[test]
fn only_brokers_write_their_own_time() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let records = batch_of(BatchBuilder::new(Codec::None).log_append_time(now_ms()), &["x"]);
    assert_eq!(refused(&mut client, "t", &records), 32);
}

#[test]
fn acks_other_than_none_one_and_all_are_invalid() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    for acks in [2, -2, i16::MAX] {
        let request = ProduceRequest { acks, ..produce_request("t", Uuid::NIL, &[(0, batch(&["x"]))]) };
        let answer = client.call(&request, 9);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 21, "acks {acks}");
    }
    assert_eq!(client.end_of("t", 0), 0);
}

#[test]
fn unknown_topics_and_partitions_are_errors_of_their_partition() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    assert_eq!(client.try_produce("nowhere", 0, batch(&["x"]), 9).error_code, 3);
    for partition in [1, -1, i32::MAX] {
        assert_eq!(client.try_produce("t", partition, batch(&["x"]), 9).error_code, 3);
    }
    assert_eq!(client.describe_topic("nowhere").error_code, 3, "Produce creates nothing");
}

#[test]
fn version_13_names_topics_by_id() {
    let broker = Broker::start();
    let mut client = broker.client();
    let id = client.create_topic("t", 1);
    let mut produce = |id| {
        let answer = client.call(&produce_request("", id, &[(0, batch(&["x"]))]), 13);
        assert_eq!(answer.responses[0].topic_id, id);
        answer.responses[0].partition_responses[0].error_code
    };
    assert_eq!(produce(id), 0);
    assert_eq!(produce(Uuid([7; 16])), 100);
    assert_eq!(produce(Uuid::NIL), 100);
}

#[test]
fn null_records_are_invalid() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let mut request = produce_request("t", Uuid::NIL, &[(0, Bytes::new())]);
    request.topic_data[0].partition_data[0].records = Records::Null;
    let answer = client.call(&request, 9);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 87);
}

#[test]
fn partitions_of_a_request_fail_one_by_one() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 3);
    let mut broken = batch(&["broken"]).to_vec();
    broken[20] ^= 1;
    for acks in [1, -1] {
        let partitions =
            [(0, batch(&["a"])), (1, broken.clone().into()), (2, batch(&["c"])), (9, batch(&["d"]))];
        let request = ProduceRequest { acks, ..produce_request("t", Uuid::NIL, &partitions) };
        let answer = client.call(&request, 9);
        let codes = answer.responses[0].partition_responses.iter().map(|p| (p.index, p.error_code));
        assert_eq!(codes.collect::<Vec<_>>(), [(0, 0), (1, 2), (2, 0), (9, 3)], "acks {acks}");
    }
    assert_eq!([0, 1, 2].map(|partition| client.end_of("t", partition)), [2, 0, 2]);
}

#[test]
fn a_batch_of_a_transaction_that_nobody_began_enters_no_log() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let builder = BatchBuilder::new(Codec::None).producer(1, 0, 0).transactional();
    let request = ProduceRequest {
        transactional_id: Some("tx".into()),
        acks: -1,
        ..produce_request("t", Uuid::NIL, &[(0, batch_of(builder, &["x"]))])
    };
    let answer = client.call(&request, 9);
    assert_ne!(answer.responses[0].partition_responses[0].error_code, 0);
    assert_eq!(client.end_of("t", 0), 0);
}

#[test]
fn no_transactional_batch_enters_a_log() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 2);
    let builder = BatchBuilder::new(Codec::None).producer(1, 0, 0).transactional();
    let transactional = batch_of(builder, &["x"]);
    let request = produce_request("t", Uuid::NIL, &[(0, batch(&["y"])), (1, transactional)]);
    let answer = client.call(&request, 9);
    let codes = answer.responses[0].partition_responses.iter().map(|p| p.error_code);
    assert_eq!(codes.collect::<Vec<_>>(), [53, 53], "the request as a whole, as with Kafka");
    assert_eq!([0, 1].map(|partition| client.end_of("t", partition)), [0, 0]);
}

#[test]
fn internal_topics_are_not_written_by_clients() {
    let broker = Broker::start();
    let mut client = broker.client();
    let request = pagewire_wire::messages::find_coordinator_request::FindCoordinatorRequest {
        key: "g".into(),
        ..Default::default()
    };
    assert_eq!(client.call(&request, 0).error_code, 0);
    assert_eq!(client.try_produce("__consumer_offsets", 0, batch(&["x"]), 9).error_code, 17);
}

#[test]
fn log_append_time_replaces_the_times_of_records_and_is_told() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("message.timestamp.type", "LogAppendTime")]);
    for codec in [Codec::None, Codec::Lz4] {
        let old = keyed(codec, &[(5, Some("k"), Some("a")), (6, None, Some("b"))]);
        let answer = client.try_produce("t", 0, old, 9);
        assert_eq!(answer.error_code, 0);
        assert!(answer.log_append_time_ms > 6);
        let fetched = client.fetch(&FetchAt::now("t", &[(0, answer.base_offset)]), 12).records();
        let header = BatchHeader::parse(&fetched).unwrap();
        assert_eq!(header.timestamp_type(), TimestampType::LogAppendTime);
        let times: Vec<i64> = records_of(&fetched).iter().map(|record| record.timestamp).collect();
        assert_eq!(times, [answer.log_append_time_ms; 2]);
    }
}

#[test]
fn a_wrong_maximum_time_in_the_header_is_corrected() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let records = keyed(Codec::None, &[(5, None, Some("a")), (7, None, Some("b"))]);
    client.produce("t", 0, forged(&records, 35, &999_i64.to_be_bytes()));
    let fetched = client.fetch(&FetchAt::now("t", &[(0, 0)]), 12).records();
    assert_eq!(BatchHeader::parse(&fetched).unwrap().max_timestamp, 7);
    assert_eq!(records_of(&fetched).len(), 2, "the checksum fits again");
}

#[test]
fn the_topics_codec_is_the_codec_of_its_batches() {
    let broker = Broker::start();
    let mut client = broker.client();
    let cases = [
        ("gzip", Codec::Gzip),
        ("snappy", Codec::Snappy),
        ("lz4", Codec::Lz4),
        ("zstd", Codec::Zstd),
        ("uncompressed", Codec::None),
    ];
    for (name, codec) in cases {
        client.create_topic_with(name, 1, &[("compression.type", name)]);
        for sent in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
            let base = client.produce(name, 0, batch_of(BatchBuilder::new(sent), &["one", "two"]));
            let fetched = client.fetch(&FetchAt::now(name, &[(0, base)]), 12).records();
            assert_eq!(BatchHeader::parse(&fetched).unwrap().codec(), Some(codec), "{name} from {sent:?}");
            assert_eq!(values_of(&fetched), [(base, "one".into()), (base + 1, "two".into())]);
        }
    }
}

#[test]
fn the_producers_codec_is_kept_by_default_and_its_bytes_with_it() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let sent = batch_of(BatchBuilder::new(codec), &["one", "two"]);
        let base = client.produce("t", 0, sent.clone());
        let fetched = client.fetch(&FetchAt::now("t", &[(0, base)]), 12).records();
        assert_eq!(fetched[16..], sent[16..], "only base offset and leader epoch are the broker's");
        let header = BatchHeader::parse(&fetched[..HEADER_LEN]).unwrap();
        assert_eq!((header.base_offset, header.partition_leader_epoch), (base, 0));
    }
}

#[test]
fn versions_before_3_are_told_that_they_are_not_supported() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    for version in 0..3_i16 {
        let mut body = Vec::new();
        body.extend_from_slice(&1_i16.to_be_bytes()); // acks
        body.extend_from_slice(&1000_i32.to_be_bytes()); // timeout
        body.extend_from_slice(&[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 9, 9]);
        client.send_bytes(&crate::apis::raw(0, version, 50, &body));
        let answer = client.next_frame().unwrap();
        let mut expected = vec![0, 0, 0, 50, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 0, 0, 35];
        expected.extend_from_slice(&(-1_i64).to_be_bytes());
        if version >= 2 {
            expected.extend_from_slice(&(-1_i64).to_be_bytes());
        }
        if version >= 1 {
            expected.extend_from_slice(&[0; 4]);
        }
        assert_eq!(answer, expected, "v{version}");
    }
    assert_eq!(client.end_of("t", 0), 0);
}

/// One record of `bytes` zeros.
fn zeros(codec: Codec, bytes: usize) -> Bytes {
    let mut builder = BatchBuilder::new(codec);
    builder.append(now_ms(), None, Some(&vec![0; bytes]), &[]).unwrap();
    builder.build().unwrap()
}

#[test]
fn the_batches_of_a_request_decompress_to_a_bounded_size_together() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 4);
    let large = zeros(Codec::Zstd, 100 << 20);
    let small = zeros(Codec::Zstd, 100);
    let batches = [(0, large.clone()), (1, large.clone()), (2, large), (3, batch(&["plain"])), (3, small)];
    let mut answer = client.call(&produce_request("t", Uuid::NIL, &batches), 9);
    let told: Vec<i16> =
        answer.responses.remove(0).partition_responses.iter().map(|one| one.error_code).collect();
    assert_eq!(told, [0, 10, 10, 0, 10]);
    assert_eq!(client.end_of("t", 3), 1);
}

#[test]
fn requests_behind_a_large_batch_append_after_it() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let large = zeros(Codec::Zstd, 4 << 20);
    let mut asked = Vec::new();
    for n in 0..12 {
        let records = if n % 3 == 0 { large.clone() } else { batch(&["small"]) };
        asked.push(client.send(&produce_request("t", Uuid::NIL, &[(0, records)]), 9));
    }
    for (id, offset) in asked.into_iter().zip(0..) {
        let answer = client.receive::<ProduceRequest>(id, 9);
        let one = &answer.responses[0].partition_responses[0];
        assert_eq!((one.error_code, one.base_offset), (0, offset));
    }
}
