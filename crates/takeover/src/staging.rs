//! Where a new directory is put together: beside its place, under a name of its own, until it is whole.
//!
//! ```text
//!   <to>.importing/
//!       .pagewire-import      flock: an import is at work, or was and is not any more
//!       ...                   what serve would take for a data directory, its metadata last
//!   "whole" in the mark       of all directories, with the places of all; of the one with the metadata last: then all are whole
//!   rename ──▶ <to>           of all, that one last
//!   the marks go              of all, that one's last
//! ```
//!
//! An import that was interrupted leaves the first name; the next one to the same place clears it and begins anew. One
//! that was interrupted when all its directories were whole is [finished](finish_interrupted), whichever of its places is named.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use pagewire_disk::{Disk, OsDisk, create_dir_durably};
use rustix::fs::{FlockOperation, flock};

use crate::error::ImportError;

/// The mark.
const MARK: &str = ".pagewire-import";
/// What is in it once a directory is whole, before the places of all, each with [`END`] behind it.
const WHOLE: &[u8] = b"whole\n";
/// No path has it.
const END: u8 = 0;
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
        // For good: what a power cut leaves of it is not to be taken for whole.
        mark.set_len(0).and_then(|()| mark.sync_all()).map_err(&failed)?;
        clear(&path).map_err(&failed)?;
        Ok(Self { path, to: to.to_path_buf(), mark })
    }

    /// Its place, wherever the process that asks later stands.
    pub(crate) fn place(&self) -> Result<PathBuf, ImportError> {
        std::path::absolute(&self.to).map_err(ImportError::at(&self.to))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// It is whole: says so for good, with the places of all that belong together, the one with the metadata first.
    pub(crate) fn is_whole(&self, places: &[PathBuf]) -> Result<(), ImportError> {
        let failed = ImportError::at(&self.path);
        let said = places.iter().flat_map(|to| to.as_os_str().as_bytes().iter().copied().chain([END]));
        let said: Vec<u8> = WHOLE.iter().copied().chain(said).collect();
        self.mark.write_all_at(&said, 0).and_then(|()| self.mark.sync_all()).map_err(&failed)?;
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

/// The places of an import, as the mark in `dir` names them if it says that this part of it is whole.
fn said_in(dir: &Path) -> Option<Vec<PathBuf>> {
    let said = fs::read(dir.join(MARK)).ok()?;
    let places = said.strip_prefix(WHOLE)?.strip_suffix(&[END])?.split(|byte| *byte == END);
    Some(places.map(|place| OsString::from_vec(place.to_vec()).into()).collect())
}

/// The directory for `to`, in its place or beside it, whose mark names these places.
fn part(to: &Path, places: &[PathBuf]) -> Option<PathBuf> {
    let dirs = [beside(to).ok()?, to.to_path_buf()];
    dirs.into_iter().find(|dir| said_in(dir).is_some_and(|said| said == places))
}

/// The places of the import that `to` is of, if all of that is whole, the one with the metadata first.
fn whole(to: &Path) -> Option<Vec<PathBuf>> {
    let places = beside(to).ok().and_then(|dir| said_in(&dir)).or_else(|| said_in(to))?;
    let (first, others) = places.split_first()?;
    // It is named last, and then the others lose their marks.
    let is_whole =
        part(first, &places)? == *first || others.iter().all(|other| part(other, &places).is_some());
    is_whole.then_some(places)
}

/// Finishes an import to one of these places that was interrupted when all of it was whole: gives its directories their
/// names. The places of that import, if there was one.
pub(crate) fn finish_interrupted(places: &[&Path]) -> Result<Option<Vec<PathBuf>>, ImportError> {
    let Some(places) = places.iter().find_map(|to| whole(to)) else { return Ok(None) };
    let mut marks = Vec::new();
    for to in &places {
        marks.extend(part(to, &places).map(|dir| locked(&dir, to, false)).transpose()?);
    }
    let parts = || places.iter().rev().filter_map(|to| Some((to, part(to, &places)?)));
    parts().filter(|(to, dir)| dir != *to).try_for_each(|(to, dir)| {
        check_target(to)?;
        rename(&dir, to)
    })?;
    parts().try_for_each(|(to, _)| unmark(to))?;
    Ok(Some(places))
}

/// Whether an import to one of these places was interrupted when all of it was whole.
pub(crate) fn is_interrupted(places: &[&Path]) -> bool {
    places.iter().any(|to| whole(to).is_some())
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
        let is_whole = whole(to).is_some();
        let dir = if is_whole && !dir.join(MARK).exists() { to.to_path_buf() } else { dir };
        let is_ours = self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().any(|place| place == to);
        match if is_ours { Ok(None) } else { locked(&dir, to, false).map(Some) } {
            Err(ImportError::AtWork(_)) => Unfinished::AtWork(dir),
            _ if is_whole => Unfinished::Whole(dir),
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

    fn says_whole(staging: &Staging) {
        staging.is_whole(std::slice::from_ref(&staging.to)).expect("said");
    }

    fn in_place(staging: Staging) {
        says_whole(&staging);
        staging.name().and_then(|()| staging.unmark()).expect("in place");
    }

    /// Two directories so many of which are whole, and have their names; the first one last.
    fn killed(dir: &Path, whole: usize, named: usize) -> [PathBuf; 2] {
        let places = ["one", "two"].map(|name| dir.join(name));
        let stagings = places.each_ref().map(|to| Staging::begin(to, &Begun::default()).expect("begun"));
        for staging in &stagings {
            fs::write(staging.path().join("file"), staging.to.to_str().expect("text")).expect("written");
        }
        stagings.iter().rev().take(whole).for_each(|staging| staging.is_whole(&places).expect("said"));
        stagings.iter().rev().take(named).for_each(|staging| staging.name().expect("named"));
        places
    }

    #[test]
    fn an_import_that_was_interrupted_among_its_last_renames_is_finished_whichever_of_its_places_is_named() {
        for (named, unmarked, said) in
            [(0, 0, 0..2), (1, 0, 0..1), (1, 0, 1..2), (2, 0, 0..2), (2, 0, 1..2), (2, 1, 0..2)]
        {
            let dir = tempfile::tempdir().expect("a directory");
            let all = killed(dir.path(), 2, named);
            all.iter().rev().take(unmarked).for_each(|to| unmark(to).expect("unmarked"));
            let places = &all.each_ref().map(PathBuf::as_path)[said];
            assert!(is_interrupted(places), "{named}, {unmarked}");
            assert_eq!(finish_interrupted(places).expect("finished"), Some(all.to_vec()));
            for to in &all {
                assert_eq!(fs::read_to_string(to.join("file")).expect("there"), to.to_str().expect("text"));
                assert!(!to.join(MARK).exists());
            }
            assert_eq!(fs::read_dir(dir.path()).expect("listed").count(), 2);
            assert_eq!(finish_interrupted(places).expect("nothing to do"), None);
        }
    }

    #[test]
    fn one_that_was_interrupted_before_all_were_whole_is_not() {
        for whole in 0..2 {
            let dir = tempfile::tempdir().expect("a directory");
            let all = killed(dir.path(), whole, 0);
            let places = all.each_ref().map(PathBuf::as_path);
            assert!(!is_interrupted(&places), "{whole}");
            assert_eq!(finish_interrupted(&places).expect("nothing to do"), None);
            let unfinished = |at: usize| Begun::default().unfinished(places[at]);
            assert!((0..2).all(|at| matches!(unfinished(at), Unfinished::Partial(_))), "{whole}");
            for to in places {
                in_place(Staging::begin(to, &Begun::default()).expect("begun anew"));
            }
            assert!((0..2).all(|at| unfinished(at) == Unfinished::None));
        }
    }

    #[test]
    fn nothing_is_whole_of_which_a_part_was_begun_anew_since() {
        let dir = tempfile::tempdir().expect("a directory");
        let all = killed(dir.path(), 2, 0);
        says_whole(&Staging::begin(&all[1], &Begun::default()).expect("begun anew"));
        assert!(!is_interrupted(&[&all[0]]));
        assert!(matches!(Begun::default().unfinished(&all[0]), Unfinished::Partial(_)));
        assert_eq!(finish_interrupted(&[&all[0], &all[1]]).expect("the other"), Some(vec![all[1].clone()]));
    }

    #[test]
    fn what_another_import_is_at_is_told_from_what_was_left() {
        let dir = tempfile::tempdir().expect("a directory");
        let (to, ours, others) = (dir.path().join("data"), Begun::default(), Begun::default());
        let staging = Staging::begin(&to, &ours).expect("begun");
        let path = staging.path().to_path_buf();
        assert_eq!(ours.unfinished(&to), Unfinished::Partial(path.clone()));
        assert_eq!(others.unfinished(&to), Unfinished::AtWork(path.clone()));
        says_whole(&staging);
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
