//! What is in a directory, by the names alone.

use std::path::PathBuf;

use crate::dir::delete::Doomed;
use crate::dir::errors::LogDirError;
use crate::dir::locked::LockedDir;
use crate::dir::names::{DirName, future_of};
use crate::dir::notice::Notice;

/// How files begin that are written and removed to see whether a directory can be written.
pub(crate) const PROBE_FILE: &str = ".pagewire-probe-";
/// Every ext file system has this in its root.
pub(crate) const NOBODYS: &str = "lost+found";

/// A directory named like a partition's.
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) topic: String,
    pub(super) partition: i32,
}

impl Found {
    pub(super) fn name(&self) -> (&str, i32) {
        (&self.topic, self.partition)
    }
}

impl LockedDir {
    /// Sorts the names in the directory: partitions, and what waits for its unlink.
    pub(super) fn scan(
        &self,
        now_ms: i64,
        notices: &mut Vec<Notice>,
    ) -> Result<(Vec<Found>, Vec<Doomed>), LogDirError> {
        let (mut found, mut doomed) = (Vec::new(), Vec::new());
        for entry in self.disk.read_dir(&self.path).map_err(LogDirError::at(&self.path))? {
            let path = self.path.join(&entry.name);
            if !entry.is_dir && entry.name.starts_with(PROBE_FILE) {
                // An opening was killed before it removed it. Whether this succeeds changes nothing.
                let _ = self.disk.remove_file(&path);
            }
            if !entry.is_dir || entry.name == NOBODYS {
                continue;
            }
            match DirName::parse(&entry.name) {
                DirName::Partition { topic, partition } => {
                    found.push(Found { path, topic: topic.to_owned(), partition });
                }
                DirName::Delete => {
                    notices.push(Notice::Leftover { path: path.clone() });
                    doomed.push(Doomed { path, due_ms: now_ms });
                }
                // Of one of our moves: it goes on, or is told by whoever looks at moves.
                DirName::Future if future_of(&entry.name).is_some() => {}
                DirName::Future | DirName::Stray => notices.push(Notice::SetAside { path }),
                DirName::Other => notices.push(Notice::Unknown { path }),
            }
        }
        Ok((found, doomed))
    }
}
