//! When it comes: a fetch waits until there is enough, its time is over, or there is nothing more to wait for.

use pagewire_wire::messages::fetch_request::FetchRequest;

use super::VERSIONS;
use crate::harness::{Broker, FetchAt, Fetched, batch, values_of};

#[test]
fn a_parked_fetch_is_woken_by_the_append_and_gets_it() {
    let broker = Broker::start();
    let (mut reader, mut writer) = (broker.client(), broker.client());
    let id = writer.create_topic("t", 2);
    for version in VERSIONS {
        let from = [(0, writer.end_of("t", 0)), (1, writer.end_of("t", 1))];
        let asked = reader.send(&FetchAt::parked("t", &from).by_id(id).request(), version);
        writer.produce("t", 1, batch(&["x"]));
        let answer = reader.receive::<FetchRequest>(asked, version);
        let sizes: Vec<bool> = answer.partitions().iter().map(|p| p.records.is_empty()).collect();
        assert_eq!(sizes, [true, false], "v{version}");
    }
}

#[test]
fn a_parked_fetch_waits_for_min_bytes() {
    let broker = Broker::start();
    let (mut reader, mut writer) = (broker.client(), broker.client());
    writer.create_topic("t", 1);
    let one = batch(&["0123456789"]);
    let enough = i32::try_from(one.len() * 3).unwrap();
    let asked = reader.send(&FetchAt { min_bytes: enough, ..FetchAt::parked("t", &[(0, 0)]) }.request(), 12);
    for _ in 0..3 {
        writer.produce("t", 0, one.clone());
    }
    assert_eq!(values_of(&reader.receive::<FetchRequest>(asked, 12).records()).len(), 3);
}

#[test]
fn a_parked_fetch_ends_empty_when_its_time_is_over() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&["x"]));
    let answer = client.fetch(&FetchAt { max_wait_ms: 20, ..FetchAt::now("t", &[(0, 1)]) }, 12);
    assert_eq!(answer.errors(), [(0, 0)]);
    assert_eq!(answer.records().len(), 0);
    // Too little is given when the time is over.
    let little = FetchAt { max_wait_ms: 20, min_bytes: 1 << 20, ..FetchAt::now("t", &[(0, 0)]) };
    assert_eq!(values_of(&client.fetch(&little, 12).records()).len(), 1);
}

#[test]
fn min_bytes_0_never_waits() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let answer = client.fetch(&FetchAt { min_bytes: 0, ..FetchAt::parked("t", &[(0, 0)]) }, 12);
    assert_eq!(answer.errors(), [(0, 0)]);
}

#[test]
fn a_deleted_topic_wakes_those_who_wait_for_it() {
    let broker = Broker::start();
    let mut admin = broker.client();
    for (version, error) in [(12, 3), (13, 100)] {
        let id = admin.create_topic("t", 1);
        let mut reader = broker.client();
        let asked = reader.send(&FetchAt::parked("t", &[(0, 0)]).by_id(id).request(), version);
        crate::topics::delete(&mut admin, "t");
        assert_eq!(reader.receive::<FetchRequest>(asked, version).errors(), [(0, error)]);
    }
}

#[test]
fn deleted_records_wake_those_who_wait_for_more_of_them() {
    let broker = Broker::start();
    let (mut reader, mut admin) = (broker.client(), broker.client());
    admin.create_topic("t", 1);
    admin.produce("t", 0, batch(&["a"]));
    let asked = reader.send(&FetchAt { min_bytes: 1 << 20, ..FetchAt::parked("t", &[(0, 0)]) }.request(), 12);
    crate::offsets::delete_before(&mut admin, "t", 0, 1);
    assert_eq!(reader.receive::<FetchRequest>(asked, 12).errors(), [(0, 1)]);
}

#[test]
fn many_readers_are_all_woken_by_one_append() {
    let broker = Broker::start();
    let mut writer = broker.client();
    writer.create_topic("t", 1);
    let mut readers: Vec<_> = (0..30).map(|_| broker.client()).collect();
    let parked = FetchAt::parked("t", &[(0, 0)]).request();
    let asked: Vec<i32> = readers.iter_mut().map(|reader| reader.send(&parked, 12)).collect();
    writer.produce("t", 0, batch(&["x"]));
    for (reader, asked) in readers.iter_mut().zip(asked) {
        assert_eq!(values_of(&reader.receive::<FetchRequest>(asked, 12).records()).len(), 1);
    }
}

/// Waiting would not make the answer longer: it ends with the segment.
#[test]
fn records_of_a_closed_segment_are_not_waited_with() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("segment.bytes", "1048576")]);
    for _ in 0..3 {
        client.produce("t", 0, batch(&[&"x".repeat(700_000)]));
    }
    let patient = |offset| FetchAt { min_bytes: 5 << 20, ..FetchAt::parked("t", &[(0, offset)]) };
    for offset in 0..2 {
        let values = values_of(&client.fetch(&patient(offset), 12).records());
        assert_eq!(values.iter().map(|(offset, _)| *offset).collect::<Vec<_>>(), [offset]);
    }
    let newest = client.send(&patient(2).request(), 12);
    let mut other = broker.client();
    assert_eq!(other.end_of("t", 0), 3);
    assert!(!client.has_answer(), "the active segment still grows");
    other.produce("t", 0, batch(&[&"x".repeat(700_000)]));
    let fetched = client.receive::<FetchRequest>(newest, 12);
    assert_eq!(values_of(&fetched.records()).len(), 1, "until it is rolled");
}
