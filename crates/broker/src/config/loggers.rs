//! Levels of what is logged, as settings: a logger is a target of tracing's, which is a crate or a module of one.
//!
//! The level of a logger is that of the longest name before its own that has one, as tracing's filter decides; `root` is
//! before all. Levels are written as Kafka writes them; FATAL is what is said at ERROR.

use std::collections::BTreeMap;

/// What stands before every name.
pub(super) const ROOT: &str = "root";

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
pub(super) const LEVELS: [&str; 6] = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];

/// Levels of loggers that were changed, by their names.
pub type LoggerLevels = BTreeMap<String, String>;

/// Whether there is a logger of this name.
pub(super) fn is_known(name: &str) -> bool {
    LOGGERS.contains(&name)
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
}
