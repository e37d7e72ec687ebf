//! Which pages a lagging reader leaves behind, so that it does not push everybody else's out of the page cache.
//!
//! ```text
//!                     told: cold window          kernel's own read-ahead
//!   file   ...hot....|==========================|- - - - - - - -|...not known, hence not ours...
//!            sent ──────────────>| cursor
//!              not ours |ours----|
//!                       |drop|lag|
//! ```
//!
//! A reader that catches up from the disk fills the page cache with what nobody reads a second time. It may drop what
//! it brought in itself and has sent: windows that had to be read ahead, and what the kernel reads ahead on its own
//! behind the last of them. What was resident when it came was brought in by others, and stays. Pages that are still in
//! a socket's buffer cannot be dropped, hence the lag. One that comes back for what it has dropped reads in circles: it
//! drops nothing any more.
//!
//! Pure: told what happened, it answers with ranges; whoever asks drops them ([`drop_pages()`](crate::drop_pages())).
//! One for each reader. It costs a few comparisons a send, and memory for [`ranges_max`](DropBehindOptions::ranges_max)
//! ranges, each of which keeps its file open.

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::FileRange;

/// Limits of a [`DropBehind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropBehindOptions {
    /// Pages are left alone until so many bytes were sent after them: what may still be in socket buffers.
    pub lag_bytes: u64,
    /// So far behind the last cold window the kernel may have read ahead on its own: the `read_ahead_kb` of the disk.
    pub read_ahead_bytes: u64,
    /// Ranges are cut at multiples of this position in the file. The kernel drops a folio (pages that it keeps
    /// together) whole or not at all, and folios lie at multiples of their size: less than the largest, 2 MiB on most
    /// systems, leaves them all.
    pub step_bytes: u64,
    /// So many ranges of each kind (cold and not sent yet; sent and not dropped yet; dropped of late) are remembered.
    /// Of more cold ones the oldest is forgotten, and stays in the cache; of more sent ones the oldest is dropped at
    /// once.
    pub ranges_max: usize,
}

impl Default for DropBehindOptions {
    fn default() -> Self {
        Self { lag_bytes: 16 << 20, read_ahead_bytes: 8 << 20, step_bytes: 2 << 20, ranges_max: 64 }
    }
}

/// What one reader brought into the page cache and has not dropped yet.
///
/// How to use it, in whatever sends ranges: [`was_cold`](Self::was_cold) with the window each time one has to be read
/// ahead, *before* that; [`sent`](Self::sent) with each range that went out, and the ranges that it answers to
/// [`drop_pages()`](crate::drop_pages()); [`finish`](Self::finish) when the reader goes, and the same with its answer.
///
/// Where a cold stretch begins or ends within a folio, that one stays. Where one ends, up to
/// [`read_ahead_bytes`](DropBehindOptions::read_ahead_bytes) of what follows may be dropped though it was resident
/// before: nobody can tell who brought that in.
///
/// ```
/// use std::{fs::File, sync::Arc};
/// use pagewire_zcopy::{DropBehind, DropBehindOptions, FileRange};
///
/// let file = Arc::new(File::open("/proc/self/exe")?);
/// let window = FileRange::new(file, 0, 64 << 20);
/// let mut behind = DropBehind::new(DropBehindOptions::default());
/// behind.was_cold(&window);
/// assert!(behind.sent(&window.part(0, 16 << 20)).is_empty(), "it may be in the socket still");
/// let dropped = behind.sent(&window.part(16 << 20, 4 << 20));
/// assert_eq!((dropped[0].offset(), dropped[0].len()), (0, 4 << 20));
/// let rest: u64 = behind.finish().iter().map(FileRange::len).sum();
/// assert_eq!(rest, 60 << 20);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct DropBehind {
    options: DropBehindOptions,
    /// Read ahead for this reader, and not sent yet; oldest first.
    cold: VecDeque<FileRange>,
    /// The newest window told, as far as the ones before it did not cover it.
    told: Option<FileRange>,
    /// What the kernel may have read ahead behind the last cold window, and was not sent yet.
    tail: Option<FileRange>,
    /// Ours, sent, and not dropped yet; oldest first.
    behind: VecDeque<Behind>,
    /// What was answered of late as to be dropped.
    dropped: VecDeque<FileRange>,
    /// It came back for some of that.
    circles: bool,
    /// Bytes sent altogether.
    cursor: u64,
    cold_bytes: u64,
    dropped_bytes: u64,
}

