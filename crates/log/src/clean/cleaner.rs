//! One clean of one log.

use std::fmt;

use super::error::CleanError;
use super::offset_map::OffsetMap;
use super::stats::CleanStats;
use super::throttle::Throttle;
use crate::log::Log;
use crate::share::Share;

/// What one cleaner may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CleanerLimits {
    /// Bytes of its map of keys: `log.cleaner.dedupe.buffer.size` over the threads. Taken as far as there are keys.
    pub map_bytes: usize,
    /// How full the map may become: `log.cleaner.io.buffer.load.factor`.
    pub map_load: Share,
    /// Bytes read or written at once: `log.cleaner.io.buffer.size` over the threads. A batch that is longer takes its
    /// length.
    pub buffer_bytes: usize,
}

impl Default for CleanerLimits {
    /// Kafka's defaults for one thread.
    fn default() -> Self {
        Self { map_bytes: 128 << 20, map_load: Share::new(0.9), buffer_bytes: 512 << 10 }
    }
}

/// Cleans logs, one after the other. Owned by one thread: its map and buffers are used again.
pub struct Cleaner {
    pub(super) limits: CleanerLimits,
    pub(super) map: OffsetMap,
}

impl fmt::Debug for Cleaner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cleaner").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// A clean that came to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cleaned {
    /// Everything below this offset is clean now.
    pub clean_to: i64,
    /// The map could not take all keys of the dirty part: the rest is for the next clean. More
    /// `log.cleaner.dedupe.buffer.size` would do it in one.
    pub map_was_full: bool,
    /// Numbers.
    pub stats: CleanStats,
}

impl Cleaner {
    /// A cleaner that has taken nothing yet.
    pub fn new(limits: CleanerLimits) -> Self {
        Self { limits, map: OffsetMap::new(limits.map_bytes, limits.map_load) }
    }
}

impl Log {
    /// Compacts what lies below `range.until`: of each key the latest record stays. See the module's text.
    pub(crate) fn clean(
        &self,
        cleaner: &mut Cleaner,
        range: super::cleanable::Cleanable,
        now_ms: i64,
        throttle: &Throttle,
    ) -> Result<Cleaned, CleanError> {
        let _ = (cleaner, range, now_ms, throttle);
        Err(CleanError::GivenUp("not yet"))
    }
}
