//! Group commit: one `fdatasync` for all who wait on the same log.
//!
//! A round syncs what was appended when it began. Whoever asks while a round is under way waits for the next one, which
//! then covers everybody who came meanwhile. Rounds run in the I/O pool's urgent lane, behind no cold read, one at a
//! time per log, and each queues up anew, so that a log that is always busy keeps no thread from the others. After a
//! failed sync the kernel may have dropped the pages (see fsync(2) and the log's offline mark): nothing is
//! acknowledged from then on. A sync that could not begin, because the process has no descriptor left, is tried again.
//!
//! No wake-up is lost: a round publishes its outcome and decides whether another follows under one lock, and whoever
//! wants more says so under the same lock, after subscribing to outcomes.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use pagewire_log::Log;
use pagewire_zcopy::{IoPool, PoolFull};
use parking_lot::Mutex;
use tokio::{sync::watch, time::timeout};

/// Between two attempts to find room in a full I/O pool.
const PAUSE: Duration = Duration::from_millis(5);
/// Attempts before a waiter gives up: ten seconds.
const PAUSES_MAX: u32 = 2000;

/// Why an append cannot be acknowledged as stable. It stays in the page cache and may or may not survive.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum CommitError {
    /// The sync failed: the log directory is offline.
    #[error("sync failed: {0}")]
    Failed(Arc<str>),
    /// No sync could begin for seconds: every I/O thread and queue slot is taken, or every descriptor. The client should
    /// try again.
    #[error("no sync could begin")]
    Busy,
}

#[derive(Debug, Clone)]
enum Progress {
    /// Everything below this offset is on stable storage.
    Stable(i64),
    /// The same, and the last round could not begin.
    Delayed(i64),
    Failed(Arc<str>),
}

#[derive(Debug, Default)]
struct Rounds {
    wanted: i64,
    running: bool,
}

#[derive(Debug)]
pub(super) struct GroupCommit {
    progress: watch::Sender<Progress>,
    rounds: Arc<Mutex<Rounds>>,
}

impl GroupCommit {
    pub(super) fn new(stable: i64) -> Self {
        Self { progress: watch::Sender::new(Progress::Stable(stable)), rounds: Arc::default() }
    }

    /// Returns when everything below `offset` is stable.
    pub(super) async fn wait(&self, log: &Arc<Log>, offset: i64, io: &IoPool) -> Result<(), CommitError> {
        let mut progress = self.progress.subscribe();
        let (mut pauses, mut asked) = (0, false);
        loop {
            // What was delayed before this one asked is no news.
            let delayed = match &*progress.borrow_and_update() {
                Progress::Stable(stable) | Progress::Delayed(stable) if *stable >= offset => return Ok(()),
                Progress::Failed(error) => return Err(CommitError::Failed(Arc::clone(error))),
                Progress::Stable(_) => false,
                Progress::Delayed(_) => std::mem::take(&mut asked),
            };
            if !delayed && self.want(log, offset, io).is_ok() {
                asked = true;
                // The sender lives as long as the partition that is borrowed here.
                if progress.changed().await.is_err() {
                    return Err(CommitError::Failed("the partition is gone".into()));
                }
            } else if pauses < PAUSES_MAX {
                pauses += 1;
                // Whichever comes first: room in the pool, or the end of a round that somebody else found room for.
                let _ = timeout(PAUSE, progress.changed()).await;
            } else {
                return Err(CommitError::Busy);
            }
        }
    }

    /// Sees to it that `offset` gets stable soon, unless the I/O pool is full.
    pub(super) fn start(&self, log: &Arc<Log>, offset: i64, io: &IoPool) {
        let stable = match &*self.progress.borrow() {
            Progress::Stable(stable) | Progress::Delayed(stable) => *stable,
            Progress::Failed(_) => return,
        };
        if stable < offset {
            let _ = self.want(log, offset, io);
        }
    }

    /// Makes sure that a round covering `offset` is running or will follow the running one.
    fn want(&self, log: &Arc<Log>, offset: i64, io: &IoPool) -> Result<(), PoolFull> {
        let mut rounds = self.rounds.lock();
        // Nobody waits for what is not appended; if somebody did, rounds would go on for ever.
        rounds.wanted = rounds.wanted.max(offset.min(log.marks().log_end));
        if rounds.running {
            return Ok(());
        }
        let round = Round {
            log: Arc::clone(log),
            progress: self.progress.clone(),
            rounds: Arc::clone(&self.rounds),
            io: io.clone(),
        };
        io.submit_urgent(move || round.run())?;
        rounds.running = true;
        Ok(())
    }
}

/// What a round needs, on its I/O thread.
#[derive(Clone)]
struct Round {
    log: Arc<Log>,
    progress: watch::Sender<Progress>,
    rounds: Arc<Mutex<Rounds>>,
    io: IoPool,
}

impl Round {
    /// Syncs until nobody waits for more, each time from the end of the pool's queue.
    fn run(self) {
        while self.sync() {
            let next = self.clone();
            if self.io.submit_urgent(move || next.run()).is_ok() {
                return;
            }
        }
    }

    /// One sync and its announcement; whether somebody waits for more.
    fn sync(&self) -> bool {
        // A panic must not leave the waiters waiting.
        let outcome = catch_unwind(AssertUnwindSafe(|| self.log.sync()))
            .unwrap_or_else(|_| Err(io::Error::other("the sync panicked")));
        let mut rounds = self.rounds.lock();
        let more = match outcome {
            Ok(stable) => {
                self.progress.send_replace(Progress::Stable(stable));
                rounds.wanted > stable
            }
            Err(error) => {
                let failed = self.log.offline().is_some() || error.kind() == io::ErrorKind::Other;
                self.progress.send_replace(if failed {
                    Progress::Failed(error.to_string().into())
                } else {
                    Progress::Delayed(self.log.marks().recovery_point)
                });
                false
            }
        };
        rounds.running = more;
        more
    }
}

#[cfg(test)]
#[path = "commit_tests.rs"]
mod tests;
