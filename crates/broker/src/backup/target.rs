//! A directory that is to be filled: empty before, marked as unfinished while it is.

use std::io;
use std::path::{Path, PathBuf};

use pagewire_disk::{Disk, create_dir_durably, holder_of, write_atomically};

use super::{BackupFailed, MANIFEST_FILE};

/// In a backup that is being made.
pub(super) const BACKUP_UNFINISHED: &str = "backup.unfinished";
/// In a data directory that is being restored.
pub(crate) const RESTORE_UNFINISHED: &str = "restore.unfinished";

/// What the mark says to whoever finds it.
const WORDS: &[u8] =
    b"Not finished: if nothing works on it any more, remove this directory and begin anew.\n";

/// A directory being filled.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) path: PathBuf,
    mark: PathBuf,
    /// It was not there before.
    made: bool,
}

impl Target {
    /// Makes the directory, unless it is there and empty, and marks it.
    pub(super) fn begin(disk: &dyn Disk, path: &Path, mark: &str) -> Result<Self, BackupFailed> {
        Self::check(disk, path)?;
        let made = !disk.exists(path).map_err(BackupFailed::at(path))?;
        create_dir_durably(disk, path).map_err(BackupFailed::at(path))?;
        let mark = path.join(mark);
        write_atomically(disk, &mark, WORDS).map_err(BackupFailed::at(&mark))?;
        Ok(Self { path: path.to_path_buf(), mark, made })
    }

    /// An error unless there is no such directory, or nothing in it.
    pub(super) fn check(disk: &dyn Disk, path: &Path) -> Result<(), BackupFailed> {
        let at = || BackupFailed::at(path);
        if !disk.exists(path).map_err(at())? {
            return Ok(());
        }
        let found = disk.read_dir(path).map_err(at())?;
        let has = |names: &[&str]| found.iter().any(|entry| names.contains(&&*entry.name));
        if has(&[BACKUP_UNFINISHED, RESTORE_UNFINISHED]) {
            return Err(BackupFailed::LeftOver(path.to_path_buf()));
        }
        if has(&[MANIFEST_FILE]) {
            return Err(BackupFailed::Earlier(path.to_path_buf()));
        }
        // A file system of its own has this in its root.
        if found.iter().any(|entry| entry.name != "lost+found") {
            return Err(BackupFailed::NotEmpty(path.to_path_buf()));
        }
        Ok(())
    }

    /// Removes what was made: it was empty before. The mark goes last, so that what cannot be removed stays marked.
    pub(super) fn abandon(self, disk: &dyn Disk) -> io::Result<()> {
        for entry in disk.read_dir(&self.path)? {
            let path = self.path.join(&entry.name);
            match (&*entry.name, entry.is_dir) {
                _ if path == self.mark => {}
                ("lost+found", _) => {}
                (_, true) => disk.remove_dir_all(&path)?,
                (_, false) => disk.remove_file(&path)?,
            }
        }
        disk.remove_file(&self.mark)?;
        if self.made { disk.remove_dir_all(&self.path) } else { Ok(()) }
    }

    /// Everything is there and synced.
    pub(super) fn finish(self, disk: &dyn Disk) -> Result<(), BackupFailed> {
        disk.sync_dir(&self.path).map_err(BackupFailed::at(&self.path))?;
        disk.remove_file(&self.mark).map_err(BackupFailed::at(&self.mark))?;
        disk.sync_dir(&self.path).map_err(BackupFailed::at(&self.path))
    }
}

/// A backup in one of the directories that it is of would be taken for a part of it.
pub(super) fn refuse_inside(path: &Path, of: &[PathBuf]) -> Result<(), BackupFailed> {
    let holder = holder_of(path, of).map_err(BackupFailed::at(path))?;
    holder.map_or(Ok(()), |dir| Err(BackupFailed::Inside(path.to_path_buf(), dir.clone())))
}

