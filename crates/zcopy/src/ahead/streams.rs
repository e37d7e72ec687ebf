//! The stretches that were begun of late, by file and place: so that one plan finds what an earlier one had read ahead.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::Stretch;
use crate::{FileRange, IoPool};

/// So many are remembered; of more the oldest is forgotten, and only that: it is touched to its end all the same.
const STREAMS_MAX: usize = 64;

/// Of one transfer.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    stretches: Mutex<Vec<Arc<Stretch>>>,
    /// How many there are, to be read without the lock.
    len: AtomicUsize,
}

impl Streams {
    /// The one that covers the byte at `offset` of `file`, if there is one.
    pub(crate) fn find(&self, file: &Arc<File>, offset: u64) -> Option<Arc<Stretch>> {
        let stretches = self.stretches.lock();
        stretches.iter().rev().find(|stretch| stretch.covers(file, offset) && !stretch.is_over()).cloned()
    }

    /// Forgets one that is not true any more: its pages are gone again.
    pub(crate) fn forget(&self, stretch: &Arc<Stretch>) {
        let mut stretches = self.stretches.lock();
        stretches.retain(|known| !Arc::ptr_eq(known, stretch));
        self.len.store(stretches.len(), Ordering::Relaxed);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }

    /// Begins one of `range` on `io`, waiting in line for a thread. Whoever waits for it, or not.
    pub(crate) async fn begin(&self, range: &FileRange, io: &IoPool) -> Arc<Stretch> {
        let file = Arc::clone(range.file());
        let end = range.offset().saturating_add(range.len());
        let stretch = Arc::new(Stretch::new(&file, range.offset(), end));
        self.remember(&stretch);
        let job = {
            let stretch = Arc::clone(&stretch);
            move || stretch.run(&file)
        };
        if !io.submit_in_line(job).await {
            stretch.fail(&io::Error::other("no thread could be started to read ahead"));
        }
        stretch
    }

    /// As [`begin`](Self::begin), if there is room in the queue now, and if it turns out that nobody else reads there.
    pub(crate) fn go_on(&self, range: &FileRange, io: &IoPool) {
        let file = Arc::clone(range.file());
        let stretch =
            Arc::new(Stretch::new(&file, range.offset(), range.offset().saturating_add(range.len())));
        let job = {
            let stretch = Arc::clone(&stretch);
            move || if stretch.is_alone(&file) { stretch.run(&file) } else { stretch.give_up() }
        };
        if io.submit(job).is_ok() {
            self.remember(&stretch);
        }
    }

    fn remember(&self, stretch: &Arc<Stretch>) {
        let mut stretches = self.stretches.lock();
        stretches.retain(|known| !known.is_over());
        if stretches.len() == STREAMS_MAX {
            stretches.remove(0);
        }
        stretches.push(Arc::clone(stretch));
        self.len.store(stretches.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(file: &Arc<File>, offset: u64) -> FileRange {
        FileRange::new(Arc::clone(file), offset, 4096)
    }

    #[tokio::test]
    async fn a_stretch_is_found_by_its_file_and_place_until_the_file_is_closed() {
        let (streams, io) = (Streams::default(), IoPool::new(1, 4));
        let open = || Arc::new(tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).expect("a file"));
        let (file, other) = (open(), open());
        streams.begin(&range(&file, 8192), &io).await.reached(u64::MAX).await.expect("touched");
        assert!(streams.find(&file, 8192).is_some() && streams.find(&file, 12_288).is_none());
        assert!(streams.find(&other, 8192).is_none());
        // The thread that touched it lets go a little later.
        while Arc::strong_count(&file) > 1 {
            tokio::task::yield_now().await;
        }
        drop(file);
        streams.begin(&range(&other, 0), &io).await;
        assert_eq!(streams.stretches.lock().len(), 1);
    }

    #[tokio::test]
    async fn no_more_than_the_bound_are_remembered() {
        let (streams, io) = (Streams::default(), IoPool::new(1, 1000));
        // Busy, so that none of them is given up meanwhile.
        let (open, gate) = std::sync::mpsc::channel::<()>();
        io.submit(move || {
            let _ = gate.recv();
        })
        .expect("room");
        let file = Arc::new(tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).expect("a file"));
        for at in 0..2 * STREAMS_MAX as u64 {
            streams.go_on(&range(&file, at * 4096), &io);
        }
        assert_eq!(streams.stretches.lock().len(), STREAMS_MAX);
        drop(open);
    }
}
