//! Share groups and streams groups: still to come; checked, kept and shown.

use crate::config::definition::Kind::{Int, List, Short, Text};
use crate::config::definition::Rule::{Any, Between, Min};
use crate::config::definition::Setting as S;

const fn row(setting: S) -> S {
    setting.not_yet().doc("Of share and streams groups, which are still to come.")
}

/// Share groups and streams groups.
pub(super) static NEW_GROUPS: &[S] = &[
    row(S::new("group.share.assignment.interval.ms", Int, Some("1000"), Min(0)).dynamic()),
    row(S::new("group.share.assignors", List, Some("simple"), Any)),
    row(S::new("group.share.delivery.count.limit", Int, Some("5"), Between(2, 10))),
    row(S::new("group.share.heartbeat.interval.ms", Int, Some("5000"), Min(1))),
    row(S::new("group.share.initialize.retry.interval.ms", Int, Some("30000"), Min(1)).internal()),
    row(S::new("group.share.max.assignment.interval.ms", Int, Some("15000"), Min(0))),
    row(S::new("group.share.max.delivery.count.limit", Int, Some("10"), Between(5, 25))),
    row(S::new("group.share.max.heartbeat.interval.ms", Int, Some("15000"), Min(1))),
    row(S::new("group.share.max.partition.max.record.locks", Int, Some("4000"), Between(2000, 10_000))),
    row(S::new("group.share.max.record.lock.duration.ms", Int, Some("60000"), Between(30_000, 3_600_000))),
    row(S::new("group.share.max.session.timeout.ms", Int, Some("60000"), Min(1))),
    row(S::new("group.share.max.share.sessions", Int, Some("2000"), Min(1))),
    row(S::new("group.share.max.size", Int, Some("200"), Between(1, 1000))),
    row(S::new("group.share.min.assignment.interval.ms", Int, Some("0"), Min(0))),
    row(S::new("group.share.min.delivery.count.limit", Int, Some("2"), Between(2, 5))),
    row(S::new("group.share.min.heartbeat.interval.ms", Int, Some("5000"), Min(1))),
    row(S::new("group.share.min.partition.max.record.locks", Int, Some("100"), Between(100, 2000))),
    row(S::new("group.share.min.record.lock.duration.ms", Int, Some("15000"), Between(1000, 30_000))),
    row(S::new("group.share.min.session.timeout.ms", Int, Some("45000"), Min(1))),
    row(S::new("group.share.partition.max.record.locks", Int, Some("2000"), Between(100, 10_000))),
    row(S::new(
        "group.share.persister.class.name",
        Text,
        Some("org.apache.kafka.server.share.persister.DefaultStatePersister"),
        Any,
    )
    .internal()),
    row(S::new("group.share.record.lock.duration.ms", Int, Some("30000"), Between(1000, 3_600_000))),
    row(S::new("group.share.session.timeout.ms", Int, Some("45000"), Min(1))),
    row(S::new("group.streams.assignment.interval.ms", Int, Some("1000"), Min(0)).dynamic()),
    row(S::new("group.streams.heartbeat.interval.ms", Int, Some("5000"), Min(1))),
    row(S::new("group.streams.initial.rebalance.delay.ms", Int, Some("3000"), Min(0))),
    row(S::new("group.streams.max.assignment.interval.ms", Int, Some("15000"), Min(0))),
    row(S::new("group.streams.max.heartbeat.interval.ms", Int, Some("15000"), Min(1))),
    row(S::new("group.streams.max.session.timeout.ms", Int, Some("60000"), Min(1))),
    row(S::new("group.streams.max.size", Int, Some("2147483647"), Min(1))),
    row(S::new("group.streams.max.standby.replicas", Int, Some("2"), Min(0))),
    row(S::new("group.streams.min.assignment.interval.ms", Int, Some("0"), Min(0))),
    row(S::new("group.streams.min.heartbeat.interval.ms", Int, Some("5000"), Min(1))),
    row(S::new("group.streams.min.session.timeout.ms", Int, Some("45000"), Min(1))),
    row(S::new("group.streams.num.standby.replicas", Int, Some("0"), Min(0))),
    row(S::new("group.streams.session.timeout.ms", Int, Some("45000"), Min(1))),
    row(S::new("share.coordinator.append.linger.ms", Int, Some("-1"), Min(-1))),
    row(S::new("share.coordinator.cached.buffer.max.bytes", Int, Some("1048588"), Min(524_288)).dynamic()),
    row(S::new("share.coordinator.cold.partition.snapshot.interval.ms", Int, Some("300000"), Min(1))
        .internal()),
    row(S::new("share.coordinator.load.buffer.size", Int, Some("5242880"), Min(1))),
    row(S::new("share.coordinator.snapshot.update.records.per.snapshot", Int, Some("500"), Between(0, 500))),
    row(S::new("share.coordinator.state.topic.compression.codec", Int, Some("0"), Any)),
    row(S::new("share.coordinator.state.topic.min.isr", Short, Some("2"), Min(1))),
    row(S::new("share.coordinator.state.topic.num.partitions", Int, Some("50"), Min(1))),
    row(S::new("share.coordinator.state.topic.prune.interval.ms", Int, Some("300000"), Min(1)).internal()),
    row(S::new("share.coordinator.state.topic.replication.factor", Short, Some("3"), Min(1))),
    row(S::new("share.coordinator.state.topic.segment.bytes", Int, Some("104857600"), Min(1))),
    row(S::new("share.coordinator.threads", Int, Some("1"), Min(1))),
    row(S::new("share.coordinator.write.timeout.ms", Int, Some("5000"), Min(1))),
    row(S::new("share.fetch.purgatory.purge.interval.requests", Int, Some("1000"), Any)),
];
