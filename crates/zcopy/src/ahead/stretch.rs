//! One stretch of a file on its way into the page cache.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::blocking::Toucher;
use crate::{FileRange, Residency, residency};

/// Touched at a time; whoever waits hears of it after each.
const STEP_BYTES: u64 = 256 << 10;

/// Positions are the file's. It does not keep its file open once it has been touched.
///
/// It is there for whoever sends from it first. Others who come later find its pages in the page cache, as they find
/// any, and are not taken for readers who lag.
#[derive(Debug)]
pub(crate) struct Stretch {
    file: Weak<File>,
    start: u64,
    end: u64,
    /// Up to here the pages are there.
    done: AtomicU64,
    /// Up to here somebody has sent it.
    passed: AtomicU64,
    /// The next one was asked for.
    followed: AtomicBool,
    /// When it was last found, in [`Streams`](super::Streams)' milliseconds.
    pub(super) found_ms: AtomicU64,
    ended: Mutex<Option<Ended>>,
    moved: Notify,
}

/// Why it will not be touched any further.
#[derive(Debug, Clone, Copy)]
enum Ended {
    /// Others read there as well.
    GivenUp,
    Failed(io::ErrorKind, Option<i32>),
}

impl Stretch {
    pub(super) fn new(file: &Arc<File>, start: u64, end: u64) -> Self {
        Self {
            file: Arc::downgrade(file),
            start,
            end,
            done: AtomicU64::new(start),
            passed: AtomicU64::new(start),
            followed: AtomicBool::new(false),
            found_ms: AtomicU64::new(0),
            ended: Mutex::default(),
            moved: Notify::new(),
        }
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Whether the byte at `offset` of `file` is part of it, and was not sent before.
    pub(crate) fn covers(&self, file: &Arc<File>, offset: u64) -> bool {
        let first = self.passed.load(Ordering::Relaxed);
        (first..self.end).contains(&offset) && self.is_of(file)
    }

    /// The bytes of `file` before `upto` were sent.
    pub(crate) fn pass(&self, file: &Arc<File>, upto: u64) {
        if self.is_of(file) {
            self.passed.fetch_max(upto, Ordering::Relaxed);
        }
    }

    /// Whether it is of `file`, open as it is: as long as this is here, no other has its address.
    pub(super) fn is_of(&self, file: &Arc<File>) -> bool {
        Weak::as_ptr(&self.file) == Arc::as_ptr(file)
    }

    /// Whether a sender at `offset` should have the next one begun: once, in its second half.
    pub(crate) fn is_to_be_followed(&self, offset: u64) -> bool {
        offset >= self.start + (self.end - self.start) / 2 && !self.followed.swap(true, Ordering::Relaxed)
    }

    /// Nobody could be asked for the next one now.
    pub(crate) fn is_not_followed(&self) {
        self.followed.store(false, Ordering::Relaxed);
    }

    /// Whether nobody is to ask for it any more: it was sent to its end, its file is closed, or it ended early.
    pub(super) fn is_over(&self) -> bool {
        self.passed.load(Ordering::Relaxed) >= self.end
            || self.file.strong_count() == 0
            || self.ended.lock().is_some()
    }

    /// Whether it is likely that only this reader wants it: what lies behind it is neither in the page cache, as it is
    /// where others read or where it was just written, nor behind the end of the file. For a thread that may wait.
    pub(super) fn is_alone(&self, file: &Arc<File>) -> bool {
        // The kernel's own read-ahead, which the stretch before set going, was seen to reach two stretches further.
        let behind = self.end.saturating_add(3 * (self.end - self.start));
        let is_longer = file.metadata().is_ok_and(|metadata| metadata.len() > behind + STEP_BYTES);
        is_longer && residency(file, behind, STEP_BYTES) != Residency::Resident
    }

    /// What is not touched yet is left as it is.
    pub(super) fn give_up_rest(&self) {
        if !self.is_done(self.end) && self.ended.lock().is_none() {
            self.end_early(Ended::GivenUp);
        }
    }

    /// Touches all of it, or up to the end of the file. For a thread that may wait.
    pub(super) fn run(&self, file: &Arc<File>) {
        let (mut at, toucher) = (self.start, Toucher::new());
        while at < self.end {
            let step = FileRange::new(Arc::clone(file), at, STEP_BYTES.min(self.end - at));
            match toucher.touch(&step) {
                // Behind the end there is nothing to wait for, and whoever sends finds that out.
                Ok(touched) if touched < step.len() => at = self.end,
                Ok(touched) => at += touched,
                Err(error) => {
                    self.fail(&error);
                    return;
                }
            }
            self.done.store(at, Ordering::Release);
            self.moved.notify_waiters();
        }
    }

    /// It will not be touched any further.
    pub(super) fn fail(&self, error: &io::Error) {
        self.end_early(Ended::Failed(error.kind(), error.raw_os_error()));
    }

    fn end_early(&self, why: Ended) {
        *self.ended.lock() = Some(why);
        self.moved.notify_waiters();
    }

    /// Whether the pages up to `offset`, as far as that is in it, have been touched. They may be gone again.
    pub(crate) fn is_done(&self, offset: u64) -> bool {
        self.done.load(Ordering::Acquire) >= offset.min(self.end)
    }

    /// The same place, as a range of `file`.
    pub(crate) fn range(&self, file: &Arc<File>) -> FileRange {
        FileRange::new(Arc::clone(file), self.start, self.end - self.start)
    }

    /// Waits until the pages up to `offset` are there, as far as that is in it. `false`: it was given up before.
    ///
    /// # Errors
    /// What reading the file reported.
    pub(crate) async fn reached(&self, offset: u64) -> io::Result<bool> {
        loop {
            let mut moved = std::pin::pin!(self.moved.notified());
            moved.as_mut().enable();
            if self.is_done(offset) {
                return Ok(true);
            }
            let ended = *self.ended.lock();
            match ended {
                None => moved.await,
                Some(Ended::GivenUp) => return Ok(false),
                Some(Ended::Failed(kind, code)) => {
                    return Err(code.map_or_else(|| kind.into(), io::Error::from_raw_os_error));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn file(len: usize) -> Arc<File> {
        let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).expect("a temporary file");
        file.write_all(&vec![7; len]).expect("writing");
        Arc::new(file)
    }

    #[tokio::test]
    async fn a_stretch_is_reached_up_to_the_end_of_the_file_and_beyond() {
        let file = file(600_000);
        let stretch = Stretch::new(&file, 100_000, 2_000_000);
        assert!(stretch.covers(&file, 100_000) && !stretch.covers(&file, 99_999));
        stretch.run(&file);
        for offset in [100_000, 600_000, 5_000_000] {
            assert!(stretch.reached(offset).await.expect("reached"));
        }
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_an_error_to_all_who_wait() {
        let file = file(10);
        let stretch = Stretch::new(&file, 0, 10);
        let waiting = stretch.reached(10);
        stretch.fail(&io::Error::from_raw_os_error(5));
        assert_eq!(waiting.await.expect_err("EIO").raw_os_error(), Some(5));
        assert!(stretch.is_over());
    }

    #[tokio::test]
    async fn one_that_is_given_up_is_no_error() {
        let file = file(10);
        let stretch = Stretch::new(&file, 0, 10);
        stretch.give_up_rest();
        assert!(!stretch.reached(10).await.expect("no error") && stretch.is_over());
    }

    #[tokio::test]
    async fn nobody_goes_on_to_where_others_read_or_the_file_ends() {
        let file = file(2 << 20);
        assert!(
            !Stretch::new(&file, 0, 1 << 20).is_alone(&file),
            "the pages behind it have just been written"
        );
        assert!(!Stretch::new(&file, 0, 8 << 20).is_alone(&file), "the file ends there");
    }

    #[test]
    fn it_is_there_for_whoever_sends_from_it_first() {
        const MIB: u64 = 1 << 20;
        let (file, other) = (file(10), file(10));
        let stretch = Stretch::new(&file, 0, 8 * MIB);
        stretch.pass(&other, 8 * MIB);
        stretch.pass(&file, 5 * MIB);
        stretch.pass(&file, 2 * MIB);
        assert!(stretch.covers(&file, 5 * MIB) && stretch.covers(&file, 7 * MIB));
        assert!(!stretch.covers(&file, 5 * MIB - 1) && !stretch.is_over());
        stretch.pass(&file, 8 * MIB);
        assert!(stretch.is_over(), "it has been sent to its end");
    }

    #[test]
    fn the_next_one_is_asked_for_once() {
        let file = file(10);
        let stretch = Stretch::new(&file, 0, 100);
        assert!(!stretch.is_to_be_followed(49), "in its second half");
        assert!(stretch.is_to_be_followed(50) && !stretch.is_to_be_followed(60));
        stretch.is_not_followed();
        assert!(stretch.is_to_be_followed(70), "as long as nobody could be asked");
    }

    #[test]
    fn it_does_not_keep_its_file_open() {
        let file = file(10);
        let stretch = Stretch::new(&file, 0, 10);
        drop(file);
        assert!(stretch.is_over());
    }
}
