//! Closing the active segment and opening the next one.
//!
//! Decided purely from sizes and times; done under the append lock. What can wait (releasing reserved blocks, syncing
//! the closed files) waits for [`Log::pace`] and [`Log::sync`].

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::OpenMode;
use pagewire_record::BatchHeader;

use crate::config::LogConfig;
use crate::errors::AppendError;
use crate::index::{offset, time};
use crate::log::Log;
use crate::producers::snapshot;
use crate::segment::{Segment, names};
use crate::writer::Writer;

/// Doubts of what became of transactions for which a snapshot is kept, from which starts come to them again: the oldest. The others
/// are come to from the same.
const DOUBTS_WITH_A_SNAPSHOT: usize = 8;

/// What is about to be appended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Coming<'b> {
    pub(crate) bytes: u64,
    pub(crate) largest_timestamp: i64,
    pub(crate) last: &'b BatchHeader,
}

/// What the decision looks at.
#[derive(Debug, Clone, Copy)]
struct Fill {
    size: u64,
    index_entries: u32,
    time_entries: u32,
    /// How long the segment has been filling, as Kafka counts: in record time if there is one, else by the clock.
    waited_ms: i64,
    jitter_ms: i64,
}

impl Fill {
    /// Whether `more` bytes, the last record `relative_last` above the base, belong into a new segment.
    fn is_over(&self, config: &LogConfig, more: u64, relative_last: i64) -> bool {
        let index_max = config.segment_index_bytes.max(offset::ENTRY_LEN as u32) / offset::ENTRY_LEN as u32;
        let time_max = (config.segment_index_bytes / time::ENTRY_LEN as u32).max(2) - 1;
        self.size > 0
            && (self.size + more > config.segment_limit()
                || self.is_old(config)
                || self.index_entries >= index_max
                || self.time_entries >= time_max
                || relative_last > i64::from(i32::MAX))
    }

    fn is_old(&self, config: &LogConfig) -> bool {
        self.size > 0 && self.waited_ms > config.segment_age_limit_ms().saturating_sub(self.jitter_ms)
    }
}

impl Log {
    /// Rolls if the active segment has been filling for longer than `segment.ms` (less its jitter) by the broker's
    /// clock; whether it did. Appends roll by themselves; this closes the segments of partitions nobody writes to.
    pub fn roll_if_due(&self, now_ms: i64) -> Result<bool, AppendError> {
        let config = self.config.load();
        let mut writer = self.writer.lock();
        self.online()?;
        let Some(active) = self.active() else { return Ok(false) };
        let fill = self.fill(&active, &config, now_ms.saturating_sub(writer.opened_ms));
        if !fill.is_old(&config) {
            return Ok(false);
        }
        self.roll(&mut writer, now_ms)?;
        Ok(true)
    }

    /// Rolls if what is coming does not belong into the active segment.
    pub(crate) fn roll_before(
        &self,
        writer: &mut Writer,
        active: &Segment,
        config: &LogConfig,
        coming: Coming<'_>,
        now_ms: i64,
    ) -> Result<bool, AppendError> {
        let Coming { bytes, largest_timestamp, last } = coming;
        let waited_ms = match writer.first_timestamp.filter(|first| *first >= 0) {
            Some(first) => largest_timestamp.saturating_sub(first),
            None => now_ms.saturating_sub(writer.opened_ms),
        };
        let fill = self.fill(active, config, waited_ms);
        if !fill.is_over(config, bytes, last.last_offset() - active.base_offset) {
            return Ok(false);
        }
        self.roll(writer, now_ms)?;
        Ok(true)
    }

    fn fill(&self, active: &Segment, config: &LogConfig, waited_ms: i64) -> Fill {
        Fill {
            size: active.end().size,
            index_entries: active.index.len(),
            time_entries: active.times.len(),
            waited_ms,
            jitter_ms: jitter(config, &self.topic, self.partition, active.base_offset),
        }
    }

    /// Closes the active segment and opens a new one at the log end. The caller holds the append lock. On error the
    /// active segment stays in use, and the next attempt begins anew.
    pub(crate) fn roll(&self, writer: &mut Writer, now_ms: i64) -> Result<(), AppendError> {
        let Some(active) = self.active() else { return Ok(()) };
        let base_offset = self.marks.load().log_end;
        if active.end().size == 0 {
            return Ok(());
        }
        active.write_indexes().map_err(|error| self.not_rolled(error))?;
        if let Err(error) = self.snapshot_producers(writer, base_offset) {
            // An older one will do, with more to read after it.
            self.fail(&error, "producer snapshot not written");
        }
        let next = Segment::create(Arc::clone(&self.home), base_offset);
        let next = next.map_err(|error| self.not_rolled(error))?;
        active.close();
        let mut segments = Vec::clone(&self.segments.load());
        segments.push(Arc::new(next));
        self.segments.store(Arc::new(segments));
        self.dir_dirty.store(true, Ordering::Release);
        writer.sparse = crate::scan::derive::Sparse::default();
        writer.first_timestamp = None;
        writer.opened_ms = now_ms;
        tracing::debug!(topic = %self.topic, partition = self.partition, base_offset, "a new segment was begun");
        Ok(())
    }

