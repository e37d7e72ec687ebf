//! A directory that was away comes back under the running broker.

use std::path::Path;
use std::sync::Arc;

use super::load::Locked;
use super::{LogDirs, State};
use crate::dir::{LoadReport, LogDirError, LogDirOptions, PartitionSettings};

/// Why a directory was not taken in.
#[derive(Debug, thiserror::Error)]
pub enum TakeInError {
    /// No such directory is listed.
    #[error("{0} is none of log.dirs")]
    NotListed(String),
    /// All is well with it.
    #[error("{0} is served already")]
    Served(String),
    /// Its logs are open.
    #[error(
        "{path} takes no writes ({reason}), and its logs are open: they are opened again when the broker is started again"
    )]
    Open {
        /// The directory.
        path: String,
        /// Why it takes no writes.
        reason: Arc<str>,
    },
    /// It still cannot be read, or is not ours.
    #[error(transparent)]
    Still(#[from] LogDirError),
}

impl LogDirs {
    /// Loads a directory that was away, with `lock` for its lock, as a start would: what is not known to be whole is
    /// recovered. Partitions that are served from another directory stay where they are.
    ///
    /// `options` as at the start; the budget of open files is the one that the others have.
    pub fn take_in(
        &self,
        path: &Path,
        lock: impl FnOnce(&Path) -> Locked,
        options: LogDirOptions,
        settings: &(dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
    ) -> Result<LoadReport, TakeInError> {
        let shown = || path.display().to_string();
        let place = self.places.iter().find(|place| place.path == path);
        let place = place.ok_or_else(|| TakeInError::NotListed(shown()))?;
        if let Some(dir) = place.here() {
            return Err(match dir.offline() {
                Some(why) => TakeInError::Open { path: shown(), reason: why.reason },
                None => TakeInError::Served(shown()),
            });
        }
        let locked = lock(path).1?;
        // Before loading takes its clean mark: a directory that cannot even be listed keeps it.
        locked.partitions()?;
        let id = locked.directory_id();
        if let Some(twin) = self.here().find(|dir| id.is_some() && dir.directory_id() == id) {
            let (first, second) = (twin.path().to_path_buf(), path.to_path_buf());
            return Err(LogDirError::SameId { first, second }.into());
        }
        let handles = self.here().next().map(|home| Arc::clone(home.handles()));
        let options = LogDirOptions { handles: handles.unwrap_or(options.handles), ..options };
        let free = |topic: &str, partition| {
            settings(topic, partition).filter(|_| self.topic_id(topic, partition).is_none())
        };
        let (dir, report) = locked.load(&options, &free, &|_| {})?;
        place.state.store(Arc::new(State::Here(Arc::new(dir))));
        Ok(report)
    }
}
