//! Changing settings while running: the operations, and what is allowed.

use std::collections::{BTreeMap, BTreeSet};

use super::broker::BrokerConfig;
use super::definition::{Area, Kind, Setting, Standing, Update};
use super::loggers;
use super::names::nearest;
use super::table::{broker_setting, broker_settings, group_setting, topic_row, topic_setting};
use super::topic::effective;
use super::value::{self, Value, items};

/// What IncrementalAlterConfigs does with one setting; the codes are the protocol's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// 0: give it this value.
    Set,
    /// 1: take its own value away.
    Delete,
    /// 2: add to a list what is not in it.
    Append,
    /// 3: take out of a list.
    Subtract,
}

impl ChangeKind {
    /// The kind of this code.
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            0 => Some(Self::Set),
            1 => Some(Self::Delete),
            2 => Some(Self::Append),
            3 => Some(Self::Subtract),
            _ => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Set => "SET",
            Self::Delete => "DELETE",
            Self::Append => "APPEND",
            Self::Subtract => "SUBTRACT",
        }
    }
}

/// One wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change<'c> {
    /// The setting.
    pub name: &'c str,
    /// What to do with it.
    pub kind: ChangeKind,
    /// With which value; only a delete does without.
    pub value: Option<&'c str>,
}

/// Whose settings are changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A topic's.
    Topic,
    /// All brokers'.
    BrokerDefault,
    /// One broker's.
    Broker,
    /// A group's.
    Group,
    /// Those of what is logged.
    Loggers,
}

/// A change is refused. The text is for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlterError {
    /// Error code INVALID_REQUEST.
    #[error("{0}")]
    InvalidRequest(String),
    /// Error code INVALID_CONFIG.
    #[error("{0}")]
    InvalidConfig(String),
}

fn setting_of(target: Target, name: &str) -> Option<&'static Setting> {
    match target {
        Target::Topic => topic_setting(name),
        Target::BrokerDefault | Target::Broker => broker_setting(name),
        Target::Group => group_setting(name),
        Target::Loggers => None,
    }
}

/// The items a list has now: its own, or those it takes over from the broker.
fn current_items(
    target: Target,
    setting: &Setting,
    own: &BTreeMap<String, String>,
    broker: &BrokerConfig,
) -> Vec<String> {
    let taken_over = || match target {
        Target::Topic => topic_row(setting.name).and_then(|row| effective(row, &BTreeMap::new(), broker)),
        Target::BrokerDefault | Target::Broker => broker.layers.value(setting.name).map(|(value, _)| value),
        Target::Group | Target::Loggers => None,
    };
    match (own.get(setting.name), taken_over()) {
        (Some(text), _) => items(text),
        (None, Some(Value::List(items))) => items,
        (None, _) => Vec::new(),
    }
}

/// The settings that `changes` make of `own`. Names and values are not checked here, but for what the operations need, and for
/// levels of loggers.
pub fn apply(
    target: Target,
    own: &BTreeMap<String, String>,
    changes: &[Change<'_>],
    broker: &BrokerConfig,
) -> Result<BTreeMap<String, String>, AlterError> {
    if target == Target::Loggers {
        changes.iter().try_for_each(check_logger)?;
    }
    let mut next = own.clone();
    let mut seen = BTreeSet::new();
    for change in changes {
        if !seen.insert(change.name) {
            return Err(AlterError::InvalidRequest("Error due to duplicate config keys".to_owned()));
        }
        let value = match (change.kind, change.value) {
            (ChangeKind::Delete, _) => {
                next.remove(change.name);
                continue;
            }
            (_, None) => return Err(null_value(change.name)),
            (_, Some(value)) => value,
        };
        if change.kind == ChangeKind::Set {
            next.insert(change.name.to_owned(), value.to_owned());
            continue;
        }
        let Some(setting) = setting_of(target, change.name).filter(|setting| setting.kind == Kind::List)
        else {
            return Err(AlterError::InvalidConfig(format!(
                "Can't {} to key {} because its type is not LIST.",
                change.kind.name(),
                change.name
            )));
        };
        let mut list = current_items(target, setting, &next, broker);
        for item in items(value) {
            match change.kind {
                ChangeKind::Subtract => list.retain(|kept| *kept != item),
                _ if list.contains(&item) => {}
                _ => list.push(item),
            }
        }
        next.insert(change.name.to_owned(), list.join(","));
    }
    Ok(next)
}

/// Refuses what no logger can take, in Kafka's words (kafka: RuntimeLoggerManager).
fn check_logger(change: &Change<'_>) -> Result<(), AlterError> {
    let name = change.name;
    if matches!(change.kind, ChangeKind::Append | ChangeKind::Subtract) {
        let kind = change.kind.name();
        let message = format!("{kind} operation is not allowed for the BROKER_LOGGER resource");
        return Err(AlterError::InvalidRequest(message));
    }
    if !loggers::is_known(name) {
        return Err(AlterError::InvalidConfig(format!("Logger {name} does not exist!")));
    }
    match (change.kind, change.value) {
        (ChangeKind::Delete, _) if name == loggers::ROOT => {
            let message = format!("Removing the log level of the {name} logger is not allowed");
            Err(AlterError::InvalidRequest(message))
        }
        (ChangeKind::Set, Some(level)) if !loggers::LEVELS.contains(&level) => {
            let valid = loggers::LEVELS.join(", ");
            Err(AlterError::InvalidConfig(format!(
                "Cannot set the log level of {name} to {level} as it is not a supported log level. Valid log levels are {valid}"
            )))
        }
        _ => Ok(()),
    }
}

/// The settings of an AlterConfigs request, which replace all there were.
pub fn replace<'c>(
    entries: impl IntoIterator<Item = (&'c str, Option<&'c str>)>,
) -> Result<BTreeMap<String, String>, AlterError> {
    let mut next = BTreeMap::new();
    for (name, value) in entries {
        let value = value.ok_or_else(|| null_value(name))?;
        if next.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(AlterError::InvalidRequest("Error due to duplicate config keys".to_owned()));
        }
    }
    Ok(next)
}

