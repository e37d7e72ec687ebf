//! Where the data directory is, or would be.

use std::path::{Path, PathBuf};

/// The data directory if it is there, else the nearest directory above it that is: the broker makes what is missing, so
/// this is the disk it will be on.
pub(crate) fn nearest(data_dir: &Path) -> PathBuf {
    let absolute = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_path_buf());
    let there = absolute.ancestors().find(|dir| dir.is_dir()).unwrap_or(Path::new("/"));
    there.canonicalize().unwrap_or_else(|_| there.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_will_be_made_in_what_is_there() {
        let dir = tempfile::tempdir().expect("a directory");
        let there = dir.path().canonicalize().expect("there");
        assert_eq!(nearest(&dir.path().join("a/b")), there);
        assert_eq!(nearest(dir.path()), there);
    }
}
