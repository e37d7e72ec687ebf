//! Offsets: by time, by leader epoch, and where a log begins.

use pagewire_record::Codec;
use pagewire_wire::messages::{
    delete_records_request::{DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic},
    list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
    offset_for_leader_epoch_request::{
        OffsetForLeaderEpochRequest, OffsetForLeaderPartition, OffsetForLeaderTopic,
    },
};

use crate::harness::{Broker, Client, FetchAt, Fetched, batch, keyed, now_ms, values_of};

/// DeleteRecords: error code and low watermark.
fn try_delete_before(client: &mut Client, topic: &'static str, partition: i32, offset: i64) -> (i16, i64) {
    let partition = DeleteRecordsPartition { partition_index: partition, offset, ..Default::default() };
    let topic = DeleteRecordsTopic { name: topic.into(), partitions: vec![partition], ..Default::default() };
    let request = DeleteRecordsRequest { topics: vec![topic], timeout_ms: 60_000, ..Default::default() };
    let answer = client.call(&request, 2).topics.remove(0).partitions.remove(0);
    (answer.error_code, answer.low_watermark)
}

/// DeleteRecords that must succeed.
pub(crate) fn delete_before(client: &mut Client, topic: &'static str, partition: i32, offset: i64) {
    assert_eq!(try_delete_before(client, topic, partition, offset), (0, offset));
}

#[test]
fn times_are_found_in_every_version() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let base = now_ms() - 100_000;
    for (codec, n) in [(Codec::None, 0), (Codec::Gzip, 1), (Codec::Zstd, 2)] {
        let at = base + n * 1000;
        client.produce(
            "t",
            0,
            keyed(codec, &[(at, None, None), (at + 10, None, None), (at + 20, None, None)]),
        );
    }
    for version in 1..=11 {
        let mut find = |time_ms| client.list_offset("t", 0, time_ms, version);
        assert_eq!(find(0), (0, 0, base), "v{version}");
        assert_eq!(find(base), (0, 0, base));
        assert_eq!(find(base + 11), (0, 2, base + 20));
        assert_eq!(find(base + 21), (0, 3, base + 1000));
        assert_eq!(find(base + 2020), (0, 8, base + 2020));
        assert_eq!(find(base + 2021), (0, -1, -1), "after the last record there is nothing");
    }
}

#[test]
fn places_of_the_log_come_with_their_versions() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let base = now_ms() - 100_000;
    client.produce(
        "t",
        0,
        keyed(Codec::None, &[(base, None, None), (base + 7, None, None), (base + 3, None, None)]),
    );
    client.produce("t", 0, keyed(Codec::None, &[(base + 1, None, None)]));
    delete_before(&mut client, "t", 0, 1);
    // Name of the place, first version that knows it, offset and time it is at.
    let places = [
        (-1, 1, 4, -1),
        (-2, 1, 1, -1),
        (-3, 7, 1, base + 7),
        (-4, 8, 1, -1),
        (-5, 9, -1, -1),
        (-6, 11, -1, -1),
    ];
    for (place, since, offset, time_ms) in places {
        for version in 1..=11 {
            let expected = if version >= since { (0, offset, time_ms) } else { (35, -1, -1) };
            assert_eq!(client.list_offset("t", 0, place, version), expected, "{place} v{version}");
        }
    }
    assert_eq!(client.list_offset("t", 0, -7, 11), (35, -1, -1));
}

#[test]
fn an_empty_log_has_an_end_and_a_beginning_and_no_times() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    for place in [-1, -2, -4] {
        assert_eq!(client.list_offset("t", 0, place, 8), (0, 0, -1));
    }
    for time_ms in [0, -3] {
        assert_eq!(client.list_offset("t", 0, time_ms, 8), (0, -1, -1));
    }
}

#[test]
fn offsets_of_what_does_not_exist_are_unknown() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    assert_eq!(client.list_offset("t", 1, -1, 7).0, 3);
    assert_eq!(client.list_offset("nowhere", 0, -1, 7).0, 3);
}

