//! Settings: what there is, where values come from, what is in force, and how it is shown and changed.
//!
//! ```text
//!   table/       one row per setting: name, type, default, bounds, meaning, whether it acts here
//!   sources.rs   file < environment < flags, each value checked against its row, misspelt names found
//!   layers.rs    default < written at the start < changed for all brokers < changed for this one
//!   broker.rs    BrokerConfig: everything typed and checked against each other
//!   addresses.rs where it listens, what clients are told, who may connect how often
//!   bounds.rs    what must hold between several settings
//!   topic.rs     TopicConfig: a topic's own settings over the broker's; what the log and the record checks need
//!   describe.rs  values with sources and synonyms, for DescribeConfigs
//!   alter.rs     set, delete, append, subtract, and what may be changed while running
//!   loggers.rs   levels of what is logged
//!   docs.rs      docs/settings.md
//! ```
//!
//! Names, types, defaults and bounds are Kafka 4.3.1's (its ConfigDef, asked by a program). Deviations are few and
//! meant: `listeners` is loopback, the data directory is `./pagewire-data`, `node.id` has a default.
//! Everything here is a function of its arguments, but for the lookup of host names in `listeners` and
//! `max.connections.per.ip.overrides` when the broker starts.

mod addresses;
mod alter;
mod bounds;
mod broker;
mod cleaner;
mod consumer_groups;
mod definition;
mod describe;
mod docs;
mod durations;
mod layers;
mod listeners;
mod loggers;
mod names;
mod sources;
mod table;
#[cfg(test)]
mod tests;
mod topic;
mod transfer;
mod value;

pub use alter::{AlterError, Change, ChangeKind, Target, apply, replace, validate_broker, validate_group};
pub(crate) use bounds::CORDONED;
pub use broker::BrokerConfig;
pub use cleaner::CleanerConfig;
pub use consumer_groups::ConsumerGroupsConfig;
pub(crate) use consumer_groups::OwnTimes;
pub use definition::{Area, Kind, Rule, Setting, Standing, Update};
pub use describe::{
    Described, Synonym, describe_broker, describe_broker_default, describe_group, describe_topic,
};
pub use docs::markdown;
pub use layers::{Layers, Source};
pub use listeners::Endpoint;
pub use loggers::{LoggerLevels, directives, levels as logger_levels};
pub use sources::{ConfigError, ConfigErrors, Given, OTHER_VARIABLES, Origin, Sources};
pub use table::{
    GROUP, TOPIC, TopicSetting, broker_setting, broker_settings, group_setting, topic_row, topic_setting,
};
pub use topic::{TopicConfig, validate_topic};
pub use transfer::{THRESHOLDS_FILE, ThresholdsOrigin, thresholds_in_use};
pub use value::{Value, parse};
