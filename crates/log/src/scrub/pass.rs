//! One segment, verified in slices: the page cache is left as it was, and its readers are told what is found.

use std::cell::Cell;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::DiskFile;
use pagewire_zcopy::{DropBehind, DropBehindOptions, FileRange, Residency, drop_pages_blocking, residency};

use super::Stretch;
use super::on_read::what_to_do;
use super::search::{Search, Slice};
use super::stretches::Stretches;
use crate::segment::{End, Segment};

/// Whether pages are in the cache is asked for so many bytes at a time; those that were not are dropped again.
const WINDOW: u64 = 1 << 20;

/// A closed segment being verified.
#[derive(Debug)]
pub(super) struct SegmentPass {
    pub(super) segment: Arc<Segment>,
    search: Search,
    /// What was known when it began.
    before: Option<Arc<Stretches>>,
    behind: DropBehind,
    /// Of what it found, something was not known.
    news: bool,
    /// Stretches that it found.
    damaged: u64,
}

impl SegmentPass {
    pub(super) fn new(segment: Arc<Segment>) -> Self {
        // Of one that grows, what was there when it was opened: the rest was written by this process.
        let until = if segment.is_closed() { u64::MAX } else { segment.due_below() };
        let search = Search::new(segment.base_offset).until(until).lacking_as(&segment);
        let behind = DropBehind::new(DropBehindOptions { lag_bytes: 0, ..DropBehindOptions::default() });
        // What readers come to from now on is looked at again.
        segment.suspect.store(false, Ordering::Release);
        let before = segment.damage.shared();
        Self { segment, search, before, behind, news: false, damaged: 0 }
    }

    /// Verifies batches until `bytes` were read or the segment ends; tells its readers what it found.
    pub(super) fn advance(&mut self, bytes: u64) -> io::Result<Slice> {
        let (file, end, start) = (self.segment.file()?, self.segment.end(), self.search.position());
        self.look_what_is_cached(file.file(), start, bytes.min(end.size - start.min(end.size)));
        let slice = self.look(&*file, end, bytes)?;
        self.damaged += slice.damaged;
        if slice.done {
            self.settle();
        }
        self.drop_what_was_brought_in(file.file(), start, slice);
        Ok(slice)
    }

    fn look(&mut self, file: &dyn DiskFile, end: End, bytes: u64) -> io::Result<Slice> {
        let segment = &self.segment;
        let (anchors, news, sought) = (segment.anchors(), Cell::new(self.news), Cell::new(0));
        let tell = |lost| news.set(segment.tell_damage(lost) || news.get());
        let how_far = |from, offsets, found| -> io::Result<Stretch> {
            let (stretch, read, is_news) = segment.sought_anew(from, offsets, found, &anchors)?;
            sought.set(sought.get() + read);
            news.set(is_news || news.get());
            Ok(stretch)
        };
        let slice = self.search.advance(file, end, bytes, &tell, &how_far)?;
        self.news = news.get();
        Ok(Slice { sought: sought.get(), ..slice })
    }

    /// All of it was looked at: what is known from now on.
    fn settle(&mut self) {
        if self.segment.is_closed() {
            let search = std::mem::replace(&mut self.search, Search::new(self.segment.base_offset));
            if self.segment.damage.set(&search.into_found(), self.before.as_deref()) {
                self.segment.forget_times();
            }
            if self.news {
                self.segment.sum_damage_up();
            }
        }
        if !self.segment.suspect.load(Ordering::Acquire) {
            self.segment.unverified_below(0);
        }
        self.tell_what_to_do();
    }

    /// What is wrong, where, and what can be done. The places are told where they are found, once and with the same advice; this
    /// comes with each later scrub that still finds some.
    fn tell_what_to_do(&self) {
        let all = self.segment.damage.all();
        let was_told = self.segment.damage_told.swap(false, Ordering::AcqRel);
        if was_told || self.damaged == 0 || all.is_empty() {
            return;
        }
        let file = self.segment.path();
        tracing::warn!(
            file = %file.display(),
            stretches = self.damaged,
            bytes = all.iter().map(Stretch::bytes).sum::<u64>(),
            offset = all.iter().map(|stretch| stretch.offset).min(),
            next_offset = all.iter().map(|stretch| stretch.next_offset).max(),
            "the scrub found damaged records: reads of them are refused, those around them are served. {}",
            what_to_do(&file)
        );
    }

    fn look_what_is_cached(&mut self, file: &Arc<File>, start: u64, bytes: u64) {
        let mut at = start;
        while at < start + bytes {
            let len = WINDOW.min(start + bytes - at);
            if residency(file, at, len) != Residency::Resident {
                self.behind.was_cold(&FileRange::new(Arc::clone(file), at, len));
            }
            at += len;
        }
    }

    fn drop_what_was_brought_in(&mut self, file: &Arc<File>, start: u64, slice: Slice) {
        let mut ranges = self.behind.sent(&FileRange::new(Arc::clone(file), start, slice.bytes));
        if slice.done {
            ranges.extend(self.behind.finish());
        }
        for range in &ranges {
            // Only advice.
            let _ = drop_pages_blocking(range);
        }
    }
}
