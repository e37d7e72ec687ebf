//! What each log directory has of its own, so that one whose disk does not answer stops nobody else.
//!
//! ```text
//!   home   ── the broker's own I/O pool: the metadata is there, so what hangs there holds up all changes as it is
//!   second ── an I/O pool of its own, with the same limits
//!   third  ── another
//! ```
//!
//! Threads start when there is work and end when they had none for a while: a directory at rest has none.
//!
//! Invariant: what may wait for the disk of a directory waits on the threads of that directory, and never on those of
//! another.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use pagewire_log::{Log, LogDirs};
use pagewire_zcopy::IoPool;

/// One log directory's.
#[derive(Debug)]
pub(crate) struct Lane {
    path: PathBuf,
    io: IoPool,
}

impl Lane {
    fn new(path: &Path, io: IoPool) -> Arc<Self> {
        Arc::new(Self { path: path.to_path_buf(), io })
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Threads for what may wait for its disk.
    pub(crate) fn io(&self) -> &IoPool {
        &self.io
    }
}

/// Of all listed directories, in their order; never empty.
#[derive(Debug)]
pub(crate) struct Lanes {
    home: Arc<Lane>,
    others: Vec<Arc<Lane>>,
}

impl Lanes {
    /// For the directories of a node; home has `io`.
    pub(crate) fn new(dirs: &LogDirs, io: &IoPool) -> Self {
        let mut paths = dirs.paths();
        let home = Lane::new(paths.next().unwrap_or(Path::new("")), io.clone());
        let others = paths.map(|path| Lane::new(path, io.another())).collect();
        Self { home, others }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Lane>> {
        std::iter::once(&self.home).chain(&self.others)
    }

    /// That of a directory.
    pub(crate) fn of(&self, dir: &Path) -> &Arc<Lane> {
        self.others.iter().find(|lane| lane.path == dir).unwrap_or(&self.home)
    }

    /// That of the directory that has a log.
    pub(crate) fn of_log(&self, log: &Log) -> &Arc<Lane> {
        log.dir().parent().map_or(&self.home, |dir| self.of(dir))
    }
}