/// What a [`DropBehind`] was told and answered so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DropBehindStats {
    /// Bytes sent.
    pub sent_bytes: u64,
    /// Bytes of cold windows, as often as they were told.
    pub cold_bytes: u64,
    /// Bytes answered as to be dropped.
    pub dropped_bytes: u64,
    /// Bytes that are the reader's own, sent, and kept for the lag.
    pub behind_bytes: u64,
}

#[derive(Debug)]
struct Behind {
    range: FileRange,
    /// Where the cursor was when the last byte of `range` had been sent.
    end: u64,
}

impl DropBehind {
    /// For a reader that has not sent anything yet.
    pub fn new(options: DropBehindOptions) -> Self {
        Self {
            options,
            cold: VecDeque::new(),
            told: None,
            tail: None,
            behind: VecDeque::new(),
            dropped: VecDeque::new(),
            circles: false,
            cursor: 0,
            cold_bytes: 0,
            dropped_bytes: 0,
        }
    }

    /// Notes that `window` is being read ahead for this reader, because some of it was not in the page cache.
    pub fn was_cold(&mut self, window: &FileRange) {
        // A window that several plans found under way is told more than once; what of it was sent is not cold again.
        let before = |told: &&FileRange| touches(told, window) && told.offset() <= window.offset();
        let known = self.told.as_ref().filter(before);
        let known = known.map_or(0, |told| end(told).saturating_sub(window.offset()));
        let window = &window.part(known, u64::MAX);
        if window.is_empty() {
            return;
        }
        self.cold_bytes = self.cold_bytes.saturating_add(window.len());
        self.circles |= self.dropped.iter().any(|dropped| cut(dropped, window).1.is_some());
        if self.circles {
            self.forget();
            return;
        }
        self.told = Some(window.clone());
        let end = end(window);
        self.tail = Some(FileRange::new(Arc::clone(window.file()), end, self.options.read_ahead_bytes));
        match self.cold.back_mut() {
            Some(last) if touches(last, window) => *last = union(last, window),
            _ => self.cold.push_back(window.clone()),
        }
        if self.cold.len() > self.options.ranges_max.max(1) {
            self.cold.pop_front();
        }
    }

    /// Notes that `range` was sent, and answers what is to be dropped now.
    #[must_use = "what is answered is forgotten: drop it"]
    pub fn sent(&mut self, range: &FileRange) -> Vec<FileRange> {
        let start = self.cursor;
        self.cursor = self.cursor.saturating_add(range.len());
        for part in self.take_ours(range) {
            let end = start + (part.offset() - range.offset()) + part.len();
            self.push_behind(part, end);
        }
        let due = self.due();
        self.answered(due)
    }

    /// What is still to be dropped when the reader goes: all that it brought in, sent or not. Pages that are in its
    /// socket still stay; drop them once that is closed.
    #[must_use = "what is answered is forgotten: drop it"]
    pub fn finish(&mut self) -> Vec<FileRange> {
        self.tail = None;
        let rest = self.behind.drain(..).map(|behind| behind.range).chain(self.cold.drain(..)).collect();
        self.answered(rest)
    }

    /// What happened so far.
    pub fn stats(&self) -> DropBehindStats {
        DropBehindStats {
            sent_bytes: self.cursor,
            cold_bytes: self.cold_bytes,
            dropped_bytes: self.dropped_bytes,
            behind_bytes: self.behind.iter().map(|behind| behind.range.len()).sum(),
        }
    }

    fn answered(&mut self, ranges: Vec<FileRange>) -> Vec<FileRange> {
        self.dropped_bytes += ranges.iter().map(FileRange::len).sum::<u64>();
        for range in &ranges {
            match self.dropped.back_mut() {
                Some(last) if touches(last, range) => *last = union(last, range),
                _ => self.dropped.push_back(range.clone()),
            }
        }
        while self.dropped.len() > self.options.ranges_max.max(1) {
            self.dropped.pop_front();
        }
        ranges
    }

