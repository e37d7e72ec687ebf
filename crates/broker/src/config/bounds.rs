//! What must hold between several settings, and of a value that one of several names decides.
//!
//! The sentences are Apache Kafka 4.3.1's, for the same values.

use super::broker::{EVERY_DIRECTORY, paths};
use super::layers::{Layers, Source};
use super::sources::ConfigError;
use super::table::topic_row;
use super::value::Value;

/// Pairs of which the first may not exceed the second.
const ORDERED: [(&str, &str); 11] = [
    ("group.min.session.timeout.ms", "group.max.session.timeout.ms"),
    ("group.consumer.min.session.timeout.ms", "group.consumer.max.session.timeout.ms"),
    ("group.consumer.min.session.timeout.ms", "group.consumer.session.timeout.ms"),
    ("group.consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms"),
    ("group.consumer.min.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"),
    ("group.consumer.min.heartbeat.interval.ms", "group.consumer.heartbeat.interval.ms"),
    ("group.consumer.heartbeat.interval.ms", "group.consumer.max.heartbeat.interval.ms"),
    ("group.consumer.min.assignment.interval.ms", "group.consumer.max.assignment.interval.ms"),
    ("group.consumer.min.assignment.interval.ms", "group.consumer.assignment.interval.ms"),
    ("group.consumer.assignment.interval.ms", "group.consumer.max.assignment.interval.ms"),
    ("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms"),
];

/// A pair of which the first must be less than the second: a member that is heard in time is not expelled.
const BELOW: (&str, &str) = ("group.consumer.heartbeat.interval.ms", "group.consumer.session.timeout.ms");

/// A cleaner needs more than this.
const BUFFER_PER_CLEANER: i64 = 1 << 20;

/// A time that a topic takes over from one of several settings: its name there, what must hold, and the sentence.
type Time = (&'static str, fn(i64) -> bool, &'static str);

const TIMES: [Time; 3] = [
    ("segment.ms", |ms| ms >= 1, "log.roll.ms must be greater than or equal to 1"),
    ("segment.jitter.ms", |ms| ms >= 0, "log.roll.jitter.ms must be greater than or equal to 0"),
    (
        "retention.ms",
        // Kafka takes every negative number for -1.
        |ms| ms != 0,
        "log.retention.ms must be unlimited (-1) or, greater than or equal to 1",
    ),
];

/// Adds what does not hold.
pub(super) fn check(layers: &Layers, errors: &mut Vec<ConfigError>) {
    for (low, high) in ORDERED {
        let (least, most) = (layers.int(low), layers.int(high));
        if least > most {
            errors.push(layers.wrong(low, format_args!("{least} is more than {high}, which is {most}")));
        }
    }
    let (low, high) = BELOW;
    let (least, most) = (layers.int(low), layers.int(high));
    if least >= most {
        errors.push(layers.wrong(low, format_args!("{least} is not less than {high}, which is {most}")));
    }
    errors.extend(TIMES.iter().filter_map(|time| check_time(layers, time)));
    errors.extend(check_connections(layers));
    errors.extend(check_cleaner(layers));
    errors.extend(check_protocols(layers));
    errors.extend(check_cordoned(layers));
    errors.extend(check_assignors(layers));
}

/// Groups of the classic protocol are those of nearly all clients, and what the newer ones fall back to.
fn check_protocols(layers: &Layers) -> Option<ConfigError> {
    let name = "group.coordinator.rebalance.protocols";
    let (_, source) = layers.value(name)?;
    let lacks_classic = layers.list(name).iter().all(|protocol| protocol != "classic");
    lacks_classic.then(|| refusal(layers, name, source, "Disabling the 'classic' protocol is not supported."))
}

/// Without one nobody could say who gets what.
fn check_assignors(layers: &Layers) -> Option<ConfigError> {
    let name = "group.consumer.assignors";
    let (_, source) = layers.value(name)?;
    layers.list(name).is_empty().then(|| refusal(layers, name, source, format!("{name} must not be empty")))
}

/// A directory that is none of the broker's would be cordoned in vain. What was cordoned while running may have been taken away
/// since, as was its purpose.
fn check_cordoned(layers: &Layers) -> Option<ConfigError> {
    let (_, source) = layers.value(CORDONED)?;
    if source != Source::Static {
        return None;
    }
    cordoned_elsewhere(layers).map(|sentence| refusal(layers, CORDONED, source, sentence))
}

/// Its name.
pub(crate) const CORDONED: &str = "cordoned.log.dirs";

/// That some of the cordoned directories are none of the broker's.
pub(super) fn cordoned_elsewhere(layers: &Layers) -> Option<String> {
    if layers.list(CORDONED) == [EVERY_DIRECTORY] {
        return None;
    }
    let all = [paths(layers, "log.dirs"), paths(layers, "log.dir")].concat();
    let missing = paths(layers, CORDONED).into_iter().filter(|dir| !all.contains(dir));
    let missing: Vec<String> = missing.map(|dir| dir.display().to_string()).collect();
    (!missing.is_empty()).then(|| {
        let missing = missing.join(", ");
        format!(
            "All entries in {CORDONED} must be present in log.dirs or log.dir. Missing entries : {missing}"
        )
    })
}

/// Kafka divides by the threads and says `/ by zero`; its other sentence is this one.
fn check_cleaner(layers: &Layers) -> Option<ConfigError> {
    let (threads, buffer) = ("log.cleaner.threads", "log.cleaner.dedupe.buffer.size");
    if !layers.flag("log.cleaner.enable") {
        return None;
    }
    let refused = |name, sentence: &str| {
        let source = layers.value(name).map_or(Source::Default, |(_, source)| source);
        Some(refusal(layers, name, source, sentence))
    };
    let count = layers.int(threads);
    if count < 1 {
        return refused(threads, "log.cleaner.threads must be at least 1 while log.cleaner.enable is true.");
    }
    if layers.int(buffer) / count <= BUFFER_PER_CLEANER {
        return refused(buffer, "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.");
    }
    None
}

fn check_time(layers: &Layers, (topics_name, holds, sentence): &Time) -> Option<ConfigError> {
    let (value, name, source) = layers.for_topics(topic_row(topics_name)?)?;
    match value {
        Value::Number(ms) if !holds(ms) => Some(refusal(layers, name, source, *sentence)),
        _ => None,
    }
}

/// Limits that would shut everybody out, those who could raise them too.
fn check_connections(layers: &Layers) -> Option<ConfigError> {
    let is_zero = |name| layers.value(name).filter(|(value, _)| *value == Value::Number(0));
    let (per_ip, overrides, all) =
        ("max.connections.per.ip", "max.connections.per.ip.overrides", "max.connections");
    if let Some((_, source)) = is_zero(per_ip)
        && layers.text(overrides).is_none()
    {
        let sentence = format!("{per_ip} can be set to zero only if {overrides} property is set.");
        return Some(refusal(layers, per_ip, source, sentence));
    }
    match is_zero(all)?.1 {
        source @ (Source::Broker | Source::BrokerDefault) => {
            Some(refusal(layers, all, source, format!("Invalid {all} 0")))
        }
        _ => None,
    }
}

/// The sentence, with the place where the value was written if it was.
fn refusal(layers: &Layers, name: &str, source: Source, sentence: impl Into<String>) -> ConfigError {
    let message = sentence.into();
    match layers.origin(name) {
        Some(origin) if source == Source::Static => ConfigError::Invalid { origin: origin.clone(), message },
        _ => ConfigError::Conflict(message),
    }
}
