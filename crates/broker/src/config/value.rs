//! From text to a typed value, with Kafka's words when it does not work.
//!
//! The messages are those its tools print: `Invalid value 1 for configuration segment.bytes: Value must be at least
//! 1048576` (kafka: ConfigDef.parseType and its validators).

use super::definition::{Kind, Rule, Setting};
use super::durations::is_duration;

/// Longest value in bytes: what a string of the protocol's older versions holds, in which settings are described.
const VALUE_BYTES_MAX: usize = i16::MAX as usize;
/// Bytes of a value that an error repeats.
const QUOTED_BYTES_MAX: usize = 1024;

/// A parsed value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of [`Kind::Boolean`].
    Boolean(bool),
    /// Of [`Kind::Int`], [`Kind::Short`] or [`Kind::Long`].
    Number(i64),
    /// Of [`Kind::Double`].
    Double(f64),
    /// Of [`Kind::Text`], [`Kind::Class`] or [`Kind::Password`].
    Text(String),
    /// Of [`Kind::List`].
    List(Vec<String>),
}

impl Value {
    /// The text Kafka shows for it: trimmed, lists without spaces.
    pub fn to_text(&self) -> String {
        match self {
            Self::Boolean(value) => value.to_string(),
            Self::Number(value) => value.to_string(),
            // As Java writes it.
            Self::Double(value) => format!("{value:?}").replace('e', "E"),
            Self::Text(value) => value.clone(),
            Self::List(items) => items.join(","),
        }
    }
}

/// Parses and checks `text` as a value of `setting`; the error is Kafka's sentence.
pub fn parse(setting: &Setting, text: &str) -> Result<Value, String> {
    let text = text.trim();
    if text.len() > VALUE_BYTES_MAX {
        let why = format_args!("Value must not be longer than {VALUE_BYTES_MAX} bytes");
        return Err(invalid(setting, text, why));
    }
    let value = match setting.kind {
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Value::Boolean(true),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Value::Boolean(false),
        Kind::Boolean => return Err(invalid(setting, text, "Expected value to be either true or false")),
        Kind::Int => Value::Number(number(setting, text, i64::from(i32::MIN), i64::from(i32::MAX))?),
        Kind::Short => Value::Number(number(setting, text, i64::from(i16::MIN), i64::from(i16::MAX))?),
        Kind::Long => Value::Number(number(setting, text, i64::MIN, i64::MAX)?),
        Kind::Double => match text.parse::<f64>() {
            Ok(value) if !value.is_nan() => Value::Double(value),
            _ => return Err(invalid(setting, text, "Not a number of type DOUBLE")),
        },
        Kind::Text | Kind::Class | Kind::Password => Value::Text(text.to_owned()),
        Kind::List => Value::List(items(text)),
    };
    check(setting, &value)?;
    Ok(without_repeats(setting, value))
}

/// A list of choices names nothing twice: what is named again is passed over (KIP-1161).
fn without_repeats(setting: &Setting, value: Value) -> Value {
    match value {
        Value::List(items) if matches!(setting.rule, Rule::OneOf(_)) => {
            let mut once: Vec<String> = Vec::with_capacity(items.len());
            for item in items {
                if !once.contains(&item) {
                    once.push(item);
                }
            }
            Value::List(once)
        }
        other => other,
    }
}

