//! Threads, plug-ins, reporters and quotas: keys of Kafka that govern nothing here.

use crate::config::definition::Kind::{Boolean, Class, Int, List, Long, Text};
use crate::config::definition::Rule::{Any, Min};
use crate::config::definition::{Area, Kind, Rule, Setting};

const fn machinery(name: &'static str, kind: Kind, default: Option<&'static str>, rule: Rule) -> Setting {
    Setting::moot(Area::Machinery, name, kind, default, rule)
}

const fn plugins(name: &'static str, kind: Kind, default: Option<&'static str>, rule: Rule) -> Setting {
    Setting::moot(Area::Plugins, name, kind, default, rule)
}

const fn reporters(name: &'static str, kind: Kind, default: Option<&'static str>, rule: Rule) -> Setting {
    Setting::moot(Area::Reporters, name, kind, default, rule)
}

const fn quotas(name: &'static str, kind: Kind, default: Option<&'static str>, rule: Rule) -> Setting {
    Setting::moot(Area::Quotas, name, kind, default, rule)
}

/// Internals of the Java broker.
pub(super) static MACHINERY: &[Setting] = &[
    machinery("add.partitions.to.txn.retry.backoff.max.ms", Int, Some("100"), Min(0)),
    machinery("add.partitions.to.txn.retry.backoff.ms", Int, Some("20"), Min(1)),
    machinery("background.threads", Int, Some("10"), Min(1)).dynamic(),
    machinery("delete.records.purgatory.purge.interval.requests", Int, Some("1"), Any),
    machinery("fetch.purgatory.purge.interval.requests", Int, Some("1000"), Any),
    machinery("group.coordinator.append.linger.ms", Int, Some("-1"), Min(-1)),
    machinery("group.coordinator.background.threads", Int, Some("2"), Min(1)),
    machinery("group.coordinator.cached.buffer.max.bytes", Int, Some("1048588"), Min(524_288)).dynamic(),
    machinery("group.coordinator.threads", Int, Some("4"), Min(1)),
    machinery("log.initial.task.delay.ms", Long, Some("30000"), Min(0)).internal(),
    machinery("num.io.threads", Int, Some("8"), Min(1)).dynamic(),
    machinery("num.network.threads", Int, Some("3"), Min(1)).dynamic(),
    machinery("offsets.load.buffer.size", Int, Some("5242880"), Min(1)),
    machinery("producer.purgatory.purge.interval.requests", Int, Some("1000"), Any),
    machinery("queued.max.request.bytes", Long, Some("-1"), Any),
    machinery("queued.max.requests", Int, Some("500"), Min(1)),
    machinery("request.timeout.ms", Int, Some("30000"), Any),
    machinery("socket.connection.setup.timeout.max.ms", Long, Some("30000"), Any),
    machinery("socket.connection.setup.timeout.ms", Long, Some("10000"), Any),
    machinery("transaction.state.log.load.buffer.size", Int, Some("5242880"), Min(1)),
];

/// Java classes.
pub(super) static PLUGINS: &[Setting] = &[
    plugins("alter.config.policy.class.name", Class, None, Any),
    plugins("authorizer.class.name", Text, Some(""), Any),
    plugins("client.quota.callback.class", Class, None, Any),
    plugins("config.providers", List, Some(""), Any).dynamic(),
    plugins("create.topic.policy.class.name", Class, None, Any),
    plugins(
        "principal.builder.class",
        Class,
        Some("org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder"),
        Any,
    )
    .per_broker(),
    plugins("security.providers", Text, None, Any),
    plugins("super.users", Text, Some(""), Any),
    plugins("allow.everyone.if.no.acl.found", Boolean, Some("false"), Any),
];

/// Metrics reporters.
pub(super) static REPORTERS: &[Setting] = &[
    reporters("kafka.metrics.polling.interval.secs", Int, Some("10"), Min(1)),
    reporters("kafka.metrics.reporters", List, Some(""), Any),
    reporters("metric.reporters", List, Some("org.apache.kafka.common.metrics.JmxReporter"), Any).dynamic(),
    reporters("metrics.num.samples", Int, Some("2"), Min(1)),
    reporters("metrics.recording.level", Text, Some("INFO"), Any),
    reporters("metrics.sample.window.ms", Long, Some("30000"), Min(1)),
    reporters("telemetry.max.bytes", Int, Some("1048576"), Min(1)),
];

/// Quotas.
pub(super) static QUOTAS: &[Setting] = &[
    quotas("controller.quota.window.num", Int, Some("11"), Min(1)),
    quotas("controller.quota.window.size.seconds", Int, Some("1"), Min(1)),
    quotas("quota.window.num", Int, Some("11"), Min(1)),
    quotas("quota.window.size.seconds", Int, Some("1"), Min(1)),
];
