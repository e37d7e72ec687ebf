//! Idempotent producers (KIP-98): a batch that comes twice is written once, and one that is missing is noticed.

use bytes::Bytes;
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::messages::{
    describe_producers_request::{DescribeProducersRequest, TopicRequest},
    describe_producers_response::ProducerState,
    init_producer_id_request::InitProducerIdRequest,
};

use crate::harness::{Broker, Client, FetchAt, Fetched, batch_of, until, values_of};

/// A batch of one producer.
fn sent(producer: (i64, i16), sequence: i32, values: &[&str]) -> Bytes {
    batch_of(BatchBuilder::new(Codec::None).producer(producer.0, producer.1, sequence), values)
}

/// Error code and offset of producing it.
fn outcome(client: &mut Client, records: Bytes) -> (i16, i64) {
    let answer = client.try_produce("t", 0, records, 9);
    (answer.error_code, answer.base_offset)
}

fn new_producer(client: &mut Client) -> (i64, i16) {
    let answer = client.call(&InitProducerIdRequest { transactional_id: None, ..Default::default() }, 4);
    assert_eq!(answer.error_code, 0);
    (answer.producer_id, answer.producer_epoch)
}

fn producers(client: &mut Client) -> Vec<ProducerState> {
    let topic = TopicRequest { name: "t".into(), partition_indexes: vec![0], ..Default::default() };
    let mut answer = client.call(&DescribeProducersRequest { topics: vec![topic], ..Default::default() }, 0);
    answer.topics.remove(0).partitions.remove(0).active_producers
}

#[test]
fn producers_of_a_name_that_no_topic_may_have_are_refused_for_the_name() {
    let broker = Broker::start();
    for (name, code) in [("nowhere", 3), ("a/b", 17), ("", 17)] {
        let topic = TopicRequest { name: name.into(), partition_indexes: vec![0], ..Default::default() };
        let request = DescribeProducersRequest { topics: vec![topic], ..Default::default() };
        assert_eq!(broker.client().call(&request, 0).topics[0].partitions[0].error_code, code, "{name}");
    }
}

#[test]
fn every_producer_gets_an_id_of_its_own_restarts_included() {
    let mut broker = Broker::start();
    let mut ids: Vec<i64> = (0..50).map(|_| new_producer(&mut broker.client()).0).collect();
    broker.restart();
    ids.extend((0..50).map(|_| new_producer(&mut broker.client()).0));
    assert!(ids.iter().all(|id| *id >= 0));
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 100);
}

#[test]
fn half_an_identity_is_an_invalid_request() {
    let broker = Broker::start();
    for (producer_id, producer_epoch) in [(7, -1), (-1, 7)] {
        let request = InitProducerIdRequest {
            transactional_id: None,
            producer_id,
            producer_epoch,
            ..Default::default()
        };
        let answer = broker.client().call(&request, 4);
        assert_eq!((answer.error_code, answer.producer_id, answer.producer_epoch), (42, -1, -1));
    }
}

#[test]
fn one_of_the_last_five_batches_sent_again_is_answered_with_its_first_offset() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let me = new_producer(&mut client);
    for n in 0..6 {
        assert_eq!(outcome(&mut client, sent(me, n * 2, &["a", "b"])), (0, i64::from(n) * 2));
    }
    for n in 1..6 {
        assert_eq!(outcome(&mut client, sent(me, n * 2, &["a", "b"])), (0, i64::from(n) * 2));
    }
    assert_eq!(client.end_of("t", 0), 12, "nothing was written twice");
    // The sixth from the end is remembered no more, and is no next batch either.
    assert_eq!(outcome(&mut client, sent(me, 0, &["a", "b"])), (45, -1));
}

#[test]
fn a_gap_in_the_sequence_is_out_of_order() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let me = new_producer(&mut client);
    assert_eq!(outcome(&mut client, sent(me, 0, &["a"])), (0, 0));
    assert_eq!(outcome(&mut client, sent(me, 2, &["c"])), (45, -1));
    assert_eq!(outcome(&mut client, sent(me, 1, &["b"])), (0, 1), "the missing one still fits");
}

