//! Partitions that move from one log directory to another while they are served (KIP-113).
//!
//! ```text
//!   AlterReplicaLogDirs ──▶ alter: may it move? noted on the disk ──▶ line of its target ──▶ run: rounds of copying
//!   a start ──▶ resume: what is noted ──────────────────────────────────────▲                  └─▶ cluster/moved.rs: the switch
//! ```
//!
//! Each directory that something moves to has a thread while there is something to move, so that one whose disk hangs keeps no
//! other move waiting. What is noted on the disk outlives a stop: the copy then begins anew.

mod asked;
mod last;
mod line;
mod notes;
mod pace;
#[cfg(test)]
mod refusing;
mod resumed;
mod run;
mod shown;
#[cfg(test)]
mod stored_tests;
#[cfg(test)]
mod switch_tests;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod waiting_tests;
#[cfg(test)]
mod wish_tests;
mod wishes;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};

use pagewire_log::{FutureLog, Log};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub(crate) use asked::alter;
pub(crate) use resumed::resume;
pub(crate) use shown::{MoveGauges, Shown, Standing};
pub(crate) use wishes::Wish;

/// A move that broke off for no reason of its own, or whose last round took too long, is tried so often.
const TRIES_MAX: u32 = 10;

/// A partition by its topic's id.
type Key = (Uuid, i32);

/// All moves.
#[derive(Default)]
pub(crate) struct Moves {
    /// Those that are under way or wait for their turn.
    wanted: Mutex<HashMap<Key, Arc<Move>>>,
    /// Those whose logs are not served now, no more than there are notes of moves.
    put_off: Mutex<Vec<(PathBuf, FutureLog)>>,
    wishes: wishes::Wishes,
    last: last::Last,
    notes: notes::Notes,
    lines: line::Lines,
    counts: shown::Counts,
    running: OnceLock<Running>,
}

/// Where they run, and what ends them all.
struct Running {
    runtime: Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// One of them.
#[derive(Debug)]
pub(crate) struct Move {
    future: FutureLog,
    /// The directory that it goes to.
    to: PathBuf,
    /// Cancelled when nobody wants it any more, or the broker stops.
    ending: CancellationToken,
    bytes: AtomicU64,
    end: AtomicI64,
    /// How often it broke off for no reason of its own.
    tries: AtomicU32,
    /// Why nothing is copied, if nothing is.
    waits: Mutex<Option<shown::Waits>>,
    /// Why it broke off last.
    failure: Mutex<Option<shown::Failure>>,
}

/// How far a move is.
pub(crate) struct Underway {
    pub(crate) topic: String,
    pub(crate) topic_id: Uuid,
    pub(crate) partition: i32,
    /// Of records that were copied.
    pub(crate) size_bytes: u64,
    /// The offset that the copy reaches.
    pub(crate) end: i64,
}

impl Moves {
    /// From now on there may be some, which are counted among the `tasks` and end with `stop`. On the runtime that serves.
    pub(crate) fn start(&self, tasks: &TaskTracker, stop: &CancellationToken) {
        let running = Running { runtime: Handle::current(), tasks: tasks.clone(), stop: stop.clone() };
        let _ = self.running.set(running);
    }

    /// Somebody asks for a move now, of which a thread hears later.
    pub(crate) fn ask(&self) -> Wish {
        self.wishes.ask()
    }

    /// Those that go to the directory at `to`.
    pub(crate) fn to(&self, to: &Path) -> Vec<Underway> {
        let wanted = self.wanted.lock();
        let going = wanted.values().filter(|going| going.to == to);
        let mut all: Vec<Underway> = going.map(|going| going.look()).collect();
        all.sort_unstable_by(|one, other| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)));
        all
    }

    /// A move that is wanted from now on.
    fn want(&self, future: FutureLog, to: PathBuf) -> Arc<Move> {
        let stop = self.running.get().map(|running| running.stop.child_token()).unwrap_or_default();
        let key = (future.topic_id, future.partition);
        let (bytes, end, tries) = (AtomicU64::new(0), AtomicI64::new(0), AtomicU32::new(0));
        let (waits, failure) = (Mutex::new(Some(shown::Waits::Turn)), Mutex::default());
        self.no_longer_given_up(&future);
        let begun = Arc::new(Move { future, to, ending: stop, bytes, end, tries, waits, failure });
        let before = self.wanted.lock().insert(key, Arc::clone(&begun));
        if let Some(before) = before {
            before.ending.cancel();
        }
        begun
    }

    /// Nobody wants the partition to move any more.
    fn call_off(&self, topic_id: Uuid, partition: i32) {
        if let Some(ended) = self.wanted.lock().remove(&(topic_id, partition)) {
            ended.ending.cancel();
        }
    }

    /// Where the partition is to go, if it is to move.
    fn target(&self, topic_id: Uuid, partition: i32) -> Option<PathBuf> {
        self.wanted.lock().get(&(topic_id, partition)).map(|going| going.to.clone())
    }

    /// A move has ended.
    fn ended(&self, ended: &Arc<Move>) {
        let key = (ended.future.topic_id, ended.future.partition);
        let mut wanted = self.wanted.lock();
        if wanted.get(&key).is_some_and(|other| Arc::ptr_eq(other, ended)) {
            wanted.remove(&key);
        }
    }

    fn is_stopping(&self) -> bool {
        self.running.get().is_some_and(|running| running.stop.is_cancelled())
    }
}

impl Move {
    /// Since the round began.
    fn moved(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn note(&self, (bytes, end): (u64, i64)) {
        self.bytes.store(bytes, Ordering::Relaxed);
        self.end.store(end, Ordering::Relaxed);
    }

    fn look(&self) -> Underway {
        Underway {
            topic: self.future.topic.clone(),
            topic_id: self.future.topic_id,
            partition: self.future.partition,
            size_bytes: self.bytes.load(Ordering::Relaxed),
            end: self.end.load(Ordering::Relaxed),
        }
    }
}

impl Underway {
    /// Offsets that the log has more than its copy.
    pub(crate) fn lag(&self, log: &Log) -> i64 {
        log.marks().log_end.saturating_sub(self.end).max(0)
    }
}
