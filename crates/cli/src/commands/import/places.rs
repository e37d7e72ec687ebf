//! The directories to take over.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context;

use super::properties::Properties;

/// All directories: those given, and those of every file.
pub(super) fn all(given: &[PathBuf], files: &[Properties]) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = given.to_vec();
    // One directory may be named in several ways: as one of log.dirs, and for the metadata.
    let mut known: BTreeSet<PathBuf> = given.iter().filter_map(|dir| dir.canonicalize().ok()).collect();
    for file in files {
        for dir in file.dirs()? {
            let place = || format!("{}: {}", file.path.display(), dir.display());
            if known.insert(dir.canonicalize().with_context(place)?) {
                all.push(dir);
            }
        }
    }
    Ok(all)
}
