//! Directories that the last stop left in order, for a start that is stopped before it serves: loading took the marks away that say
//! so, and the next start would take that for a kill. They get a note instead, which changes nothing of what is checked.

use std::{path::PathBuf, sync::mpsc, thread, time::Duration};

use pagewire_log::{note_start_stopped, was_left_in_order};
use tracing::warn;

use crate::cluster::disk;

/// A note is a small file and its sync.
const PATIENCE: Duration = Duration::from_secs(2);

/// Their paths.
pub(super) struct InOrder(Vec<PathBuf>);

impl InOrder {
    /// Of these, before they are loaded.
    pub(super) fn among(dirs: impl Iterator<Item = PathBuf>) -> Self {
        let disk = disk();
        Self(dirs.filter(|dir| was_left_in_order(&*disk, dir).unwrap_or(false)).collect())
    }

    /// The start is stopped. A disk that does not answer keeps nobody from that: a note that takes longer is done without.
    pub(super) fn note_stopped(self) {
        let (done, is_done) = mpsc::channel();
        let note = move || {
            let disk = disk();
            for dir in &self.0 {
                if let Err(error) = note_start_stopped(&*disk, dir) {
                    let dir = dir.display();
                    warn!(%dir, %error, "that the start was stopped could not be noted: the next one takes it for a kill");
                }
            }
            // Nobody may be waiting any more.
            let _ = done.send(());
        };
        let noting = thread::Builder::new().name("pagewire-note".into()).spawn(note);
        if noting.is_err() || is_done.recv_timeout(PATIENCE).is_err() {
            warn!("that the start was stopped was not noted everywhere: the next one may take it for a kill");
        }
    }
}
