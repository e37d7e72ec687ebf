//! Clients that ask and do not read: what they asked for goes on behind the answer they leave lying.

use std::time::{Duration, Instant};

use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::{
    Uuid,
    messages::{fetch_request::FetchRequest, produce_request::ProduceRequest},
};

use crate::harness::{Broker, Client, FetchAt, batch, now_ms, produce_request};

/// Ends a test that would wait forever.
const NEVER: Duration = Duration::from_mins(1);
const MIB: usize = 1 << 20;

/// More than sockets hold on both ends.
fn fill(client: &mut Client, topic: &'static str) {
    client.create_topic_with(topic, 1, &[("max.message.bytes", "5000000")]);
    let values = batch(&[&"x".repeat(4 * MIB)]);
    for _ in 0..12 {
        client.produce(topic, 0, values.clone());
    }
}

/// A fetch whose answer, everything there is, comes after a moment.
fn everything_soon(topic: &'static str) -> FetchAt {
    FetchAt {
        max_wait_ms: 20,
        min_bytes: i32::MAX,
        max_bytes: i32::MAX,
        partition_max_bytes: i32::MAX,
        ..FetchAt::now(topic, &[(0, 0)])
    }
}

/// Few bytes that take long to check.
fn heavy() -> Bytes {
    let mut builder = BatchBuilder::new(Codec::Gzip);
    builder.append(now_ms(), None, Some(&vec![0; 4 * MIB]), &[]).unwrap();
    builder.build().unwrap()
}

#[test]
fn what_was_started_goes_on_behind_an_answer_that_nobody_reads() {
    const PARTITIONS: i32 = 8;
    let broker = Broker::start();
    let (mut deaf, mut other) = (broker.client(), broker.client());
    fill(&mut other, "big");
    other.create_topic("t", PARTITIONS);
    let heavy = heavy();
    let batches: Vec<_> = (0..PARTITIONS).map(|partition| (partition, heavy.clone())).collect();
    deaf.send(&everything_soon("big").request(), 12);
    deaf.send(&produce_request("t", Uuid::NIL, &batches), 9);
    let start = Instant::now();
    while other.end_of("t", PARTITIONS - 1) == 0 {
        assert!(start.elapsed() < NEVER, "the last batch was never appended");
    }
    deaf.wait_for_answer();
}

#[test]
fn answers_left_lying_come_in_order_when_they_are_read() {
    let broker = Broker::start();
    let (mut deaf, mut other) = (broker.client(), broker.client());
    fill(&mut other, "big");
    other.create_topic("t", 1);
    let fetch = deaf.send(&everything_soon("big").request(), 12);
    let produced: Vec<i32> = (0..100)
        .map(|n| {
            let records = batch(&[&format!("record {n}")]);
            deaf.send(&produce_request("t", Uuid::NIL, &[(0, records)]), 9)
        })
        .collect();
    let start = Instant::now();
    while other.end_of("t", 0) == 0 {
        assert!(start.elapsed() < NEVER, "nothing was started behind the fetch");
    }
    let answer = deaf.receive::<FetchRequest>(fetch, 12);
    assert!(answer.responses[0].partitions[0].records.bytes().unwrap().len() > 12 * 4 * MIB);
    for (offset, id) in (0..).zip(produced) {
        let answer = deaf.receive::<ProduceRequest>(id, 9);
        assert_eq!(answer.responses[0].partition_responses[0].base_offset, offset);
    }
}
