//! What is too old or too much goes, and a changed setting is not waited for.

use std::time::{Duration, Instant};

use bytes::Bytes;
use pagewire_record::Codec;

use crate::{
    configs::{BROKER, SET, TOPIC, change},
    harness::{Broker, Client, keyed, now_ms},
};

/// Ends a test that would wait for the check interval, which is five minutes.
const NEVER: Duration = Duration::from_mins(1);

/// A batch whose records are a minute old.
fn old() -> Bytes {
    keyed(Codec::None, &[(now_ms() - 60_000, Some("k"), Some("v"))])
}

/// Three segments of one batch each, and the active one.
fn fill(client: &mut Client, topic: &'static str) {
    client.create_topic_with(topic, 1, &[("internal.segment.bytes", "100")]);
    for _ in 0..4 {
        client.produce(topic, 0, old());
    }
}

fn start_of(client: &mut Client, topic: &'static str) -> i64 {
    client.list_offset(topic, 0, -2, 7).1
}

fn until_start_is(client: &mut Client, topic: &'static str, offset: i64) {
    let begun = Instant::now();
    while start_of(client, topic) != offset {
        assert!(begun.elapsed() < NEVER, "{topic} still starts at {}", start_of(client, topic));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_retention_that_shrinks_acts_at_once() {
    let broker = Broker::start();
    let mut client = broker.client();
    for (topic, setting, value, start) in
        [("by-time", "retention.ms", "1000", 4), ("by-size", "retention.bytes", "1", 3)]
    {
        fill(&mut client, topic);
        assert_eq!(change(&mut client, (TOPIC, topic), &[(setting, SET, Some(value))], false).0, 0);
        until_start_is(&mut client, topic, start);
    }
}

#[test]
fn a_retention_of_the_broker_that_shrinks_acts_at_once_where_topics_have_none() {
    let broker = Broker::start();
    let mut client = broker.client();
    fill(&mut client, "plain");
    fill(&mut client, "own");
    assert_eq!(change(&mut client, (TOPIC, "own"), &[("retention.ms", SET, Some("600000"))], false).0, 0);
    assert_eq!(change(&mut client, (BROKER, ""), &[("log.retention.ms", SET, Some("1000"))], false).0, 0);
    until_start_is(&mut client, "plain", 4);
    assert_eq!(start_of(&mut client, "own"), 0);
}

#[test]
fn a_policy_that_becomes_delete_acts_at_once() {
    let broker = Broker::start();
    let mut client = broker.client();
    let never = [("cleanup.policy", ""), ("retention.ms", "1000"), ("internal.segment.bytes", "100")];
    client.create_topic_with("t", 1, &never);
    for _ in 0..4 {
        client.produce("t", 0, old());
    }
    assert_eq!(change(&mut client, (TOPIC, "t"), &[("cleanup.policy", SET, Some("delete"))], false).0, 0);
    until_start_is(&mut client, "t", 4);
}
