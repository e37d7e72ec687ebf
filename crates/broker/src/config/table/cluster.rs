//! Controllers, replication and remote storage: keys of Kafka that govern nothing here.

use crate::config::definition::Kind::{Boolean, Double, Int, List, Long, Short, Text};
use crate::config::definition::Rule::{Any, Fraction, Min, OneOf};
use crate::config::definition::{Area, Kind, Rule, Setting};

const fn kraft(name: &'static str, kind: Kind, default: Option<&'static str>, rule: Rule) -> Setting {
    Setting::moot(Area::Kraft, name, kind, default, rule)
}

const fn replication(name: &'static str, kind: Kind, default: Option<&'static str>, rule: Rule) -> Setting {
    Setting::moot(Area::Replication, name, kind, default, rule)
}

const fn remote(name: &'static str, kind: Kind, default: Option<&'static str>, rule: Rule) -> Setting {
    Setting::moot(Area::RemoteStorage, name, kind, default, rule)
}

/// Controllers and the metadata log.
pub(super) static KRAFT: &[Setting] = &[
    kraft("broker.heartbeat.interval.ms", Int, Some("2000"), Any),
    kraft("broker.session.timeout.ms", Int, Some("9000"), Any),
    kraft("controller.listener.names", List, None, Any),
    kraft("controller.performance.always.log.threshold.ms", Long, Some("2000"), Min(0)).internal(),
    kraft("controller.performance.sample.period.ms", Long, Some("60000"), Min(100)).internal(),
    kraft("controller.quorum.append.linger.ms", Int, Some("25"), Min(0)),
    kraft("controller.quorum.auto.join.enable", Boolean, Some("false"), Any),
    kraft("controller.quorum.bootstrap.servers", List, Some(""), Any),
    kraft("controller.quorum.election.backoff.max.ms", Int, Some("1000"), Min(0)),
    kraft("controller.quorum.election.timeout.ms", Int, Some("1000"), Min(0)),
    kraft("controller.quorum.fetch.max.bytes", Int, Some("1048576"), Min(1)),
    kraft("controller.quorum.fetch.snapshot.max.bytes", Int, Some("1048576"), Min(1)),
    kraft("controller.quorum.fetch.timeout.ms", Int, Some("2000"), Min(0)),
    kraft("controller.quorum.request.timeout.ms", Int, Some("2000"), Min(0)),
    kraft("controller.quorum.retry.backoff.ms", Int, Some("20"), Min(0)),
    kraft("controller.quorum.voters", List, Some(""), Any),
    kraft("controller.socket.timeout.ms", Int, Some("30000"), Any),
    kraft("early.start.listeners", List, None, Any),
    kraft("initial.broker.registration.timeout.ms", Int, Some("60000"), Any),
    kraft("internal.metadata.delete.delay.millis", Long, Some("60000"), Any).internal(),
    kraft("internal.metadata.log.segment.bytes", Int, None, Any).internal(),
    kraft("internal.metadata.max.batch.size.in.bytes", Int, Some("8388608"), Any).internal(),
    kraft("metadata.log.dir", Text, None, Any),
    kraft("metadata.log.max.record.bytes.between.snapshots", Long, Some("20971520"), Min(1)),
    kraft("metadata.log.max.snapshot.interval.ms", Long, Some("3600000"), Min(0)),
    kraft("metadata.log.segment.bytes", Int, Some("1073741824"), Min(8_388_608)),
    kraft("metadata.log.segment.ms", Long, Some("604800000"), Any),
    kraft("metadata.max.idle.interval.ms", Int, Some("500"), Min(0)),
    kraft("metadata.max.retention.bytes", Long, Some("104857600"), Any),
    kraft("metadata.max.retention.ms", Long, Some("604800000"), Any),
    kraft("process.roles", List, Some("broker,controller"), OneOf(&["broker", "controller"])),
    kraft("server.max.startup.time.ms", Long, Some("9223372036854775807"), Min(0)).internal(),
    kraft("unstable.api.versions.enable", Boolean, Some("false"), Any).internal(),
    kraft("unstable.feature.versions.enable", Boolean, Some("false"), Any).internal(),
];

