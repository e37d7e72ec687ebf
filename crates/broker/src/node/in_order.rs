//! Directories that the last stop left in order, for a start that is stopped before it serves: loading took the marks away that say
//! so, and the next start would take that for a kill. They get a note instead, which changes nothing of what is checked.

use std::path::PathBuf;

use pagewire_log::{note_start_stopped, was_left_in_order};
use tracing::warn;

use crate::cluster::disk;

/// Their paths.
pub(super) struct InOrder(Vec<PathBuf>);

impl InOrder {
    /// Of these, before they are loaded.
    pub(super) fn among(dirs: impl Iterator<Item = PathBuf>) -> Self {
        let disk = disk();
        Self(dirs.filter(|dir| was_left_in_order(&*disk, dir).unwrap_or(false)).collect())
    }

    /// The start is stopped.
    pub(super) fn note_stopped(&self) {
        let disk = disk();
        for dir in &self.0 {
            if let Err(error) = note_start_stopped(&*disk, dir) {
                let dir = dir.display();
                warn!(%dir, %error, "that the start was stopped could not be noted: the next one takes it for a kill");
            }
        }
    }
}