fn null_value(name: &str) -> AlterError {
    AlterError::InvalidRequest(format!("Null value not supported for : {name}"))
}

/// Checks what a broker's settings would become. Only what differs from `before` must be allowed to change.
pub fn validate_broker(
    target: Target,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> Result<(), AlterError> {
    let changed = || after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let mut fixed = Vec::new();
    let mut single = Vec::new();
    let mut secure = Vec::new();
    for (name, _) in changed() {
        match broker_setting(name) {
            None => return Err(unknown(name)),
            Some(setting) if setting.update == Update::ReadOnly => fixed.push(name.as_str()),
            Some(setting) if setting.standing == Standing::Moot(Area::Tls) => secure.push(name.as_str()),
            Some(setting) if setting.update == Update::PerBroker && target == Target::BrokerDefault => {
                single.push(name.as_str());
            }
            Some(_) => {}
        }
    }
    let refused = [
        (fixed, "Cannot update these configs dynamically"),
        (
            secure,
            "These security configs can be dynamically updated only per-listener using the listener prefix",
        ),
        (single, "Cannot update these configs at default cluster level, broker id must be specified"),
    ];
    for (names, why) in refused {
        if !names.is_empty() {
            return Err(AlterError::InvalidRequest(format!("{why}: [{}]", names.join(", "))));
        }
    }
    for (name, text) in changed() {
        if let Some(setting) = broker_setting(name) {
            value::parse(setting, text).map_err(AlterError::InvalidRequest)?;
        }
    }
    Ok(())
}

fn unknown(name: &str) -> AlterError {
    let hint = nearest(name, broker_settings().map(|setting| setting.name))
        .map(|meant| format!("; did you mean {meant}?"))
        .unwrap_or_default();
    AlterError::InvalidConfig(format!("Unknown broker config name: {name}{hint}"))
}

/// Checks a group's settings as a whole, with what the broker has where the group sets nothing.
pub fn validate_group(own: &BTreeMap<String, String>, broker: &BrokerConfig) -> Result<(), AlterError> {
    let mut numbers = BTreeMap::new();
    for (name, text) in own {
        let Some(setting) = group_setting(name) else {
            return Err(AlterError::InvalidConfig(format!("Unknown group config name: {name}")));
        };
        if let Value::Number(number) = value::parse(setting, text).map_err(AlterError::InvalidConfig)? {
            numbers.insert(name.as_str(), number);
        }
    }
    for (name, number) in &numbers {
        let [min, max] = broker_bounds(name);
        if broker.layers.number(&min).is_some_and(|min| *number < min) {
            return Err(AlterError::InvalidConfig(format!("{name} must be greater than or equal to {min}")));
        }
        if broker.layers.number(&max).is_some_and(|max| *number > max) {
            return Err(AlterError::InvalidConfig(format!("{name} must be less than or equal to {max}")));
        }
    }
    SESSIONS.iter().try_for_each(|pair| check_session(*pair, &numbers, broker))
}

/// The broker's settings that bound one of a group, of which a broker need not have any.
pub(super) fn broker_bounds(name: &str) -> [String; 2] {
    let (kind, rest) = name.split_once('.').unwrap_or((name, ""));
    ["min", "max"].map(|bound| format!("group.{kind}.{bound}.{rest}"))
}

/// How long a member may be silent, and how often it is to be heard.
const SESSIONS: [(&str, &str); 3] = [
    ("consumer.session.timeout.ms", "consumer.heartbeat.interval.ms"),
    ("share.session.timeout.ms", "share.heartbeat.interval.ms"),
    ("streams.session.timeout.ms", "streams.heartbeat.interval.ms"),
];

fn check_session(
    (session, heartbeat): (&str, &str),
    own: &BTreeMap<&str, i64>,
    broker: &BrokerConfig,
) -> Result<(), AlterError> {
    let in_force =
        |name: &str| own.get(name).copied().or_else(|| broker.layers.number(&format!("group.{name}")));
    let is_set = own.contains_key(session) || own.contains_key(heartbeat);
    if is_set && in_force(session) <= in_force(heartbeat) {
        return Err(AlterError::InvalidConfig(format!("{session} must be greater than {heartbeat}")));
    }
    Ok(())
}
