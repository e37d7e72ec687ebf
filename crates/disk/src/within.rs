//! Whether one place lies in another: what is made of a directory goes outside of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf, absolute};

/// What a path leads to, without links in what is there of it already.
pub fn real_path(path: &Path) -> io::Result<PathBuf> {
    let path = absolute(path)?;
    let there = path.ancestors().find(|above| above.exists()).unwrap_or(path.as_path());
    Ok(fs::canonicalize(there)?.join(path.strip_prefix(there).unwrap_or(Path::new(""))))
}

/// The first of `dirs` that `path` lies in, or is. Directories that are not there hold nothing.
pub fn holder_of<'d>(path: &Path, dirs: &'d [PathBuf]) -> io::Result<Option<&'d PathBuf>> {
    let place = real_path(path)?;
    Ok(dirs.iter().find(|dir| fs::canonicalize(dir).is_ok_and(|dir| place.starts_with(dir))))
}
