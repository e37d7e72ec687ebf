//! Moving a log to another directory while it is served.
//!
//! ```text
//!            begin ──▶ catch up, again and again ──▶ halt ──────────▶ the owner stores ──▶ switch
//!   source   appends, reads                          reads            where it is now     renamed …-delete, then
//!   target   …-future, empty ──▶ grows               complete, said   (the metadata)      …-future renamed, opened
//!                                                    by checkpoints
//! ```
//!
//! A kill or a power cut at any point leaves the log in exactly one directory under its own name, or, between the two renames,
//! in none and complete in the target, where [`LogDirs::adopt_futures`] finds it by what the owner stored. Before that the source
//! is the log, and nothing was appended to the copy. Afterwards the source has lost its name ([`switch`](super::switch)).
//!
//! Left to others: when a move is worth its last round, what is stored, and who is told (`broker/moves`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::DamageEntry;

use super::LogDirs;
use crate::backup::{Altered, BackupError, Follow, Pace, Unfollowed};
use crate::dir::{Entry, is_within};
use crate::halted::Halted;
use crate::sick::is_full;
use crate::{FutureLog, LastRound, Log, LogDir};

/// A log on its way.
#[derive(Debug)]
pub struct Moving {
    pub(super) future: FutureLog,
    pub(super) from: Arc<LogDir>,
    pub(super) to: Arc<LogDir>,
    pub(super) entry: Arc<Entry>,
    /// The copy.
    pub(super) dir: PathBuf,
    follow: Follow,
    /// Up to where the copy reaches.
    end: i64,
    /// Where the log is known to be damaged.
    pub(super) damage: Vec<DamageEntry>,
    /// From when the copy is complete.
    pub(super) halted: Option<Halted>,
}

/// Why a move does not go on.
#[derive(Debug, thiserror::Error)]
pub enum MoveError {
    /// The partition is not served, was deleted, or is where it is wanted.
    #[error("there is nothing to be moved")]
    Nothing,
    /// Its log was opened anew meanwhile, or is to be: the move begins anew, once it is.
    #[error("its log is opened anew")]
    Reopened,
    /// A backup that was begun has not copied it yet.
    #[error("a backup is being made of it")]
    Held,
    /// Its copy lacks more than the last round may bring: it is to catch up once more.
    #[error("its copy lacks {0} bytes")]
    Behind(u64),
    /// Its last round was called off: the log goes on where it is, and its copy is to catch up once more.
    #[error("its last round took too long")]
    CalledOff,
    /// The directory that it is to go to is not here, or takes no writes.
    #[error("{} takes no new logs", .0.display())]
    Target(PathBuf),
    /// The copy is not what was written to it: it is to be made anew.
    #[error(transparent)]
    Altered(Altered),
    /// The directory that it is to go to has no room for the copy, which is removed.
    #[error("{}: {error}: the copy does not fit there, and what was copied is removed, which makes room again", path.display())]
    Full {
        /// The file that did not fit.
        path: PathBuf,
        /// What it said.
        #[source]
        error: io::Error,
    },
    /// Bytes could not be copied, or nobody wants them any more.
    #[error(transparent)]
    Copy(#[from] BackupError),
    /// The disk said no.
    #[error("{}: {error}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What it said.
        #[source]
        error: io::Error,
    },
}

impl MoveError {
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |error| Self::Io { path, error }
    }

    /// Whether compaction was quicker: its copy is to catch up once more, later.
    pub fn is_changing(&self) -> bool {
        matches!(self, Self::Copy(BackupError::Changing(_)))
    }

    /// Whether nothing is wrong but that it was to end.
    pub fn is_stopped(&self) -> bool {
        matches!(self, Self::Copy(error) if error.is_stopped())
    }
}

impl From<Unfollowed> for MoveError {
    fn from(why: Unfollowed) -> Self {
        match why {
            Unfollowed::Deleted => Self::Nothing,
            Unfollowed::Reopened => Self::Reopened,
            Unfollowed::Altered(altered) => Self::Altered(altered),
            Unfollowed::Failed(error) => Self::Copy(error),
        }
    }
}

impl LogDirs {
    /// Begins to move a log to the directory at `to`, which has a durable note of that when this returns. Blocks.
    pub fn begin_move(&self, future: &FutureLog, to: &Path) -> Result<Moving, MoveError> {
        let (topic, partition) = (future.topic.as_str(), future.partition);
        let from = self.here().find(|dir| dir.topic_id(topic, partition) == Some(future.topic_id));
        let from = from.filter(|dir| dir.path() != to).ok_or(MoveError::Nothing)?;
        let entry = from.entry(topic, partition).ok_or(MoveError::Nothing)?;
        // What is copied of one that is to be opened anew is copied in vain.
        if entry.log.is_given_up() {
            return Err(MoveError::Reopened);
        }
        let takes = |dir: &Arc<LogDir>| dir.offline().is_none() && dir.is_absent(topic, partition);
        let target = self.at(to).filter(takes);
        let target = target.ok_or_else(|| MoveError::Target(to.to_path_buf()))?;
        let dir = target.begin_future(future).map_err(MoveError::at(to))?;
        let (follow, damage) = (Follow::default(), Vec::new());
        let future = future.clone();
        Ok(Moving { future, from, to: target, entry, dir, follow, end: 0, damage, halted: None })
    }
}

