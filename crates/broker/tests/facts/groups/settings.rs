//! Settings of a group: kept, and in force, whatever the broker's own are.

use pagewire_wire::messages::{
    consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest,
    consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse,
};

use super::{coordinator, once_loaded};
use crate::{
    configs::{GROUP, SET, change},
    harness::{Broker, Client},
};

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
    let set = [("consumer.heartbeat.interval.ms", SET, Some("6000"))];
    assert_eq!(change(&mut broker.client(), (GROUP, "g"), &set, false).0, 0);
    broker.restart();
    assert_eq!(join(&mut broker.client()).heartbeat_interval_ms, 6000);
}
