//! Consumer groups: groups whose partitions the broker assigns (KIP-848).

use pagewire_coordinate::Assignor;

use crate::config::definition::Kind::{Int, List, Text};
use crate::config::definition::Rule::{Min, OneOf, OneOfAnyCase};
use crate::config::definition::Setting as S;

/// By their names, or by the classes that Apache Kafka has for them.
const ASSIGNORS: &[&str] = &["uniform", "range", Assignor::Uniform.class(), Assignor::Range.class()];

/// Consumer groups.
pub(super) static CONSUMER_GROUPS: &[S] = &[
    S::new("group.consumer.assignment.interval.ms", Int, Some("1000"), Min(0))
        .dynamic()
        .doc("Least milliseconds between two assignments of a consumer group."),
    S::new("group.consumer.assignors", List, Some("uniform,range"), OneOf(ASSIGNORS))
        .doc("Assignors that members of consumer groups may ask for; the first is used if none asks."),
    S::new("group.consumer.heartbeat.interval.ms", Int, Some("5000"), Min(1))
        .doc("Heartbeat interval of consumer group members in milliseconds."),
    S::new("group.consumer.max.assignment.interval.ms", Int, Some("15000"), Min(0))
        .doc("Upper bound of the assignment interval."),
    S::new("group.consumer.max.heartbeat.interval.ms", Int, Some("15000"), Min(1))
        .doc("Upper bound of the heartbeat interval."),
    S::new("group.consumer.max.session.timeout.ms", Int, Some("60000"), Min(1))
        .doc("Upper bound of the session timeout."),
    S::new("group.consumer.max.size", Int, Some("2147483647"), Min(1))
        .doc("Most members of a consumer group."),
    S::new(
        "group.consumer.migration.policy",
        Text,
        Some("bidirectional"),
        OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]),
    )
    .doc("Which conversions between classic and consumer groups are allowed."),
    S::new("group.consumer.min.assignment.interval.ms", Int, Some("0"), Min(0))
        .doc("Lower bound of the assignment interval."),
    S::new("group.consumer.min.heartbeat.interval.ms", Int, Some("5000"), Min(1))
        .doc("Lower bound of the heartbeat interval."),
    S::new("group.consumer.min.session.timeout.ms", Int, Some("45000"), Min(1))
        .doc("Lower bound of the session timeout."),
    S::new("group.consumer.regex.refresh.interval.ms", Int, Some("600000"), Min(10_000))
        .internal()
        .doc("Milliseconds between two evaluations of a subscription pattern."),
    S::new("group.consumer.session.timeout.ms", Int, Some("45000"), Min(1))
        .doc("Session timeout of consumer group members in milliseconds."),
];