/// Copies of partitions.
pub(super) static REPLICATION: &[Setting] = &[
    replication("alter.log.dirs.replication.quota.window.num", Int, Some("11"), Min(1)),
    replication("alter.log.dirs.replication.quota.window.size.seconds", Int, Some("1"), Min(1)),
    replication("auto.leader.rebalance.enable", Boolean, Some("true"), Any),
    replication("follower.fetch.last.tiered.offset.enable", Boolean, Some("false"), Any).dynamic(),
    replication("leader.imbalance.check.interval.seconds", Long, Some("300"), Min(1)),
    replication("num.replica.alter.log.dirs.threads", Int, None, Any),
    replication("num.replica.fetchers", Int, Some("1"), Min(1)).dynamic(),
    replication("replica.fetch.backoff.ms", Int, Some("1000"), Min(0)),
    replication("replica.fetch.max.bytes", Int, Some("1048576"), Min(0)),
    replication("replica.fetch.min.bytes", Int, Some("1"), Any),
    replication("replica.fetch.response.max.bytes", Int, Some("10485760"), Min(0)),
    replication("replica.fetch.wait.max.ms", Int, Some("500"), Any),
    replication("replica.high.watermark.checkpoint.interval.ms", Long, Some("5000"), Any),
    replication("replica.lag.time.max.ms", Long, Some("30000"), Any),
    replication("replica.selector.class", Text, None, Any),
    replication("replica.socket.receive.buffer.bytes", Int, Some("65536"), Any),
    replication("replica.socket.timeout.ms", Int, Some("30000"), Any),
    replication("replication.quota.window.num", Int, Some("11"), Min(1)),
    replication("replication.quota.window.size.seconds", Int, Some("1"), Min(1)),
    replication("unclean.leader.election.interval.ms", Long, Some("300000"), Min(1)).internal(),
    replication("inter.broker.listener.name", Text, None, Any),
    replication("controlled.shutdown.enable", Boolean, Some("true"), Any),
    replication("offsets.topic.replication.factor", Short, Some("3"), Min(1)),
    replication("transaction.state.log.replication.factor", Short, Some("3"), Min(1)),
    replication("transaction.state.log.min.isr", Int, Some("2"), Min(1)),
    replication("log.dir.failure.timeout.ms", Long, Some("30000"), Min(1)),
    replication("leader.replication.throttled.rate", Long, Some("9223372036854775807"), Min(0)).dynamic(),
    replication("follower.replication.throttled.rate", Long, Some("9223372036854775807"), Min(0)).dynamic(),
];

/// Tiered storage.
pub(super) static REMOTE: &[Setting] = &[
    remote("log.local.retention.bytes", Long, Some("-2"), Min(-2)).dynamic(),
    remote("log.local.retention.ms", Long, Some("-2"), Min(-2)).dynamic(),
    remote("remote.fetch.max.wait.ms", Int, Some("500"), Min(1)).dynamic(),
    remote("remote.list.offsets.request.timeout.ms", Long, Some("30000"), Min(1)).dynamic(),
    remote("remote.log.index.file.cache.total.size.bytes", Long, Some("1073741824"), Min(1)).dynamic(),
    remote("remote.log.index.file.cache.ttl.ms", Long, Some("900000"), Min(-1)).internal(),
    remote("remote.log.manager.copier.thread.pool.size", Int, Some("10"), Min(1)).dynamic(),
    remote("remote.log.manager.copy.max.bytes.per.second", Long, Some("9223372036854775807"), Min(1))
        .dynamic(),
    remote("remote.log.manager.copy.quota.window.num", Int, Some("11"), Min(1)),
    remote("remote.log.manager.copy.quota.window.size.seconds", Int, Some("1"), Min(1)),
    remote("remote.log.manager.expiration.thread.pool.size", Int, Some("10"), Min(1)).dynamic(),
    remote("remote.log.manager.fetch.max.bytes.per.second", Long, Some("9223372036854775807"), Min(1))
        .dynamic(),
    remote("remote.log.manager.fetch.quota.window.num", Int, Some("11"), Min(1)),
    remote("remote.log.manager.fetch.quota.window.size.seconds", Int, Some("1"), Min(1)),
    remote("remote.log.manager.follower.thread.pool.size", Int, Some("2"), Min(1)).dynamic(),
    remote("remote.log.manager.task.interval.ms", Long, Some("30000"), Min(1)),
    remote("remote.log.manager.task.retry.backoff.max.ms", Long, Some("30000"), Min(1)).internal(),
    remote("remote.log.manager.task.retry.backoff.ms", Long, Some("500"), Min(1)).internal(),
    remote("remote.log.manager.task.retry.jitter", Double, Some("0.2"), Fraction(0.0, 0.5)).internal(),
    remote("remote.log.manager.thread.pool.size", Int, Some("2"), Min(1)),
    remote("remote.log.metadata.custom.metadata.max.bytes", Int, Some("128"), Min(0)),
    remote(
        "remote.log.metadata.manager.class.name",
        Text,
        Some("org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager"),
        Any,
    ),
    remote("remote.log.metadata.manager.class.path", Text, None, Any),
    remote("remote.log.metadata.manager.impl.prefix", Text, Some("rlmm.config."), Any),
    remote("remote.log.metadata.manager.listener.name", Text, None, Any),
    remote("remote.log.reader.max.pending.tasks", Int, Some("100"), Min(1)),
    remote("remote.log.reader.threads", Int, Some("10"), Min(1)).dynamic(),
    remote("remote.log.storage.manager.class.name", Text, None, Any),
    remote("remote.log.storage.manager.class.path", Text, None, Any),
    remote("remote.log.storage.manager.impl.prefix", Text, Some("rsm.config."), Any),
    remote("remote.log.storage.system.enable", Boolean, Some("false"), Any),
];