/// The items between commas; an empty text has none.
pub(super) fn items(text: &str) -> Vec<String> {
    let text = text.trim();
    if text.is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

fn invalid(setting: &Setting, value: impl std::fmt::Display, why: impl std::fmt::Display) -> String {
    if setting.kind == Kind::Password {
        return format!("Invalid value [hidden] for configuration {}: {why}", setting.name);
    }
    let mut value = value.to_string();
    if value.len() > QUOTED_BYTES_MAX {
        value.truncate(value.floor_char_boundary(QUOTED_BYTES_MAX));
        value.push_str("...");
    }
    format!("Invalid value {value} for configuration {}: {why}", setting.name)
}

fn number(setting: &Setting, text: &str, min: i64, max: i64) -> Result<i64, String> {
    match text.parse::<i64>() {
        Ok(value) if (min..=max).contains(&value) => Ok(value),
        _ => Err(invalid(setting, text, format_args!("Not a number of type {}", setting.kind.name()))),
    }
}

fn check(setting: &Setting, value: &Value) -> Result<(), String> {
    let refuse = |why: String| Err(invalid(setting, value.to_text(), why));
    match (setting.rule, value) {
        (Rule::Min(min) | Rule::Between(min, _), Value::Number(number)) if *number < min => {
            refuse(format!("Value must be at least {min}"))
        }
        (Rule::Between(_, max), Value::Number(number)) if *number > max => {
            refuse(format!("Value must be no more than {max}"))
        }
        (Rule::Fraction(min, _), Value::Double(number)) if *number < min => {
            refuse(format!("Value must be at least {min}"))
        }
        (Rule::Fraction(_, max), Value::Double(number)) if *number > max => {
            refuse(format!("Value must be no more than {max}"))
        }
        (Rule::GzipLevel, Value::Number(level)) if *level != -1 && !(1..=9).contains(level) => {
            refuse("Value must be between 1 and 9 or equal to -1".to_owned())
        }
        (Rule::OneOf(allowed), Value::Text(text)) if !allowed.contains(&text.as_str()) => {
            refuse(format!("String must be one of: {}", allowed.join(", ")))
        }
        (Rule::OneOfAnyCase(allowed), Value::Text(text))
            if !allowed.iter().any(|one| one.eq_ignore_ascii_case(text)) =>
        {
            refuse(format!("String must be one of (case insensitive): {}", allowed.join(", ")))
        }
        (Rule::OffsetReset, Value::Text(text)) if !is_offset_reset(text) => refuse(format!(
            "Invalid value `{text}` for configuration {}. The value must be either 'earliest', 'latest' or of the \
             format 'by_duration:<PnDTnHnMn.nS>'.",
            setting.name
        )),
        (Rule::OneOf(allowed), Value::List(items)) => {
            if items.iter().any(String::is_empty) {
                return Err(format!("Configuration '{}' values must not be empty.", setting.name));
            }
            match items.iter().find(|item| !allowed.contains(&item.as_str())) {
                None => Ok(()),
                Some(item) => {
                    Err(invalid(setting, item, format_args!("String must be one of: {}", allowed.join(", "))))
                }
            }
        }
        (Rule::NotEmpty, Value::Text(text)) if text.is_empty() => {
            refuse("String must be non-empty".to_owned())
        }
        (Rule::NotEmpty, Value::List(items)) if items.iter().all(String::is_empty) => Err(format!(
            "Configuration '{}' must not be empty. Valid values include: any non-empty value",
            setting.name
        )),
        (Rule::ThrottledReplicas, Value::List(items)) if !are_throttled_replicas(items) => Err(invalid(
            setting,
            format_args!("[{}]", items.join(", ")),
            format_args!(
                "{} must be the literal '*' or a list of replicas in the following format: \
                 [partitionId]:[brokerId],[partitionId]:[brokerId],...",
                setting.name
            ),
        )),
        _ => Ok(()),
    }
}

fn is_offset_reset(text: &str) -> bool {
    ["earliest", "latest"].contains(&text) || text.strip_prefix("by_duration:").is_some_and(is_duration)
}

fn are_throttled_replicas(items: &[String]) -> bool {
    let is_pair = |item: &String| {
        item.split_once(':').is_some_and(|(partition, broker)| {
            [partition, broker]
                .iter()
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
        })
    };
    items == ["*"] || items.iter().all(is_pair)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{broker_setting, group_setting, topic_setting};

    fn error(name: &str, text: &str) -> String {
        let known = topic_setting(name).or_else(|| broker_setting(name)).or_else(|| group_setting(name));
        let setting = known.expect("a known name");
        parse(setting, text).expect_err("it must be refused")
    }

    /// Every sentence here was printed by Apache Kafka 4.3.1 for the same key and value.
    #[test]
    fn refusals_use_kafkas_words() {
        let cases = [
            (
                "segment.bytes",
                "1",
                "Invalid value 1 for configuration segment.bytes: Value must be at least 1048576",
            ),
            (
                "segment.bytes",
                "abc",
                "Invalid value abc for configuration segment.bytes: Not a number of type INT",
            ),
            ("segment.bytes", "", "Invalid value  for configuration segment.bytes: Not a number of type INT"),
            (
                "retention.ms",
                "1.5",
                "Invalid value 1.5 for configuration retention.ms: Not a number of type LONG",
            ),
            (
                "retention.ms",
                "-2",
                "Invalid value -2 for configuration retention.ms: Value must be at least -1",
            ),
            (
                "max.message.bytes",
                "2147483648",
                "Invalid value 2147483648 for configuration max.message.bytes: Not a number of type INT",
            ),
            (
                "cleanup.policy",
                "delete,foo",
                "Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete",
            ),
            ("cleanup.policy", "delete,", "Configuration 'cleanup.policy' values must not be empty."),
            ("cleanup.policy", ",", "Configuration 'cleanup.policy' values must not be empty."),
            (
                "cleanup.policy",
                "[]",
                "Invalid value [] for configuration cleanup.policy: String must be one of: compact, delete",
            ),
            (
                "cleanup.policy",
                "COMPACT",
                "Invalid value COMPACT for configuration cleanup.policy: String must be one of: compact, delete",
            ),
            (
                "compression.gzip.level",
                "0",
                "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1",
            ),
            (
                "compression.lz4.level",
                "18",
                "Invalid value 18 for configuration compression.lz4.level: Value must be no more than 17",
            ),
            (
                "min.cleanable.dirty.ratio",
                "2",
                "Invalid value 2.0 for configuration min.cleanable.dirty.ratio: Value must be no more than 1",
            ),
            (
                "preallocate",
                "maybe",
                "Invalid value maybe for configuration preallocate: Expected value to be either true or false",
            ),
            (
                "compression.type",
                "none",
                "Invalid value none for configuration compression.type: String must be one of: uncompressed, zstd, \
                 lz4, snappy, gzip, producer",
            ),
            (
                "leader.replication.throttled.replicas",
                "none",
                "Invalid value [none] for configuration leader.replication.throttled.replicas: \
                 leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the following \
                 format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
            ),
            (
                "group.consumer.migration.policy",
                "foo",
                "Invalid value foo for configuration group.consumer.migration.policy: String must be one of (case \
                 insensitive): DISABLED, DOWNGRADE, UPGRADE, BIDIRECTIONAL",
            ),
            (
                "share.auto.offset.reset",
                "by_duration:-PT1H",
                "Invalid value by_duration:-PT1H for configuration share.auto.offset.reset: Invalid value \
                 `by_duration:-PT1H` for configuration share.auto.offset.reset. The value must be either 'earliest', \
                 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.",
            ),
            (
                "log.dirs",
                "",
                "Configuration 'log.dirs' must not be empty. Valid values include: any non-empty value",
            ),
        ];
        for (name, text, expected) in cases {
            assert_eq!(error(name, text), expected);
        }
    }

    #[test]
    fn a_value_that_no_answer_can_carry_is_refused_in_a_short_sentence() {
        let longest = "a".repeat(VALUE_BYTES_MAX);
        let rack = broker_setting("broker.rack").expect("a known name");
        assert!(parse(rack, &longest).is_ok());
        let refused = parse(rack, &format!("{longest}ä")).expect_err("too long");
        assert!(refused.ends_with("Value must not be longer than 32767 bytes"), "{refused}");
        assert!(refused.len() < 2 * QUOTED_BYTES_MAX);
        let refused = error("segment.bytes", &"ä".repeat(QUOTED_BYTES_MAX));
        assert!(refused.len() < 2 * QUOTED_BYTES_MAX && refused.contains("ä..."), "{refused}");
    }

    #[test]
    fn spaces_and_case_are_forgiven_where_kafka_forgives_them() {
        let ok = |name, text| parse(topic_setting(name).expect("a known name"), text).expect("a good value");
        assert_eq!(ok("segment.bytes", " 2000000 "), Value::Number(2_000_000));
        assert_eq!(ok("retention.ms", "+5"), Value::Number(5));
        assert_eq!(ok("preallocate", "TRUE"), Value::Boolean(true));
        assert_eq!(ok("cleanup.policy", "compact, delete").to_text(), "compact,delete");
        assert_eq!(ok("cleanup.policy", ""), Value::List(Vec::new()));
        assert_eq!(ok("cleanup.policy", " "), Value::List(Vec::new()));
        assert_eq!(ok("cleanup.policy", "compact,delete,compact").to_text(), "compact,delete");
        assert_eq!(ok("leader.replication.throttled.replicas", "*").to_text(), "*");
        assert_eq!(ok("leader.replication.throttled.replicas", "0:1,1:2").to_text(), "0:1,1:2");
    }
}