#[test]
fn an_unknown_producer_may_start_anywhere() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    assert_eq!(outcome(&mut client, sent((4711, 3), 100, &["a"])), (0, 0));
    assert_eq!(outcome(&mut client, sent((4711, 3), 101, &["b"])), (0, 1));
}

#[test]
fn an_older_epoch_is_fenced_and_a_newer_one_starts_at_0() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let (id, _) = new_producer(&mut client);
    assert_eq!(outcome(&mut client, sent((id, 1), 0, &["a"])), (0, 0));
    assert_eq!(outcome(&mut client, sent((id, 0), 1, &["b"])), (47, -1));
    assert_eq!(outcome(&mut client, sent((id, 2), 1, &["b"])), (45, -1));
    assert_eq!(outcome(&mut client, sent((id, 2), 0, &["b"])), (0, 1));
}

#[test]
fn sequences_wrap_from_the_largest_number_to_0() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let me = (9, 0);
    assert_eq!(outcome(&mut client, sent(me, i32::MAX - 1, &["a", "b", "c"])), (0, 0));
    assert_eq!(outcome(&mut client, sent(me, 1, &["d"])), (0, 3));
    assert_eq!(outcome(&mut client, sent(me, i32::MAX - 1, &["a", "b", "c"])), (0, 0));
}

#[test]
fn producers_are_described_by_what_they_wrote_last() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    assert_eq!(producers(&mut client), []);
    outcome(&mut client, sent((9, 2), 0, &["a", "b"]));
    outcome(&mut client, sent((9, 2), 2, &["c"]));
    let [state] = &producers(&mut client)[..] else { panic!("one producer") };
    assert_eq!((state.producer_id, state.producer_epoch, state.last_sequence), (9, 2, 2));
    assert_eq!((state.coordinator_epoch, state.current_txn_start_offset), (-1, -1));
    assert!(state.last_timestamp > 0);
}

#[test]
fn a_restart_remembers_producers() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    let me = new_producer(&mut client);
    assert_eq!(outcome(&mut client, sent(me, 0, &["a"])), (0, 0));
    assert_eq!(outcome(&mut client, sent(me, 1, &["b"])), (0, 1));
    let before = producers(&mut client);
    for _ in 0..2 {
        broker.restart();
        let mut client = broker.client();
        assert_eq!(producers(&mut client), before);
        assert_eq!(outcome(&mut client, sent(me, 1, &["b"])), (0, 1), "still known as written");
        assert_eq!(outcome(&mut client, sent(me, 5, &["x"])), (45, -1));
    }
    let mut client = broker.client();
    assert_eq!(outcome(&mut client, sent(me, 2, &["c"])), (0, 2));
    let fetched = client.fetch(&FetchAt::now("t", &[(0, 0)]), 12);
    let values = values_of(&fetched.records());
    assert_eq!(values, [(0, "a".into()), (1, "b".into()), (2, "c".into())]);
}

#[test]
fn a_topic_made_anew_knows_no_producer() {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("t", 1);
    assert_eq!(outcome(&mut client, sent((9, 0), 0, &["a"])), (0, 0));
    crate::topics::delete(&mut client, "t");
    client.create_topic("t", 1);
    assert_eq!(producers(&mut client), []);
    assert_eq!(outcome(&mut client, sent((9, 0), 0, &["a"])), (0, 0));
    assert_eq!(client.end_of("t", 0), 1);
}

#[test]
fn a_producer_that_is_silent_for_too_long_is_forgotten_at_the_next_look() {
    let broker = Broker::with(&[
        ("producer.id.expiration.ms", "1"),
        ("producer.id.expiration.check.interval.ms", "20"),
    ]);
    let mut client = broker.client();
    client.create_topic("t", 1);
    let me = new_producer(&mut client);
    assert_eq!(outcome(&mut client, sent(me, 7, &["a"])), (0, 0));
    until("it is forgotten", || producers(&mut client).is_empty());
    assert_eq!(outcome(&mut client, sent(me, 7, &["a"])), (0, 1), "nobody knows that it came before");
}
