//! A disk that holds on to one directory: by name it reaches that directory and no other that has the name by now.
//!
//! A file system that is unmounted, or mounted over the directory, leaves the path usable and another directory behind it.
//! What is open goes on; what is made, renamed or removed by name would land in the wrong place. So before anything is done
//! by a name the directory itself is looked at, one `stat` each time. If it is another one, or none, the call fails with
//! ESTALE, for good: a directory that comes back is opened anew, with its own recovery. Between the look and the call there
//! are microseconds; a mount that falls into them is seen at the next call.
//!
//! The number of a directory may be made up by its file system (overlayfs, FUSE), and is made up anew once nobody uses it. A
//! log directory is in use for as long as its lock file is open.
//!
//! On a disk that cannot tell directories apart nothing is looked at.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
}

impl Anchored {
    /// Holds on to the directory that `root` names now.
    pub fn at(inner: Arc<dyn Disk>, root: &Path) -> io::Result<Self> {
        let identity = inner.identity(root)?;
        Ok(Self { inner, root: root.to_path_buf(), identity, lost: AtomicBool::new(false) })
    }

    /// Whether `root` still names the directory.
    fn check(&self) -> io::Result<()> {
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

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.check()?;
        self.inner.read_dir(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        self.check()?;
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
        self.check()?;
        self.inner.exists(path)
    }

    fn file_len(&self, path: &Path) -> io::Result<u64> {
        self.check()?;
        self.inner.file_len(path)
    }

    fn identity(&self, path: &Path) -> io::Result<Option<Identity>> {
        self.inner.identity(path)
    }

    fn space(&self, path: &Path) -> io::Result<Space> {
        self.inner.space(path)
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
