//! Settings of a consumer, share or streams group, each with the broker setting that gives its default.

use crate::config::definition::Kind::{Boolean, Int, Text};
use crate::config::definition::Rule::{Any, Min, OffsetReset, OneOf};
use crate::config::definition::Setting as S;

const fn row(setting: S) -> S {
    setting.dynamic().not_yet()
}

/// Every group setting. Its broker-level name has `group.` in front, where there is one.
pub static GROUP: &[S] = &[
    S::new("consumer.session.timeout.ms", Int, Some("45000"), Min(1))
        .dynamic()
        .doc("Milliseconds a member may be silent, in consumer groups."),
    S::new("consumer.heartbeat.interval.ms", Int, Some("5000"), Min(1))
        .dynamic()
        .doc("Milliseconds between two heartbeats of a member, in consumer groups."),
    S::new("consumer.assignment.interval.ms", Int, Some("1000"), Min(0))
        .dynamic()
        .doc("Least milliseconds between two assignments, in consumer groups."),
    row(S::new("share.session.timeout.ms", Int, Some("45000"), Min(1)))
        .doc("Milliseconds a member may be silent, in share groups."),
    row(S::new("share.heartbeat.interval.ms", Int, Some("5000"), Min(1)))
        .doc("Milliseconds between two heartbeats of a member, in share groups."),
    row(S::new("share.record.lock.duration.ms", Int, Some("30000"), Min(1000)))
        .doc("Milliseconds a record stays with the consumer that took it, in share groups."),
    row(S::new("share.delivery.count.limit", Int, Some("5"), Min(2)))
        .doc("How often a record is delivered at most, in share groups."),
    row(S::new("share.partition.max.record.locks", Int, Some("2000"), Min(100)))
        .doc("Most records of a partition that are out at one time, in share groups."),
    row(S::new("share.auto.offset.reset", Text, Some("latest"), OffsetReset))
        .doc("Where a group without offsets starts, in share groups."),
    row(S::new(
        "share.isolation.level",
        Text,
        Some("read_uncommitted"),
        OneOf(&["read_committed", "read_uncommitted"]),
    ))
    .doc("Whether records of open and aborted transactions are read, in share groups."),
    row(S::new("share.renew.acknowledge.enable", Boolean, Some("true"), Any))
        .doc("Whether the hold on a record can be renewed, in share groups."),
    row(S::new("share.assignment.interval.ms", Int, Some("1000"), Min(0)))
        .doc("Least milliseconds between two assignments, in share groups."),
    row(S::new("streams.session.timeout.ms", Int, Some("45000"), Min(1)))
        .doc("Milliseconds a member may be silent, in streams groups."),
    row(S::new("streams.heartbeat.interval.ms", Int, Some("5000"), Min(1)))
        .doc("Milliseconds between two heartbeats of a member, in streams groups."),
    row(S::new("streams.num.standby.replicas", Int, Some("0"), Min(0)))
        .doc("Standby tasks per active task, in streams groups."),
    row(S::new("streams.initial.rebalance.delay.ms", Int, Some("3000"), Min(0)))
        .doc("Milliseconds an empty group waits for further members, in streams groups."),
    row(S::new("streams.assignment.interval.ms", Int, Some("1000"), Min(0)))
        .doc("Least milliseconds between two assignments, in streams groups."),
];
