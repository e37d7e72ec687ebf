//! What the broker's tables say of Kafka's settings.

use std::collections::BTreeMap;

use pagewire_broker::config::{
    BrokerConfig, Target, TopicConfig, broker_setting, group_setting, topic_row, validate_broker,
    validate_group, validate_topic,
};
use pagewire_takeover::{Dynamic, LogConfig, Owner, Settings};

use super::properties::Properties;

/// The broker's tables.
pub(super) struct Tables {
    broker: BrokerConfig,
}

impl Tables {
    /// With what the file sets for topics, if there is one that is right: serve reads it for itself.
    pub(super) fn under(file: Option<&Properties>) -> Self {
        let broker = file.and_then(|file| file.broker().ok());
        Self { broker: broker.unwrap_or_else(BrokerConfig::defaults) }
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

    fn log(&self, own: &BTreeMap<String, String>, above: &Dynamic) -> LogConfig {
        let Dynamic { all_brokers, this_broker } = above.clone();
        // Those that do not fit together stay behind, and are told.
        let changed = self.broker.with_dynamic(all_brokers, this_broker).ok();
        TopicConfig::resolve(own, changed.as_ref().unwrap_or(&self.broker)).log_config()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A topic's own settings, what was changed while Kafka ran, its file.
    #[test]
    fn a_topic_is_compacted_by_whoever_says_so_first() {
        let of = |name: &str, value: &str| BTreeMap::from([(name.to_owned(), value.to_owned())]);
        let (tables, nothing) = (Tables::under(None), BTreeMap::new());
        let changed = Dynamic { all_brokers: of("log.cleanup.policy", "compact"), ..Dynamic::default() };
        let is_compacted = |own: &BTreeMap<_, _>, above: &Dynamic| tables.log(own, above).cleanup_compact;
        assert!(!is_compacted(&nothing, &Dynamic::default()));
        assert!(is_compacted(&nothing, &changed));
        assert!(!is_compacted(&of("cleanup.policy", "delete"), &changed));
    }

    #[test]
    fn what_the_tables_know_comes_along_and_nothing_else() {
        let tables = Tables::under(None);
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
