//! The broker's values, layer over layer: default, written at the start, changed for all brokers, changed for this one.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::definition::{Setting, Update};
use super::sources::{ConfigError, Given, Origin};
use super::table::{TopicSetting, broker_setting};
use super::value::{self, Value};

/// Where a value comes from (kafka: DescribeConfigs `ConfigSource`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i8)]
pub enum Source {
    /// Set for the topic.
    Topic = 1,
    /// Changed while running, for this broker.
    Broker = 2,
    /// Changed while running, for all brokers.
    BrokerDefault = 3,
    /// Written in the file, the environment or a flag.
    Static = 4,
    /// Nobody set it.
    Default = 5,
    /// Set for the group.
    Group = 8,
}

impl Source {
    /// The code in a DescribeConfigs answer.
    pub const fn code(self) -> i8 {
        self as i8
    }
}

/// Settings names that stand in for each other, the strongest first (kafka: DynamicBrokerConfig.brokerConfigSynonyms).
const FAMILIES: &[&[&str]] = &[
    &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    &["log.roll.ms", "log.roll.hours"],
    &["log.roll.jitter.ms", "log.roll.jitter.hours"],
];

/// The names whose values can decide about `name`.
pub(super) fn family(name: &'static str) -> Vec<&'static str> {
    if name == "log.flush.interval.ms" {
        return vec![name, "log.flush.scheduler.interval.ms"];
    }
    FAMILIES.iter().find(|family| family.contains(&name)).map_or_else(|| vec![name], |family| family.to_vec())
}

/// All layers. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    given: Arc<BTreeMap<&'static str, Given>>,
    all_brokers: Arc<BTreeMap<String, String>>,
    this_broker: Arc<BTreeMap<String, String>>,
}

impl Layers {
    /// What was written at the start, without anything changed since.
    pub fn new(given: BTreeMap<&'static str, Given>) -> Self {
        Self { given: Arc::new(given), ..Self::default() }
    }

    /// The same start with other changes on top, from the metadata store.
    #[must_use]
    pub fn with_dynamic(
        &self,
        all_brokers: BTreeMap<String, String>,
        this_broker: BTreeMap<String, String>,
    ) -> Self {
        Self {
            given: Arc::clone(&self.given),
            all_brokers: Arc::new(all_brokers),
            this_broker: Arc::new(this_broker),
        }
    }

    /// What was changed for all brokers.
    pub fn all_brokers(&self) -> &BTreeMap<String, String> {
        &self.all_brokers
    }

    /// What was changed for this broker.
    pub fn this_broker(&self) -> &BTreeMap<String, String> {
        &self.this_broker
    }

    /// The text of `name` in each layer that has it, the strongest first.
    pub(super) fn texts(&self, name: &str, names: &[&'static str]) -> Vec<(&'static str, String, Source)> {
        let mut found = Vec::new();
        let settings: Vec<&'static Setting> = names.iter().filter_map(|name| broker_setting(name)).collect();
        for setting in &settings {
            if let Some(text) = changed(setting, &self.this_broker) {
                found.push((setting.name, text, Source::Broker));
            }
        }
        for setting in &settings {
            if let Some(text) = changed(setting, &self.all_brokers) {
                found.push((setting.name, text, Source::BrokerDefault));
            }
        }
        for setting in &settings {
            if let Some(given) = self.given.get(setting.name) {
                found.push((setting.name, given.value.clone(), Source::Static));
            }
        }
        for setting in &settings {
            if let Some(default) = setting.default {
                found.push((setting.name, default.to_owned(), Source::Default));
            }
        }
        // As Kafka does: the answer starts at the first entry of the name that was asked for.
        let start = found.iter().position(|(found, ..)| *found == name).unwrap_or(found.len());
        found.split_off(start)
    }

    /// Where the text in force was written, if it was.
    pub(super) fn origin(&self, name: &str) -> Option<&Origin> {
        self.given.get(name).map(|given| &given.origin)
    }

    /// An error about the value of `name`, with the place where it was written.
    pub(super) fn wrong(&self, name: &str, message: impl std::fmt::Display) -> ConfigError {
        let message = format!("{name}: {message}");
        match self.origin(name) {
            Some(origin) => ConfigError::Invalid { origin: origin.clone(), message },
            None => ConfigError::Conflict(message),
        }
    }

    /// The broker's value for a topic that does not set its own, in the topic's unit, with the setting it stands in.
    pub(super) fn for_topics(&self, row: &TopicSetting) -> Option<(Value, &'static str, Source)> {
        // A name that somebody set comes before the defaults of all names.
        let found = |only_set: bool| {
            row.broker.iter().find_map(|(name, unit_ms)| {
                self.value(name)
                    .filter(|(_, source)| !only_set || *source != Source::Default)
                    .map(|(value, source)| (value, *name, source, *unit_ms))
            })
        };
        let (value, name, source, unit_ms) = found(true).or_else(|| found(false))?;
        let value = match value {
            Value::Number(number) if unit_ms > 1 && number < 0 => Value::Number(-1),
            Value::Number(number) => Value::Number(number.saturating_mul(unit_ms)),
            other => other,
        };
        Some((value, name, source))
    }

    /// The value in force of one setting; none is Kafka's null.
    pub fn value(&self, name: &str) -> Option<(Value, Source)> {
        let setting = broker_setting(name)?;
        let parsed = |text: &str, source| value::parse(setting, text).ok().map(|value| (value, source));
        changed(setting, &self.this_broker)
            .and_then(|text| parsed(&text, Source::Broker))
            .or_else(|| {
                changed(setting, &self.all_brokers).and_then(|text| parsed(&text, Source::BrokerDefault))
            })
            .or_else(|| self.given.get(name).and_then(|given| parsed(&given.value, Source::Static)))
            .or_else(|| setting.default.and_then(|text| parsed(text, Source::Default)))
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        match self.value(name) {
            Some((Value::Number(number), _)) => Some(number),
            _ => None,
        }
    }

    /// A number of a setting whose default is not null.
    pub(super) fn int(&self, name: &str) -> i64 {
        self.number(name).unwrap_or_default()
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.value(name), Some((Value::Boolean(true), _)))
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(|(value, _)| value.to_text()).filter(|text| !text.is_empty())
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Some((Value::List(items), _)) => items,
            _ => Vec::new(),
        }
    }
}

/// A changed value that counts: of a setting that may change, and well-formed.
fn changed(setting: &Setting, layer: &BTreeMap<String, String>) -> Option<String> {
    if setting.update == Update::ReadOnly {
        return None;
    }
    let text = layer.get(setting.name)?;
    value::parse(setting, text).ok().map(|value| value.to_text())
}
