//! The largest timestamp of a segment: the last entry of the time index proposes, batch headers decide.

use std::sync::atomic::Ordering;

use crate::errors::ReadError;
use crate::index::time::{self, TimeEntry};
use crate::patience::Patience;
use crate::scan::derive::is_missing;
use crate::scan::{Scanner, WINDOW_WALK};
use crate::segment::Segment;

impl Segment {
    /// The largest timestamp of the segment and the batch that first has it; of a damaged segment that of what can be
    /// read of it.
    pub(crate) fn largest_timestamp(&self) -> Result<Option<TimeEntry>, ReadError> {
        if let Ok(max) = self.times.max() {
            return Ok(max);
        }
        let max = self.find_largest()?;
        self.times.set_max(max);
        Ok(max)
    }

    fn find_largest(&self) -> Result<Option<TimeEntry>, ReadError> {
        let seen = self.rebuilt.load(Ordering::Acquire);
        let last = match self.time_file() {
            Err(error) if is_missing(&error) => None,
            file => time::last_in(&*file?)?,
        };
        let mut max = match last {
            Some(entry) if self.time_entry_holds(entry)? => Some(entry),
            _ => None,
        };
        // The last entry covers everything up to its batch, and in an index that is whole everything after it too. An
        // index that was cut is not: what follows is looked at, mostly nothing.
        let (end, file) = (self.end(), self.file()?);
        let start = match max {
            Some(entry) => self.verified_position_of(self.base_offset + i64::from(entry.relative))?,
            None => 0,
        };
        let mut scanner =
            Scanner::new(&*file, start, end.size, self.base_offset, WINDOW_WALK).around(&self.damage);
        scanner = scanner.upto(end.next_offset);
        let anchors = self.anchors();
        while let Some(found) = self.next_readable(&mut scanner, &anchors)? {
            let timestamp = found.header.max_timestamp;
            if found.header.records_count == 0 {
                continue;
            }
            if max.is_none_or(|max| timestamp > max.timestamp)
                && let Some(relative) = self.relative(found.header.last_offset())
            {
                max = Some(TimeEntry { timestamp, relative });
            }
        }
        let timestamp =
            |entry: Option<TimeEntry>| entry.map(|entry| entry.timestamp).filter(|time| *time >= 0);
        if timestamp(max) != timestamp(last) {
            self.distrust_index(seen)?;
        }
        Ok(max)
    }

    /// What is damaged changed, and with it perhaps which records are its newest.
    pub(crate) fn forget_times(&self) {
        self.times.forget_max();
        self.ages.forget();
    }

    /// Whether the batch a time entry points at has that timestamp. Kafka writes the batch's last offset; earlier
    /// versions wrote the record's own.
    pub(crate) fn time_entry_holds(&self, entry: TimeEntry) -> Result<bool, ReadError> {
        let offset = self.base_offset + i64::from(entry.relative);
        let found = match self.locate_verified(offset, Patience::Endless) {
            Ok(found) => found,
            // Its records cannot be read any more.
            Err(ReadError::Damaged { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        Ok(found.is_some_and(|found| {
            let header = &found.header;
            // A batch that compaction emptied has its time still, and no record of that time.
            header.base_offset <= offset
                && header.max_timestamp == entry.timestamp
                && header.records_count > 0
        }))
    }
}
