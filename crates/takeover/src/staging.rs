//! Where a new directory is put together: beside its place, under a name of its own, until it is whole.
//!
//! ```text
//!   <to>.importing/
//!       .pagewire-import      flock: an import is at work, or was and is not any more
//!       ...                   what serve would take for a data directory, its metadata last
//!   "whole" in the mark       of all directories, before the first of them gets its name
//!   rename ──▶ <to>           of all; then the marks are taken away
//! ```
//!
//! An import that was interrupted leaves the first name; the next one to the same place clears it and begins anew. One
//! that was interrupted among the renames is [finished](finish_interrupted): all its directories are whole.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pagewire_disk::{Disk, OsDisk, create_dir_durably};
use rustix::fs::{FlockOperation, flock};

use crate::error::ImportError;

/// The mark.
const MARK: &str = ".pagewire-import";
/// What is in it once all directories are whole.
const WHOLE: &str = "whole\n";
/// After the new directory's name.
const SUFFIX: &str = ".importing";

/// The directory while it is not whole.
#[derive(Debug)]
pub(crate) struct Staging {
    path: PathBuf,
    to: PathBuf,
    mark: File,
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
    pub(crate) fn begin(to: &Path, begun: &Begun) -> Result<Self, ImportError> {
        check_target(to)?;
        let path = beside(to)?;
        let failed = ImportError::at(&path);
        let is_ours = fs::exists(path.join(MARK)).map_err(&failed)?;
        if !is_ours && path.exists() && fs::read_dir(&path).map_err(&failed)?.next().is_some() {
            return Err(ImportError::InTheWay(path));
        }
        create_dir_durably(&OsDisk::new(), &path).map_err(&failed)?;
        let mark = locked(&path, to, true)?;
        begun.note(to);
        mark.set_len(0).map_err(&failed)?;
        clear(&path).map_err(&failed)?;
        Ok(Self { path, to: to.to_path_buf(), mark })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// It is whole, and so will be the others: says so, for good.
    pub(crate) fn is_whole(&self) -> Result<(), ImportError> {
        let failed = ImportError::at(&self.path);
        self.mark.write_all_at(WHOLE.as_bytes(), 0).and_then(|()| self.mark.sync_all()).map_err(&failed)?;
        OsDisk::new().sync_dir(&self.path).map_err(&failed)
    }

    /// From here on it has its name, also after a power cut.
    pub(crate) fn name(&self) -> Result<(), ImportError> {
        rename(&self.path, &self.to)
    }

    /// The mark goes: all have their names.
    pub(crate) fn unmark(self) -> Result<(), ImportError> {
        unmark(&self.to)
    }

    /// It will not be: what is there goes.
    pub(crate) fn give_up(self) -> Result<(), ImportError> {
        fs::remove_dir_all(&self.path).map_err(ImportError::at(&self.path))
    }
}

/// Where it is put together.
fn beside(to: &Path) -> Result<PathBuf, ImportError> {
    let name = to.file_name().ok_or_else(|| ImportError::NotEmpty(to.to_path_buf()))?;
    let mut name = name.to_os_string();
    name.push(SUFFIX);
    Ok(to.with_file_name(name))
}

/// The mark in `dir`, locked.
fn locked(dir: &Path, to: &Path, make: bool) -> Result<File, ImportError> {
    let path = dir.join(MARK);
    let opened = OpenOptions::new().read(true).write(true).create(make).truncate(false).open(&path);
    let mark = opened.map_err(ImportError::at(&path))?;
    match flock(&mark, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(mark),
        Err(_) => Err(ImportError::AtWork(to.to_path_buf())),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), ImportError> {
    let disk = OsDisk::new();
    disk.rename(from, to).and_then(|()| disk.sync_dir(parent(to))).map_err(ImportError::at(to))
}

fn unmark(to: &Path) -> Result<(), ImportError> {
    OsDisk::new().remove_file(&to.join(MARK)).map_err(ImportError::at(to))
}

/// Whether `dir` is one of an import's directories that were all whole.
fn says_whole(dir: &Path) -> bool {
    fs::read_to_string(dir.join(MARK)).is_ok_and(|said| said == WHOLE)
}

/// Gives the directories of an import that was interrupted among its last renames their names; whether there was one.
/// `places`: all of them, the one with the metadata first.
pub(crate) fn finish_interrupted(places: &[&Path]) -> Result<bool, ImportError> {
    if !is_interrupted(places)? {
        return Ok(false);
    }
    let mut marks = Vec::new();
    for &to in places {
        for dir in [beside(to)?, to.to_path_buf()].iter().filter(|dir| says_whole(dir)) {
            marks.push(locked(dir, to, false)?);
        }
    }
    for &to in places.iter().rev() {
        let from = beside(to)?;
        if says_whole(&from) {
            check_target(to)?;
            rename(&from, to)?;
        }
    }
    places.iter().filter(|to| says_whole(to)).try_for_each(|to| unmark(to))?;
    Ok(true)
}

/// Whether an import to these places was interrupted among its last renames.
pub(crate) fn is_interrupted(places: &[&Path]) -> Result<bool, ImportError> {
    for &to in places {
        if says_whole(to) || says_whole(&beside(to)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The places at which this process's import has begun.
#[derive(Debug, Default)]
pub struct Begun(Mutex<Vec<PathBuf>>);

/// What there is of an import to a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfinished {
    /// Nothing, or a new directory that is in its place.
    None,
    /// All is whole: the next import to the same places gives it its name.
    Whole(PathBuf),
    /// A part: the next import clears it.
    Partial(PathBuf),
    /// Another process is at it.
    AtWork(PathBuf),
}

impl Begun {
    /// What there is beside `to` if this process's import goes no further.
    pub fn unfinished(&self, to: &Path) -> Unfinished {
        let Ok(dir) = beside(to) else { return Unfinished::None };
        let dir = if !dir.join(MARK).exists() && says_whole(to) { to.to_path_buf() } else { dir };
        let is_ours = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|place| place == to);
        match if is_ours { Ok(None) } else { locked(&dir, to, false).map(Some) } {
            Err(ImportError::AtWork(_)) => Unfinished::AtWork(dir),
            _ if says_whole(&dir) => Unfinished::Whole(dir),
            _ if dir.join(MARK).exists() => Unfinished::Partial(dir),
            _ => Unfinished::None,
        }
    }

    fn note(&self, to: &Path) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(to.to_path_buf());
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

    fn in_place(staging: Staging) {
        staging.is_whole().and_then(|()| staging.name()).and_then(|()| staging.unmark()).expect("in place");
    }

    /// Two directories that are whole, the second of which may have its name.
    fn killed(dir: &Path, whole: usize, named: usize) -> [PathBuf; 2] {
        let places = ["one", "two"].map(|name| dir.join(name));
        let stagings = places.each_ref().map(|to| Staging::begin(to, &Begun::default()).expect("begun"));
        for staging in &stagings {
            fs::write(staging.path().join("file"), staging.to.to_str().expect("text")).expect("written");
        }
        stagings.iter().take(whole).for_each(|staging| staging.is_whole().expect("said"));
        stagings.iter().rev().take(named).for_each(|staging| staging.name().expect("named"));
        places
    }

    #[test]
    fn an_import_that_was_interrupted_among_its_last_renames_is_finished() {
        for named in 0..=2 {
            let dir = tempfile::tempdir().expect("a directory");
            let places = killed(dir.path(), 2, named);
            let places = places.each_ref().map(PathBuf::as_path);
            assert!(
                is_interrupted(&places).expect("looked") && finish_interrupted(&places).expect("finished")
            );
            for to in places {
                assert_eq!(fs::read_to_string(to.join("file")).expect("there"), to.to_str().expect("text"));
            }
            assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 2);
            assert!(!finish_interrupted(&places).expect("nothing to do"));
        }
    }

    #[test]
    fn one_that_was_interrupted_before_all_were_whole_is_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let places = killed(dir.path(), 0, 0);
        let places = places.each_ref().map(PathBuf::as_path);
        assert!(!is_interrupted(&places).expect("looked"));
        let unfinished = || Begun::default().unfinished(places[0]);
        assert!(matches!(unfinished(), Unfinished::Partial(_)));
        in_place(Staging::begin(places[0], &Begun::default()).expect("begun anew"));
        assert_eq!(unfinished(), Unfinished::None);
    }

    #[test]
    fn what_another_import_is_at_is_told_from_what_was_left() {
        let dir = tempfile::tempdir().expect("a directory");
        let (to, ours, others) = (dir.path().join("data"), Begun::default(), Begun::default());
        let staging = Staging::begin(&to, &ours).expect("begun");
        let path = staging.path().to_path_buf();
        assert_eq!(ours.unfinished(&to), Unfinished::Partial(path.clone()));
        assert_eq!(others.unfinished(&to), Unfinished::AtWork(path.clone()));
        staging.is_whole().expect("said");
        assert_eq!(ours.unfinished(&to), Unfinished::Whole(path.clone()));
        assert_eq!(others.unfinished(&to), Unfinished::AtWork(path.clone()));
        staging.name().expect("named");
        assert_eq!(ours.unfinished(&to), Unfinished::Whole(to.clone()));
        drop(staging);
        assert_eq!(others.unfinished(&to), Unfinished::Whole(to.clone()));
        unmark(&to).expect("unmarked");
        assert_eq!(others.unfinished(&to), Unfinished::None);
    }

    #[test]
    fn what_an_interrupted_import_left_is_cleared() {
        let dir = tempfile::tempdir().expect("a directory");
        let to = dir.path().join("data");
        let first = Staging::begin(&to, &Begun::default()).expect("begun");
        fs::create_dir(first.path().join("orders-0")).expect("made");
        drop(first);
        let second = Staging::begin(&to, &Begun::default()).expect("begun anew");
        assert_eq!(fs::read_dir(second.path()).expect("listed").count(), 1, "the mark");
        fs::write(second.path().join("file"), "").expect("written");
        in_place(second);
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
        in_place(Staging::begin(&to, &Begun::default()).expect("begun"));
        fs::write(to.join("file"), "").expect("written");
        assert!(matches!(Staging::begin(&to, &Begun::default()), Err(ImportError::NotEmpty(_))));
    }

    #[test]
    fn somebody_elses_directory_is_not_cleared() {
        let dir = tempfile::tempdir().expect("a directory");
        let others = dir.path().join("data.importing");
        fs::create_dir(&others).expect("made");
        fs::write(others.join("precious"), "").expect("written");
        assert!(matches!(
            Staging::begin(&dir.path().join("data"), &Begun::default()),
            Err(ImportError::InTheWay(_))
        ));
        assert!(others.join("precious").exists());
    }

    #[test]
    fn two_imports_to_one_place_do_not_clear_each_other() {
        let dir = tempfile::tempdir().expect("a directory");
        let to = dir.path().join("data");
        let _first = Staging::begin(&to, &Begun::default()).expect("begun");
        assert!(matches!(Staging::begin(&to, &Begun::default()), Err(ImportError::AtWork(_))));
    }
}
