//! What is logged at which level, while the broker runs. Who runs it owns the filter and hands over a way to replace it;
//! which levels there may be is decided in `config::loggers`. Nothing of it outlives the process, as in Kafka.

use parking_lot::Mutex;
use tracing::level_filters::LevelFilter;

use crate::config::{AlterError, LoggerLevels, directives, logger_levels};

/// Replaces the filter by what it is told, in the words of tracing's `EnvFilter`.
type Replace = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;

/// The levels of a process.
#[derive(Default)]
pub struct Loggers {
    filter: Option<Filter>,
    changed: Mutex<LoggerLevels>,
}

struct Filter {
    start: String,
    replace: Replace,
}

impl Loggers {
    /// Levels that can be changed: `start` are the directives in force now, `replace` puts others in their place.
    pub fn new(start: &str, replace: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) -> Self {
        let filter = Filter { start: start.to_owned(), replace: Box::new(replace) };
        Self { filter: Some(filter), changed: Mutex::default() }
    }

    /// Every logger with its level.
    pub(crate) fn levels(&self) -> Vec<(&'static str, String)> {
        match &self.filter {
            Some(filter) => logger_levels(&directives(&filter.start, &self.changed.lock())),
            // What is logged is the affair of the program around the broker: the most that anybody hears is known.
            None => logger_levels(&LevelFilter::current().to_string()),
        }
    }

    /// Whether levels can be changed.
    pub(crate) const fn can_change(&self) -> bool {
        self.filter.is_some()
    }

    /// Makes of the levels that were changed what `wish` makes of them, or only says whether that can be.
    pub(crate) fn change(
        &self,
        wish: impl FnOnce(&LoggerLevels) -> Result<LoggerLevels, AlterError>,
        validate_only: bool,
    ) -> Result<(), AlterError> {
        let mut changed = self.changed.lock();
        let next = wish(&changed)?;
        let Some(filter) = &self.filter else {
            let message = "The program that runs this broker does not let its log levels be changed";
            return Err(AlterError::InvalidRequest(message.to_owned()));
        };
        if validate_only || *changed == next {
            return Ok(());
        }
        let all = directives(&filter.start, &next);
        (filter.replace)(&all).map_err(AlterError::InvalidRequest)?;
        tracing::warn!(levels = all, "log levels changed");
        *changed = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn level(name: &str, level: &str) -> LoggerLevels {
        LoggerLevels::from([(name.to_owned(), level.to_owned())])
    }

    #[test]
    fn a_filter_that_cannot_be_replaced_leaves_the_levels_as_they_were() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&told);
        let loggers = Loggers::new("info", move |all| {
            heard.lock().push(all.to_owned());
            if all.contains("trace") { Err("no".to_owned()) } else { Ok(()) }
        });
        loggers.change(|_| Ok(level("pagewire_log", "DEBUG")), true).expect("could be");
        assert!(told.lock().is_empty(), "only asked");
        loggers.change(|_| Ok(level("pagewire_log", "DEBUG")), false).expect("is");
        let refused = loggers.change(|_| Ok(level("pagewire_log", "TRACE")), false);
        assert_eq!(refused.expect_err("refused"), AlterError::InvalidRequest("no".to_owned()));
        assert!(loggers.levels().contains(&("pagewire_log", "DEBUG".to_owned())));
        loggers.change(|_| Ok(LoggerLevels::new()), false).expect("taken back");
        assert_eq!(*told.lock(), ["info,pagewire_log=debug", "info,pagewire_log=trace", "info"]);
        assert!(loggers.levels().contains(&("pagewire_log", "INFO".to_owned())));
    }

    #[test]
    fn without_a_filter_levels_are_shown_and_not_changed() {
        let loggers = Loggers::default();
        assert!(!loggers.can_change() && loggers.levels().iter().any(|(name, _)| *name == "root"));
        let refused = loggers.change(|_| Ok(LoggerLevels::new()), true).expect_err("refused");
        assert!(matches!(refused, AlterError::InvalidRequest(_)));
    }
}
