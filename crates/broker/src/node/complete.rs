//! Which log directories a backup of a stopped broker needs besides those that it was told: the metadata knows where each
//! partition is, and under which path its directory was served. What cannot be read is said before anything is changed.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::format_id;
use pagewire_log::{Locked, LockedDir, LogDirError};
use pagewire_metadata::model::{LogDirsRecord, TopicRecord, known_path};
use tracing::warn;
use uuid::Uuid;

use crate::backup::BackupFailed;
use crate::cluster::disk;

/// A partition by its topic's name and its number.
type Name = (String, i32);

/// Locks what else there is of `topics`. Blocks.
pub(super) fn complete(
    locked: &mut Vec<Locked>,
    topics: &[TopicRecord],
    served: &LogDirsRecord,
    allow_missing: bool,
) -> Result<(), BackupFailed> {
    for (id, (topic, partition)) in needed(locked, topics)? {
        let found = match unreadable(locked, served, id) {
            Some(why) => Err(Some(why)),
            None => find(locked, served, id),
        };
        let name = topic.clone();
        let error = match found {
            Ok(one) => {
                locked.push(one);
                continue;
            }
            Err(Some((path, why))) => BackupFailed::Away { topic, partition, path, why },
            Err(None) => BackupFailed::Elsewhere { topic, partition, directory: format_id(id) },
        };
        if !allow_missing {
            return Err(BackupFailed::Lacking { why: Box::new(error), topic: name });
        }
        warn!(%error, "not in the backup");
    }
    Ok(())
}

/// Directories that are not here and hold partitions that are in none of those that are, each with one of these.
fn needed(locked: &[Locked], topics: &[TopicRecord]) -> Result<BTreeMap<Uuid, Name>, BackupFailed> {
    let here = || locked.iter().filter_map(|(_, dir)| dir.as_ref().ok());
    let mut away: BTreeMap<Name, Uuid> = BTreeMap::new();
    for topic in topics {
        for (index, placed) in (0..).zip(&topic.partitions) {
            if let Some(id) = placed.directory.filter(|id| !here().any(|dir| dir.directory_id() == Some(*id)))
            {
                away.insert((topic.name.clone(), index), id);
            }
        }
    }
    if !away.is_empty() {
        // Somebody may have moved them.
        for dir in here() {
            let there: HashSet<Name> =
                dir.partitions().map_err(crate::StartError::from)?.into_iter().collect();
            away.retain(|name, _| !there.contains(name));
        }
    }
    Ok(away.into_iter().rev().map(|(name, id)| (id, name)).collect())
}

/// Why the directory of this id, which was named, cannot be read.
fn unreadable(locked: &[Locked], served: &LogDirsRecord, id: Uuid) -> Option<(PathBuf, String)> {
    locked.iter().find_map(|(path, dir)| {
        let error = dir.as_ref().err()?;
        (served.id_at(&known_path(path)) == Some(id)).then(|| (path.clone(), error.to_string()))
    })
}

/// The directory of this id where it was served; else why it is not there, if it is known where that was.
fn find(locked: &[Locked], served: &LogDirsRecord, id: Uuid) -> Result<Locked, Option<(PathBuf, String)>> {
    let mut why = None;
    for path in served.paths_of(id).map(PathBuf::from) {
        if locked.iter().any(|(listed, _)| known_path(listed) == known_path(&path)) {
            why = Some((path, "another log directory is there now".to_owned()));
            continue;
        }
        match lock(&path, id) {
            Ok(Some(dir)) => return Ok((path, Ok(dir))),
            Ok(None) => why = Some((path, "another log directory is there now".to_owned())),
            Err(error) => {
                let home = locked.first().map_or(path.clone(), |(home, _)| home.clone());
                why = Some((path, error.beside(&home).to_string()));
            }
        }
    }
    Err(why)
}

fn lock(path: &Path, id: Uuid) -> Result<Option<LockedDir>, LogDirError> {
    let dir = LockedDir::lock_known(disk(), path, id)?;
    dir.partitions()?;
    Ok(Some(dir).filter(|dir| dir.directory_id() == Some(id)))
}
