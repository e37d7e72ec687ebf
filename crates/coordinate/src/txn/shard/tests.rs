//! What no transcript shows of a shard: how it counts what it holds, and records that nobody should have written.

use super::*;
use crate::txn::{Add, End, Init, Marked, Outcome, TxnTopic, TxnVersion};

const VERSION: TxnVersion = TxnVersion::EpochPerTransaction;

/// Does everything that is to be done, all markers written.
fn act(shard: &mut Shard, effects: Effects, now: Now) {
    for append in effects.appends {
        let next = shard.appended(append, now);
        act(shard, next, now);
    }
    for markers in effects.markers {
        let each = markers.topics.iter().flat_map(|(topic, partitions)| {
            partitions.iter().map(|partition| (topic.clone(), *partition, Marked::Written))
        });
        let next = shard.markers_written(&markers.of, &each.collect::<Vec<_>>(), now);
        act(shard, next, now);
    }
    let counted: usize = shard.ids.iter().map(|(id, transaction)| transaction.bytes(id)).sum();
    assert_eq!(shard.bytes, counted);
}

fn init(transactional_id: &str) -> Input {
    let transactional_id = transactional_id.to_owned();
    Input::Init(Init { token: Token(1), transactional_id, timeout_ms: 1_000, expected: None })
}

#[test]
fn a_topic_that_a_record_names_twice_takes_part_as_a_whole() {
    let topic = |partitions: &[i32]| TxnTopic { topic: "t".into(), partitions: partitions.to_vec() };
    let value = TxnValue {
        topics: Some(vec![topic(&[1]), topic(&[]), topic(&[0])]),
        ..Kept::new(7, 1_000, 0).prepared(Outcome::Commit, 2, -1, 0).value(2)
    };
    let record = TxnRecord { transactional_id: "a".into(), value: Some(value) };
    let mut shard = Shard::new(Settings::default(), 0);
    let (key, value) = (record.encode_key().expect("short"), record.encode_value().expect("short"));
    shard.replay(&key, value.as_deref()).expect("ours");
    shard.loaded(Now::both(0));
    let markers = shard.on_time(Now::both(0)).markers;
    assert_eq!(markers.len(), 1);
    assert_eq!(markers[0].topics, [(Arc::from("t"), vec![0, 1])]);
}

/// A shard that read this record.
fn after(value: TxnValue, settings: Settings) -> Shard {
    let record = TxnRecord { transactional_id: "a".into(), value: Some(value) };
    let mut shard = Shard::new(settings, 0);
    let (key, value) = (record.encode_key().expect("short"), record.encode_value().expect("short"));
    shard.replay(&key, value.as_deref()).expect("ours");
    shard.loaded(Now::both(0));
    shard
}

/// Lets all act that is due until then.
fn pass(shard: &mut Shard, until_ms: i64) {
    while let Some(at_ms) = shard.next_deadline().filter(|at_ms| *at_ms <= until_ms) {
        let now = Now::both(at_ms);
        let effects = shard.on_time(now);
        act(shard, effects, now);
    }
}

fn in_state(state: TxnState) -> TxnValue {
    let topics = vec![TxnTopic { topic: "t".into(), partitions: vec![0] }];
    TxnValue { state, topics: Some(topics), ..Kept::new(7, 1_000, 0).begun(7, 0, 1_000, 0).value(2) }
}

#[test]
fn what_a_record_at_rest_names_takes_no_part_in_the_next_transaction() {
    for state in [TxnState::Empty, TxnState::CompleteCommit, TxnState::CompleteAbort] {
        let shard = after(in_state(state), Settings::default());
        assert_eq!(shard.verify("a", 7, 0, &[("t".into(), 0)]), Ok(vec![false]), "{state}");
    }
}

#[test]
fn steps_that_nobody_writes_down_come_to_an_end_if_somebody_did() {
    let settings = Settings::default();
    let until_ms = settings.id_expiration_ms + 2 * settings.expiry_interval_ms;
    let mut shard = after(in_state(TxnState::PrepareEpochFence), settings.clone());
    pass(&mut shard, 2 * settings.abort_interval_ms);
    assert_eq!(shard.describe("a").map(|found| found.state), Some(TxnState::CompleteAbort));
    let mut shard = after(in_state(TxnState::Dead), settings);
    pass(&mut shard, until_ms);
    assert_eq!(shard.id_count(), 0);
}

#[test]
fn an_id_that_no_append_takes_keeps_nobody_busy() {
    let mut settings = Settings::default();
    settings.limits.append_bytes = 8;
    let interval_ms = settings.expiry_interval_ms;
    let mut shard = after(in_state(TxnState::Empty), settings.clone());
    let now = Now::both(settings.id_expiration_ms + interval_ms);
    while shard.next_deadline().is_some_and(|at_ms| at_ms <= now.steady_ms) {
        assert!(shard.on_time(now).is_empty());
    }
    assert_eq!(shard.deadlines.expire_at_ms, Some(now.steady_ms + interval_ms));
}

#[test]
fn what_is_held_is_counted_and_nothing_is_left_of_what_expired() {
    let (mut shard, mut now) = (Shard::new(Settings::default(), 0), Now::both(0));
    shard.loaded(now);
    let end = |transactional_id: &str, outcome| {
        let (token, transactional_id) = (Token(1), transactional_id.to_owned());
        Input::End(End {
            token,
            transactional_id,
            producer_id: 7,
            producer_epoch: 0,
            outcome,
            version: VERSION,
        })
    };
    for id in ["a", "b", "c"] {
        shard.give_producer_id(7);
        let partitions = (0..40).map(|index| (Arc::from("topic"), index)).collect();
        let add = Input::Add(Add {
            token: Token(1),
            transactional_id: id.to_owned(),
            producer_id: 7,
            producer_epoch: 0,
            partitions,
            version: VERSION,
        });
        for input in [init(id), add] {
            let effects = shard.handle(input, now);
            act(&mut shard, effects, now);
        }
    }
    let open = shard.bytes();
    for (id, outcome) in [("a", Outcome::Commit), ("b", Outcome::Abort)] {
        let effects = shard.handle(end(id, outcome), now);
        act(&mut shard, effects, now);
    }
    assert!(shard.bytes() < open);
    let until_ms = 2 * shard.settings.id_expiration_ms;
    while let Some(at_ms) = shard.next_deadline().filter(|at_ms| *at_ms < until_ms) {
        now = Now::both(at_ms.max(now.steady_ms));
        let effects = shard.on_time(now);
        act(&mut shard, effects, now);
    }
    assert_eq!((shard.id_count(), shard.bytes()), (0, 0));
    assert_eq!(shard.deadlines.overdue(i64::MAX), None);
}