/// Whether a directory holds a backup, finished or not: nothing that may be served.
pub(crate) fn holds_a_backup(dir: &Path) -> bool {
    [MANIFEST_FILE, BACKUP_UNFINISHED].iter().any(|name| dir.join(name).exists())
}

/// The directory of a finished backup.
pub(super) fn finished(disk: &dyn Disk, dir: &Path) -> Result<(), BackupFailed> {
    let exists = |name: &str| -> Result<bool, BackupFailed> {
        let path = dir.join(name);
        match disk.exists(&path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(false)
            }
            found => found.map_err(BackupFailed::at(&path)),
        }
    };
    if exists(BACKUP_UNFINISHED)? {
        return Err(BackupFailed::Unfinished(dir.to_path_buf()));
    }
    if !exists(MANIFEST_FILE)? {
        return Err(BackupFailed::NoBackup(dir.to_path_buf()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use pagewire_disk::{MemoryDisk, OpenMode};

    use super::*;

    #[test]
    fn only_an_empty_directory_is_filled_and_it_is_marked_until_it_is_full() {
        let disk = MemoryDisk::new();
        let path = Path::new("/backups/one");
        let target = Target::begin(&disk, path, BACKUP_UNFINISHED).expect("begun");
        let again = Target::begin(&disk, path, BACKUP_UNFINISHED);
        assert!(matches!(again, Err(BackupFailed::LeftOver(_))), "{again:?}");
        assert!(matches!(finished(&disk, path), Err(BackupFailed::Unfinished(_))));
        target.finish(&disk).expect("finished");
        assert!(matches!(finished(&disk, path), Err(BackupFailed::NoBackup(_))), "no manifest");
        disk.open(&path.join(MANIFEST_FILE), OpenMode::Create).expect("made");
        finished(&disk, path).expect("a backup");
        let again = Target::begin(&disk, path, BACKUP_UNFINISHED);
        assert!(matches!(again, Err(BackupFailed::Earlier(_))), "{again:?}");
    }

    #[test]
    fn nothing_is_left_of_what_is_abandoned() {
        let disk = MemoryDisk::new();
        let (new, old) = (Path::new("/data/new"), Path::new("/data/old"));
        disk.create_dir_all(old).expect("made");
        for path in [new, old] {
            let target = Target::begin(&disk, path, RESTORE_UNFINISHED).expect("begun");
            disk.create_dir_all(&path.join("t-0")).expect("made");
            disk.open(&path.join("t-0/0.log"), OpenMode::Create).expect("made");
            disk.open(&path.join("meta.properties"), OpenMode::Create).expect("made");
            target.abandon(&disk).expect("removed");
        }
        assert!(!disk.exists(new).expect("looked"));
        assert!(disk.read_dir(old).expect("it was there before").is_empty());
    }

    #[test]
    fn a_place_within_the_data_is_refused_also_by_a_link() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        fs::create_dir(&data).expect("made");
        std::os::unix::fs::symlink(&data, dir.path().join("link")).expect("linked");
        let of = [data.clone()];
        for inside in [data.join("backup"), data.clone(), dir.path().join("link/a/b")] {
            assert!(refuse_inside(&inside, &of).is_err(), "{}", inside.display());
        }
        refuse_inside(&dir.path().join("data2"), &of).expect("beside");
    }

    /// Nobody changes the current directory of a test: the data are it.
    #[test]
    fn a_relative_place_that_does_not_exist_yet_is_where_it_will_be() {
        let here = std::env::current_dir().expect("a current directory");
        for inside in ["none-yet", "none-yet/deeper", "./none-yet", "none-yet/../other"] {
            assert!(refuse_inside(Path::new(inside), std::slice::from_ref(&here)).is_err(), "{inside}");
        }
        let elsewhere = tempfile::tempdir().expect("a directory");
        refuse_inside(Path::new("none-yet"), &[elsewhere.path().to_path_buf()]).expect("beside");
    }
}
