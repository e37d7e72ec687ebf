//! All logs at one moment: where each ended when none was being appended to.
//!
//! ```text
//!   append locks of all logs, tried ──▶ those that were taken, waited for, a bounded while ──▶ all held: note, let go
//!                                             └─ still taken: let all go, and say which one it was
//! ```
//!
//! What one append follows from (a marker from the coordinator's record, an offset that is committed from the record that
//! was written for it) is in the log before it is begun. So where a log's part of the notes has an append, the others'
//! parts have all that it followed from: together they are what a process killed at that moment leaves.
//!
//! No append pays for it but those that come while the locks are held. A disk on which an append hangs keeps the others
//! waiting no longer than the caller's patience.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;
use uuid::Uuid;

use super::moment::Moment;
use crate::dir::{Entry, LogDir};
use crate::held::Hold;
use crate::writer::Writer;

/// Whether a log that was halted takes appends again is looked at this often.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// What is to be copied of each log, as of one moment. Until a log is copied or dropped it is cleaned up to its end of
/// that moment only.
#[derive(Debug, Default)]
pub struct Noted(HashMap<(Uuid, i32), NotedLog>);

/// One log of that moment.
#[derive(Debug)]
pub struct NotedLog {
    pub(super) entry: Arc<Entry>,
    pub(super) moment: Moment,
    _hold: Hold,
}

/// There was no moment: a log was being appended to all the while, or is between two log directories.
#[derive(Debug)]
pub struct Busy(Arc<Entry>);

impl Noted {
    /// Whether there is a log of this partition.
    pub fn has(&self, topic_id: Uuid, partition: i32) -> bool {
        self.0.contains_key(&(topic_id, partition))
    }

    /// The log of a partition of the topic with this id, once.
    pub fn take(&mut self, topic_id: Uuid, partition: i32) -> Option<NotedLog> {
        self.0.remove(&(topic_id, partition))
    }

    /// Lets go of the logs of all topics but those that are wanted.
    pub fn keep(&mut self, is_wanted: impl Fn(Uuid) -> bool) {
        self.0.retain(|(topic_id, _), _| is_wanted(*topic_id));
    }

    /// The topics of the logs that are left, with the number of these and about how many bytes they have.
    pub fn left(&self) -> HashMap<Uuid, (usize, u64)> {
        let mut topics: HashMap<Uuid, (usize, u64)> = HashMap::new();
        for ((topic_id, _), noted) in &self.0 {
            let (logs, bytes) = topics.entry(*topic_id).or_default();
            *logs += 1;
            *bytes += noted.entry.log.size_bytes();
        }
        topics
    }
}

impl NotedLog {
    /// The offset after the last record that the copy will have.
    pub fn end(&self) -> i64 {
        self.moment.end
    }
}

impl Busy {
    /// The topic of the log.
    pub fn topic(&self) -> &Arc<str> {
        self.0.log.topic()
    }

    /// Its partition.
    pub fn partition(&self) -> i32 {
        self.0.log.partition()
    }

    /// Waits, holding nothing, until the log is not being appended to, and takes appends again if it was halted, no longer than
    /// `patience`.
    pub fn wait(&self, patience: Duration) {
        let (log, until) = (&self.0.log, Instant::now() + patience);
        drop(log.writer.try_lock_until(until));
        while log.is_halted() && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY.min(patience));
        }
    }
}

/// Notes where all logs of these directories end. Appends wait meanwhile: for as long as memory takes, and before that for
/// `patience` at most. Blocks.
pub fn note<'d>(dirs: impl IntoIterator<Item = &'d LogDir>, patience: Duration) -> Result<Noted, Busy> {
    let entries: Vec<Arc<Entry>> = dirs.into_iter().flat_map(LogDir::entries).collect();
    let mut noted = HashMap::with_capacity(entries.len());
    let locked = lock_all(&entries, patience)?;
    // One that was halted for its switch may be elsewhere by the time it is copied.
    if let Some(halted) = entries.iter().find(|entry| entry.log.is_halted()) {
        return Err(Busy(Arc::clone(halted)));
    }
    for (entry, writer) in entries.iter().zip(&locked) {
        if let Some(moment) = Moment::of(&entry.log, writer) {
            let hold = Hold::at(&entry.log, moment.held_at());
            let log = NotedLog { entry: Arc::clone(entry), moment, _hold: hold };
            noted.insert((entry.topic_id, entry.log.partition()), log);
        }
    }
    drop(locked);
    Ok(Noted(noted))
}

/// The append locks of all. Nobody who holds one waits for another.
fn lock_all(entries: &[Arc<Entry>], patience: Duration) -> Result<Vec<MutexGuard<'_, Writer>>, Busy> {
    let mut tried: Vec<_> = entries.iter().map(|entry| entry.log.writer.try_lock()).collect();
    let until = Instant::now() + patience;
    for (entry, taken) in entries.iter().zip(&mut tried).filter(|(_, taken)| taken.is_none()) {
        *taken = Some(entry.log.writer.try_lock_until(until).ok_or_else(|| Busy(Arc::clone(entry)))?);
    }
    Ok(tried.into_iter().flatten().collect())
}
