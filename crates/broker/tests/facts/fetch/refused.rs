//! What is an error at once: offsets, partitions and leader epochs that are not there.

use pagewire_wire::Uuid;

use super::VERSIONS;
use crate::harness::{Broker, FetchAt, Fetched, batch};

#[test]
fn an_offset_out_of_range_is_an_error_at_once_with_empty_records() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["x"]));
    for offset in [2, i64::MAX, -1, -5] {
        let answer = client.fetch(&FetchAt::parked("t", &[(0, offset)]), 12);
        let partition = answer.partitions()[0];
        assert_eq!((partition.error_code, partition.high_watermark), (1, -1), "offset {offset}");
        assert_eq!(answer.records().len(), 0);
    }
}

#[test]
fn unknown_partitions_and_topics_are_errors_at_once_with_empty_records() {
    let broker = Broker::start();
    let mut client = broker.client();
    let id = client.create_topic("t", 1);
    let cases = [("t", id, 5, 3, 3), ("t", id, -1, 3, 3), ("nowhere", Uuid([3; 16]), 0, 3, 100)];
    for (name, topic_id, partition, by_name, by_id) in cases {
        for version in VERSIONS {
            let answer = client.fetch(&FetchAt::parked(name, &[(partition, 0)]).by_id(topic_id), version);
            let expected = if version >= 13 { by_id } else { by_name };
            assert_eq!(answer.errors(), [(partition, expected)], "{name} v{version}");
            assert_eq!(answer.records().len(), 0);
        }
    }
}

#[test]
fn another_leader_epoch_is_fenced_or_unknown_and_the_leader_is_told() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    let id = client.create_topic("t", 1);
    client.produce("t", 0, batch(&["x"]));
    let at = |leader_epoch| FetchAt { leader_epoch, ..FetchAt::now("t", &[(0, 0)]).by_id(id) };
    for version in [9, 12, 16, 18] {
        assert_eq!(client.fetch(&at(0), version).errors(), [(0, 0)]);
        let answer = client.fetch(&at(1), version);
        assert_eq!(answer.errors(), [(0, 75)], "v{version}");
        assert_eq!(answer.records().len(), 0);
    }
    // Versions before 9 cannot say which epoch they know.
    assert_eq!(client.fetch(&at(1), 8).errors(), [(0, 0)]);
    assert_eq!(client.fetch(&at(1), 16).partitions()[0].current_leader.leader_id, -1);
    // After a stop that was not clean there is an older epoch to ask with.
    broker.stop();
    std::fs::remove_file(broker.dir().join(".kafka_cleanshutdown")).unwrap();
    broker.restart();
    let mut client = broker.client();
    let answer = client.fetch(&at(0), 16);
    assert_eq!(answer.errors(), [(0, 74)]);
    assert_eq!(answer.partitions()[0].current_leader.leader_id, 1);
    assert_eq!(answer.partitions()[0].current_leader.leader_epoch, 1);
    let endpoint = &answer.node_endpoints[0];
    assert_eq!((endpoint.node_id, endpoint.port), (1, i32::from(broker.address().port())));
    assert_eq!(client.fetch(&at(1), 16).node_endpoints, []);
}

#[test]
fn every_leader_epoch_below_zero_is_none() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    for leader_epoch in [-1, -2, i32::MIN] {
        let answer = client.fetch(&FetchAt { leader_epoch, ..FetchAt::now("t", &[(0, 0)]) }, 12);
        assert_eq!(answer.errors(), [(0, 0)], "{leader_epoch}");
    }
}

#[test]
fn a_client_that_read_further_than_the_log_reaches_is_told_where_they_part() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["x", "y"]));
    let mut request = FetchAt::parked("t", &[(0, 5)]).request();
    request.topics[0].partitions[0].last_fetched_epoch = 0;
    let answer = client.call(&request, 12);
    let partition = answer.partitions()[0];
    assert_eq!((partition.error_code, partition.records.len()), (0, 0));
    assert_eq!((partition.diverging_epoch.epoch, partition.diverging_epoch.end_offset), (0, 2));
    // Of an epoch the log never came to nobody knows where it ends.
    request.topics[0].partitions[0].last_fetched_epoch = 3;
    assert_eq!(client.call(&request, 12).errors(), [(0, 1)]);
}
