//! One clean of one log, from its first pass to its last group of segments.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Instant;

use pagewire_record::HEADER_LEN;

use super::ahead::Ahead;
use super::cleanable::Cleanable;
use super::error::CleanError;
use super::filter::Filter;
use super::keep::{LastOfProducer, Rules, last_of_producers};
use super::learn::learn;
use super::offset_map::OffsetMap;
use super::replace::Pass;
use super::rewrite::{Buffers, Written, rewrite};
use super::stats::CleanStats;
use super::throttle::Throttle;
use super::work::Work;
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
    limits: CleanerLimits,
    map: OffsetMap,
    buffers: Buffers,
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
        Self { limits, map: OffsetMap::new(limits.map_bytes, limits.map_load), buffers: Buffers::default() }
    }
}

impl Log {
    /// Compacts what lies below `range.until`: of each key the latest record stays.
    pub(crate) fn clean(
        &self,
        cleaner: &mut Cleaner,
        range: Cleanable,
        now_ms: i64,
        throttle: &Throttle,
    ) -> Result<Cleaned, CleanError> {
        let begun = Instant::now();
        let cleaned = self.clean_range(cleaner, range, now_ms, throttle);
        match cleaned {
            Ok(mut cleaned) => {
                cleaned.stats.elapsed = begun.elapsed();
                Ok(cleaned)
            }
            // Whatever failed then, failed because of that.
            Err(_) if self.has_left() => Err(CleanError::GivenUp("the partition was deleted")),
            Err(error) => {
                if let CleanError::Io { error, .. } = &error {
                    self.fail(error, "compaction failed");
                }
                Err(error)
            }
        }
    }

    fn clean_range(
        &self,
        cleaner: &mut Cleaner,
        range: Cleanable,
        now_ms: i64,
        throttle: &Throttle,
    ) -> Result<Cleaned, CleanError> {
        let last_of_producers = self.stable_last_of_producers()?;
        let (config, segments, chunk) =
            (self.config(), self.segments.load_full(), cleaner.limits.buffer_bytes);
        let log_start = range.log_start;
        let work =
            Work { log: self, config, throttle, segments, chunk: chunk.max(HEADER_LEN), now_ms, log_start };
        work.go_on()?;
        let (mut stats, mut buffers) = (CleanStats::default(), std::mem::take(&mut cleaner.buffers));
        let offsets = range.first_dirty..range.until;
        let map_end = learn(&work, offsets, &mut cleaner.map, &mut buffers.read, &mut stats)?;
        stats.map_utilisation = cleaner.map.utilisation();
        let rules = Rules {
            map: &cleaner.map,
            map_end,
            until: range.until,
            last_of_producers,
            now_ms,
            horizon_ms: now_ms.saturating_add(work.config.delete_retention_ms.max(0)),
        };
        let mut filter = Filter::new(rules, work.config.decompress);
        let (first, pieces) = (work.skipped(), work.pieces(map_end));
        let mut ahead = Ahead::of(i64::MIN);
        if first > 0 && !pieces.is_empty() {
            // Their data is not looked at and stays: a log start that is not yet stable may go back below it.
            let begun;
            (ahead, begun) = Ahead::behind_others(&work, first)?;
            filter.txns.begin_behind_others(&begun);
        }
        let (mut done, mut written) = (0, Written { stats: &mut stats, pass: Pass::default(), ahead });
        while let Some(left) = pieces.get(done..).filter(|left| !left.is_empty()) {
            done += rewrite(&work, first + done, left, &mut filter, &mut buffers, &mut written)?;
        }
        cleaner.buffers = buffers;
        Ok(Cleaned { clean_to: map_end, map_was_full: map_end < range.until, stats })
    }

    /// What the producers' states hang on, all of it stable, and with it everything below the end of what is cleaned: a batch
    /// that goes because a later one is there must not come to nothing with a power cut that takes the later one. So are the names of
    /// an earlier clean, which a process that was killed may have left: beside what this one begins, a segment that has its last but
    /// one again would not count.
    fn stable_last_of_producers(&self) -> Result<HashMap<i64, LastOfProducer>, CleanError> {
        let (last, log_end) = {
            let writer = self.writer.lock();
            (writer.producers.with(|known| last_of_producers(known)), self.marks().log_end)
        };
        if self.marks().recovery_point < log_end || self.dir_dirty.load(Ordering::Acquire) {
            self.sync().map_err(CleanError::at(self.dir()))?;
        }
        Ok(last)
    }
}