#[test]
fn a_partition_asked_twice_is_an_invalid_request() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 2);
    let at = |partition_index| ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() };
    let topic =
        ListOffsetsTopic { name: "t".into(), partitions: vec![at(0), at(1), at(0)], ..Default::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let answer = client.call(&request, 7);
    let codes: Vec<i16> = answer.topics[0].partitions.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [42, 0, 42]);
}

#[test]
fn another_leader_epoch_is_refused_when_offsets_are_asked() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let partition = ListOffsetsPartition { timestamp: -1, current_leader_epoch: 4, ..Default::default() };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    assert_eq!(client.call(&request, 7).topics[0].partitions[0].error_code, 75);
}

#[test]
fn leader_epochs_end_where_the_next_begins_or_at_the_end() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let mut end_of = |current_leader_epoch, leader_epoch, partition| {
        let partition =
            OffsetForLeaderPartition { partition, current_leader_epoch, leader_epoch, ..Default::default() };
        let topic =
            OffsetForLeaderTopic { topic: "t".into(), partitions: vec![partition], ..Default::default() };
        let request = OffsetForLeaderEpochRequest { topics: vec![topic], ..Default::default() };
        let answer = client.call(&request, 4).topics.remove(0).partitions.remove(0);
        (answer.error_code, answer.leader_epoch, answer.end_offset)
    };
    broker.client().produce("t", 0, batch(&["a", "b"]));
    assert_eq!(end_of(-1, 0, 0), (0, 0, 2));
    assert_eq!(end_of(0, 0, 0), (0, 0, 2));
    assert_eq!(end_of(3, 0, 0), (75, -1, -1));
    assert_eq!(end_of(-1, 5, 0).2, -1, "an epoch nobody had yet");
    assert_eq!(end_of(-1, 0, 7), (3, -1, -1));
}

#[test]
fn deleted_records_are_out_of_range_and_stay_so_after_a_restart() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["a", "b", "c"]));
    client.produce("t", 0, batch(&["d"]));
    // The log start lies inside a batch.
    delete_before(&mut client, "t", 0, 2);
    for _ in 0..2 {
        let mut client = broker.client();
        assert_eq!(client.list_offset("t", 0, -2, 7), (0, 2, -1));
        assert_eq!(client.fetch(&FetchAt::now("t", &[(0, 1)]), 12).errors(), [(0, 1)]);
        let answer = client.fetch(&FetchAt::now("t", &[(0, 2)]), 12);
        assert_eq!(answer.partitions()[0].log_start_offset, 2);
        let values = values_of(&answer.records());
        assert_eq!(values[2..], [(2, "c".into()), (3, "d".into())], "the rest of the batch comes along");
        broker.restart();
    }
}

#[test]
fn deleting_records_knows_its_bounds() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["a", "b"]));
    assert_eq!(try_delete_before(&mut client, "t", 0, 3), (1, -1));
    assert_eq!(try_delete_before(&mut client, "t", 0, -2), (1, -1));
    assert_eq!(try_delete_before(&mut client, "t", 5, 0), (3, -1));
    assert_eq!(try_delete_before(&mut client, "nowhere", 0, 0), (3, -1));
    assert_eq!(try_delete_before(&mut client, "t", 0, 1), (0, 1));
    assert_eq!(try_delete_before(&mut client, "t", 0, 0), (0, 1), "the log start never moves back");
    assert_eq!(try_delete_before(&mut client, "t", 0, -1), (0, 2), "-1 is the high watermark");
    assert_eq!(client.produce("t", 0, batch(&["c"])), 2);
}

#[test]
fn records_of_compacted_topics_are_not_deleted_by_offset() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("c", 1, &[("cleanup.policy", "compact")]);
    client.create_topic_with("both", 1, &[("cleanup.policy", "compact,delete")]);
    assert_eq!(try_delete_before(&mut client, "c", 0, 0), (44, -1));
    assert_eq!(try_delete_before(&mut client, "both", 0, 0), (0, 0));
}
