//! The tables: one row per setting, one file per subject.

mod cluster;
mod consumer_groups;
mod group;
mod groups;
mod later;
mod log;
mod machinery;
mod network;
mod new_groups;
mod own;
mod removed;
mod security;
mod topic;
mod topics;
mod transactions;

use super::definition::{Area, Setting, Standing};

pub use group::GROUP;
pub use topic::{TOPIC, TopicSetting};

/// A part of the broker's table under one heading.
pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) rows: &'static [Setting],
}

const fn section(title: &'static str, rows: &'static [Setting]) -> Section {
    Section { title, rows }
}

/// The broker's settings, in the order of the documentation.
pub(super) static SECTIONS: &[Section] = &[
    section("Pagewire's own", own::OWN),
    section("Network", network::NETWORK),
    section("Log", log::LOG),
    section("Topics", topics::TOPICS),
    section("Groups", groups::GROUPS),
    section("Consumer groups", consumer_groups::CONSUMER_GROUPS),
    section("Transactions", transactions::TRANSACTIONS),
    section("Two-phase commit", later::LATER),
    section("Share and streams groups", new_groups::NEW_GROUPS),
    section("TLS", security::TLS),
    section("SASL", security::SASL),
    section("Controllers", cluster::KRAFT),
    section("Replication", cluster::REPLICATION),
    section("Tiered storage", cluster::REMOTE),
    section("Internals of the Java broker", machinery::MACHINERY),
    section("Plug-ins", machinery::PLUGINS),
    section("Reporters", machinery::REPORTERS),
    section("Quotas", machinery::QUOTAS),
    section("Removed from Kafka", removed::REMOVED),
];

/// Prefixes under which Kafka's plug-ins and listeners keep keys of their own.
pub(super) static NAMESPACES: &[(&str, Area)] = &[
    ("listener.name.", Area::Tls),
    ("config.providers.", Area::Plugins),
    ("rsm.config.", Area::RemoteStorage),
    ("rlmm.config.", Area::RemoteStorage),
    ("remote.log.metadata.", Area::RemoteStorage),
    ("confluent.", Area::Plugins),
    ("metrics.jmx.", Area::Reporters),
];

/// Every broker setting.
pub fn broker_settings() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.rows)
}

/// The broker setting of this name.
pub fn broker_setting(name: &str) -> Option<&'static Setting> {
    broker_settings().find(|setting| setting.name == name)
}

/// The topic setting of this name.
pub fn topic_setting(name: &str) -> Option<&'static Setting> {
    topic_row(name).map(|row| &row.setting)
}

/// The topic setting of this name with its broker-level names.
pub fn topic_row(name: &str) -> Option<&'static TopicSetting> {
    TOPIC.iter().find(|row| row.setting.name == name)
}

/// The group setting of this name.
pub fn group_setting(name: &str) -> Option<&'static Setting> {
    GROUP.iter().find(|setting| setting.name == name)
}

/// Whether a row belongs into answers and documentation.
pub(super) fn is_listed(setting: &Setting) -> bool {
    !setting.internal && setting.standing != Standing::Moot(Area::Removed)
}
