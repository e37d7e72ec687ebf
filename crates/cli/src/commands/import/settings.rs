//! What the broker's tables say of Kafka's settings.

use std::collections::BTreeMap;

use pagewire_broker::config::{
    BrokerConfig, Target, TopicConfig, broker_setting, group_setting, topic_row, validate_broker,
    validate_group, validate_topic,
};
use pagewire_takeover::{LogConfig, Owner, Settings};

/// The broker's tables.
pub(super) struct Tables {
    broker: BrokerConfig,
}

impl Tables {
    /// With all defaults: what stands in server.properties is read when the directory is served.
    pub(super) fn new() -> Self {
        Self { broker: BrokerConfig::defaults() }
    }

    fn is_known(owner: &Owner, name: &str) -> bool {
        match owner {
            Owner::Topic(_) => topic_row(name).is_some(),
            Owner::Brokers | Owner::Broker(_) => broker_setting(name).is_some(),
            Owner::Group(_) => group_setting(name).is_some(),
            Owner::Other { .. } => false,
        }
    }
}

impl Settings for Tables {
    fn refuse(&self, owner: &Owner, name: &str, value: &str) -> Option<String> {
        if !Self::is_known(owner, name) {
            return Some("not known here".to_owned());
        }
        self.refuse_together(owner, &BTreeMap::from([(name.to_owned(), value.to_owned())]))
    }

    fn refuse_together(&self, owner: &Owner, own: &BTreeMap<String, String>) -> Option<String> {
        let nothing = BTreeMap::new();
        let broker = |target| validate_broker(target, &nothing, own).map_err(|error| error.to_string());
        let verdict = match owner {
            Owner::Topic(_) => validate_topic(own, &self.broker),
            Owner::Brokers => broker(Target::BrokerDefault),
            Owner::Broker(_) => broker(Target::Broker),
            Owner::Group(_) => validate_group(own, &self.broker).map_err(|error| error.to_string()),
            Owner::Other { .. } => Ok(()),
        };
        verdict.err()
    }

    fn log(&self, own: &BTreeMap<String, String>) -> LogConfig {
        TopicConfig::resolve(own, &self.broker).log_config()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tables_know_comes_along_and_nothing_else() {
        let tables = Tables::new();
        let topic = Owner::Topic("t".to_owned());
        for (owner, name, value, is_taken) in [
            (&topic, "retention.ms", "1000", true),
            (&topic, "retention.ms", "soon", false),
            (&topic, "no.such.setting", "1", false),
            (&Owner::Brokers, "log.cleaner.threads", "2", true),
            (&Owner::Brokers, "node.id", "2", false),
            (&Owner::Broker(1), "message.max.bytes", "1500000", true),
            (&Owner::Broker(1), "listener.name.internal.ssl.keystore.password", "secret", false),
            (&Owner::Other { kind: 16, name: "m".to_owned() }, "interval.ms", "1", false),
        ] {
            let refused = tables.refuse(owner, name, value);
            assert_eq!(refused.is_none(), is_taken, "{owner} {name}={value}: {refused:?}");
        }
    }
}
