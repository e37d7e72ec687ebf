//! A directory comes back under the running broker: one that was away, or that took no writes any more.
//!
//! ```text
//!   take_in   look whether it can be written ─ give up what is open of it ─ lock ─ load, as a start would
//!   serve     its logs take the place of what was there
//! ```
//!
//! Between the two the owner does what has to be done before anybody sees the logs (raise the leader epoch). Whoever has an
//! old log keeps it, to read from; it takes no writes any more. Dropping what was taken in leaves all as it was: the next
//! opening recovers the directory as after a crash.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Disk, OpenMode};
use parking_lot::Mutex;
use uuid::Uuid;

use super::{LogDirs, Place, State};
use crate::dir::{LoadMeter, LoadReport, Loading, LockedDir, LogDirError, LogDirOptions, PartitionSettings};
use crate::{LogDir, Offline};

/// Written and removed to see whether a directory can be written.
const PROBE_FILE: &str = ".probe";
/// More than a file system keeps in an inode.
const PROBE: [u8; 8192] = [0; 8192];

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
        let shown = || path.display().to_string();
        let place = self.places.iter().find(|place| place.path == path);
        let place = place.ok_or_else(|| TakeInError::NotListed(shown()))?;
        let turn = place.turn.take().ok_or_else(|| TakeInError::Busy(shown()))?;
        let before = place.here();
        if let Some(dir) = &before {
            may_be_given_up(dir)?;
            probe(disk.as_ref(), path)?;
            dir.give_up();
        }
        let locked = match coming {
            Coming::Back(None) => LockedDir::lock(Arc::clone(disk), path),
            Coming::Back(Some(id)) => LockedDir::lock_known(Arc::clone(disk), path, id),
            Coming::Bare(id) => LockedDir::lock_bare(Arc::clone(disk), path, id.filter(|id| !self.has(*id))),
        }?;
        // Before loading takes its clean mark: a directory that cannot even be listed keeps it.
        locked.partitions()?;
        let id = locked.directory_id();
        let twin = self.here().find(|dir| id.is_some() && dir.directory_id() == id && dir.path() != path);
        if let Some(twin) = twin {
            let (first, second) = (twin.path().to_path_buf(), path.to_path_buf());
            return Err(LogDirError::SameId { first, second }.into());
        }
        watch(locked.meter());
        *place.turn.0.lock() = Some(Opening(Some(Arc::clone(locked.meter()))));
        let handles = self.here().next().map(|home| Arc::clone(home.handles()));
        let options = LogDirOptions { handles: handles.unwrap_or(options.handles), ..options };
        let elsewhere = |topic: &str, partition| {
            self.here().any(|dir| dir.path() != path && dir.topic_id(topic, partition).is_some())
        };
        let free =
            |topic: &str, partition| settings(topic, partition).filter(|_| !elsewhere(topic, partition));
        let (dir, report) = locked.load(&options, &free, &|_| {})?;
        Ok(TakenIn { dir, report, _turn: turn })
    }

    /// Serves what was taken in.
    pub fn serve(&self, taken: TakenIn) -> (Arc<LogDir>, LoadReport) {
        let TakenIn { dir, report, _turn } = taken;
        let dir = Arc::new(dir);
        if let Some(place) = self.places.iter().find(|place| place.path == dir.path()) {
            place.state.store(Arc::new(State::Here(Arc::clone(&dir))));
        }
        self.find_gone_elsewhere();
        (dir, report)
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

    fn has(&self, id: Uuid) -> bool {
        self.here().any(|dir| dir.directory_id() == Some(id))
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
    match dir.offline() {
        None if dir.logs().iter().all(|log| log.offline().is_none()) => Err(TakeInError::Served(path)),
        Some(why) if !dir.is_sick() => Err(TakeInError::Held { path, reason: why.reason }),
        _ => Ok(()),
    }
}

/// Sees whether the directory can be written again. Where it cannot, what is open of it goes on being read.
fn probe(disk: &dyn Disk, path: &Path) -> Result<(), LogDirError> {
    let file = path.join(PROBE_FILE);
    let written = disk.open(&file, OpenMode::Create).and_then(|open| {
        open.write_at(0, &PROBE)?;
        open.sync_all()
    });
    let removed = disk.remove_file(&file);
    written.and(removed).and_then(|()| disk.sync_dir(path)).map_err(LogDirError::at(&file))
}
