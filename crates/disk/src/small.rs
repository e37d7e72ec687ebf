//! Small files that are replaced whole: a reader sees the old content or the new one, also after a power cut.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, OpenMode};

/// Replaces the file at `path`: the bytes go to `<path>.tmp`, are synced, take the name by rename, and the directory
/// is synced. A leftover `.tmp` of an earlier crash is overwritten.
///
/// On error the old file is untouched, or the new one is in place but its name may not be durable yet.
pub fn write_atomically(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let staged = StagedFile::write(disk, path, bytes)?;
    staged.sync()?;
    staged.place(disk)?;
    disk.sync_dir(parent(path))
}

/// A small file that has not taken its name yet: the steps of [`write_atomically`], for those who take each of them for
/// many files.
#[derive(Debug)]
pub struct StagedFile {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    len: u64,
}

impl StagedFile {
    /// Writes the bytes to `<path>.tmp`.
    pub fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<Self> {
        let file = disk.open(&temporary_name(path)?, OpenMode::Create)?;
        file.set_len(0)?;
        file.write_all_at(0, &[IoSlice::new(bytes)])?;
        Ok(Self { file, path: path.to_path_buf(), len: bytes.len() as u64 })
    }

    /// Asks the kernel to begin. Advice.
    pub fn start_writeback(&self) -> io::Result<()> {
        self.file.start_writeback(0, self.len)
    }

    /// The bytes survive a power cut from here on.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// The file takes its name, durably once the directory is synced. To be [synced](Self::sync) before.
    pub fn place(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.rename(&temporary_name(&self.path)?, &self.path)
    }
}

/// Reads a whole file of at most `max_bytes`; `None` if it does not exist, `FileTooLarge` if it is longer.
pub fn read_small(disk: &dyn Disk, path: &Path, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    match disk.read_whole(path, max_bytes) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read.map(Some),
    }
}

/// Makes a directory and its missing parents, and syncs every directory that got a new name.
pub fn create_dir_durably(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let mut changed = Vec::new();
    let mut next = path;
    while !disk.exists(next)? {
        changed.push(parent(next));
        match next.parent() {
            Some(above) if !above.as_os_str().is_empty() => next = above,
            _ => break,
        }
    }
    disk.create_dir_all(path)?;
    changed.iter().rev().try_for_each(|dir| disk.sync_dir(dir))
}

/// The directory that holds `path`; `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        Some(_) => Path::new("."),
        None => path,
    }
}

fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let mut name = name.to_os_string();
    name.push(".tmp");
    Ok(path.with_file_name(name))
}
