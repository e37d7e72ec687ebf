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
        let job = Job::new(range);
        let stretch = Arc::clone(&job.stretch);
        self.remember(&stretch);
        if !io.submit_in_line(move || job.stretch.run(&job.file)).await {
            stretch.fail(&io::Error::other("no thread could be started to read ahead"));
        }
        stretch
    }

    /// As [`begin`](Self::begin), if there is room in the queue now, and if it turns out that nobody else reads there.
    pub(crate) fn go_on(&self, range: &FileRange, io: &IoPool) {
        let job = Job::new(range);
        let stretch = Arc::clone(&job.stretch);
        let run = move || {
            if job.stretch.is_alone(&job.file) {
                job.stretch.run(&job.file);
            }
        };
        if io.submit(run).is_ok() {
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

/// The touching of a stretch. However it ends, run, refused or dropped by a pool that is emptied, nobody waits on for it.
struct Job {
    stretch: Arc<Stretch>,
    file: Arc<File>,
}

impl Job {
    fn new(range: &FileRange) -> Self {
        let file = Arc::clone(range.file());
        let end = range.offset().saturating_add(range.len());
        Self { stretch: Arc::new(Stretch::new(&file, range.offset(), end)), file }
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.stretch.give_up_rest();
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

    #[tokio::test]
    async fn one_whose_job_a_pool_drops_is_not_waited_for() {
        let (streams, io) = (Streams::default(), IoPool::new(1, 4));
        let (open, gate) = std::sync::mpsc::channel::<()>();
        io.submit(move || {
            let _ = gate.recv();
        })
        .expect("room");
        while io.queued() > 0 {
            tokio::task::yield_now().await;
        }
        let file = Arc::new(tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).expect("a file"));
        let stretch = streams.begin(&range(&file, 0), &io).await;
        io.discard_queued();
        assert!(!stretch.reached(1).await.expect("no error"));
        drop(open);
    }
}
