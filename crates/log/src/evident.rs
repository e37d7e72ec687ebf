//! The index entries of what is stable, beside it on the disk before a checkpoint says how far that is.
//!
//! ```text
//!   .log    [ batch ][ damaged ][ batch ][ batch ] ... recovery point ...
//!   .index       ·        ·          └──── says that a batch of the log's own begins there: on the disk, or nobody knows
//! ```
//!
//! Behind a batch whose header is destroyed a start serves what an entry of the index shows to be the log's own, and
//! nothing else (`scrub::evidence`). The newest entries live in memory, so without this one lost sector would cost whoever
//! was killed all that lies behind it. Closed segments have all of theirs: they are written when it is closed and synced
//! with its records.
//!
//! Only the `.index` is synced: what the time index lacks is found out by reading.

use std::io;
use std::sync::atomic::Ordering;

use crate::log::Log;
use crate::segment::Segment;

impl Log {
    /// Notes that what is stable has its entries on the disk, if it has; whether it has.
    pub(crate) fn note_evident(&self) -> bool {
        let point = self.marks.load().recovery_point;
        let lacks = self.active().is_some_and(|active| active.lacks_entries(point));
        if !lacks {
            self.evident.fetch_max(point, Ordering::AcqRel);
        }
        !lacks
    }

    /// Makes the entries stable that are missing. What cannot be written now waits for the next checkpoint, which is not
    /// held up by it: a start that has more to check is the greater evil.
    pub(crate) fn make_evident(&self) {
        let point = self.marks.load().recovery_point;
        if self.online().is_ok()
            && let Err(error) = self.write_entries(point)
        {
            self.fail(&error, "index entries are not written");
        }
        self.evident.fetch_max(point, Ordering::AcqRel);
    }

    /// The recovery point as it may be written down: what became stable since the entries were written has none yet.
    pub(crate) fn evident_point(&self, recovery_point: i64) -> i64 {
        recovery_point.min(self.evident.load(Ordering::Acquire))
    }

    /// Whether records of the active segment are stable, and it was written down of none.
    pub(crate) fn is_unnoted(&self) -> bool {
        let Some(active) = self.active_base_offset() else { return false };
        let noted = self.checkpointed.load(Ordering::Relaxed);
        noted <= active && self.marks.load().recovery_point > active && self.online().is_ok()
    }

    fn write_entries(&self, point: i64) -> io::Result<()> {
        let writer = self.writer.lock();
        let Some(active) = self.active().filter(|active| active.lacks_entries(point)) else { return Ok(()) };
        active.write_entries(point)?;
        // Nobody who appends waits for a sync.
        drop(writer);
        active.index_file()?.sync_data()
    }
}

impl Segment {
    /// Whether the file of its index lacks entries of batches that end at `offset` or before.
    pub(crate) fn lacks_entries(&self, offset: i64) -> bool {
        self.relative_below(offset).is_some_and(|relative| self.index.lacks(relative))
    }

    /// Makes those stable.
    pub(crate) fn make_entries_stable(&self, offset: i64) -> io::Result<()> {
        if !self.lacks_entries(offset) {
            return Ok(());
        }
        self.write_entries(offset)?;
        self.index_file()?.sync_data()
    }

    /// Writes those; what the time index lacks before them, as an entry without its time is not believed.
    pub(crate) fn write_entries(&self, offset: i64) -> io::Result<()> {
        let Some(relative) = self.relative_below(offset) else { return Ok(()) };
        if self.times.is_dirty() {
            self.write_times()?;
        }
        let file = self.index_file()?;
        self.flow.indexes_young.store(true, Ordering::Release);
        self.index.write_upto(&*file, relative)
    }

    /// The offset before this one as an index has it.
    fn relative_below(&self, offset: i64) -> Option<u32> {
        let relative = offset.checked_sub(self.base_offset)?.checked_sub(1)?.min(i64::from(i32::MAX));
        u32::try_from(relative).ok()
    }
}