    /// All that is remembered stays in the page cache.
    fn forget(&mut self) {
        self.cold.clear();
        self.behind.clear();
        self.dropped.clear();
        (self.told, self.tail) = (None, None);
    }

    /// Takes the parts of `range` that this reader brought in, in order. Each byte is taken once: whoever sends it
    /// again finds it where others may use it by now.
    fn take_ours(&mut self, range: &FileRange) -> SmallVec<[FileRange; 2]> {
        let mut ours = SmallVec::new();
        for _ in 0..self.cold.len() {
            let Some(window) = self.cold.pop_front() else { break };
            let (before, part, after) = cut(&window, range);
            self.cold.extend([before, after].into_iter().flatten());
            ours.extend(part);
        }
        // Cut in two, one range more than before.
        while self.cold.len() > self.options.ranges_max.max(1) {
            self.cold.pop_front();
        }
        if let Some(tail) = self.tail.take() {
            let (_, part, after) = cut(&tail, range);
            // What was jumped over is behind the reader: nobody reads ahead there any more.
            self.tail = if part.is_some() { after } else { Some(tail) };
            ours.extend(part);
        }
        ours.sort_by_key(FileRange::offset);
        ours.dedup_by(|next, last| {
            let joined = touches(last, next);
            if joined {
                *last = union(last, next);
            }
            joined
        });
        ours
    }

    /// Joins what follows: pages that are dropped piece by piece keep the folios that the pieces share. What was sent
    /// twice in between, a batch that did not fit, only makes it due a little later.
    fn push_behind(&mut self, range: FileRange, end: u64) {
        let step = self.options.step_bytes;
        match self.behind.back_mut() {
            Some(last) if follows(&last.range, &range) && end - (last.end + range.len()) <= step => {
                last.range = union(&last.range, &range);
                last.end = end;
            }
            _ => self.behind.push_back(Behind { range, end }),
        }
    }

    /// What is further behind the cursor than the lag, and what is too much to remember.
    fn due(&mut self) -> Vec<FileRange> {
        let mut due = Vec::new();
        let upto = self.cursor.saturating_sub(self.options.lag_bytes);
        loop {
            let too_many = self.behind.len() > self.options.ranges_max.max(1);
            let Some(first) = self.behind.front_mut() else { break };
            let start = first.end - first.range.len();
            if first.end <= upto || too_many {
                due.extend(self.behind.pop_front().map(|behind| behind.range));
                continue;
            }
            let step = self.options.step_bytes.max(1);
            let ripe = first.range.offset() + upto.saturating_sub(start);
            let ripe = (ripe - ripe % step).saturating_sub(first.range.offset());
            if ripe > 0 {
                due.push(first.range.split_to(ripe));
            }
            break;
        }
        due
    }
}

fn end(range: &FileRange) -> u64 {
    range.offset().saturating_add(range.len())
}

/// Whether two ranges overlap or lie next to each other in one file.
fn touches(a: &FileRange, b: &FileRange) -> bool {
    Arc::ptr_eq(a.file(), b.file()) && a.offset() <= end(b) && b.offset() <= end(a)
}

/// Whether `b` begins where `a` ends.
fn follows(a: &FileRange, b: &FileRange) -> bool {
    Arc::ptr_eq(a.file(), b.file()) && end(a) == b.offset()
}

fn union(a: &FileRange, b: &FileRange) -> FileRange {
    let start = a.offset().min(b.offset());
    FileRange::new(Arc::clone(a.file()), start, end(a).max(end(b)) - start)
}

/// What of `whole` lies before `by`, in it, and after it.
fn cut(whole: &FileRange, by: &FileRange) -> (Option<FileRange>, Option<FileRange>, Option<FileRange>) {
    let (from, upto) = (by.offset().max(whole.offset()), end(by).min(end(whole)));
    if !Arc::ptr_eq(whole.file(), by.file()) || from >= upto {
        return (Some(whole.clone()), None, None);
    }
    let part = |from: u64, upto: u64| {
        (from < upto).then(|| FileRange::new(Arc::clone(whole.file()), from, upto - from))
    };
    (part(whole.offset(), from), part(from, upto), part(upto, end(whole)))
}

#[cfg(test)]
#[path = "drop_behind_tests.rs"]
mod tests;
