//! Small files that are replaced whole: a reader sees the old content or the new one, also after a power cut.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use crate::disk::{Disk, OpenMode};

/// Replaces the file at `path`: the bytes go to `<path>.tmp`, are synced, take the name by rename, and the directory
/// is synced. A leftover `.tmp` of an earlier crash is overwritten.
///
/// On error the old file is untouched, or the new one is in place but its name may not be durable yet.
pub fn write_atomically(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_name(path)?;
    let file = disk.open(&temporary, OpenMode::Create)?;
    file.set_len(0)?;
    file.write_all_at(0, &[IoSlice::new(bytes)])?;
    file.sync_all()?;
    disk.rename(&temporary, path)?;
    disk.sync_dir(parent(path))
}

/// Reads a whole file of at most `max_bytes`; `None` if it does not exist, `FileTooLarge` if it is longer.
pub fn read_small(disk: &dyn Disk, path: &Path, max_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let len = file.len()?;
    if len > max_bytes {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(0, &mut bytes)?;
    Ok(Some(bytes))
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
