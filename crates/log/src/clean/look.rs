//! What the decision whether to clean looks at, taken from a log.

use std::io;

use super::cleanable::{self, Cleanable, ClosedSegment};
use crate::log::Log;
use crate::marks::Marks;

impl Log {
    /// Whether there is anything but the active segment.
    pub(crate) fn has_closed_segments(&self) -> bool {
        self.segments.load().len() > 1
    }

    /// What can be cleaned, if everything below `checkpoint` is clean. A checkpoint outside of the log counts as none:
    /// [`Cleanable::first_dirty`] then differs from it.
    ///
    /// Where a backup is to copy the log, what came after its moment decides nothing. Reads what is not in memory of times
    /// that the settings ask for.
    pub(crate) fn cleanable(&self, checkpoint: Option<i64>, now_ms: i64) -> io::Result<Cleanable> {
        let (config, segments, mut marks) =
            (self.config.load_full(), self.segments.load_full(), self.marks());
        if let Some(undecided) = self.undecided.from(marks.log_start) {
            // As good as open, and never decided.
            marks.last_stable = marks.last_stable.min(undecided.start);
        }
        let first_dirty = cleanable::first_dirty(checkpoint, &marks).unwrap_or(marks.log_start);
        let marks = Marks { last_stable: self.held.limit(marks.last_stable), ..marks };
        let Some((active, closed)) = segments.split_last() else {
            return Ok(cleanable::cleanable(&[], first_dirty, first_dirty, &marks, &config, now_ms));
        };
        let mut seen = Vec::with_capacity(closed.len());
        for segment in closed {
            let dirty = segment.end().next_offset > first_dirty;
            seen.push(ClosedSegment {
                base_offset: segment.base_offset,
                size: segment.end().size,
                newest_ms: if dirty && config.min_compaction_lag_ms > 0 {
                    segment.newest_ms()?
                } else {
                    None
                },
                oldest_ms: if dirty && config.max_compaction_lag_ms < i64::MAX {
                    segment.first_ms()?
                } else {
                    None
                },
            });
        }
        Ok(cleanable::cleanable(&seen, active.base_offset, first_dirty, &marks, &config, now_ms))
    }
}
