//! A disk that holds on to one directory: by name it reaches that directory and no other that has the name by now.
//!
//! A file system that is unmounted, or mounted over the directory, leaves the path usable and another directory behind
//! it. What is open goes on; what is made, renamed or removed by name would land in the wrong place. So before anything
//! is done by a name the directory itself is looked at, one `stat` each time. If it is another one, or none, the call
//! fails with ESTALE, for good: a directory that comes back is opened anew, with its own recovery. Between the look and
//! the call there are microseconds; a mount that falls into them is seen at the next call. Whoever reads many files at
//! once may look afterwards instead ([`Anchored::reading`]): what was read between two looks was read in the directory.
//!
//! The number of a directory may be made up by its file system (overlayfs, FUSE), and is made up anew once nobody uses
//! it. A log directory is in use for as long as its lock file is open.
//!
//! On a disk that cannot tell directories apart nothing is looked at.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use rustix::io::Errno;

use crate::disk::{DirEntry, Disk, DiskFile, Identity, OpenMode, Space};

/// See the module.
#[derive(Debug)]
pub struct Anchored {
    inner: Arc<dyn Disk>,
    root: PathBuf,
    identity: Option<Identity>,
    /// It was another one once.
    lost: AtomicBool,
    /// Those who look after they have read.
    readers: AtomicUsize,
}

/// Reads are not looked at one by one while this is there.
#[derive(Debug)]
pub struct Reading<'a>(&'a Anchored);

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.0.readers.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Anchored {
    /// Holds on to the directory that `root` names now.
    pub fn at(inner: Arc<dyn Disk>, root: &Path) -> io::Result<Self> {
        let identity = inner.identity(root)?;
        Ok(Self {
            inner,
            root: root.to_path_buf(),
            identity,
            lost: AtomicBool::default(),
            readers: AtomicUsize::default(),
        })
    }

    /// Reads are not looked at one by one any more, by anybody: whoever has the answer [looks](Self::check) before
    /// believing what was read. Before changes there is a look as ever.
    pub fn reading(&self) -> Reading<'_> {
        self.readers.fetch_add(1, Ordering::AcqRel);
        Reading(self)
    }

    fn check_read(&self) -> io::Result<()> {
        if self.readers.load(Ordering::Acquire) > 0 { Ok(()) } else { self.check() }
    }

    /// Whether `root` still names the directory.
    pub fn check(&self) -> io::Result<()> {
        let Some(identity) = self.identity else { return Ok(()) };
        if !self.lost.load(Ordering::Acquire) {
            match self.inner.identity(&self.root) {
                Ok(found) if found == Some(identity) => return Ok(()),
                Err(error) if !says_it_is_gone(&error) => return Err(error),
                _ => self.lost.store(true, Ordering::Release),
            }
        }
        Err(Errno::STALE.into())
    }
}

/// Something on the way to the directory is missing, or is none. Whatever else keeps it from being looked at may pass.
fn says_it_is_gone(error: &io::Error) -> bool {
    [Errno::NOENT, Errno::NOTDIR].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

impl Disk for Anchored {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.inner.create_dir_all(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.inner.create_dir(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.check_read()?;
        self.inner.read_dir(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        match mode {
            OpenMode::Read => self.check_read()?,
            OpenMode::ReadWrite | OpenMode::Create | OpenMode::CreateNew => self.check()?,
        }
        self.inner.open(path, mode)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check()?;
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.inner.remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.inner.remove_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.check()?;
        self.inner.sync_dir(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.check_read()?;
        self.inner.exists(path)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.check_read()?;
        self.inner.file_len(path)
    }

    fn read_whole(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
        self.check_read()?;
        self.inner.read_whole(path, max_bytes)
    }

    fn identity(&self, path: &Path) -> io::Result<Option<Identity>> {
        self.inner.identity(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.inner.space(path)
    }

    fn is_writeback_due(&self) -> bool {
        self.inner.is_writeback_due()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::OsDisk;

    #[test]
    fn nothing_is_done_by_name_in_a_directory_that_took_the_place() {
        let above = tempfile::tempdir().expect("a directory");
        let (root, aside) = (above.path().join("root"), above.path().join("aside"));
        fs::create_dir(&root).expect("made");
        let disk = Anchored::at(Arc::new(OsDisk::new()), &root).expect("there");
        let open = disk.open(&root.join("file"), OpenMode::Create).expect("its own");
        fs::rename(&root, &aside).expect("moved");
        fs::create_dir(&root).expect("another");
        let stale = |done: io::Result<()>| {
            assert_eq!(done.expect_err("another").raw_os_error(), Some(Errno::STALE.raw_os_error()));
        };
        stale(disk.open(&root.join("file"), OpenMode::Create).map(drop));
        stale(disk.rename(&root.join("file"), &root.join("to")));
        stale(disk.remove_dir_all(&root));
        stale(disk.sync_dir(&root));
        assert_eq!(fs::read_dir(&root).expect("listed").count(), 0);
        open.write_at(0, b"what is open goes on").expect("written");
        fs::remove_dir(&root).expect("gone");
        fs::rename(&aside, &root).expect("back");
        stale(disk.exists(&root).map(drop));
    }

    #[test]
    fn whoever_looks_after_reading_finds_out_and_changes_nothing() {
        let above = tempfile::tempdir().expect("a directory");
        let (root, aside) = (above.path().join("root"), above.path().join("aside"));
        fs::create_dir(&root).expect("made");
        let disk = Anchored::at(Arc::new(OsDisk::new()), &root).expect("there");
        let reading = disk.reading();
        fs::rename(&root, &aside).expect("moved");
        fs::create_dir(&root).expect("another");
        assert!(!disk.exists(&root.join("file")).expect("read in another"));
        assert!(disk.open(&root.join("file"), OpenMode::Create).is_err());
        assert_eq!(disk.check().expect_err("another").raw_os_error(), Some(Errno::STALE.raw_os_error()));
        drop(reading);
        assert!(disk.exists(&root.join("file")).is_err());
    }

    #[test]
    fn a_directory_that_is_gone_is_stale_as_well() {
        let above = tempfile::tempdir().expect("a directory");
        let root = above.path().join("root");
        fs::create_dir(&root).expect("made");
        let disk = Anchored::at(Arc::new(OsDisk::new()), &root).expect("there");
        fs::remove_dir(&root).expect("gone");
        let made = disk.create_dir_all(&root.join("t-0")).expect_err("no root");
        assert_eq!(made.raw_os_error(), Some(Errno::STALE.raw_os_error()));
        assert!(!root.exists());
    }
}
