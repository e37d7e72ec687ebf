//! While everything moves: producers with and without ids, rolls, retention, groups, topics that come and go.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, Ordering};
use std::thread;

use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::messages::{
    init_producer_id_request::InitProducerIdRequest,
    offset_commit_request::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestTopic},
};

use super::{EndsOthers, Place, bytes_in};
use crate::groups::{coordinator, once_loaded};
use crate::harness::{Broker, Client, FetchAt, Fetched, batch, batch_of, until, values_of};

const PARTITIONS: i32 = 4;
const BUSY: [(&str, &str); 1] = [("internal.segment.bytes", "5000")];

fn new_producer(client: &mut Client) -> (i64, i16) {
    let answer = client.call(&InitProducerIdRequest { transactional_id: None, ..Default::default() }, 4);
    assert_eq!(answer.error_code, 0);
    (answer.producer_id, answer.producer_epoch)
}

fn sent(producer: (i64, i16), sequence: i32) -> bytes::Bytes {
    let text = format!("{} {sequence}", producer.0);
    batch_of(BatchBuilder::new(Codec::None).producer(producer.0, producer.1, sequence), &[&text])
}

fn commit(client: &mut Client, partition: i32, offset: i64) {
    let partition = OffsetCommitRequestPartition {
        partition_index: partition,
        committed_offset: offset,
        ..Default::default()
    };
    let topic =
        OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    once_loaded(|| (client.call(&request, 8).topics[0].partitions[0].error_code, ()));
}

fn committed(client: &mut Client, partition: i32) -> i64 {
    let topic = OffsetFetchRequestTopic {
        name: "t".into(),
        partition_indexes: vec![partition],
        ..Default::default()
    };
    let request =
        OffsetFetchRequest { group_id: "g".into(), topics: Some(vec![topic]), ..Default::default() };
    once_loaded(|| {
        let answer = client.call(&request, 7);
        (answer.error_code, answer.topics.first().map_or(-1, |topic| topic.partitions[0].committed_offset))
    })
}

/// All records of a partition.
fn all(client: &mut Client, partition: i32) -> Vec<(i64, String)> {
    let (mut next, end) = (0, client.end_of("t", partition));
    let mut values = Vec::new();
    while next < end {
        let more = values_of(&client.fetch(&FetchAt::now("t", &[(partition, next)]), 12).records());
        next = more.last().expect("records up to the end").0 + 1;
        values.extend(more);
    }
    values
}

/// The next sequence of each producer by the records in a log: each writes its own number.
fn next_sequences(records: &[(i64, String)]) -> HashMap<i64, i32> {
    let mut next = HashMap::new();
    for (_, value) in records {
        let mut words = value.split(' ').map(|word| word.parse::<i64>().unwrap());
        let (id, sequence) = (words.next().unwrap(), i32::try_from(words.next().unwrap()).unwrap());
        let expected = next.insert(id, sequence + 1).unwrap_or(0);
        assert_eq!(sequence, expected, "nothing twice, nothing missing");
    }
    next
}

