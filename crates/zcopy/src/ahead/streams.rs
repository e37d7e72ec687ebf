//! The stretches that were begun of late, by file and place: so that one plan finds what an earlier one had read ahead.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::RwLock;

use super::Stretch;
use crate::{FileRange, IoPool};

/// So many are remembered; of more the oldest is forgotten, and only that: it is touched to its end all the same.
const STREAMS_MAX: usize = 64;
/// Who has not come back for what was read ahead by then does not read on.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// Of one transfer. Empty while nobody catches up, which is to be seen without the lock.
#[derive(Debug)]
pub(crate) struct Streams {
    stretches: RwLock<Vec<Arc<Stretch>>>,
    len: AtomicUsize,
    /// What the times of stretches count from.
    began: Instant,
}

impl Default for Streams {
    fn default() -> Self {
        Self { stretches: RwLock::default(), len: AtomicUsize::new(0), began: Instant::now() }
    }
}

impl Streams {
    /// The one that covers the byte at `offset` of `file`, if there is one.
    pub(crate) fn find(&self, file: &Arc<File>, offset: u64) -> Option<Arc<Stretch>> {
        let now_ms = self.now_ms();
        let (found, is_any_over) = {
            let stretches = self.stretches.read();
            let over = |stretch: &Arc<Stretch>| is_over(stretch, now_ms);
            let found = stretches.iter().rev().find(|stretch| stretch.covers(file, offset) && !over(stretch));
            (found.cloned(), stretches.iter().any(over))
        };
        if let Some(found) = &found {
            found.found_ms.store(now_ms, Ordering::Relaxed);
        }
        if is_any_over {
            self.change(|stretches| stretches.retain(|known| !is_over(known, now_ms)));
        }
        found
    }

    /// Forgets one that is not true any more: its pages are gone again.
    pub(crate) fn forget(&self, stretch: &Arc<Stretch>) {
        self.change(|stretches| stretches.retain(|known| !Arc::ptr_eq(known, stretch)));
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
    /// Whether there was room.
    pub(crate) fn go_on(&self, range: &FileRange, io: &IoPool) -> bool {
        let job = Job::new(range);
        let stretch = Arc::clone(&job.stretch);
        let run = move || {
            if job.stretch.is_alone(&job.file) {
                job.stretch.run(&job.file);
            }
        };
        let is_room = io.submit(run).is_ok();
        if is_room {
            self.remember(&stretch);
        }
        is_room
    }

    fn remember(&self, stretch: &Arc<Stretch>) {
        let now_ms = self.now_ms();
        stretch.found_ms.store(now_ms, Ordering::Relaxed);
        self.change(|stretches| {
            stretches.retain(|known| !is_over(known, now_ms));
            if stretches.len() == STREAMS_MAX {
                stretches.remove(0);
            }
            stretches.push(Arc::clone(stretch));
        });
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Stretch>>)) {
        let mut stretches = self.stretches.write();
        change(&mut stretches);
        self.len.store(stretches.len(), Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Whether nobody will come for it.
fn is_over(stretch: &Stretch, now_ms: u64) -> bool {
    let idle_ms = now_ms.saturating_sub(stretch.found_ms.load(Ordering::Relaxed));
    stretch.is_over() || stretch.is_done(u64::MAX) && u128::from(idle_ms) > IDLE_MAX.as_millis()
}

/// The touching of a stretch. However it ends, run, refused or dropped by a pool that is emptied, nobody waits on for
/// it.
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
        assert_eq!(streams.stretches.read().len(), 1);
    }

    #[tokio::test]
    async fn what_was_sent_or_waits_for_nobody_is_forgotten() {
        let (streams, io) = (Streams::default(), IoPool::new(1, 4));
        let file = Arc::new(tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).expect("a file"));
        let stretch = streams.begin(&range(&file, 0), &io).await;
        assert!(stretch.reached(u64::MAX).await.expect("touched") && !streams.is_empty());
        stretch.pass(&file, 4096);
        assert!(streams.find(&file, 0).is_none() && streams.is_empty());
        let stretch = streams.begin(&range(&file, 0), &io).await;
        assert!(stretch.reached(u64::MAX).await.expect("touched"));
        let idle_ms = u64::try_from(IDLE_MAX.as_millis()).expect("seconds");
        assert!(!is_over(&stretch, idle_ms) && is_over(&stretch, 2 * idle_ms));
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
            let _ = streams.go_on(&range(&file, at * 4096), &io);
        }
        assert_eq!(streams.stretches.read().len(), STREAMS_MAX);
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
