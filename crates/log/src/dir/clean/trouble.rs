//! Logs that could not be cleaned: why, since when, and when they are tried again. What keeps failing in the same way
//! is said once.

use std::sync::Arc;

use super::{Cleaning, Key};
use crate::clean::CleanError;
use crate::config::LogConfig;

/// The first wait after a failure that may pass; each further one doubles it.
const RETRY_MS: i64 = 15_000;
/// The longest.
const RETRY_MS_MAX: i64 = 600_000;

/// A log that could not be cleaned.
#[derive(Debug)]
pub(super) struct Trouble {
    reason: String,
    /// Of the first attempt that failed.
    since_ms: i64,
    /// Attempts that failed since then.
    attempts: u64,
    /// When it may be tried again.
    retry_at_ms: i64,
    wait_ms: i64,
    /// With other settings it may be tried again, too.
    config: Arc<LogConfig>,
}

/// A log that is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncleanable {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Why, in words.
    pub reason: String,
    /// Since when, ms.
    pub since_ms: i64,
    /// Attempts that failed since then.
    pub attempts: u64,
    /// When it is tried again; `None`: after a restart, or with other settings. A damaged batch fails then, too.
    pub retry_at_ms: Option<i64>,
}

impl Trouble {
    pub(super) fn holds(&self, config: &LogConfig, now_ms: i64) -> bool {
        now_ms < self.retry_at_ms && *self.config == *config
    }

    pub(super) fn describe(&self, (topic, partition): &Key) -> Uncleanable {
        Uncleanable {
            topic: topic.to_string(),
            partition: *partition,
            reason: self.reason.clone(),
            since_ms: self.since_ms,
            attempts: self.attempts,
            retry_at_ms: (self.retry_at_ms < i64::MAX).then_some(self.retry_at_ms),
        }
    }
}

impl Cleaning {
    /// An attempt failed, or the look before it. Says so, unless the one before failed for the same reason.
    pub(super) fn note_trouble(&mut self, key: Key, error: &CleanError, config: Arc<LogConfig>, now_ms: i64) {
        let (before, reason) = (self.troubles.remove(&key), error.to_string());
        let news = before.as_ref().is_none_or(|before| before.reason != reason);
        let (since_ms, attempts, waited_ms) = before
            .map_or((now_ms, 0, None), |before| (before.since_ms, before.attempts, Some(before.wait_ms)));
        let wait_ms = match waited_ms {
            _ if error.is_lasting() => i64::MAX,
            Some(waited_ms) => waited_ms.saturating_mul(2).min(RETRY_MS_MAX),
            None => RETRY_MS,
        };
        let (topic, partition) = &key;
        if !news {
            tracing::debug!(%topic, partition, reason, attempts, "still not compacted");
        } else if error.is_lasting() {
            let helps = error.helps();
            tracing::error!(%topic, partition, reason, "set aside: it is not compacted until {helps}");
        } else {
            tracing::warn!(%topic, partition, reason, wait_ms, "not compacted; tried again later");
        }
        let (attempts, retry_at_ms) = (attempts + 1, now_ms.saturating_add(wait_ms));
        self.troubles.insert(key, Trouble { reason, since_ms, attempts, retry_at_ms, wait_ms, config });
    }
}
