//! What was produced comes back, from where it was asked for.

use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::{Uuid, messages::fetch_request::FetchRequest};

use super::VERSIONS;
use crate::harness::{
    Broker, FetchAt, Fetched, batch, batch_of, keyed, now_ms, produce_request, records_of, values_of,
};

#[test]
fn every_version_gives_the_same_records_that_were_produced() {
    let broker = Broker::start();
    let mut client = broker.client();
    let id = client.create_topic("t", 1);
    let mut expected = Vec::new();
    for (codec, n) in Codec::ALL.into_iter().zip(0..) {
        let now = now_ms();
        let records = [(now, Some("k"), Some("v")), (now - 5, None, Some("")), (now, Some(""), None)];
        let base = client.produce("t", 0, keyed(codec, &records));
        assert_eq!(base, n * 3);
        expected.extend(records.iter().zip(base..).map(|((time, key, value), offset)| {
            (offset, *time, key.map(str::to_owned), value.map(str::to_owned))
        }));
    }
    for version in VERSIONS {
        let answer = client.fetch(&FetchAt::now("t", &[(0, 0)]).by_id(id), version);
        let partition = answer.partitions()[0];
        assert_eq!((partition.error_code, partition.high_watermark), (0, 15));
        assert_eq!((partition.last_stable_offset, partition.preferred_read_replica), (15, -1));
        assert_eq!(partition.log_start_offset, if version >= 5 { 0 } else { -1 });
        let text = |bytes: Option<bytes::Bytes>| bytes.map(|b| String::from_utf8(b.to_vec()).unwrap());
        let got: Vec<_> = records_of(&answer.records())
            .into_iter()
            .map(|read| (read.offset, read.timestamp, text(read.key), text(read.value)))
            .collect();
        assert_eq!(got, expected, "v{version}");
    }
}

#[test]
fn both_routes_send_the_same_bytes() {
    let mut seen = Vec::new();
    for route in ["sendfile", "copy"] {
        let broker = Broker::with(&[("pagewire.transfer.route", route)]);
        let mut client = broker.client();
        client.create_topic("t", 2);
        let long = "x".repeat(100_000);
        for n in 0..5 {
            client.produce(
                "t",
                n % 2,
                keyed(Codec::None, &[(7, None, Some("short")), (8, Some("k"), Some(&long))]),
            );
        }
        let answer = client.fetch(&FetchAt::now("t", &[(0, 0), (1, 0)]), 12);
        assert_eq!(
            answer.partitions().iter().map(|p| records_of(p.records.bytes().unwrap()).len()).sum::<usize>(),
            10
        );
        seen.push(answer);
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn a_fetch_in_the_middle_of_a_batch_begins_with_that_batch() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["a", "b", "c"]));
    client.produce("t", 0, batch(&["d"]));
    let values = values_of(&client.fetch(&FetchAt::now("t", &[(0, 2)]), 12).records());
    assert_eq!(values.first(), Some(&(0, "a".into())));
    let values = values_of(&client.fetch(&FetchAt::now("t", &[(0, 3)]), 12).records());
    assert_eq!(values, [(3, "d".into())]);
}

#[test]
fn a_fetch_goes_on_in_the_next_segment() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("segment.bytes", "1048576")]);
    let value = "x".repeat(300_000);
    for _ in 0..8 {
        client.produce("t", 0, batch(&[&value]));
    }
    let (mut next, mut answers) = (0, 0);
    while next < 8 {
        let fetched =
            client.fetch(&FetchAt { partition_max_bytes: 10 << 20, ..FetchAt::now("t", &[(0, next)]) }, 12);
        let offsets: Vec<i64> = values_of(&fetched.records()).iter().map(|(offset, _)| *offset).collect();
        assert_eq!(offsets.first(), Some(&next));
        next = offsets.last().unwrap() + 1;
        answers += 1;
    }
    assert!(answers > 1, "an answer never crosses a segment");
}

#[test]
fn records_of_acks_all_are_read_like_all_others() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let records = batch_of(BatchBuilder::new(Codec::Zstd), &["a", "b"]);
    let mut request = produce_request("t", Uuid::NIL, &[(0, records)]);
    request.acks = -1;
    assert_eq!(client.call(&request, 9).responses[0].partition_responses[0].error_code, 0);
    let fetched = client.fetch(&FetchAt::now("t", &[(0, 0)]), 12);
    assert_eq!(values_of(&fetched.records()), [(0, "a".into()), (1, "b".into())]);
}

/// So many entries for one partition take minutes if leaving one is a search through all the others.
#[test]
fn a_partition_named_many_times_is_waited_for_and_answered_once() {
    let broker = Broker::start();
    let mut greedy = broker.client();
    greedy.create_topic("t", 1);
    let repeats = vec![(0, 0); 200_000];
    let parked: Vec<i32> =
        (0..4).map(|_| greedy.send(&FetchAt::parked("t", &repeats).request(), 12)).collect();
    let mut other = broker.client();
    other.produce("t", 0, batch(&["x"]));
    assert_eq!(other.end_of("t", 0), 1);
    for id in parked {
        let fetched = greedy.receive::<FetchRequest>(id, 12);
        assert_eq!(values_of(&fetched.records()), [(0, "x".into())]);
    }
}

#[test]
fn the_last_word_about_a_partition_counts_in_the_place_of_the_first() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 2);
    for partition in 0..2 {
        for value in ["a", "b"] {
            client.produce("t", partition, batch(&[value]));
        }
    }
    let fetched = client.fetch(&FetchAt::now("t", &[(1, 0), (0, 0), (1, 1)]), 12);
    let told: Vec<_> = fetched
        .partitions()
        .iter()
        .map(|p| (p.partition_index, values_of(p.records.bytes().unwrap()).len()))
        .collect();
    assert_eq!(told, [(1, 1), (0, 2)]);
}
