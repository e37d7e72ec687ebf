//! The files of a copy as they were left: whoever is to serve it looks first whether they still are.
//!
//! By name, length and time alone, which costs a look at each. A file system keeps times to two seconds, and the copy has those of the
//! log's files, which are older where nothing is appended any more: whatever writes to the copy is seen.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pagewire_disk::{Disk, DiskFile, OpenMode};

use super::BackupError;
use crate::segment::names;

/// Times of one file differ by less than this.
const TIME_NS: u64 = 2_000_000_000;

/// A copy that is not what was copied.
#[derive(Debug, thiserror::Error)]
#[error("{}: {how}. Somebody changes the copy that is made there", path.display())]
pub struct Altered {
    path: PathBuf,
    how: String,
}

/// By their names.
#[derive(Debug, Default)]
pub(super) struct Left(BTreeMap<String, State>);

#[derive(Debug, Clone, Copy)]
struct State {
    bytes: u64,
    modified_ns: i64,
}

impl State {
    fn of(file: &dyn DiskFile) -> io::Result<Self> {
        let metadata = file.file().metadata()?;
        let modified_ns =
            metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Ok(Self { bytes: file.len()?, modified_ns })
    }

    /// What somebody else has done since it was like that.
    fn change(self, now: Self) -> Option<String> {
        if now.bytes != self.bytes {
            return Some(format!("it has {} bytes of {} that were written", now.bytes, self.bytes));
        }
        let is_same = now.modified_ns.abs_diff(self.modified_ns) < TIME_NS;
        (!is_same).then(|| "it was written to after it was copied".to_owned())
    }
}

impl Left {
    /// It is as it shall be.
    pub(super) fn note(&mut self, name: &str, file: &dyn DiskFile) -> io::Result<()> {
        self.0.insert(name.to_owned(), State::of(file)?);
        Ok(())
    }

    /// The same of one that is not open.
    pub(super) fn note_at(&mut self, disk: &dyn Disk, to: &Path, name: &str) -> Result<(), BackupError> {
        let path = to.join(name);
        let noted = disk.open(&path, OpenMode::Read).and_then(|file| self.note(name, &*file));
        noted.map_err(BackupError::at(&path))
    }

    /// It is not there any more.
    pub(super) fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }

    /// A file that is about to be written to, if it was there before.
    pub(super) fn look(&self, path: &Path, name: &str, file: &dyn DiskFile) -> Result<(), Unlike> {
        let Some(state) = self.0.get(name) else { return Ok(()) };
        match state.change(State::of(file).map_err(BackupError::at(path))?) {
            Some(how) => Err(Unlike::Altered(Altered { path: path.to_path_buf(), how })),
            None => Ok(()),
        }
    }

    /// All of them, and that no other segment is among them.
    pub(super) fn look_at_all(&self, disk: &dyn Disk, to: &Path) -> Result<(), Unlike> {
        let entries = disk.read_dir(to).map_err(BackupError::at(to))?;
        let altered = |name: &str, how: &str| Altered { path: to.join(name), how: how.to_owned() };
        let is_other = |name: &str| name.ends_with(names::LOG) && !self.0.contains_key(name);
        if let Some(other) = entries.iter().find(|entry| is_other(&entry.name)) {
            return Err(Unlike::Altered(altered(&other.name, "it was not copied")));
        }
        for name in self.0.keys() {
            let path = to.join(name);
            match disk.open(&path, OpenMode::Read) {
                Ok(file) => self.look(&path, name, &*file)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(Unlike::Altered(altered(name, "it is gone")));
                }
                Err(error) => return Err(BackupError::Io { path, error }.into()),
            }
        }
        Ok(())
    }
}

/// Why files are not taken for what they were.
#[derive(Debug)]
pub(super) enum Unlike {
    Altered(Altered),
    /// They cannot be looked at.
    Failed(BackupError),
}

impl From<BackupError> for Unlike {
    fn from(error: BackupError) -> Self {
        Self::Failed(error)
    }
}
