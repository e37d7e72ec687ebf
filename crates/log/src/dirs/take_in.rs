//! A directory comes back under the running broker: one that was away, or that took no writes any more.
//!
//! ```text
//!   take_in   look whose it is ─ whether it can be written ─ give up what is open of it ─ lock ─ load, as a start would
//!   serve     its logs take the place of what was there
//! ```
//!
//! Nothing is written into a directory before it is known to be ours, and nothing that is open is given up before that.
//!
//! Between the two the owner does what has to be done before anybody sees the logs (raise the leader epoch). Whoever has an
//! old log keeps it, to read from; it takes no writes any more. Dropping what was taken in leaves all as it was: the next
//! opening recovers the directory as after a crash.

use std::io;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Disk, create_dir_durably};
use parking_lot::Mutex;
use uuid::Uuid;

use super::twice::{Torn, Twice};
use super::{LogDirs, Place, State};
use crate::dir::{
    LoadMeter, LoadReport, Loading, LockedDir, LogDirError, LogDirOptions, Notice, PartitionSettings,
    identity_of, must_be_bare, must_hold_something, partition_dir,
};
use crate::probe::probe;
use crate::sick::told;
use crate::{LogDir, Offline};

/// What the directory is.
#[derive(Debug, Clone, Copy)]
pub enum Coming {
    /// It was served before, under this id if it is known.
    Back(Option<Uuid>),
    /// An empty one, in the place of one whose content is lost. With its id, the lost partitions are made anew in it.
    Bare(Option<Uuid>),
}

/// Why a directory was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum TakeInError {
    /// No such directory is listed.
    #[error("{0} is none of log.dirs")]
    NotListed(String),
    /// All is well with it.
    #[error("{0} is served already")]
    Served(String),
    /// It waits for room.
    #[error("{path} takes no writes for now: {reason}")]
    Held {
        /// The directory.
        path: String,
        /// Why.
        reason: Arc<str>,
    },
    /// Somebody else is at it.
    #[error("{0} is being opened already")]
    Busy(String),
    /// Records are in open files alone, which were removed: they would be closed.
    #[error(
        "{path} is not opened again: {files} files of {partition} were removed, and only this broker still has them open. Run `{back}` \
         first, which brings them back; to go on without them, end the broker"
    )]
    Removed {
        /// The directory.
        path: String,
        /// Whose.
        partition: String,
        /// So many.
        files: usize,
        /// The command that copies them to where they were.
        back: String,
    },
    /// Another directory came back meanwhile, and serves a partition that this one has as well.
    #[error("{path} has a partition that {other} serves by now: try again, and it is left closed")]
    Overtaken {
        /// The directory.
        path: String,
        /// The other one.
        other: String,
    },
    /// It still cannot be read or written, or is not ours.
    #[error(transparent)]
    Still(#[from] LogDirError),
}

/// Who opens a place, and how far that is.
#[derive(Debug, Clone, Default)]
pub(super) struct Turn(Arc<Mutex<Option<Opening>>>);

#[derive(Debug, Default)]
struct Opening(Option<Arc<LoadMeter>>);

impl Turn {
    fn take(&self) -> Option<HeldTurn> {
        let mut turn = self.0.lock();
        let free = turn.is_none().then(|| HeldTurn(self.clone()));
        turn.get_or_insert_default();
        free
    }

    /// How far it is, while somebody is at it.
    pub(super) fn look(&self) -> Option<Loading> {
        self.0.lock().as_ref()?.0.as_ref().map(|meter| meter.look())
    }
}

/// Given back when it is dropped.
#[derive(Debug)]
struct HeldTurn(Turn);

impl Drop for HeldTurn {
    fn drop(&mut self) {
        *self.0.0.lock() = None;
    }
}

/// A directory that is loaded and not served yet.
#[derive(Debug)]
pub struct TakenIn {
    dir: LogDir,
    /// What loading it found.
    pub report: LoadReport,
    /// Partitions that it and another directory have.
    torn: Vec<Torn>,
    _turn: HeldTurn,
}

