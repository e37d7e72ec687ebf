//! What can be wrong with a small file.

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::small::read_small;

/// A checkpoint that could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file is there and its content is useless: rebuild it.
    #[error("{} is damaged: {damage}", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// The disk did not give it: nothing is known about its content.
    #[error("cannot read {}: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        #[source]
        error: io::Error,
    },
}

impl CheckpointError {
    /// Whether the file itself is bad (it can be rebuilt), not the disk.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Damaged { .. })
    }
}

/// How a file is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// No bytes: created, never written, or lost by a crash.
    #[error("it is empty")]
    Empty,
    /// Only zero bytes: its length survived a crash, its content did not.
    #[error("it holds nothing but zeros")]
    Zeroed,
    /// Longer than such a file can be.
    #[error("it is longer than {max_bytes} bytes")]
    TooLong {
        /// The limit.
        max_bytes: u64,
    },
    /// Its last line does not end.
    #[error("its last line is cut")]
    Cut,
    /// Not text.
    #[error("it is not UTF-8 text")]
    NotText,
    /// A version this reader does not know.
    #[error("its version is {found:?}, not {expected}")]
    Version {
        /// What it says.
        found: String,
        /// What it should say.
        expected: u32,
    },
    /// Fewer or more entries than it announces.
    #[error("it announces {announced} entries and holds {found}")]
    Count {
        /// The count line.
        announced: u64,
        /// The lines after it.
        found: u64,
    },
    /// A line that cannot be what it must be.
    #[error("line {line} is not {expected}")]
    Line {
        /// From 1.
        line: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// It can be read, and its checksum, which is kept elsewhere, is another.
    #[error("it is not what was written last")]
    Altered,
    /// It was written once, and is not there.
    #[error("it is gone")]
    Missing,
    /// A key that must be there is not, or has no good value.
    #[error("{key} is missing or malformed")]
    Key {
        /// The key.
        key: &'static str,
    },
}

/// Reads and parses a file; `None` if it does not exist.
pub(crate) fn load<T>(
    disk: &dyn Disk,
    path: &Path,
    max_bytes: u64,
    parse: impl FnOnce(&str) -> Result<T, Damage>,
) -> Result<Option<T>, CheckpointError> {
    let damaged = |damage| CheckpointError::Damaged { path: path.to_path_buf(), damage };
    let bytes = match read_small(disk, path, max_bytes) {
        Ok(None) => return Ok(None),
        Ok(Some(bytes)) => bytes,
        Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
            return Err(damaged(Damage::TooLong { max_bytes }));
        }
        Err(error) => return Err(CheckpointError::Io { path: path.to_path_buf(), error }),
    };
    text(&bytes).and_then(parse).map(Some).map_err(damaged)
}

fn text(bytes: &[u8]) -> Result<&str, Damage> {
    if bytes.is_empty() {
        return Err(Damage::Empty);
    }
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(Damage::Zeroed);
    }
    std::str::from_utf8(bytes).map_err(|_| Damage::NotText)
}
