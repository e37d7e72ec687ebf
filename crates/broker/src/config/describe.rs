//! Settings as DescribeConfigs shows them: value, where it comes from, and what stands behind it.
//!
//! The order of synonyms is Kafka's: what decides comes first. As in Kafka, the list starts at the setting's own name:
//! a `retention.ms` that comes from `log.retention.hours` alone shows none and counts as a default.

use std::collections::BTreeMap;

use super::broker::BrokerConfig;
use super::definition::{Kind, Setting, Update};
use super::layers::{Source, family};
use super::table::{GROUP, TOPIC, broker_setting, broker_settings, is_listed};
use super::topic::effective;
use super::value;

/// One value behind another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synonym {
    /// The name it has there.
    pub name: &'static str,
    /// The value there; none for passwords.
    pub value: Option<String>,
    /// Where that is.
    pub source: Source,
}

/// One setting of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// The name.
    pub name: &'static str,
    /// The value in force; none for passwords and for Kafka's null.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: Source,
    /// Whether it cannot be changed while running.
    pub read_only: bool,
    /// Whether it is a password.
    pub sensitive: bool,
    /// The type.
    pub kind: Kind,
    /// What it means.
    pub documentation: &'static str,
    /// What stands behind it, the strongest first.
    pub synonyms: Vec<Synonym>,
}

impl Described {
    fn new(
        setting: &'static Setting,
        value: Option<String>,
        synonyms: Vec<Synonym>,
        read_only: bool,
    ) -> Self {
        let sensitive = setting.kind == Kind::Password;
        Self {
            name: setting.name,
            value: value.filter(|_| !sensitive),
            source: synonyms.first().map_or(Source::Default, |synonym| synonym.source),
            read_only,
            sensitive,
            kind: setting.kind,
            documentation: setting.documentation(),
            synonyms,
        }
    }
}

fn hidden(setting: &Setting, value: String) -> Option<String> {
    (setting.kind != Kind::Password).then_some(value)
}

/// What the broker's layers say about a setting, the strongest first.
fn broker_synonyms(name: &'static str, broker: &BrokerConfig) -> Vec<Synonym> {
    let texts = broker.layers.texts(name, &family(name)).into_iter();
    texts
        .map(|(name, text, source)| {
            let value = broker_setting(name).and_then(|setting| hidden(setting, text));
            Synonym { name, value, source }
        })
        .collect()
}

/// Every setting of a topic that sets `own`.
pub fn describe_topic(own: &BTreeMap<String, String>, broker: &BrokerConfig) -> Vec<Described> {
    let describe = |row: &'static super::table::TopicSetting| {
        let value = effective(row, own, broker).map(|value| value.to_text());
        let mut synonyms =
            row.broker.first().map_or_else(Vec::new, |(name, _)| broker_synonyms(name, broker));
        if own.contains_key(row.setting.name) {
            synonyms
                .insert(0, Synonym { name: row.setting.name, value: value.clone(), source: Source::Topic });
        }
        Described::new(&row.setting, value, synonyms, false)
    };
    TOPIC.iter().filter(|row| is_listed(&row.setting)).map(describe).collect()
}

/// Every setting of this broker, in name order.
pub fn describe_broker(broker: &BrokerConfig) -> Vec<Described> {
    let describe = |setting: &'static Setting| {
        let value = broker.layers.value(setting.name).map(|(value, _)| value.to_text());
        Described::new(
            setting,
            value,
            broker_synonyms(setting.name, broker),
            setting.update == Update::ReadOnly,
        )
    };
    let mut described: Vec<Described> =
        broker_settings().filter(|setting| is_listed(setting)).map(describe).collect();
    described.sort_by_key(|described| described.name);
    described
}

/// What was changed for all brokers, and nothing else.
pub fn describe_broker_default(broker: &BrokerConfig) -> Vec<Described> {
    let describe = |(name, text): (&String, &String)| {
        let setting = broker_setting(name)?;
        let value = hidden(setting, text.clone());
        let synonym = Synonym { name: setting.name, value: value.clone(), source: Source::BrokerDefault };
        Some(Described::new(setting, value, vec![synonym], false))
    };
    broker.layers.all_brokers().iter().filter_map(describe).collect()
}

/// Every setting of a group that sets `own`.
pub fn describe_group(own: &BTreeMap<String, String>, broker: &BrokerConfig) -> Vec<Described> {
    let describe = |setting: &'static Setting| {
        let broker_name = broker_setting(&format!("group.{}", setting.name)).map(|setting| setting.name);
        let own_value = own.get(setting.name).and_then(|text| value::parse(setting, text).ok());
        let value = own_value
            .clone()
            .or_else(|| broker_name.and_then(|name| broker.layers.value(name)).map(|(value, _)| value))
            .map(|value| value.to_text())
            .or_else(|| setting.default.map(str::to_owned));
        let mut synonyms = broker_name.map_or_else(
            || {
                let value = setting.default.map(str::to_owned);
                vec![Synonym { name: setting.name, value, source: Source::Default }]
            },
            |name| broker_synonyms(name, broker),
        );
        if own_value.is_some() {
            synonyms.insert(0, Synonym { name: setting.name, value: value.clone(), source: Source::Group });
        }
        Described::new(setting, value, synonyms, false)
    };
    GROUP.iter().map(describe).collect()
}
