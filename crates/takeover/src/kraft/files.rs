//! The files of the metadata log, in the order in which they are to be read.
//!
//! ```text
//!   __cluster_metadata-0/
//!     <end offset, 20 digits>-<epoch, 10 digits>.checkpoint   everything below that offset, in the format of a segment
//!     <base offset, 20 digits>.log                            a segment
//! ```

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The directory's name.
pub(crate) const DIR: &str = "__cluster_metadata-0";

/// A file with the offset in its name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Numbered {
    pub(crate) offset: i64,
    pub(crate) path: PathBuf,
}

impl Numbered {
    /// Opens it; its length as well.
    pub(super) fn open(&self) -> io::Result<(File, u64)> {
        let file = File::open(&self.path)?;
        let len = file.metadata()?.len();
        Ok((file, len))
    }
}

/// What is there.
#[derive(Debug, Default)]
pub(crate) struct Files {
    /// The newest snapshot.
    pub(crate) snapshot: Option<Numbered>,
    /// Oldest first.
    pub(crate) segments: Vec<Numbered>,
}

impl Files {
    pub(super) fn read(dir: &Path) -> io::Result<Self> {
        let (mut snapshots, mut segments) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(dir)? {
            let path = entry?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if let Some((offset, epoch)) = snapshot(name) {
                snapshots.push((offset, epoch, path));
            } else if let Some(offset) = name.strip_suffix(".log").and_then(|name| digits(name, 20)) {
                segments.push(Numbered { offset, path });
            }
        }
        segments.sort();
        let newest = snapshots.into_iter().max();
        Ok(Self { snapshot: newest.map(|(offset, _, path)| Numbered { offset, path }), segments })
    }
}

fn snapshot(name: &str) -> Option<(i64, i64)> {
    let (offset, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
    Some((digits(offset, 20)?, digits(epoch, 10)?))
}

fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_snapshot_counts_and_unfinished_ones_never() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in [
            "00000000000000000000-0000000000.checkpoint",
            "00000000000000000412-0000000003.checkpoint",
            "00000000000000000512-0000000003.checkpoint.part",
            "00000000000000000512-0000000003.checkpoint.deleted",
            "bootstrap.checkpoint",
            "00000000000000000300.log",
            "00000000000000000000.log",
            "00000000000000000000.log.deleted",
            "00000000000000000000.index",
            "quorum-state",
        ] {
            fs::write(dir.path().join(name), "").expect("written");
        }
        let files = Files::read(dir.path()).expect("read");
        assert_eq!(files.snapshot.map(|found| found.offset), Some(412));
        assert_eq!(files.segments.iter().map(|found| found.offset).collect::<Vec<_>>(), [0, 300]);
    }
}
