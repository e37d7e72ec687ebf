//! How old a segment is: by its records' times, and by its file's where they have none. What compaction or retention
//! had to read for that is kept, because they ask again and again.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::Mutex;

use crate::scan::{ScanError, Scanner, WINDOW_LOOKUP};
use crate::segment::Segment;
use crate::segment::gaps::Gaps;

/// Nobody has looked yet.
const UNKNOWN: i64 = i64::MIN;
/// Somebody has, and there is none.
const NONE: i64 = i64::MIN + 1;

/// Times that were read, ms.
#[derive(Debug)]
pub(crate) struct Ages {
    /// The largest of the first batch.
    first: AtomicI64,
    /// The newest of bare headers.
    bare: AtomicI64,
    /// The newest that can be read of a damaged segment.
    readable: AtomicI64,
    /// When the file was last written, and how long the segment was when that was looked at.
    written: Mutex<Option<(u64, i64)>>,
    /// Somebody was told that it is no more than that.
    said: AtomicBool,
}

impl Default for Ages {
    fn default() -> Self {
        let unknown = || AtomicI64::new(UNKNOWN);
        let (first, bare, readable) = (unknown(), unknown(), unknown());
        Self { first, bare, readable, written: Mutex::default(), said: AtomicBool::default() }
    }
}

impl Ages {
    /// These bare headers are the newest, if there are any: nobody has to look.
    pub(crate) fn note_bare(&self, newest_ms: Option<i64>) {
        keep(&self.bare, newest_ms.filter(|time| *time >= 0));
    }

    /// Somebody has to look again.
    pub(crate) fn forget(&self) {
        self.first.store(UNKNOWN, Ordering::Relaxed);
        self.bare.store(UNKNOWN, Ordering::Relaxed);
        self.readable.store(UNKNOWN, Ordering::Relaxed);
        *self.written.lock() = None;
    }
}

/// What is kept, once somebody has looked.
fn told(kept: i64) -> Option<i64> {
    (kept != NONE).then_some(kept)
}

fn keep(cell: &AtomicI64, found: Option<i64>) {
    cell.store(found.unwrap_or(NONE), Ordering::Relaxed);
}

impl Segment {
    /// The largest timestamp of its first batch; `None` of an empty or damaged one.
    pub(crate) fn first_ms(&self) -> io::Result<Option<i64>> {
        let kept = self.ages.first.load(Ordering::Relaxed);
        if kept != UNKNOWN {
            return Ok(told(kept));
        }
        let (file, size) = (self.file()?, self.end().size);
        let first = match Scanner::new(&*file, 0, size, self.base_offset, WINDOW_LOOKUP).next() {
            Ok(found) => found.map(|found| found.header.max_timestamp),
            Err(ScanError::Io(error)) => return Err(error),
            Err(ScanError::Bad { .. }) => None,
        };
        if self.is_closed() {
            keep(&self.ages.first, first);
        }
        Ok(first)
    }

    /// The time of its newest record; that of its bare headers if it has nothing else, as in Kafka; or when the file was last
    /// written if no record has one. Of a damaged segment the later of that and what can be read: it must not keep the log from
    /// ever forgetting. That is said once.
    pub(crate) fn newest_ms(&self) -> io::Result<Option<i64>> {
        let kept = self.ages.readable.load(Ordering::Relaxed);
        if kept != UNKNOWN {
            return Ok(told(kept));
        }
        let largest = self.largest_timestamp()?;
        let newest = largest.filter(|entry| entry.timestamp >= 0).map(|entry| entry.timestamp);
        if self.damage.is_empty() {
            let newest = match newest {
                Some(newest) => Some(newest),
                None => self.bare_ms()?,
            };
            return Ok(newest.or_else(|| self.modified_ms()));
        }
        let newest = newest.max(self.modified_ms());
        if !self.ages.said.swap(true, Ordering::Relaxed) {
            tracing::warn!(segment = %self.path().display(), "damaged: its age is that of what can be read of it, or of its file");
        }
        if self.is_closed() {
            keep(&self.ages.readable, newest);
        }
        Ok(newest)
    }

    /// Whether its newest record and its newest bare header are `old`: in Kafka its age is that of both. The headers are looked for
    /// only where the records are old, and only in what was compacted before the start: all batches are passed by for it.
    pub(crate) fn is_all(&self, old: impl Fn(i64) -> bool) -> io::Result<bool> {
        if !self.newest_ms()?.is_some_and(&old) {
            return Ok(false);
        }
        Ok(!self.damage.is_empty() || self.bare_ms()?.is_none_or(old))
    }

    /// The newest time in bare headers, which have that of the records that they had. Only compaction leaves such: where it did not
    /// write the segment, the first batch with records ends the search.
    fn bare_ms(&self) -> io::Result<Option<i64>> {
        let kept = self.ages.bare.load(Ordering::Relaxed);
        if kept != UNKNOWN {
            return Ok(told(kept));
        }
        if !self.is_closed() {
            return Ok(None);
        }
        let is_compacted = self.gaps.get() != Gaps::None;
        let (file, size) = (self.file()?, self.end().size);
        let mut scanner = Scanner::new(&*file, 0, size, self.base_offset, WINDOW_LOOKUP);
        let mut newest = None;
        let newest = loop {
            match scanner.next() {
                Ok(Some(found)) if found.header.records_count == 0 => {
                    newest = newest.max(Some(found.header.max_timestamp));
                }
                Ok(Some(_)) if is_compacted => {}
                Ok(None) => break newest,
                Err(ScanError::Io(error)) => return Err(error),
                Ok(Some(_)) | Err(ScanError::Bad { .. }) => break None,
            }
        };
        self.ages.note_bare(newest);
        Ok(told(self.ages.bare.load(Ordering::Relaxed)))
    }

    /// Since when the active segment has been filling, found again at a start, for a log whose first record there is of
    /// `first_timestamp`: no later than that record, than the last write, than now. It is a guess only where records
    /// have no times, or such as nobody wrote them at.
    pub(crate) fn filling_since(&self, first_timestamp: Option<i64>, now_ms: i64) -> i64 {
        if self.end().size == 0 {
            return now_ms;
        }
        let first = first_timestamp.filter(|first| *first >= 0);
        [first, self.modified_ms()].into_iter().flatten().fold(now_ms, i64::min)
    }

    /// When the file was last written: the age of records without timestamps. Asked again once the segment has grown.
    pub(crate) fn modified_ms(&self) -> Option<i64> {
        let size = self.end().size;
        let kept = *self.ages.written.lock();
        if let Some((_, modified)) = kept.filter(|(then, _)| *then == size) {
            return Some(modified);
        }
        let modified = self.file().ok()?.file().metadata().ok()?.modified().ok()?;
        let since = modified.duration_since(std::time::UNIX_EPOCH).ok()?;
        let modified = i64::try_from(since.as_millis()).ok()?;
        *self.ages.written.lock() = Some((size, modified));
        Some(modified)
    }
}
