//! Whether a directory holds anything that somebody may want back.

use std::io;
use std::path::Path;

use pagewire_disk::Disk;

/// Whether any segment of a partition's directory has bytes in it.
pub(super) fn has_records(disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
    for entry in disk.read_dir(dir)? {
        let path = dir.join(&entry.name);
        if entry.is_dir || path.extension().is_none_or(|extension| extension != "log") {
            continue;
        }
        if disk.file_len(&path)? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
