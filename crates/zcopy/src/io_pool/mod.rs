//! A few threads for what may wait for a disk, with bounded queues.
//!
//! ```text
//!   submit, run, read_ahead   the general lane: whatever may take its time
//!   submit_urgent             a lane of its own, queue and threads: what somebody waits for (syncs)
//! ```
//!
//! So cold reads on a slow disk, however many, delay no sync by more than the disk itself does. Threads start when
//! there is work and none is free, up to a bound for each lane, and end when they had nothing to do for a while: a
//! process at rest has none. A job that panics hands its panic to whoever awaits it; the thread lives.

#[cfg(feature = "tokio")]
mod devices;
mod lane;

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "tokio")]
pub(crate) use devices::DevicePools;
use lane::Lane;

#[cfg(feature = "tokio")]
use crate::FileRange;

/// How long a thread waits for work before it ends, unless told otherwise.
const IDLE_DEFAULT: Duration = Duration::from_secs(5);

/// The queue is full, or no thread could be started: try later, or do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the I/O pool has no room for another job")]
pub struct PoolFull;

/// Threads for what may wait for a disk, in two lanes with a bounded queue each: one for reads and the like, one for
/// what somebody waits for, such as a sync. A handle; clones share the pool. When the last one is dropped, accepted
/// jobs are finished and the threads end.
///
/// Threads start when there is work and none is free, and end when they had nothing to do for a while.
///
/// ```
/// use std::sync::mpsc;
/// use pagewire_zcopy::IoPool;
///
/// let io = IoPool::new(2, 16);
/// assert_eq!(io.threads(), 0, "none before there is work");
/// let (tell, told) = mpsc::channel();
/// io.submit(move || tell.send(6 * 7).expect("somebody listens"))?;
/// assert_eq!(told.recv()?, 42);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct IoPool {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    general: Arc<Lane>,
    urgent: Arc<Lane>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.general.close();
        self.urgent.close();
    }
}

impl IoPool {
    /// A pool of at most `threads` threads in each lane (at least one) with at most `queue_max` jobs waiting for
    /// them in each (at least one). Starts no thread yet.
    pub fn new(threads: usize, queue_max: usize) -> Self {
        Self::with_idle_max(threads, queue_max, IDLE_DEFAULT)
    }

    /// As [`new`](Self::new), with threads that end after `idle_max` without work (by default five seconds).
    pub fn with_idle_max(threads: usize, queue_max: usize, idle_max: Duration) -> Self {
        let general = Lane::new("pagewire-io", threads, queue_max, idle_max);
        let urgent = Lane::new("pagewire-sync", threads, queue_max, idle_max);
        Self { handle: Arc::new(Handle { general, urgent }) }
    }

    /// Another pool with the same limits, and queues and threads of its own: for what shall not wait for the jobs of this
    /// one, nor they for its.
    #[must_use]
    pub fn another(&self) -> Self {
        let Handle { general, urgent } = &*self.handle;
        Self { handle: Arc::new(Handle { general: general.another(), urgent: urgent.another() }) }
    }

    /// Hands `job` to a thread; nobody waits for it.
    ///
    /// # Errors
    /// [`PoolFull`] when `queue_max` jobs are waiting already. The job is dropped unrun.
    pub fn submit(&self, job: impl FnOnce() + Send + 'static) -> Result<(), PoolFull> {
        self.handle.general.submit(Box::new(job)).map_err(|_| PoolFull)
    }

    /// As [`submit`](Self::submit), in the urgent lane: no job of the general one is waited for.
    ///
    /// # Errors
    /// [`PoolFull`] when `queue_max` urgent jobs are waiting already. The job is dropped unrun.
    pub fn submit_urgent(&self, job: impl FnOnce() + Send + 'static) -> Result<(), PoolFull> {
        self.handle.urgent.submit(Box::new(job)).map_err(|_| PoolFull)
    }

    /// As [`submit_urgent`](Self::submit_urgent), for the last step of a job of that lane: its own thread goes on with the next.
    pub(crate) fn follow_urgent(&self, job: impl FnOnce() + Send + 'static) -> Result<(), PoolFull> {
        self.handle.urgent.follow(Box::new(job)).map_err(|_| PoolFull)
    }

    /// Whether the next urgent job would have a thread at once: a job that may wait for something else keeps nobody waiting then.
    pub(crate) fn has_urgent_room(&self) -> bool {
        self.handle.urgent.has_room()
    }

    /// Drops the jobs of the general lane that no thread has begun; whoever awaits one hears [`PoolFull`]. For the end
    /// of a process, when those who wanted them are gone.
    pub fn discard_queued(&self) {
        self.handle.general.discard();
    }

    /// Threads alive now, in both lanes.
    pub fn threads(&self) -> usize {
        self.handle.general.threads() + self.handle.urgent.threads()
    }

    /// Jobs waiting for a thread now, in both lanes.
    pub fn queued(&self) -> usize {
        self.handle.general.queued() + self.handle.urgent.queued()
    }
}

#[cfg(feature = "tokio")]
impl IoPool {
    /// Runs `job` on a thread of the pool and answers with what it returned. Dropping the future does not stop
    /// a job that was accepted. A panic of the job continues in the caller.
    ///
    /// # Errors
    /// [`PoolFull`] at once, when `queue_max` jobs are waiting already.
    pub async fn run<T, F>(&self, job: F) -> Result<T, PoolFull>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let (done, answer) = tokio::sync::oneshot::channel();
        self.submit(move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
            // Nobody listening is fine: the caller was cancelled.
            let _ = done.send(result);
        })?;
        match answer.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_) => Err(PoolFull),
        }
    }

    /// As [`submit`](Self::submit), but waits for room in the queue, as long as it takes. `false`: there is not a
    /// single thread, so nobody would ever make room; the job was dropped.
    pub(crate) async fn submit_in_line(&self, job: impl FnOnce() + Send + 'static) -> bool {
        let mut job: lane::Job = Box::new(job);
        loop {
            let mut room = std::pin::pin!(self.handle.general.room.notified());
            room.as_mut().enable();
            match self.handle.general.submit(job) {
                Ok(()) => return true,
                Err(_) if self.handle.general.threads() == 0 => return false,
                Err(refused) => job = refused,
            }
            room.await;
        }
    }

    /// Brings `range` into the page cache. Waits for room in the queue, as long as it takes: a time limit is
    /// the caller's.
    ///
    /// # Errors
    /// What reading the file reports; `Other` where not a single thread could be started.
    pub async fn read_ahead(&self, range: FileRange) -> std::io::Result<()> {
        let len = range.len();
        self.read_ahead_first(range, len).await
    }

    /// As [`read_ahead`](Self::read_ahead), but waits only until the first `wait_len` bytes are there; the rest
    /// is on its way.
    ///
    /// # Errors
    /// As [`read_ahead`](Self::read_ahead).
    pub async fn read_ahead_first(&self, range: FileRange, wait_len: u64) -> std::io::Result<()> {
        let (done, answer) = tokio::sync::oneshot::channel();
        let job = move || {
            // Nobody listening is fine: the caller was cancelled.
            let _ = done.send(crate::read_ahead_blocking(&range, wait_len));
        };
        if !self.submit_in_line(job).await {
            return Err(std::io::Error::other("no thread could be started to read ahead"));
        }
        answer.await.map_err(|_| std::io::Error::other("the read ahead was given up"))?.map(drop)
    }
}
