//! What belongs to parts of the broker that are still to come: checked, kept and shown.

use crate::config::definition::Kind::{Boolean, Int, List, Text};
use crate::config::definition::Rule::{Any, Min, OneOfAnyCase};
use crate::config::definition::Setting as S;

/// New group kinds, and two-phase commit.
pub(super) static LATER: &[S] = &[
    S::new("group.consumer.assignment.interval.ms", Int, Some("1000"), Min(0))
        .dynamic()
        .not_yet()
        .doc("Least milliseconds between two assignments of a consumer group."),
    S::new("group.consumer.assignors", List, Some("uniform,range"), Any)
        .not_yet()
        .doc("Assignors of consumer groups."),
    S::new("group.consumer.heartbeat.interval.ms", Int, Some("5000"), Min(1))
        .not_yet()
        .doc("Heartbeat interval of consumer group members in milliseconds."),
    S::new("group.consumer.max.assignment.interval.ms", Int, Some("15000"), Min(0))
        .not_yet()
        .doc("Upper bound of the assignment interval."),
    S::new("group.consumer.max.heartbeat.interval.ms", Int, Some("15000"), Min(1))
        .not_yet()
        .doc("Upper bound of the heartbeat interval."),
    S::new("group.consumer.max.session.timeout.ms", Int, Some("60000"), Min(1))
        .not_yet()
        .doc("Upper bound of the session timeout."),
    S::new("group.consumer.max.size", Int, Some("2147483647"), Min(1))
        .not_yet()
        .doc("Most members of a consumer group."),
    S::new(
        "group.consumer.migration.policy",
        Text,
        Some("bidirectional"),
        OneOfAnyCase(&["DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL"]),
    )
    .not_yet()
    .doc("Which conversions between classic and consumer groups are allowed."),
    S::new("group.consumer.min.assignment.interval.ms", Int, Some("0"), Min(0))
        .not_yet()
        .doc("Lower bound of the assignment interval."),
    S::new("group.consumer.min.heartbeat.interval.ms", Int, Some("5000"), Min(1))
        .not_yet()
        .doc("Lower bound of the heartbeat interval."),
    S::new("group.consumer.min.session.timeout.ms", Int, Some("45000"), Min(1))
        .not_yet()
        .doc("Lower bound of the session timeout."),
    S::new("group.consumer.regex.refresh.interval.ms", Int, Some("600000"), Min(10_000))
        .internal()
        .not_yet()
        .doc("Milliseconds between two evaluations of a subscription pattern."),
    S::new("group.consumer.session.timeout.ms", Int, Some("45000"), Min(1))
        .not_yet()
        .doc("Session timeout of consumer group members in milliseconds."),
    S::new("transaction.two.phase.commit.enable", Boolean, Some("false"), Any)
        .not_yet()
        .doc("Whether two-phase commit is offered."),
];
