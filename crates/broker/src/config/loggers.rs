//! Levels of what is logged, as settings: a logger is a target of tracing's, which is a crate or a module of one.
//!
//! The level of a logger is that of the longest name before its own that has one, as tracing's filter decides; `root` is
//! before all. Levels are written as Kafka writes them; FATAL is what is said at ERROR.

use std::collections::BTreeMap;

use super::alter::{AlterError, Change, ChangeKind};

/// What every name begins with.
const ROOT: &str = "root";

/// Every logger there is. What is below one of these goes by its level.
const LOGGERS: [&str; 13] = [
    ROOT,
    "pagewire",
    "pagewire_broker",
    "pagewire_broker::cleaner",
    "pagewire_broker::cluster",
    "pagewire_broker::control",
    "pagewire_broker::coordinators",
    "pagewire_broker::handlers",
    "pagewire_broker::net",
    "pagewire_broker::node",
    "pagewire_broker::partition",
    "pagewire_log",
    "pagewire_metadata",
];

/// Levels that may be asked for (kafka: LogLevelConfig).
const LEVELS: [&str; 6] = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];

/// Levels of loggers that were changed, by their names.
pub type LoggerLevels = BTreeMap<String, String>;

/// Refuses changes that no logger could take, in Kafka's words (kafka: RuntimeLoggerManager).
pub(super) fn check(changes: &[Change<'_>]) -> Result<(), AlterError> {
    changes.iter().try_for_each(check_one)
}

fn check_one(change: &Change<'_>) -> Result<(), AlterError> {
    let name = change.name;
    if matches!(change.kind, ChangeKind::Append | ChangeKind::Subtract) {
        let kind = change.kind.name();
        let message = format!("{kind} operation is not allowed for the BROKER_LOGGER resource");
        return Err(AlterError::InvalidRequest(message));
    }
    if !LOGGERS.contains(&name) {
        return Err(AlterError::InvalidConfig(format!("Logger {name} does not exist!")));
    }
    match (change.kind, change.value) {
        (ChangeKind::Delete, _) if name == ROOT => Err(AlterError::InvalidRequest(format!(
            "Removing the log level of the {ROOT} logger is not allowed"
        ))),
        (ChangeKind::Set, Some(level)) if !LEVELS.contains(&level) => {
            Err(AlterError::InvalidConfig(format!(
                "Cannot set the log level of {name} to {level} as it is not a supported log level. Valid log levels are {}",
                LEVELS.join(", ")
            )))
        }
        _ => Ok(()),
    }
}

/// What tracing's filter is to be told: `start`, and `changed` on top of it. Of two levels for one target the later counts.
pub fn directives(start: &str, changed: &LoggerLevels) -> String {
    let one = |(name, level): (&String, &String)| {
        let level = if level == "FATAL" { "error".to_owned() } else { level.to_ascii_lowercase() };
        if name == ROOT { level } else { format!("{name}={level}") }
    };
    let words: Vec<String> = std::iter::once(start.to_owned()).chain(changed.iter().map(one)).collect();
    words.join(",")
}

/// Every logger with the level it has by these directives.
pub fn levels(directives: &str) -> Vec<(&'static str, String)> {
    LOGGERS.iter().map(|logger| (*logger, level_of(logger, directives))).collect()
}

fn level_of(logger: &str, directives: &str) -> String {
    let mut found: (&str, &str) = ("", "error");
    for directive in directives.split(',').map(str::trim) {
        // What is only about some spans or fields is no level of the whole.
        let (target, level) = match directive.rsplit_once('=') {
            None => ("", directive),
            Some((target, _)) if target.contains(['[', '{']) => continue,
            Some((target, level)) => (target.trim(), level.trim()),
        };
        let is_before = target.is_empty() || logger != ROOT && logger.starts_with(target);
        if is_before && target.len() >= found.0.len() {
            found = (target, level);
        }
    }
    found.1.to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(logger: &str, directives: &str) -> String {
        let all = levels(directives);
        all.into_iter().find(|(name, _)| *name == logger).expect("a logger").1
    }

    fn refusal(name: &str, kind: ChangeKind, value: Option<&str>) -> AlterError {
        check(&[Change { name, kind, value }]).expect_err("refused")
    }

    #[test]
    fn the_longest_name_before_a_loggers_own_has_its_level() {
        let directives = "info,pagewire_broker=warn,pagewire_broker::net=trace,a[span{x=1}]=debug";
        for (logger, expected) in [
            ("root", "INFO"),
            ("pagewire", "INFO"),
            ("pagewire_log", "INFO"),
            ("pagewire_broker", "WARN"),
            ("pagewire_broker::node", "WARN"),
            ("pagewire_broker::net", "TRACE"),
        ] {
            assert_eq!(level(logger, directives), expected, "{logger}");
        }
        assert_eq!(level("pagewire_log", "off,pagewire=debug"), "DEBUG");
        assert_eq!(level("root", "pagewire=debug"), "ERROR", "tracing's own default");
    }

    #[test]
    fn a_changed_level_wins_over_the_one_at_the_start() {
        let changed =
            LoggerLevels::from([("root".into(), "FATAL".into()), ("pagewire_log".into(), "TRACE".into())]);
        let all = directives("info,pagewire_log=warn", &changed);
        assert_eq!(all, "info,pagewire_log=warn,pagewire_log=trace,error");
        assert_eq!((level("pagewire_log", &all), level("root", &all)), ("TRACE".into(), "ERROR".into()));
    }

    #[test]
    fn what_no_logger_can_take_is_refused_as_kafka_refuses_it() {
        for name in ["nosuch", ""] {
            let message = format!("Logger {name} does not exist!");
            assert_eq!(refusal(name, ChangeKind::Set, Some("DEBUG")), AlterError::InvalidConfig(message));
        }
        for level in ["debug", "OFF", "LOUD", ""] {
            let AlterError::InvalidConfig(message) = refusal("root", ChangeKind::Set, Some(level)) else {
                panic!("another error")
            };
            assert!(message.ends_with("Valid log levels are DEBUG, ERROR, FATAL, INFO, TRACE, WARN"));
        }
        for (kind, word) in [(ChangeKind::Append, "APPEND"), (ChangeKind::Subtract, "SUBTRACT")] {
            let message = format!("{word} operation is not allowed for the BROKER_LOGGER resource");
            assert_eq!(refusal("root", kind, Some("DEBUG")), AlterError::InvalidRequest(message));
        }
        let message = "Removing the log level of the root logger is not allowed".to_owned();
        assert_eq!(refusal("root", ChangeKind::Delete, None), AlterError::InvalidRequest(message));
    }
}