#[test]
fn each_log_is_a_prefix_with_its_producers_and_no_offset_is_ahead_of_its_log() {
    let broker = Broker::with(&[("log.retention.check.interval.ms", "50")]);
    broker.client().create_topic_with("t", PARTITIONS, &BUSY);
    coordinator(&mut broker.client());
    let place = Place::new();
    let (stop, rounds) = (AtomicBool::new(false), AtomicI32::new(0));
    let acked: [AtomicI64; PARTITIONS as usize] = Default::default();
    let mut acked_before = Vec::new();
    let producers = thread::scope(|scope| {
        let ends_others = EndsOthers(&stop);
        let threads: Vec<_> = (0..PARTITIONS)
            .map(|partition| {
                let (stop, rounds, broker, acked) = (&stop, &rounds, &broker, &acked[partition as usize]);
                scope.spawn(move || {
                    let mut client = broker.client();
                    let producer = new_producer(&mut client);
                    let mut sequence = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let offset = client.produce("t", partition, sent(producer, sequence));
                        acked.store(offset + 1, Ordering::SeqCst);
                        commit(&mut client, partition, offset + 1);
                        sequence += 1;
                        rounds.fetch_add(1, Ordering::Relaxed);
                    }
                    producer
                })
            })
            .collect();
        let come_and_go = scope.spawn(|| {
            let mut client = broker.client();
            while !stop.load(Ordering::Relaxed) {
                client.create_topic("gone", 2);
                client.produce("gone", 0, batch(&["x"]));
                crate::topics::delete(&mut client, "gone");
            }
        });
        for round in 0..3 {
            let before = rounds.load(Ordering::Relaxed);
            until("more rounds", || rounds.load(Ordering::Relaxed) >= before + 60);
            acked_before.push(acked.each_ref().map(|acked| acked.load(Ordering::SeqCst)));
            let summary = place.back_up(&broker, &format!("backup{round}"));
            assert!(summary.verified && summary.logs >= 5, "{summary:?}");
        }
        drop(ends_others);
        come_and_go.join().unwrap();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    for (round, acked_before) in acked_before.iter().enumerate() {
        let (from, to) = (format!("backup{round}"), format!("data{round}"));
        place.restore(&from, &to);
        let restored = Broker::on(&place.path(&to));
        let mut client = restored.client();
        for partition in 0..PARTITIONS {
            let name = format!("t-{partition}");
            let bytes = bytes_in(&place.path(&from), &name);
            assert!(bytes_in(broker.dir(), &name).starts_with(&bytes), "a prefix, byte for byte");
            let end = client.end_of("t", partition);
            let acked = acked_before[partition as usize];
            assert!(end >= acked, "{end}, but {acked} were acknowledged before");
            let offset = committed(&mut client, partition);
            assert!((1..=end).contains(&offset), "{offset} of {end}");
            // The producer goes on where its records in the backup end, and what it sends once more is not written
            // twice.
            let producer = producers[usize::try_from(partition).unwrap()];
            let next = next_sequences(&all(&mut client, partition))[&producer.0];
            let again = client.try_produce("t", partition, sent(producer, next - 1), 9);
            assert_eq!((again.error_code, again.base_offset), (0, end - 1), "a duplicate");
            let ahead = client.try_produce("t", partition, sent(producer, next + 1), 9);
            assert_eq!(ahead.error_code, 45, "out of order");
            assert_eq!(client.produce("t", partition, sent(producer, next)), end);
            assert!(new_producer(&mut client).0 > producer.0, "no id is given out twice");
        }
    }
}

/// Records that retention may be behind by: more segments than a backup opens at first.
const BEHIND_MAX: i64 = 150;

#[test]
fn segments_that_retention_takes_meanwhile_are_missing_at_the_front_only() {
    let broker = Broker::with(&[("log.retention.check.interval.ms", "10")]);
    let keep_little = [("internal.segment.bytes", "2000"), ("retention.bytes", "20000")];
    broker.client().create_topic_with("t", 1, &keep_little);
    let place = Place::new();
    let (stop, rounds, mut acked) = (AtomicBool::new(false), AtomicI32::new(0), Vec::new());
    thread::scope(|scope| {
        let ends_others = EndsOthers(&stop);
        scope.spawn(|| {
            let (mut client, value) = (broker.client(), "x".repeat(500));
            while !stop.load(Ordering::Relaxed) {
                let offset = client.produce("t", 0, batch(&[&value]));
                rounds.fetch_add(1, Ordering::Relaxed);
                // A machine that is short of time writes faster than it removes: the log would become another one, of
                // thousands of segments, and each of them takes two syncs to remove.
                let is_behind =
                    |client: &mut Client| offset - client.list_offset("t", 0, -2, 7).1 > BEHIND_MAX;
                while is_behind(&mut client) && !stop.load(Ordering::Relaxed) {
                    thread::yield_now();
                }
            }
        });
        for round in 0..5 {
            let before = rounds.load(Ordering::Relaxed);
            until("more rounds", || rounds.load(Ordering::Relaxed) >= before + 100);
            acked.push(i64::from(rounds.load(Ordering::Relaxed)));
            place.back_up(&broker, &format!("backup{round}"));
        }
        drop(ends_others);
    });
    for (round, acked) in acked.into_iter().enumerate() {
        place.restore(&format!("backup{round}"), &format!("data{round}"));
        let restored = Broker::on(&place.path(&format!("data{round}")));
        let mut client = restored.client();
        let (_, start, _) = client.list_offset("t", 0, -2, 7);
        let end = client.end_of("t", 0);
        let mut next = start;
        while next < end {
            let values = values_of(&client.fetch(&FetchAt::now("t", &[(0, next)]), 12).records());
            assert_eq!(values[0].0, next, "no hole");
            next = values.last().unwrap().0 + 1;
        }
        // Retention may have taken all that there was at the moment, and nothing else has.
        assert!(end >= acked && start <= end, "{start} to {end}, but {acked} were acknowledged before");
    }
}

/// Retention takes what is small, because little of it is kept, sooner than what is large.
#[test]
fn topics_of_few_bytes_have_their_turn_first() {
    let broker = Broker::start();
    let mut client = broker.client();
    for (topic, records) in [("large", 20), ("least", 1), ("middle", 5)] {
        client.create_topic(topic, 1);
        for _ in 0..records {
            client.produce(topic, 0, batch(&["some bytes"]));
        }
    }
    let place = Place::new();
    place.back_up(&broker, "backup");
    let manifest = std::fs::read_to_string(place.path("backup").join("backup.json")).unwrap();
    let lines = manifest.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let topics: Vec<_> = lines.filter_map(|line| Some(line["log"]["topic"].as_str()?.to_owned())).collect();
    assert_eq!(topics, ["least", "middle", "large"]);
}