impl LogDirs {
    /// Loads a directory that is away, or takes no writes, from `disk`: what is not known to be whole is recovered. Partitions
    /// that are served from another directory stay where they are. `watch` is told where the progress can be looked at.
    ///
    /// `options` as at the start; the budget of open files is the one that the others have.
    pub fn take_in(
        &self,
        path: &Path,
        disk: &Arc<dyn Disk>,
        coming: Coming,
        options: LogDirOptions,
        settings: &(dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
        watch: &dyn Fn(&Arc<LoadMeter>),
    ) -> Result<TakenIn, TakeInError> {
        let taken = self.look_and_take_in(path, disk, coming, options, settings, watch);
        taken.map_err(|error| match error {
            TakeInError::Still(error) => error.beside(self.home()).into(),
            other => other,
        })
    }

    fn look_and_take_in(
        &self,
        path: &Path,
        disk: &Arc<dyn Disk>,
        coming: Coming,
        options: LogDirOptions,
        settings: &(dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
        watch: &dyn Fn(&Arc<LoadMeter>),
    ) -> Result<TakenIn, TakeInError> {
        let shown = || path.display().to_string();
        let place = self.places.iter().find(|place| place.path == path);
        let place = place.ok_or_else(|| TakeInError::NotListed(shown()))?;
        let turn = place.turn.take().ok_or_else(|| TakeInError::Busy(shown()))?;
        let before = place.here();
        let coming = match coming {
            Coming::Bare(id) => Coming::Bare(id.filter(|id| self.twin(path, Some(*id)).is_none())),
            back @ Coming::Back(_) => back,
        };
        if let Some(dir) = &before {
            may_be_given_up(dir)?;
            has_names(dir)?;
        }
        self.refuse_twin(path, look(disk.as_ref(), path, coming, &options)?)?;
        if matches!(coming, Coming::Bare(_)) {
            create_dir_durably(disk.as_ref(), path).map_err(LogDirError::at(path))?;
        }
        if let Some(dir) = &before {
            // Where it cannot be written, what is open of it goes on being read.
            probe(disk.as_ref(), path)
                .map_err(|error| LogDirError::at(path)(io::Error::new(error.kind(), told(&error))))?;
            dir.give_up();
        }
        let locked = match coming {
            Coming::Back(None) => LockedDir::lock(Arc::clone(disk), path),
            Coming::Back(Some(id)) => LockedDir::lock_known(Arc::clone(disk), path, id)
                .map(|locked| locked.known_as(&options.knows(id))),
            Coming::Bare(id) => LockedDir::lock_bare(Arc::clone(disk), path, id),
        }?;
        let locked = locked.beside(self.home());
        // Another may have taken its name since the look.
        self.refuse_twin(path, locked.directory_id())?;
        watch(locked.meter());
        *place.turn.0.lock() = Some(Opening(Some(Arc::clone(locked.meter()))));
        let handles = self.here().next().map(|home| Arc::clone(home.handles()));
        let options = LogDirOptions { handles: handles.unwrap_or(options.handles), ..options };
        let (dir, report, torn) = self.load_beside(locked, before.as_deref(), &options, settings)?;
        if let Some(before) = &before {
            dir.count_on_from(before.scrub_counts());
            dir.await_as(before);
        }
        Ok(TakenIn { dir, report, torn, _turn: turn })
    }

    /// Loads a directory but for what is served from another one, and what another one has as well: of these copies nobody can
    /// tell which is right. What was served from `before`, which was open here, is.
    fn load_beside(
        &self,
        locked: LockedDir,
        before: Option<&LogDir>,
        options: &LogDirOptions,
        settings: &(dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
    ) -> Result<(LogDir, LoadReport, Vec<Torn>), LogDirError> {
        let path = locked.path().to_path_buf();
        // Also before loading takes its clean mark: a directory that cannot even be listed keeps it.
        locked.holder().partitions()?;
        let others: Vec<Arc<LogDir>> = self.here().filter(|dir| dir.path() != path).collect();
        let has = |dir: &LogDir, topic: &str, partition| dir.topic_id(topic, partition).is_some();
        let elsewhere = |topic: &str, partition| others.iter().any(|dir| has(dir, topic, partition));
        let was_here = |topic: &str, partition| before.is_some_and(|dir| has(dir, topic, partition));
        let contested = |topic: &str, partition| {
            settings(topic, partition).filter(|_| !elsewhere(topic, partition) && !was_here(topic, partition))
        };
        let mut holders: Vec<_> = others.iter().map(|dir| dir.holder()).collect();
        let at =
            self.places.iter().take_while(|place| place.path != path).filter(|place| place.here().is_some());
        holders.insert(at.count().min(holders.len()), locked.holder());
        let twice = Twice::find(&holders, &contested);
        let closed = |topic: &str, partition| twice.closes(&path.join(partition_dir(topic, partition)));
        let id = locked.directory_id();
        let free = |topic: &str, partition| {
            settings(topic, partition).filter(|known| {
                known.is_behind(id) || !elsewhere(topic, partition) && !closed(topic, partition)
            })
        };
        let (dir, mut report) = locked.load(options, &free, &|_| {})?;
        report
            .notices
            .retain(|notice| !matches!(notice, Notice::UnknownTopic { path } if twice.closes(path)));
        let torn: Vec<Torn> = twice.torn().into_iter().filter(|torn| torn.is_in(&path)).collect();
        report.failed.extend(torn.iter().map(Torn::failure));
        Ok((dir, report, torn))
    }

    /// Serves what was taken in, unless another that came back meanwhile has some of it: the next attempt passes over that.
    pub fn serve(&self, taken: TakenIn) -> Result<(Arc<LogDir>, LoadReport), TakeInError> {
        let TakenIn { dir, report, torn, _turn } = taken;
        let logs = dir.logs();
        let has_some =
            |other: &LogDir| logs.iter().any(|log| other.topic_id(log.topic(), log.partition()).is_some());
        let other = self.here().find(|other| other.path() != dir.path() && has_some(other));
        if let Some(other) = other {
            let shown = |dir: &LogDir| dir.path().display().to_string();
            return Err(TakeInError::Overtaken { path: shown(&dir), other: shown(&other) });
        }
        let dir = Arc::new(dir);
        {
            let mut all = self.torn.write();
            // What the directory has alone by now is whole. Where another one has it, and this one no longer, that is as it
            // was: the other is not opened here.
            all.retain(|before| {
                let found_again = torn.iter().any(|torn| torn.is_same(before));
                !before.is_in(dir.path()) || !before.is_known_to(&dir) && !found_again
            });
            all.extend(torn);
        }
        if let Some(place) = self.places.iter().find(|place| place.path == dir.path()) {
            place.state.store(Arc::new(State::Here(Arc::clone(&dir))));
        }
        self.find_gone_elsewhere();
        Ok((dir, report))
    }

    /// Whether nothing is wrong with the directory at `path`: it would not be taken in.
    pub fn is_well(&self, path: &Path) -> bool {
        let dir = self.here().find(|dir| dir.path() == path);
        dir.is_some_and(|dir| matches!(may_be_given_up(&dir), Err(TakeInError::Served(_))))
    }

    /// A directory that could not be taken in is away from now on for another reason than before.
    pub fn note_away(&self, path: &Path, error: &TakeInError) {
        let place = self.places.iter().find(|place| place.path == path);
        if let Some(place) = place.filter(|place| place.here().is_none())
            && let TakeInError::Still(error) = error
        {
            let why = Offline { reason: error.to_string().into(), kind: std::io::ErrorKind::Other };
            place.state.store(Arc::new(State::Away(why)));
        }
    }

    /// Another directory of this id, which was copied or is elsewhere now.
    fn twin(&self, path: &Path, id: Option<Uuid>) -> Option<Arc<LogDir>> {
        self.here().find(|dir| id.is_some() && dir.directory_id() == id && dir.path() != path)
    }

    fn refuse_twin(&self, path: &Path, id: Option<Uuid>) -> Result<(), LogDirError> {
        let Some(twin) = self.twin(path, id) else { return Ok(()) };
        Err(LogDirError::SameId { first: twin.path().to_path_buf(), second: path.to_path_buf() })
    }
}

impl Place {
    /// How far its opening is, while it is being opened.
    pub(super) fn opening(&self) -> Option<Loading> {
        self.turn.look()
    }
}

fn may_be_given_up(dir: &LogDir) -> Result<(), TakeInError> {
    let path = dir.path().display().to_string();
    let is_whole = || dir.unopened().is_empty() && dir.logs().iter().all(|log| log.offline().is_none());
    match dir.offline() {
        None if is_whole() => Err(TakeInError::Served(path)),
        Some(why) if !dir.is_sick() => Err(TakeInError::Held { path, reason: why.reason }),
        _ => Ok(()),
    }
}

/// Whether all that is open of the directory would be there again.
fn has_names(dir: &LogDir) -> Result<(), TakeInError> {
    for log in dir.logs() {
        if let Some((files, back)) = log.held_alone() {
            let partition = partition_dir(log.topic(), log.partition());
            return Err(TakeInError::Removed {
                path: dir.path().display().to_string(),
                partition,
                files,
                back,
            });
        }
    }
    Ok(())
}

/// Sees whose directory it is, and whether it is as it is said to be, before anything is done to it. The id it has, or keeps.
fn look(
    disk: &dyn Disk,
    path: &Path,
    coming: Coming,
    options: &LogDirOptions,
) -> Result<Option<Uuid>, LogDirError> {
    let known = match coming {
        Coming::Back(None) => None,
        Coming::Back(Some(id)) => {
            must_hold_something(disk, path, id)?;
            Some(id)
        }
        Coming::Bare(id) => {
            must_be_bare(disk, path)?;
            id
        }
    };
    identity_of(disk, path, known, options)
}
