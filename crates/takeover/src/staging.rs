//! Where a new directory is put together: beside its place, under a name of its own, until it is whole.
//!
//! ```text
//!   <to>.importing/
//!       .pagewire-import      flock: an import is at work, or was and is not any more
//!       ...                   what serve would take for a data directory, its metadata last
//!   rename ──▶ <to>           and the mark is taken away
//! ```
//!
//! An import that was interrupted leaves the first name; the next one to the same place clears it and begins anew.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pagewire_disk::{Disk, OsDisk, create_dir_durably};
use rustix::fs::{FlockOperation, flock};

use crate::error::ImportError;

/// The mark.
const MARK: &str = ".pagewire-import";
/// After the new directory's name.
const SUFFIX: &str = ".importing";

/// The directory while it is not whole.
#[derive(Debug)]
pub(crate) struct Staging {
    path: PathBuf,
    to: PathBuf,
    _mark: File,
}

/// Refuses a place that is taken.
pub(crate) fn check_target(to: &Path) -> Result<(), ImportError> {
    let metadata = match fs::symlink_metadata(to) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(ImportError::at(to)(error)),
    };
    if !metadata.is_dir() || fs::read_dir(to).map_err(ImportError::at(to))?.next().is_some() {
        return Err(ImportError::NotEmpty(to.to_path_buf()));
    }
    let above = fs::metadata(parent(to)).map_err(ImportError::at(parent(to)))?;
    if above.dev() != metadata.dev() {
        return Err(ImportError::MountPoint(to.to_path_buf()));
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => above,
        Some(_) => Path::new("."),
        None => path,
    }
}

impl Staging {
    /// Makes the directory, or clears what an earlier import left.
    pub(crate) fn begin(to: &Path) -> Result<Self, ImportError> {
        check_target(to)?;
        let name = to.file_name().ok_or_else(|| ImportError::NotEmpty(to.to_path_buf()))?;
        let mut name = name.to_os_string();
        name.push(SUFFIX);
        let path = to.with_file_name(name);
        let failed = ImportError::at(&path);
        let is_ours = fs::exists(path.join(MARK)).map_err(&failed)?;
        if !is_ours && path.exists() && fs::read_dir(&path).map_err(&failed)?.next().is_some() {
            return Err(ImportError::InTheWay(path));
        }
        create_dir_durably(&OsDisk::new(), &path).map_err(&failed)?;
        let mark = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join(MARK))
            .map_err(&failed)?;
        if flock(&mark, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(ImportError::AtWork(to.to_path_buf()));
        }
        clear(&path).map_err(&failed)?;
        Ok(Self { path, to: to.to_path_buf(), _mark: mark })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// It is whole: from here on it has its name, also after a power cut.
    pub(crate) fn finish(self) -> Result<(), ImportError> {
        let (disk, failed) = (OsDisk::new(), ImportError::at(&self.to));
        disk.sync_dir(&self.path).map_err(&failed)?;
        disk.rename(&self.path, &self.to).map_err(&failed)?;
        disk.sync_dir(parent(&self.to)).map_err(&failed)?;
        disk.remove_file(&self.to.join(MARK)).map_err(&failed)
    }

    /// It will not be: what is there goes.
    pub(crate) fn give_up(self) -> Result<(), ImportError> {
        fs::remove_dir_all(&self.path).map_err(ImportError::at(&self.path))
    }
}

/// Removes everything but the mark.
fn clear(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name() == MARK {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() { fs::remove_dir_all(&path)? } else { fs::remove_file(&path)? }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_interrupted_import_left_is_cleared() {
        let dir = tempfile::tempdir().expect("a directory");
        let to = dir.path().join("data");
        let first = Staging::begin(&to).expect("begun");
        fs::create_dir(first.path().join("orders-0")).expect("made");
        drop(first);
        let second = Staging::begin(&to).expect("begun anew");
        assert_eq!(fs::read_dir(second.path()).expect("listed").count(), 1, "the mark");
        fs::write(second.path().join("file"), "").expect("written");
        second.finish().expect("in place");
        let names: Vec<_> =
            fs::read_dir(&to).expect("there").map(|entry| entry.expect("read").file_name()).collect();
        assert_eq!(names, ["file"]);
        assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 1);
    }

    #[test]
    fn an_empty_directory_is_a_place_and_a_full_one_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let to = dir.path().join("data");
        fs::create_dir(&to).expect("made");
        Staging::begin(&to).expect("begun").finish().expect("in place");
        fs::write(to.join("file"), "").expect("written");
        assert!(matches!(Staging::begin(&to), Err(ImportError::NotEmpty(_))));
    }

    #[test]
    fn somebody_elses_directory_is_not_cleared() {
        let dir = tempfile::tempdir().expect("a directory");
        let others = dir.path().join("data.importing");
        fs::create_dir(&others).expect("made");
        fs::write(others.join("precious"), "").expect("written");
        assert!(matches!(Staging::begin(&dir.path().join("data")), Err(ImportError::InTheWay(_))));
        assert!(others.join("precious").exists());
    }

    #[test]
    fn two_imports_to_one_place_do_not_clear_each_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let to = dir.path().join("data");
        let _first = Staging::begin(&to).expect("begun");
        assert!(matches!(Staging::begin(&to), Err(ImportError::AtWork(_))));
    }
}
