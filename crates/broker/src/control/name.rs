//! Naming a socket in a directory, however long the directory's own name is.
//!
//! A socket's address holds 107 bytes (`sun_path`, unix(7)). A longer path goes through the open directory:
//! `/proc/self/fd/<n>/control.sock` is the same file. It needs `/proc`, which is said where it is missing.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use super::SOCKET_FILE;

/// What fits into `sun_path` with the zero that ends it.
const PATH_MAX: usize = 107;

/// A path to the control socket of a directory that fits an address, as long as this lives.
#[derive(Debug)]
pub struct SocketName {
    path: PathBuf,
    /// Open while the path goes through it.
    _dir: Option<File>,
}

impl SocketName {
    /// Of the socket in `dir`, which must exist.
    pub fn in_dir(dir: &Path) -> io::Result<Self> {
        let path = dir.join(SOCKET_FILE);
        if path.as_os_str().len() <= PATH_MAX {
            return Ok(Self { path, _dir: None });
        }
        let dir = File::open(dir)?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(SOCKET_FILE);
        Ok(Self { path, _dir: Some(dir) })
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_fits_an_address() {
        let dir = tempfile::tempdir().expect("a directory");
        let long = dir.path().join("x".repeat(120));
        std::fs::create_dir(&long).expect("a directory");
        for dir in [dir.path(), &long] {
            let name = SocketName::in_dir(dir).expect("a name");
            assert!(name.path().as_os_str().len() <= PATH_MAX, "{}", name.path().display());
            std::fs::write(name.path(), "").expect("written");
            assert!(dir.join(SOCKET_FILE).exists(), "the same file");
        }
    }
}