impl Moving {
    /// Whose log.
    pub fn future(&self) -> &FutureLog {
        &self.future
    }

    /// The log as it is served.
    pub fn log(&self) -> &Arc<Log> {
        &self.entry.log
    }

    /// The directory that it goes to, as [`LogDirs::place`] names it but for home.
    pub fn target(&self) -> &Arc<LogDir> {
        &self.to
    }

    /// Bytes of records in the copy, and up to which offset it reaches for certain.
    pub fn so_far(&self) -> (u64, i64) {
        (self.follow.bytes(), self.end)
    }

    /// Bytes of records that a round would copy now.
    pub fn left_bytes(&self) -> u64 {
        self.follow.left_bytes(&self.entry)
    }

    /// Copies what the log has more than its copy. Blocks for as long as the bytes take; `pace` hears of them.
    pub fn catch_up(&mut self, pace: Pace<'_>) -> Result<(), MoveError> {
        let disk = Arc::clone(self.to.disk());
        let done = self.follow.catch_up(&self.entry, (&*disk, &self.dir), pace);
        self.end = done.map_err(|why| self.noted(why.into()))?;
        Ok(())
    }

    /// A last round, for whoever watches it. [`halt`](Self::halt) makes it.
    pub fn last_round(&self) -> LastRound {
        LastRound::of(&self.entry.log)
    }

    /// Nothing is appended to the log any more; the copy becomes complete, if it lacks no more than `left_max_bytes`, and its
    /// directory knows how much of it is stable. An error: nothing came of it, and the log goes on, or does so already. Until the
    /// round [ends](Self::end_round) it can be called off.
    pub fn halt(&mut self, round: &LastRound, left_max_bytes: u64, pace: Pace<'_>) -> Result<(), MoveError> {
        if self.entry.log.held.is_held() {
            return Err(MoveError::Held);
        }
        let halted = round.begin().ok_or(MoveError::CalledOff)?;
        // A backup notes under the lock that halting takes: what noted it just before is seen by now.
        let left = self.left_bytes();
        let complete = match left {
            _ if self.entry.log.held.is_held() => Err(MoveError::Held),
            _ if left > left_max_bytes => Err(MoveError::Behind(left)),
            _ => self.complete(&halted, pace),
        };
        match complete {
            Ok(()) => {
                self.halted = Some(halted);
                Ok(())
            }
            Err(error) => {
                drop(halted);
                Err(self.noted(error))
            }
        }
    }

    /// The last round is over in time: nobody calls it off from now on, and its owner stores where the log goes. `false`: it was
    /// called off, and [comes to nothing](Self::give_way).
    pub fn end_round(&self) -> bool {
        self.halted.as_ref().is_some_and(Halted::completed)
    }

    /// The round was called off after the copy was complete: the log goes on where it is, and the copy is to catch up once more.
    pub fn give_way(&mut self) -> MoveError {
        self.halted = None;
        // A name too many in a checkpoint is one that another directory has.
        let _ = self.to.expect_no_more(&self.future);
        MoveError::CalledOff
    }

    fn complete(&mut self, halted: &Halted, pace: Pace<'_>) -> Result<(), MoveError> {
        let log = &self.entry.log;
        // Whoever waits for what was appended so far hears of it.
        log.sync().map_err(|error| self.of_source(error))?;
        let disk = Arc::clone(self.to.disk());
        // Before the copy: a cleaning that ends meanwhile may be of segments that are copied as they were before.
        let cleaned_to = self.from.cleaned_to(&self.future.topic, self.future.partition);
        let copy = self.follow.complete(&self.entry, (&*disk, &self.dir), pace)?;
        self.end = copy.end;
        self.damage = log.notes();
        // One that was called off may be of a topic that was deleted since, and another one of its name be there.
        self.while_under_way(halted, || self.to.expect(&self.future, copy, cleaned_to))?;
        let written = self.to.write_expected(cleaned_to).map_err(MoveError::at(self.to.path()));
        // It may have been called off, and its topic deleted, meanwhile.
        let expected = self.while_under_way(halted, || ()).and(written);
        expected.inspect_err(|_| drop(self.to.expect_no_more(&self.future)))
    }

    /// Does something in memory while the round is under way and the log not deleted. Whatever waits for the log, of all work in its
    /// directory, waits for this: no disk is touched, least of all another directory's.
    fn while_under_way(&self, halted: &Halted, work: impl FnOnce()) -> Result<(), MoveError> {
        let done = self.entry.round(|_| halted.is_under_way().then(work));
        done.ok_or(MoveError::Nothing)?.ok_or(MoveError::CalledOff)
    }

    /// What the source answered.
    pub(super) fn of_source(&self, error: io::Error) -> MoveError {
        if self.entry.log.is_given_up() {
            MoveError::Reopened
        } else {
            MoveError::at(self.entry.log.dir())(error)
        }
    }

    /// What could not be written says something of the target; a copy that is too large for it, nothing.
    fn noted(&self, error: MoveError) -> MoveError {
        match error {
            MoveError::Copy(BackupError::Io { path, error })
                if is_full(error.kind()) && is_within(&self.to, &path) =>
            {
                MoveError::Full { path, error }
            }
            MoveError::Copy(BackupError::Io { ref path, error: ref io })
                if is_within(&self.to, path) && !error.is_stopped() =>
            {
                self.to.note(path, io);
                error
            }
            error => error,
        }
    }
}
