//! How much of it: the limits of the request, of the broker and of the socket.

use pagewire_wire::{
    Uuid,
    messages::{fetch_request::FetchRequest, fetch_response::FetchResponse},
};

use crate::harness::{Broker, FetchAt, Fetched, batch, produce_request, values_of};

#[test]
fn the_first_batch_comes_whole_however_large_and_the_limits_hold_after_it() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 3);
    let large = batch(&[&"x".repeat(5000)]);
    for partition in [1, 2] {
        client.produce("t", partition, large.clone());
    }
    let tight =
        FetchAt { max_bytes: 100, partition_max_bytes: 10, ..FetchAt::now("t", &[(0, 0), (1, 0), (2, 0)]) };
    for version in [4, 12] {
        let answer = client.fetch(&tight, version);
        let sizes: Vec<_> = answer.partitions().iter().map(|p| (p.error_code, p.records.len())).collect();
        assert_eq!(sizes, [(0, 0), (0, large.len()), (0, 0)], "v{version}");
    }
    // The order asked for decides who is first.
    let answer = client.fetch(&FetchAt { from: vec![(2, 0), (1, 0)], ..tight }, 12);
    let sizes: Vec<_> = answer.partitions().iter().map(|p| (p.partition_index, p.records.len())).collect();
    assert_eq!(sizes, [(2, large.len()), (1, 0)]);
}

#[test]
fn max_bytes_bounds_the_answer_and_partition_max_bytes_each_part() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 2);
    let one = batch(&[&"x".repeat(900)]);
    let len = i32::try_from(one.len()).unwrap();
    for _ in 0..10 {
        client.produce("t", 0, one.clone());
        client.produce("t", 1, one.clone());
    }
    let both = FetchAt::now("t", &[(0, 0), (1, 0)]);
    let sizes =
        |answer: &FetchResponse| answer.partitions().iter().map(|p| p.records.len()).collect::<Vec<_>>();
    let answer = client.fetch(&FetchAt { partition_max_bytes: 3 * len, ..both.clone() }, 12);
    assert_eq!(sizes(&answer), [3 * one.len(), 3 * one.len()]);
    let answer = client.fetch(&FetchAt { max_bytes: 12 * len, ..both.clone() }, 12);
    assert_eq!(sizes(&answer), [10 * one.len(), 2 * one.len()]);
    // A limit inside a batch may cut it; what is whole is read, the rest asked for again.
    let answer = client.fetch(&FetchAt { partition_max_bytes: 3 * len + 100, ..both }, 12);
    assert!(sizes(&answer)[0] <= 3 * one.len() + 100);
    assert_eq!(values_of(answer.partitions()[0].records.bytes().unwrap()).len(), 3);
}

#[test]
fn the_brokers_own_limit_holds_too() {
    let broker = Broker::with(&[("fetch.max.bytes", "2048")]);
    let mut client = broker.client();
    client.create_topic("t", 1);
    for _ in 0..10 {
        client.produce("t", 0, batch(&[&"x".repeat(900)]));
    }
    assert!(client.fetch(&FetchAt::now("t", &[(0, 0)]), 12).records().len() <= 2048);
}

#[test]
fn an_answer_larger_than_a_socket_takes_does_not_hold_up_others() {
    let broker = Broker::start();
    let mut writer = broker.client();
    writer.create_topic_with("t", 1, &[("max.message.bytes", "9000000")]);
    let large = "x".repeat(8 << 20);
    writer.produce("t", 0, batch(&[&large]));
    let mut slow: Vec<_> = (0..8).map(|_| broker.client()).collect();
    let all = FetchAt::now("t", &[(0, 0)]).request();
    let asked: Vec<i32> = slow.iter_mut().map(|client| client.send(&all, 12)).collect();
    writer.create_topic("u", 1);
    for n in 0..100 {
        assert_eq!(writer.produce("u", 0, batch(&["x"])), n);
    }
    for (client, asked) in slow.iter_mut().zip(asked) {
        assert_eq!(values_of(&client.receive::<FetchRequest>(asked, 12).records())[0].1.len(), large.len());
    }
}

#[test]
fn a_fetch_of_too_many_partitions_is_an_invalid_request_or_the_end() {
    let broker = Broker::start();
    let mut client = broker.client();
    let many: Vec<(i32, i64)> = (0..=100_000).map(|partition| (partition, 0)).collect();
    let answer = client.call(&FetchAt::now("t", &many).request(), 7);
    assert_eq!((answer.error_code, answer.responses.len()), (42, 0));
    client.send(&FetchAt::now("t", &many).request(), 6);
    assert!(client.is_closed(), "version 6 has no place for it");
}

#[test]
fn more_than_the_answer_may_hold_is_not_waited_for() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    client.produce("t", 0, batch(&[&"x".repeat(10_000)]));
    let fetch = FetchAt { min_bytes: i32::MAX, max_bytes: 1_000, ..FetchAt::parked("t", &[(0, 0)]) };
    assert_eq!(values_of(&client.fetch(&fetch, 12).records()).len(), 1);
}

/// Each range holds a file open until the client has read the answer.
#[test]
fn an_answer_has_records_of_so_many_partitions_and_the_others_come_next() {
    const PARTITIONS: i32 = 600;
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", PARTITIONS);
    let batches: Vec<_> = (0..PARTITIONS).map(|partition| (partition, batch(&["x"]))).collect();
    client.call(&produce_request("t", Uuid::NIL, &batches), 9);
    let everything: Vec<_> = (0..PARTITIONS).map(|partition| (partition, 0)).collect();
    let patient = FetchAt { min_bytes: i32::MAX, max_bytes: i32::MAX, ..FetchAt::parked("t", &everything) };
    let answer = client.fetch(&patient, 12);
    let (with, without): (Vec<_>, Vec<_>) =
        answer.partitions().into_iter().partition(|p| !p.records.bytes().unwrap().is_empty());
    assert_eq!((with.len(), without.len()), (512, 88));
    assert!(without.iter().all(|p| (p.error_code, p.high_watermark) == (0, 1)));
    let rest: Vec<_> = without.iter().map(|p| (p.partition_index, 0)).collect();
    let answer = client.fetch(&FetchAt::now("t", &rest), 12);
    assert!(answer.partitions().iter().all(|p| !p.records.bytes().unwrap().is_empty()));
}
