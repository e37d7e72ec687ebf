//! Log lines on standard error.

use std::io::{self, IsTerminal};

use anyhow::bail;
use pagewire_broker::Loggers;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, reload};

use crate::Usage;
use crate::args::serve::LogFormat;

/// What is logged where nothing else is said.
const LEVEL: &str = "info";

/// Starts logging, at levels that clients can change. Standard error may be closed: that is no error of a broker.
pub(super) fn start(level: Option<&str>, format: LogFormat) -> anyhow::Result<Loggers> {
    let level = level.map(str::trim).filter(|level| !level.is_empty()).unwrap_or(LEVEL);
    let usage = |why: &str| {
        Usage(format!(
            "--log-level {level}: {why}; write error, warn, info, debug, trace, or TARGET=LEVEL,..."
        ))
    };
    // The filter takes a word that it does not know for a target, and an empty level for all of them.
    if level.split(',').any(is_misspelt) {
        bail!(usage("no such level"));
    }
    let filter = EnvFilter::builder().parse(level).map_err(|error| usage(&error.to_string()))?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .log_internal_errors(false);
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => registry.with(lines).init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).init(),
    }
    Ok(Loggers::new(level, move |directives| {
        let filter = EnvFilter::builder().parse(directives).map_err(|error| error.to_string())?;
        handle.reload(filter).map_err(|error| error.to_string())
    }))
}

/// A word alone must be a level; after `=` one must stand.
fn is_misspelt(directive: &str) -> bool {
    let word = directive.rsplit('=').next().unwrap_or_default().trim();
    word.is_empty() || word.parse::<tracing_subscriber::filter::LevelFilter>().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_targets_with_levels_are_understood() {
        for good in ["info", "DEBUG", "off", "pagewire_log=trace", "a[span{field=1}]=warn"] {
            assert!(!is_misspelt(good), "{good}");
        }
        for bad in ["verbose", "", "pagewire_log=", "pagewire_log=loud"] {
            assert!(is_misspelt(bad), "{bad}");
        }
    }
}
