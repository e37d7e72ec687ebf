//! A disk on which changes are only played: recovery runs on it, and nothing below changes.
//!
//! Files are those of the disk below until somebody writes to them; what is written goes to files in memory. Shortening
//! a file, which is all that recovery does to a log, copies nothing. Names are played, too. Durable is nothing.

mod file;

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::{DirEntry, Disk, DiskFile, MemoryDisk, OpenMode, Space};
use parking_lot::Mutex;

use file::{Played, PlayedFile};

/// A file that somebody has seen: where it is below, if it is there, and what it has become.
#[derive(Debug, Clone)]
struct Seen {
    below: Option<PathBuf>,
    played: Arc<Played>,
}

/// What has a name now; `None` for one that is gone.
type Names = BTreeMap<PathBuf, Option<Seen>>;

/// The disk.
#[derive(Debug)]
pub(super) struct Rehearsal {
    below: Arc<dyn Disk>,
    /// What a file that is not there below opens.
    nothing: Arc<dyn DiskFile>,
    names: Mutex<Names>,
}

impl Rehearsal {
    pub(super) fn on(below: Arc<dyn Disk>) -> io::Result<Self> {
        let nothing = MemoryDisk::new().open(Path::new("/nothing"), OpenMode::Create)?;
        Ok(Self { below, nothing, names: Mutex::default() })
    }

    /// The file of that name, if there is one.
    fn find(&self, names: &mut Names, path: &Path) -> io::Result<Option<Seen>> {
        if let Some(known) = names.get(path) {
            return Ok(known.clone());
        }
        let len = match self.below.file_len(path) {
            Ok(len) => len,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let seen = Seen { below: Some(path.to_path_buf()), played: Played::of(len) };
        names.insert(path.to_path_buf(), Some(seen.clone()));
        Ok(Some(seen))
    }

    fn opened(&self, Seen { below, played }: Seen) -> io::Result<Arc<dyn DiskFile>> {
        let below = match below {
            Some(path) => self.below.open(&path, OpenMode::Read)?,
            None => Arc::clone(&self.nothing),
        };
        Ok(Arc::new(PlayedFile::new(played, below)))
    }
}

impl Disk for Rehearsal {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        if self.below.exists(path)? { Ok(()) } else { Err(ErrorKind::NotFound.into()) }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        Err(if self.below.exists(path)? { ErrorKind::AlreadyExists } else { ErrorKind::Unsupported }.into())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let names = self.names.lock();
        let mut entries = self.below.read_dir(path)?;
        entries.retain(|entry| !matches!(names.get(&path.join(&entry.name)), Some(None)));
        let played = names.iter().filter(|(name, file)| file.is_some() && name.parent() == Some(path));
        for name in played.filter_map(|(name, _)| name.file_name()?.to_str()) {
            if !entries.iter().any(|entry| entry.name == name) {
                entries.push(DirEntry { name: name.to_owned(), is_dir: false });
            }
        }
        entries.sort();
        Ok(entries)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut names = self.names.lock();
        match (self.find(&mut names, path)?, mode) {
            (Some(_), OpenMode::CreateNew) => Err(ErrorKind::AlreadyExists.into()),
            (Some(seen), _) => self.opened(seen),
            (None, OpenMode::Read | OpenMode::ReadWrite) => Err(ErrorKind::NotFound.into()),
            (None, OpenMode::Create | OpenMode::CreateNew) => {
                let seen = Seen { below: None, played: Played::of(0) };
                names.insert(path.to_path_buf(), Some(seen.clone()));
                self.opened(seen)
            }
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.names.lock();
        let file = self.find(&mut names, from)?.ok_or(ErrorKind::NotFound)?;
        names.insert(from.to_path_buf(), None);
        names.insert(to.to_path_buf(), Some(file));
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut names = self.names.lock();
        self.find(&mut names, path)?.ok_or(ErrorKind::NotFound)?;
        names.insert(path.to_path_buf(), None);
        Ok(())
    }

    fn remove_dir_all(&self, _: &Path) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.names.lock().get(path) {
            Some(known) => Ok(known.is_some()),
            None => self.below.exists(path),
        }
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.below.space(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(disk: &dyn Disk) -> Vec<String> {
        disk.read_dir(Path::new("/d")).expect("list").into_iter().map(|entry| entry.name).collect()
    }

    fn bytes(disk: &dyn Disk, path: &str) -> Vec<u8> {
        pagewire_disk::read_small(disk, Path::new(path), 1 << 20).expect("read").expect("there")
    }

    #[test]
    fn what_is_played_is_seen_in_the_play_and_nowhere_else() {
        let below = Arc::new(MemoryDisk::new());
        below.create_dir_all(Path::new("/d")).expect("directory");
        for name in ["/d/a", "/d/b"] {
            below
                .open(Path::new(name), OpenMode::Create)
                .expect("made")
                .write_at(0, b"0123456789")
                .expect("written");
        }
        let play = Rehearsal::on(Arc::clone(&below) as Arc<dyn Disk>).expect("a stage");
        let file = play.open(Path::new("/d/a"), OpenMode::ReadWrite).expect("opened");
        file.set_len(4).expect("cut");
        assert_eq!(bytes(&play, "/d/a"), b"0123");
        file.set_len(6).expect("grown");
        file.write_at(1, b"x").expect("written");
        assert_eq!(bytes(&play, "/d/a"), b"0x23\0\0");
        play.rename(Path::new("/d/a"), Path::new("/d/c")).expect("renamed");
        play.remove_file(Path::new("/d/b")).expect("removed");
        play.open(Path::new("/d/e"), OpenMode::CreateNew)
            .expect("made")
            .write_at(0, b"new")
            .expect("written");
        assert_eq!(
            (names(&play), bytes(&play, "/d/c"), bytes(&play, "/d/e")),
            (vec!["c".to_owned(), "e".to_owned()], b"0x23\0\0".to_vec(), b"new".to_vec(),)
        );
        assert!(
            play.open(Path::new("/d/a"), OpenMode::Read).is_err()
                && !play.exists(Path::new("/d/b")).expect("seen")
        );
        assert_eq!(
            (names(&*below), bytes(&*below, "/d/a")),
            (vec!["a".to_owned(), "b".to_owned()], b"0123456789".to_vec())
        );
    }
}
