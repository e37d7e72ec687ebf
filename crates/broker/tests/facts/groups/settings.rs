//! Settings of a group: kept, and in force, whatever the broker's own are.

use pagewire_wire::messages::{
    consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest,
    consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse,
};

use super::{coordinator, once_loaded};
use crate::{
    configs::{GROUP, SET, change, describe},
    harness::{Broker, Client},
};

const HEARTBEAT_INTERVAL: &str = "consumer.heartbeat.interval.ms";

/// Joins the group `g`; what the first answer tells.
fn join(client: &mut Client) -> ConsumerGroupHeartbeatResponse {
    coordinator(client);
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "m".into(),
        rebalance_timeout_ms: 30_000,
        subscribed_topic_names: Some(vec!["t".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    once_loaded(|| {
        let answer = client.call(&request, 1);
        (answer.error_code, answer)
    })
}

#[test]
fn a_groups_settings_are_in_force_after_a_restart() {
    let mut broker = Broker::start();
    let set = [(HEARTBEAT_INTERVAL, SET, Some("6000"))];
    assert_eq!(change(&mut broker.client(), (GROUP, "g"), &set, false).0, 0);
    broker.restart();
    assert_eq!(join(&mut broker.client()).heartbeat_interval_ms, 6000);
}

#[test]
fn a_setting_that_was_stored_under_other_bounds_is_capped_to_those_of_the_broker() {
    let mut before = Broker::with(&[
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.min.heartbeat.interval.ms", "100"),
    ]);
    let set = [("consumer.session.timeout.ms", SET, Some("2001")), (HEARTBEAT_INTERVAL, SET, Some("2000"))];
    assert_eq!(change(&mut before.client(), (GROUP, "g"), &set, false), (0, String::new()));
    assert_eq!(join(&mut before.client()).heartbeat_interval_ms, 2000);
    before.stop();
    let broker = Broker::on(before.dir());
    let mut client = broker.client();
    assert_eq!(join(&mut client).heartbeat_interval_ms, 5000);
    // What is stored is shown, as Kafka shows it, and has to be mended before anything else is set.
    let shown = describe(&mut client, GROUP, "g", HEARTBEAT_INTERVAL);
    assert_eq!(shown.value.as_deref(), Some("2000"));
    let other = [("consumer.assignment.interval.ms", SET, Some("10"))];
    let (refused, why) = change(&mut client, (GROUP, "g"), &other, false);
    assert!(refused != 0 && why.contains("group.consumer.min.heartbeat.interval.ms"), "{refused} {why}");
}
