//! Loading all directories side by side. One that cannot be read is away; the others are served.

use std::path::PathBuf;

use parking_lot::RwLock;

use super::twice::{Torn, Twice};
use super::{LogDirs, Place, State};
use crate::dir::{
    FailedLog, LoadReport, LockedDir, LogDirError, LogDirOptions, Notice, PartitionSettings, Progress,
    partition_dir,
};
use crate::{LogDir, LogError, Offline};

/// A directory, and its lock or why there is none.
pub type Locked = (PathBuf, Result<LockedDir, LogDirError>);

type Loaded = Result<(LogDir, LoadReport), LogDirError>;

impl LogDirs {
    /// Opens every partition that the owner knows in the directories of `locked`, which are in the order of `log.dirs`.
    ///
    /// A directory that the disk does not give out is away. An error only if that is the first one, or if one of them
    /// belongs to somebody else; it may come after others were loaded.
    pub fn load(
        locked: Vec<Locked>,
        options: &LogDirOptions,
        settings: &(dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<(Self, LoadReport), LogDirError> {
        let home = locked.first().map(|(path, _)| path.clone()).unwrap_or_default();
        let beside = |(path, dir): Locked| {
            (path, dir.map(|dir| dir.beside(&home)).map_err(|error| error.beside(&home)))
        };
        let locked: Vec<Locked> = locked.into_iter().map(beside).collect();
        for dir in locked.iter().filter_map(|(_, dir)| dir.as_ref().ok()) {
            dir.check(options)?;
        }
        unlike(&locked)?;
        let (mut locked, twice) = without_unreadable(locked, settings);
        // Before anything in the others is changed.
        if locked.first().is_some_and(|(_, home)| home.is_err())
            && let Err(error) = locked.remove(0).1
        {
            return Err(error);
        }
        let loaded = side_by_side(locked, |dir| {
            let root = dir.path().to_path_buf();
            let closed = |topic: &str, partition| twice.closes(&root.join(partition_dir(topic, partition)));
            let known =
                |topic: &str, partition| settings(topic, partition).filter(|_| !closed(topic, partition));
            dir.load(options, &known, progress)
        });
        let mut all = LoadReport { clean: true, ..LoadReport::default() };
        let mut places = Vec::with_capacity(loaded.len());
        for (path, loaded) in loaded {
            let state = match loaded {
                Ok((dir, report)) => {
                    all.add(report);
                    State::Here(dir.into())
                }
                Err(error) if places.is_empty() => return Err(error),
                Err(error) => State::Away(away(error)?),
            };
            places.push(Place::new(path, state));
        }
        all.notices.retain(|notice| !matches!(notice, Notice::UnknownTopic { path } if twice.closes(path)));
        let torn = twice.torn();
        all.failed.extend(torn.iter().map(Torn::failure));
        let dirs = Self { places, torn: RwLock::new(torn) };
        dirs.find_gone_elsewhere();
        let is_here = |log: &FailedLog| dirs.topic_id(&log.topic, log.partition).is_some();
        all.failed.retain(|log| !(matches!(log.error, LogError::Gone { .. }) && is_here(log)));
        Ok((dirs, all))
    }
}

impl LoadReport {
    /// Adds what another directory's start found. A directory without logs had nothing to lose.
    fn add(&mut self, other: Self) {
        if !other.clean && !other.loaded.is_empty() {
            // One excuse excuses no other directory.
            let before = if self.clean { other.unmarked } else { self.unmarked };
            self.unmarked = before.filter(|unmarked| other.unmarked == Some(*unmarked));
            self.clean = false;
        }
        self.loaded.extend(other.loaded);
        self.failed.extend(other.failed);
        self.notices.extend(other.notices);
    }
}

/// Two directories of one id are one that was copied: it could not be said which of them a partition is in.
fn unlike(locked: &[Locked]) -> Result<(), LogDirError> {
    let ids: Vec<_> =
        locked.iter().filter_map(|(path, dir)| Some((path, dir.as_ref().ok()?.directory_id()?))).collect();
    for (at, (second, id)) in ids.iter().enumerate() {
        if let Some((first, _)) = ids.iter().take(at).find(|(_, other)| other == id) {
            return Err(LogDirError::SameId { first: (*first).clone(), second: (*second).clone() });
        }
    }
    Ok(())
}

/// Takes the locks off directories whose names cannot even be listed, and looks for partitions that are in two others.
fn without_unreadable(
    mut locked: Vec<Locked>,
    settings: &(dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
) -> (Vec<Locked>, Twice) {
    for (_, dir) in &mut locked {
        let listed = dir.as_ref().ok().map(|dir| dir.meter().at_it(|| dir.holder().partitions()));
        if let Some(Err(error)) = listed {
            *dir = Err(error);
        }
    }
    let readable: Vec<_> = locked.iter().filter_map(|(_, dir)| Some(dir.as_ref().ok()?.holder())).collect();
    let twice = Twice::find(&readable, settings);
    (locked, twice)
}

/// A thread a directory: they are on disks of their own, most likely.
fn side_by_side(locked: Vec<Locked>, load: impl Fn(LockedDir) -> Loaded + Sync) -> Vec<(PathBuf, Loaded)> {
    let load = &load;
    std::thread::scope(|scope| {
        let loading: Vec<_> =
            locked.into_iter().map(|(path, dir)| (path, scope.spawn(move || dir.and_then(load)))).collect();
        let join = |(path, thread): (PathBuf, std::thread::ScopedJoinHandle<'_, Loaded>)| {
            let loaded = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            (path, loaded)
        };
        loading.into_iter().map(join).collect()
    })
}

/// Why a directory is away, if that is all there is to it.
fn away(error: LogDirError) -> Result<Offline, LogDirError> {
    let kind = match &error {
        LogDirError::Lock(pagewire_disk::LockError::Io { error, .. }) | LogDirError::Io { error, .. } => {
            error.kind()
        }
        LogDirError::Vanished { .. } => std::io::ErrorKind::NotFound,
        LogDirError::Lock(pagewire_disk::LockError::Held { .. }) => std::io::ErrorKind::ResourceBusy,
        _ => return Err(error),
    };
    Ok(Offline { reason: error.to_string().into(), kind })
}