    fn not_rolled(&self, error: io::Error) -> AppendError {
        self.refuse(error, "closing a segment failed")
    }

    /// Writes the producers' state at `offset`; it is synced with the next sync, its CRC guards it until then.
    pub(crate) fn snapshot_producers(&self, writer: &mut Writer, offset: i64) -> io::Result<()> {
        if writer.snapshots.last().is_some_and(|newest| *newest >= offset) {
            return Ok(());
        }
        let file = self.home.open(offset, names::SNAPSHOT, OpenMode::Create)?;
        file.set_len(0)?;
        self.dir_dirty.store(true, Ordering::Release);
        file.write_at(0, &writer.producers.with(|known| snapshot::encode(known)))?;
        self.small_files.lock().push((offset, file));
        writer.snapshots.push(offset);
        self.drop_old_snapshots(writer);
        Ok(())
    }

    /// A file that cannot be removed now is looked at again after the next start.
    fn drop_old_snapshots(&self, writer: &mut Writer) {
        let checkpointed = self.checkpointed.load(Ordering::Relaxed);
        let segments = self.segments.load();
        let holding = segments.iter().rev().map(|one| one.base_offset).find(|base| *base <= checkpointed);
        let mut floors = vec![holding.unwrap_or(-1), self.marks.load().recovery_point];
        // Each start looks at these again.
        floors.extend(self.undecided.iter().map(|doubt| doubt.start).take(DOUBTS_WITH_A_SNAPSHOT));
        let surplus = snapshot::surplus(&writer.snapshots, &floors);
        writer.snapshots.retain(|offset| !surplus.contains(offset));
        for offset in surplus {
            if let Err(error) = self.home.disk.remove_file(&self.home.path(offset, names::SNAPSHOT)) {
                tracing::debug!(topic = %self.topic, partition = self.partition, offset, %error, "old snapshot stays");
            }
        }
    }
}

/// A share of `segment.jitter.ms` that differs between segments and partitions, so that they do not all roll at once;
/// as in Kafka never all of `segment.ms`.
fn jitter(config: &LogConfig, topic: &str, partition: i32, base_offset: i64) -> i64 {
    let max_ms = config.segment_jitter_ms.min(config.segment_age_limit_ms());
    if max_ms <= 0 {
        return 0;
    }
    let mut hasher = DefaultHasher::new();
    (topic, partition, base_offset).hash(&mut hasher);
    (hasher.finish() % max_ms as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTYISH: Fill = Fill { size: 100, index_entries: 1, time_entries: 1, waited_ms: 10, jitter_ms: 0 };

    fn config() -> LogConfig {
        LogConfig { segment_bytes: 1000, segment_ms: 50, segment_index_bytes: 48, ..LogConfig::default() }
    }

    #[test]
    fn a_segment_is_over_by_size_age_index_or_offset() {
        let config = config();
        assert!(!EMPTYISH.is_over(&config, 900, 5));
        assert!(EMPTYISH.is_over(&config, 901, 5));
        assert!(EMPTYISH.is_over(&config, 1, i64::from(i32::MAX) + 1));
        assert!(Fill { index_entries: 6, ..EMPTYISH }.is_over(&config, 1, 5));
        assert!(Fill { time_entries: 3, ..EMPTYISH }.is_over(&config, 1, 5));
        assert!(!Fill { waited_ms: 50, ..EMPTYISH }.is_over(&config, 1, 5));
        assert!(Fill { waited_ms: 51, ..EMPTYISH }.is_over(&config, 1, 5));
        assert!(Fill { waited_ms: 50, jitter_ms: 1, ..EMPTYISH }.is_over(&config, 1, 5));
    }

    #[test]
    fn an_empty_segment_is_never_over() {
        let empty = Fill { size: 0, waited_ms: i64::MAX, ..EMPTYISH };
        assert!(!empty.is_over(&config(), 1000, 5));
    }

    #[test]
    fn jitter_stays_below_its_maximum_and_differs() {
        let config = |segment_jitter_ms| LogConfig { segment_jitter_ms, segment_ms: 5000, ..config() };
        let all: Vec<i64> = (0..100).map(|partition| jitter(&config(1000), "t", partition, 0)).collect();
        assert!(all.iter().all(|ms| (0..1000).contains(ms)));
        assert!(all.iter().any(|ms| *ms != all[0]));
        assert_eq!(jitter(&config(0), "t", 0, 0), 0);
    }

    #[test]
    fn a_jitter_longer_than_the_segment_leaves_some_of_its_time() {
        let config = LogConfig { segment_jitter_ms: i64::MAX, segment_ms: 50, ..config() };
        let all: Vec<i64> = (0..1000).map(|base| jitter(&config, "t", 0, base)).collect();
        assert!(all.iter().all(|ms| (0..50).contains(ms)));
        assert_eq!(jitter(&LogConfig { segment_ms: 0, ..config }, "t", 0, 0), 0);
    }
}
