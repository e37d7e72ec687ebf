//! Copies that are complete become logs, where nothing else is the log any more.

use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::LogDirs;
use crate::scrub::Noted;
use crate::{CreateError, FutureLog, LoadedLog, LogDir, PartitionSettings};

/// How a topic's partition is opened, and the directory that its owner placed it in, as [`LogDirs::place`] names it.
pub type PlacedIn<'p> = dyn Fn(&FutureLog) -> Option<(PartitionSettings, Option<Uuid>)> + 'p;

/// A copy that became a log, or why it could not.
#[derive(Debug)]
pub struct Adopted {
    /// Whose.
    pub future: FutureLog,
    /// What opening it found.
    pub opened: Result<Option<LoadedLog>, CreateError>,
}

impl LogDirs {
    /// Logs that are wished to be in other directories than they are, with the paths of these. Those of which the owner `placed`
    /// the partition in that very directory, and that no directory has, are complete: they are opened.
    ///
    /// All directories are looked at, or where the one at `back` has come back, this one and those with copies of which it was
    /// not certain whether they are the logs while it was away.
    pub fn adopt_futures(
        &self,
        back: Option<&Path>,
        placed: &PlacedIn<'_>,
        now_ms: i64,
    ) -> (Vec<Adopted>, Vec<(PathBuf, FutureLog)>) {
        let (mut adopted, mut wished) = (Vec::new(), Vec::new());
        let is_due = |dir: &LogDir| back.is_none_or(|back| dir.path() == back || dir.awaits(back));
        for (at, dir) in self.here().enumerate().filter(|(_, dir)| is_due(dir)) {
            let own = if at == 0 { None } else { dir.directory_id() };
            let futures = dir.futures().unwrap_or_else(|error| {
                tracing::warn!(dir = %dir.path().display(), %error, "it is not known what is to move there");
                Vec::new()
            });
            for future in futures {
                let is_served = self.topic_id(&future.topic, future.partition).is_some();
                let settings = placed(&future).filter(|(_, directory)| *directory == own && !is_served);
                match settings {
                    Some((settings, _)) if dir.is_complete(&future).unwrap_or(false) => {
                        let opened = dir.adopt(&future, &Noted::default(), &settings, now_ms);
                        adopted.push(Adopted { future, opened });
                    }
                    _ => wished.push((dir.path().to_path_buf(), future)),
                }
            }
        }
        (adopted, wished)
    }
}
