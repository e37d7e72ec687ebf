//! Keys of Kafka 2 and 3 that Kafka 4 dropped: an old `server.properties` still starts.

use crate::config::definition::Kind::Text;
use crate::config::definition::Rule::Any;
use crate::config::definition::{Area, Setting};

const fn gone(name: &'static str) -> Setting {
    Setting::moot(Area::Removed, name, Text, None, Any)
}

/// Only names are known of these; any value is accepted.
pub(super) static REMOVED: &[Setting] = &[
    gone("advertised.host.name"),
    gone("advertised.port"),
    gone("alter.log.dirs.replication.quota.window.size"),
    gone("broker.id.generation.enable"),
    gone("control.plane.listener.name"),
    gone("controlled.shutdown.max.retries"),
    gone("controlled.shutdown.retry.backoff.ms"),
    gone("delegation.token.master.key"),
    gone("eligible.leader.replicas.enable"),
    gone("group.coordinator.new.enable"),
    gone("group.share.enable"),
    gone("host.name"),
    gone("inter.broker.protocol.version"),
    gone("leader.imbalance.per.broker.percentage"),
    gone("log.message.downconversion.enable"),
    gone("log.message.format.version"),
    gone("log.message.timestamp.difference.max.ms"),
    gone("password.encoder.cipher.algorithm"),
    gone("password.encoder.iterations"),
    gone("password.encoder.key.length"),
    gone("password.encoder.keyfactory.algorithm"),
    gone("password.encoder.old.secret"),
    gone("password.encoder.secret"),
    gone("port"),
    gone("quota.consumer.default"),
    gone("quota.producer.default"),
    gone("reserved.broker.max.id"),
    gone("zookeeper.clientCnxnSocket"),
    gone("zookeeper.connect"),
    gone("zookeeper.connection.timeout.ms"),
    gone("zookeeper.max.in.flight.requests"),
    gone("zookeeper.metadata.migration.enable"),
    gone("zookeeper.session.timeout.ms"),
    gone("zookeeper.set.acl"),
    gone("zookeeper.ssl.client.enable"),
    gone("zookeeper.sync.time.ms"),
];
