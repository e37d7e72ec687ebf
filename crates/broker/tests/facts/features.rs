//! Levels of features: seen by clients, changed while running, kept over a restart.

use pagewire_wire::{
    ErrorCode,
    messages::{
        api_versions_request::ApiVersionsRequest,
        consumer_group_describe_request::ConsumerGroupDescribeRequest,
        consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest,
        update_features_request::{FeatureUpdateKey, UpdateFeaturesRequest},
    },
};

use crate::harness::{Broker, Client};

const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

/// Levels in force by name, and their epoch.
fn levels(client: &mut Client) -> (Vec<(String, i16)>, i64) {
    let request = ApiVersionsRequest {
        client_software_name: "facts".into(),
        client_software_version: "1".into(),
        ..Default::default()
    };
    let answer = client.call(&request, 4);
    let features = answer.finalized_features.iter();
    let levels = features.map(|feature| (feature.name.to_string(), feature.max_version_level)).collect();
    (levels, answer.finalized_features_epoch)
}

fn update(
    client: &mut Client,
    updates: &[(&'static str, i16, i8)],
    validate_only: bool,
) -> (Option<ErrorCode>, String) {
    let one = |(feature, max_version_level, upgrade_type): &(&'static str, i16, i8)| FeatureUpdateKey {
        feature: (*feature).into(),
        max_version_level: *max_version_level,
        upgrade_type: *upgrade_type,
        ..Default::default()
    };
    let feature_updates = updates.iter().map(one).collect();
    let answer =
        client.call(&UpdateFeaturesRequest { feature_updates, validate_only, ..Default::default() }, 2);
    let message = answer.error_message.as_ref().map(ToString::to_string).unwrap_or_default();
    (ErrorCode::from_code(answer.error_code), message)
}

/// The error of a first heartbeat.
fn knock(client: &mut Client) -> Option<ErrorCode> {
    let request = ConsumerGroupHeartbeatRequest {
        group_id: "g".into(),
        member_id: "m".into(),
        rebalance_timeout_ms: 1000,
        subscribed_topic_names: Some(vec!["t".into()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    ErrorCode::from_code(client.call(&request, 1).error_code)
}

#[test]
fn a_level_that_was_changed_is_told_to_clients_also_after_a_restart() {
    let mut broker = Broker::start();
    let mut client = broker.client();
    let (before, first) = levels(&mut client);
    let names = [("group.version", 1), ("metadata.version", 30), ("transaction.version", 2)];
    assert_eq!(before, names.map(|(name, level)| (name.to_owned(), level)));
    let down = [("transaction.version", 1, SAFE_DOWNGRADE)];
    assert_eq!(update(&mut client, &down, true).0, Some(ErrorCode::None));
    assert_eq!(levels(&mut client), (before.clone(), first), "only asked");
    assert_eq!(update(&mut client, &down, false), (Some(ErrorCode::None), String::new()));
    let (after, second) = levels(&mut client);
    assert!(after.contains(&("transaction.version".to_owned(), 1)) && second > first, "{after:?} {second}");
    broker.restart();
    assert_eq!(levels(&mut broker.client()), (after, second));
    assert_eq!(
        update(&mut broker.client(), &[("transaction.version", 2, UPGRADE)], false).0,
        Some(ErrorCode::None)
    );
    let (last, third) = levels(&mut broker.client());
    assert!(last == before && third > second, "{last:?} {third}");
}

/// Neither a member nor who describes its group is served.
fn assert_not_served(client: &mut Client) {
    assert_eq!(knock(client), Some(ErrorCode::UnsupportedVersion));
    let request = ConsumerGroupDescribeRequest { group_ids: vec!["g".into()], ..Default::default() };
    let described = client.call(&request, 1);
    assert_eq!(ErrorCode::from_code(described.groups[0].error_code), Some(ErrorCode::UnsupportedVersion));
}

#[test]
fn where_their_protocol_is_not_set_consumer_groups_are_refused() {
    let broker = Broker::with(&[("group.coordinator.rebalance.protocols", "classic")]);
    let mut client = broker.client();
    assert_not_served(&mut client);
    assert!(levels(&mut client).0.contains(&("group.version".to_owned(), 1)), "the feature is as it was");
}

#[test]
fn without_their_feature_consumer_groups_are_refused() {
    let broker = Broker::start();
    let mut client = broker.client();
    assert_ne!(knock(&mut client), Some(ErrorCode::UnsupportedVersion));
    assert_eq!(
        update(&mut client, &[("group.version", 0, UNSAFE_DOWNGRADE)], false).0,
        Some(ErrorCode::None)
    );
    assert_not_served(&mut client);
    assert!(levels(&mut client).0.iter().all(|(name, _)| name != "group.version"), "level 0 is not there");
    assert_eq!(update(&mut client, &[("group.version", 1, UPGRADE)], false).0, Some(ErrorCode::None));
    assert_ne!(knock(&mut client), Some(ErrorCode::UnsupportedVersion));
}

#[test]
fn one_update_that_cannot_be_keeps_all_of_its_request_from_being_made() {
    let broker = Broker::start();
    let mut client = broker.client();
    let before = levels(&mut client);
    let fine = ("group.version", 0, SAFE_DOWNGRADE);
    for bad in [
        ("nosuch.version", 1, UPGRADE),
        ("transaction.version", 3, UPGRADE),
        ("transaction.version", 1, UPGRADE),
        ("transaction.version", -1, SAFE_DOWNGRADE),
        ("transaction.version", 2, 9),
        ("metadata.version", 29, UNSAFE_DOWNGRADE),
    ] {
        let (code, message) = update(&mut client, &[fine, bad], false);
        assert_eq!(code, Some(ErrorCode::InvalidUpdateVersion), "{bad:?}");
        assert!(message.contains(bad.0), "{message}");
    }
    assert_eq!(levels(&mut client), before);
}
