//! Which log directories a node has served, by the paths they had.
//!
//! An empty directory under a path of these is no new log directory: most likely a disk is not mounted there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::codec::Record;
use super::ids;

/// Written at a start that finds others than the one before, and by whoever makes new ones out of other data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogDirsRecord {
    /// Absolute path to the id in its `meta.properties`, of 22 characters. A directory that is listed no longer stays,
    /// for it may be listed again.
    dirs: BTreeMap<String, String>,
}

impl Record for LogDirsRecord {
    const WHAT: &'static str = "log directories";
    const VERSION: u32 = 1;
}

impl LogDirsRecord {
    /// The id of the directory that was last served under this path.
    pub fn id_at(&self, path: &str) -> Option<Uuid> {
        self.dirs.get(path).and_then(|text| ids::from_text(text))
    }

    /// All of them, by their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<Uuid>)> {
        self.dirs.iter().map(|(path, text)| (path.as_str(), ids::from_text(text)))
    }

    /// The paths under which the directory of this id was served. It has one; it may have been moved, or copied.
    pub fn paths_of(&self, id: Uuid) -> impl Iterator<Item = &str> {
        let text = ids::to_text(id);
        self.dirs.iter().filter(move |(_, of)| **of == text).map(|(path, _)| path.as_str())
    }

    /// A directory is served under this path. Says whether that is news.
    pub fn serve(&mut self, path: &str, id: Uuid) -> bool {
        let text = ids::to_text(id);
        self.dirs.insert(path.to_owned(), text.clone()) != Some(text)
    }
}

/// The path of a log directory as it is remembered: where it is, whatever the current directory, and however many
/// slashes it was written with.
pub fn known_path(dir: &Path) -> String {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    absolute.components().collect::<PathBuf>().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{decode, encode};

    #[test]
    fn a_path_keeps_its_directory_until_another_is_served_there() {
        let mut record = LogDirsRecord::default();
        assert!(record.serve("/a", Uuid::from_u128(1)));
        assert!(!record.serve("/a", Uuid::from_u128(1)));
        assert!(record.serve("/a", Uuid::from_u128(2)));
        let again: LogDirsRecord = decode(&encode(&record).expect("encoded")).expect("decoded");
        assert_eq!((again.id_at("/a"), again.id_at("/b")), (Some(Uuid::from_u128(2)), None));
        record.serve("/b", Uuid::from_u128(2));
        assert_eq!(record.paths_of(Uuid::from_u128(2)).collect::<Vec<_>>(), ["/a", "/b"]);
        assert_eq!(record.paths_of(Uuid::from_u128(1)).count(), 0);
    }
}
