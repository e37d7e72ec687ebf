//! The files of a directory, as they were at some time.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

/// Files and what is in them.
pub(super) struct Tree(Vec<(PathBuf, Vec<u8>)>);

impl Tree {
    pub(super) fn of(dir: &Path) -> Result<Self> {
        let read = |path: PathBuf| Ok((path.clone(), fs::read(&path)?));
        files_below(dir)?.into_iter().map(read).collect::<Result<_>>().map(Self)
    }

    /// Fails if anything is not as it was.
    pub(super) fn is_still(&self, dir: &Path) -> Result<()> {
        let now = Self::of(dir)?;
        let (before, count) = (self.0.len(), now.0.len());
        ensure!(before == count, "{count} files in Kafka's directory were {before}");
        for (before, after) in self.0.iter().zip(&now.0) {
            ensure!(before == after, "{} is not as it was", after.0.display());
        }
        Ok(())
    }
}

fn files_below(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { found.extend(files_below(&path)?) } else { found.push(path) }
    }
    found.sort();
    Ok(found)
}
