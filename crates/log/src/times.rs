//! From a timestamp to an offset: ListOffsets by time, and the record with the largest timestamp.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use pagewire_disk::DiskFile;
use pagewire_record::header::NO_TIMESTAMP;
use pagewire_record::{DecompressLimits, SharedBatch};

use crate::answers::TimestampOffset;
use crate::errors::ReadError;
use crate::index::time;
use crate::log::Log;
use crate::patience::Patience;
use crate::read::LOOKS_MAX;
use crate::scan::derive::is_missing;
use crate::scan::{Found, Scanner, WINDOW_WALK, read_whole};
use crate::segment::Segment;

impl Log {
    /// The first record (by offset) with a timestamp at or above `timestamp`; `None` if there is none. The caller
    /// compares the offset with the mark its client may see.
    pub fn offset_for_time(&self, timestamp: i64) -> Result<Option<TimestampOffset>, ReadError> {
        self.look_again_if_replaced(|segments, log_start, limits| {
            for segment in segments {
                if let Some(found) = gone_is_none(segment, segment.first_since(timestamp, log_start, limits))?
                {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        })
    }

    /// The first record at or above the log start that has the largest timestamp of those; `None` if none of them has a
    /// timestamp.
    pub fn max_timestamp_offset(&self) -> Result<Option<TimestampOffset>, ReadError> {
        self.look_again_if_replaced(|segments, log_start, limits| {
            let mut largest = Vec::new();
            for segment in segments.iter().filter(|segment| segment.end().next_offset > log_start) {
                let claimed = gone_is_none(segment, segment.largest_since(log_start, limits))?;
                largest.extend(claimed.map(|timestamp| (timestamp, segment)));
            }
            loop {
                let Some(best) = first_largest(&mut largest) else { return Ok(None) };
                let (timestamp, segment) = *best;
                let found = segment.first_since(timestamp, log_start, limits);
                if let Some(found) = gone_is_none(segment, found)? {
                    return Ok(Some(found));
                }
                // What has it cannot be read any more. Each time one knows of less.
                let readable = gone_is_none(segment, segment.largest_readable(log_start, limits))?;
                best.0 = readable.filter(|readable| *readable < timestamp).unwrap_or(NO_TIMESTAMP);
            }
        })
    }

    /// Looks at the segments of this moment, and at others if one was replaced meanwhile: its records are elsewhere.
    fn look_again_if_replaced<T>(
        &self,
        look: impl Fn(&[Arc<Segment>], i64, DecompressLimits) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let limits = self.config.load().decompress;
        let mut looks = 0;
        loop {
            let (log_start, segments) = (self.marks().log_start, self.segments.load_full());
            looks += 1;
            match look(&segments, log_start, limits) {
                Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound && looks < LOOKS_MAX => {
                }
                answer => return answer,
            }
        }
    }
}

impl Segment {
    /// The first record at or above `offset_min` with at least this timestamp.
    fn first_since(
        &self,
        timestamp: i64,
        offset_min: i64,
        limits: DecompressLimits,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let (end, largest) = (self.end(), self.largest_timestamp()?);
        if end.size == 0
            || end.next_offset <= offset_min
            || largest.is_none_or(|max| max.timestamp < timestamp)
        {
            return Ok(None);
        }
        let file = self.file()?;
        let start = self.position_for_time(timestamp)?;
        let mut scanner =
            Scanner::new(&*file, start, end.size, self.base_offset, WINDOW_WALK).around(&self.damage);
        scanner = scanner.upto(end.next_offset);
        let anchors = self.anchors();
        while let Some(batch) = self.next_readable(&mut scanner, &anchors)? {
            let header = &batch.header;
            let empty = header.records_count == 0;
            if empty || header.max_timestamp < timestamp || header.last_offset() < offset_min {
                continue;
            }
            let bytes = Bytes::from(read_whole(&*file, &batch)?);
            if let Some(found) = self.record_since(&batch, &bytes, timestamp, offset_min, limits)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The largest timestamp of the records at or above `offset_min`.
    fn largest_since(&self, offset_min: i64, limits: DecompressLimits) -> Result<Option<i64>, ReadError> {
        let Some(largest) = self.largest_timestamp()? else { return Ok(None) };
        if self.base_offset >= offset_min {
            return Ok(Some(largest.timestamp));
        }
        if let Some(found) = self.first_since(largest.timestamp, offset_min, limits)? {
            return Ok(Some(found.timestamp));
        }
        // What has it was deleted.
        self.largest_readable(offset_min, limits)
    }

    /// The same as the batches say that can be read.
    fn largest_readable(&self, offset_min: i64, limits: DecompressLimits) -> Result<Option<i64>, ReadError> {
        let (file, start) = (self.file()?, self.verified_position_of(offset_min.max(self.base_offset))?);
        let (mut max, end) = (None, self.end());
        let scanner = Scanner::new(&*file, start, end.size, self.base_offset, WINDOW_WALK);
        let mut scanner = scanner.around(&self.damage).upto(end.next_offset);
        let anchors = self.anchors();
        while let Some(batch) = self.next_readable(&mut scanner, &anchors)? {
            if batch.header.records_count == 0 || batch.header.last_offset() < offset_min {
                continue;
            }
            let timestamp = if batch.header.base_offset >= offset_min {
                Some(batch.header.max_timestamp)
            } else {
                self.largest_of(&batch, &*file, offset_min, limits)?
            };
            max = max.max(timestamp);
        }
        Ok(max)
    }

    /// The same of the records in one batch.
    fn largest_of(
        &self,
        batch: &Found,
        file: &dyn DiskFile,
        offset_min: i64,
        limits: DecompressLimits,
    ) -> Result<Option<i64>, ReadError> {
        let corrupt = || ReadError::Corrupt { file: self.path(), position: batch.position };
        let bytes = Bytes::from(read_whole(file, batch)?);
        let whole = SharedBatch::first(&bytes).map_err(|_| corrupt())?;
        let mut max = None;
        for record in whole.records(&limits).map_err(|_| corrupt())? {
            let record = record.map_err(|_| corrupt())?;
            max = max.max((record.offset >= offset_min).then_some(record.timestamp));
        }
        Ok(max)
    }

    /// Where the walk for a timestamp begins: all batches before it are older.
    fn position_for_time(&self, timestamp: i64) -> Result<u64, ReadError> {
        self.judge_times()?;
        // A lie is found once; after the rebuild the second look is at the truth.
        for _ in 0..2 {
            let seen = self.rebuilt.load(Ordering::Acquire);
            let entry = match self.times.floor_in_memory(timestamp) {
                Some(entry) => Some(entry),
                None => match self.time_file() {
                    Err(error) if is_missing(&error) => None,
                    file => time::floor_in(&*file?, timestamp)?,
                },
            };
            let Some(entry) = entry else { break };
            // An entry for exactly this timestamp points at the first batch that has it.
            if self.time_entry_holds(entry)?
                && let Some(batch) =
                    self.locate_verified(self.base_offset + i64::from(entry.relative), Patience::Endless)?
            {
                return Ok(batch.position);
            }
            self.distrust_index(seen)?;
        }
        Ok(0)
    }

    /// A closed segment's time index whose entries do not rise is written anew before it is searched.
    fn judge_times(&self) -> io::Result<()> {
        if self.times.is_judged() {
            return Ok(());
        }
        let seen = self.rebuilt.load(Ordering::Acquire);
        let rises = match self.time_file() {
            Err(error) if is_missing(&error) => false,
            file => time::load(&*file?, u64::MAX)?.is_some(),
        };
        if !rises {
            self.distrust_index(seen)?;
        }
        self.times.set_judged();
        Ok(())
    }

    fn record_since(
        &self,
        batch: &Found,
        bytes: &Bytes,
        timestamp: i64,
        offset_min: i64,
        limits: DecompressLimits,
    ) -> Result<Option<TimestampOffset>, ReadError> {
        let corrupt = || ReadError::Corrupt { file: self.path(), position: batch.position };
        let whole = SharedBatch::first(bytes).map_err(|_| corrupt())?;
        for record in whole.records(&limits).map_err(|_| corrupt())? {
            let record = record.map_err(|_| corrupt())?;
            if record.timestamp >= timestamp && record.offset >= offset_min {
                let leader_epoch = batch.header.partition_leader_epoch;
                return Ok(Some(TimestampOffset {
                    timestamp: record.timestamp,
                    offset: record.offset,
                    leader_epoch,
                }));
            }
        }
        Ok(None)
    }
}

/// The first of the largest timestamps, if one is.
fn first_largest<T>(largest: &mut [(i64, T)]) -> Option<&mut (i64, T)> {
    let first = largest.iter_mut().reduce(|first, next| if next.0 > first.0 { next } else { first });
    first.filter(|(timestamp, _)| *timestamp > NO_TIMESTAMP)
}

/// A segment that retention removed meanwhile has nothing to say. One that was replaced has, under another name.
fn gone_is_none<T>(segment: &Segment, answer: Result<Option<T>, ReadError>) -> Result<Option<T>, ReadError> {
    match answer {
        Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::NotFound && !segment.is_replaced() => {
            Ok(None)
        }
        answer => answer,
    }
}
