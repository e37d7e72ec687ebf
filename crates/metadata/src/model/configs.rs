//! Settings changed while running, for everything but topics (a topic carries its own).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::codec::Record;
use super::keys;

/// Whose settings.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigScope {
    /// Every broker.
    BrokerDefault,
    /// One broker, by node id.
    Broker(i32),
    /// One consumer group.
    Group(String),
}

impl ConfigScope {
    /// The key of these settings.
    pub fn key(&self) -> String {
        match self {
            Self::BrokerDefault => keys::BROKER_DEFAULT_CONFIG.to_owned(),
            Self::Broker(node) => format!("{}{node}", keys::BROKER_CONFIGS),
            Self::Group(group) => format!("{}{group}", keys::GROUP_CONFIGS),
        }
    }

    /// The scope a key belongs to; none for other keys.
    pub fn from_key(key: &str) -> Option<Self> {
        if key == keys::BROKER_DEFAULT_CONFIG {
            return Some(Self::BrokerDefault);
        }
        if let Some(node) = key.strip_prefix(keys::BROKER_CONFIGS) {
            return node.parse().ok().map(Self::Broker);
        }
        key.strip_prefix(keys::GROUP_CONFIGS).map(|group| Self::Group(group.to_owned()))
    }
}

/// The settings of one scope.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigRecord {
    /// Values as text, by Kafka's names.
    pub configs: BTreeMap<String, String>,
}

impl Record for ConfigRecord {
    const WHAT: &'static str = "settings";
    const VERSION: u32 = 1;
}
