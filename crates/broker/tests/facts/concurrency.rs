//! Many at once: what is acknowledged is there, once, and in the order of each producer.

use std::{collections::BTreeMap, thread};

use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::{
    Uuid,
    messages::{init_producer_id_request::InitProducerIdRequest, produce_request::ProduceRequest},
};

use crate::harness::{Broker, Client, FetchAt, Fetched, batch_of, produce_request, values_of};

const PRODUCERS: usize = 8;
const PARTITIONS: i32 = 4;
/// Batches of each producer to each partition.
const BATCHES: i32 = 25;
/// Batches a producer sends before it waits for the first answer.
const IN_FLIGHT: usize = 5;

/// Sends everything with acks=all and idempotence, several batches in flight.
fn produce(mut client: Client, name: usize) {
    let id =
        client.call(&InitProducerIdRequest { transactional_id: None, ..Default::default() }, 4).producer_id;
    assert!(id >= 0);
    let mut waiting = std::collections::VecDeque::new();
    let settle = |client: &mut Client, asked: i32| {
        let answer = client.receive::<ProduceRequest>(asked, 9);
        assert!(answer.responses[0].partition_responses.iter().all(|p| p.error_code == 0), "{answer:?}");
    };
    for n in 0..BATCHES {
        let records = |partition: i32| {
            let values =
                [format!("{name} {partition} {}", 2 * n), format!("{name} {partition} {}", 2 * n + 1)];
            let builder = BatchBuilder::new(Codec::None).producer(id, 0, 2 * n);
            (partition, batch_of(builder, &[&values[0], &values[1]]))
        };
        let all: Vec<_> = (0..PARTITIONS).map(records).collect();
        let request = ProduceRequest { acks: -1, ..produce_request("t", Uuid::NIL, &all) };
        waiting.push_back(client.send(&request, 9));
        if waiting.len() == IN_FLIGHT {
            let asked = waiting.pop_front().unwrap();
            settle(&mut client, asked);
        }
    }
    for asked in waiting {
        settle(&mut client, asked);
    }
}

/// Reads a partition as it grows, until everything is there.
fn consume(mut client: Client, partition: i32) -> Vec<String> {
    let total = PRODUCERS * usize::try_from(BATCHES).unwrap() * 2;
    let mut got = Vec::new();
    while got.len() < total {
        let at = i64::try_from(got.len()).unwrap();
        // A small limit, so that there are many answers and cut batches.
        let fetch = FetchAt { partition_max_bytes: 700, ..FetchAt::parked("t", &[(partition, at)]) };
        for (offset, value) in values_of(&client.fetch(&fetch, 12).records()) {
            if offset >= i64::try_from(got.len()).unwrap() {
                assert_eq!(offset, i64::try_from(got.len()).unwrap(), "no gap");
                got.push(value);
            }
        }
    }
    got
}

#[test]
fn producers_and_consumers_at_once_lose_double_and_reorder_nothing() {
    let broker = Broker::start();
    broker.client().create_topic("t", PARTITIONS);
    let read = thread::scope(|scope| {
        let consumers: Vec<_> = (0..PARTITIONS)
            .map(|partition| {
                let client = broker.client();
                scope.spawn(move || consume(client, partition))
            })
            .collect();
        for name in 0..PRODUCERS {
            let client = broker.client();
            scope.spawn(move || produce(client, name));
        }
        consumers.into_iter().map(|consumer| consumer.join().unwrap()).collect::<Vec<_>>()
    });
    for (values, partition) in read.into_iter().zip(0..) {
        let mut of_producer: BTreeMap<usize, Vec<i32>> = BTreeMap::new();
        for value in values {
            let parts: Vec<&str> = value.split(' ').collect();
            assert_eq!(parts[1].parse::<i32>().unwrap(), partition);
            of_producer.entry(parts[0].parse().unwrap()).or_default().push(parts[2].parse().unwrap());
        }
        assert_eq!(of_producer.len(), PRODUCERS);
        for numbers in of_producer.values() {
            assert!(numbers.iter().copied().eq(0..2 * BATCHES), "{numbers:?}");
        }
    }
}

#[test]
fn topics_may_be_made_and_deleted_while_others_are_used() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("steady", 1);
    thread::scope(|scope| {
        for name in ["one", "two", "three"] {
            let mut admin = broker.client();
            scope.spawn(move || {
                let mut ids = Vec::new();
                for _ in 0..10 {
                    ids.push(admin.create_topic(name, 2));
                    assert_eq!(admin.produce(name, 1, crate::harness::batch(&["x"])), 0);
                    crate::topics::delete(&mut admin, name);
                }
                ids.sort();
                ids.dedup();
                assert_eq!(ids.len(), 10);
            });
        }
        for n in 0..100 {
            assert_eq!(client.produce("steady", 0, crate::harness::batch(&["x"])), n);
        }
    });
    assert_eq!(client.end_of("steady", 0), 100);
}
