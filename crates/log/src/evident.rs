//! The index entries of what is stable, beside it on the disk before a checkpoint says how far that is.
//!
//! ```text
//!   .log    [ batch ][ damaged ][ batch ][ batch ] ... recovery point ...
//!   .index       ·        ·          └──── says that a batch of the log's own begins there: on the disk, or nobody knows
//! ```
//!
//! Behind a batch whose header is destroyed a start serves what an entry of the index shows to be the log's own, and
//! nothing else (`scrub::evidence`). The newest entries live in memory, so without this one lost sector would cost whoever
//! was killed all that lies behind it. A closed segment has all of its entries in the file, and they are synced with its records:
//! one that the recovery point lies in or has passed before that, as it was closed a moment ago, is synced first.
//!
//! Only the `.index` is synced: what the time index lacks is found out by reading.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::log::Log;
use crate::segment::Segment;

impl Log {
    /// Notes that what is stable has its entries on the disk, if it has; whether it has.
    pub(crate) fn note_evident(&self) -> bool {
        let point = self.marks.load().recovery_point;
        let is_evident = self.not_evident(point).is_empty();
        if is_evident {
            self.evident.fetch_max(point, Ordering::AcqRel);
        }
        is_evident
    }

    /// Makes the entries stable that are missing. What cannot be written now is tried again for the next checkpoint. This one is not
    /// held up by it: a start that has more to check is the greater evil.
    pub(crate) fn make_evident(&self) {
        let point = self.marks.load().recovery_point;
        if self.online().is_ok() {
            match self.write_entries(point) {
                Ok(()) => drop(self.evident.fetch_max(point, Ordering::AcqRel)),
                Err(error) => self.fail(&error, "index entries are not written"),
            }
        }
        self.excused.fetch_max(point, Ordering::AcqRel);
    }

    /// The recovery point as it may be written down: what became stable since entries were last written, or tried, has none yet.
    pub(crate) fn evident_point(&self, recovery_point: i64) -> i64 {
        let tried = self.excused.load(Ordering::Acquire);
        recovery_point.min(self.evident.load(Ordering::Acquire).max(tried))
    }

    /// Whether records of the active segment are stable, and it was written down of none, or no checkpoint names the log.
    pub(crate) fn is_unnoted(&self) -> bool {
        if self.is_unnamed() {
            return self.online().is_ok();
        }
        let Some(active) = self.active_base_offset() else { return false };
        let noted = self.checkpointed.load(Ordering::Relaxed);
        noted <= active && self.marks.load().recovery_point > active && self.online().is_ok()
    }

    fn write_entries(&self, point: i64) -> io::Result<()> {
        let due = self.not_evident(point);
        for active in due.iter().filter(|segment| !segment.is_closed()) {
            let writer = self.writer.lock();
            if active.is_closed() {
                continue;
            }
            if active.lacks_entries(point) {
                active.write_entries(point)?;
            }
            // Nobody who appends waits for a sync.
            drop(writer);
            active.sync_entries()?;
        }
        if due.iter().any(|segment| segment.is_closed()) {
            // Their records first: an entry that is on the disk before its batch makes the whole file unbelievable.
            self.sync_closed()?;
        }
        // One whose indexes failed to be synced before another's did not.
        due.iter().filter(|segment| segment.is_closed()).try_for_each(|closed| closed.settle())
    }

    /// The segments that `point` lies in or has passed, and of which entries below it may be missing on the disk, newest first.
    fn not_evident(&self, point: i64) -> Vec<Arc<Segment>> {
        let evident = self.evident.load(Ordering::Acquire);
        let segments = self.segments.load();
        let in_doubt = |segment: &&Arc<Segment>| {
            !segment.is_closed() || !segment.is_settled() || segment.end().next_offset > evident
        };
        let due = segments.iter().rev().take_while(in_doubt);
        due.filter(|segment| segment.may_lack_entries(point, evident)).map(Arc::clone).collect()
    }
}

impl Segment {
    /// Whether entries of batches that end at `point` or before may be missing on the disk. Those up to `evident` are not.
    fn may_lack_entries(&self, point: i64, evident: i64) -> bool {
        if point <= self.base_offset {
            return false;
        }
        if self.is_closed() {
            return !self.is_settled();
        }
        let is_young = self.flow.entries.is_young() && self.index.len() > 0;
        self.lacks_entries(point) || is_young && point > evident
    }

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
        self.sync_entries()
    }

    /// Writes those; what the time index lacks before them, as an entry without its time is not believed.
    pub(crate) fn write_entries(&self, offset: i64) -> io::Result<()> {
        let Some(relative) = self.relative_below(offset) else { return Ok(()) };
        if self.times.is_dirty() {
            self.write_times()?;
        }
        let file = self.index_file()?;
        self.flow.entries.note();
        self.index.write_upto(&*file, relative)
    }

    /// The offset before this one as an index has it.
    fn relative_below(&self, offset: i64) -> Option<u32> {
        let relative = offset.checked_sub(self.base_offset)?.checked_sub(1)?.min(i64::from(i32::MAX));
        u32::try_from(relative).ok()
    }
}
