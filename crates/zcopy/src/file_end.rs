//! Where a file ends, asked of an open descriptor.

use std::io;

use crate::os::FileRef;

/// How many bytes a regular file has; `None` for anything else, of which the length says nothing.
#[cfg(unix)]
pub(crate) fn file_end(file: FileRef<'_>) -> io::Result<Option<u64>> {
    use rustix::fs::{FileType, fstat};

    let stat = fstat(file)?;
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    Ok(regular.then(|| u64::try_from(stat.st_size).unwrap_or(0)))
}

/// How many bytes a regular file has; `None` for anything else, of which the length says nothing.
#[cfg(windows)]
pub(crate) fn file_end(file: FileRef<'_>) -> io::Result<Option<u64>> {
    let metadata = file.metadata()?;
    Ok(metadata.is_file().then_some(metadata.len()))
}
