//! Directories that the last stop left in order, for a start that is stopped before it serves: loading took the marks away that say
//! so, and the next start would take that for a kill. They get a note instead, which changes nothing of what is checked.

use std::{
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use pagewire_disk::Disk;
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

    /// The start is stopped. A disk that does not answer keeps nobody from that, nor the other directories from their
    /// notes: one that takes longer is done without.
    pub(super) fn note_stopped(self) {
        let all = self.0.len();
        if self.note_on(&disk(), PATIENCE).len() < all {
            warn!("that the start was stopped was not noted everywhere: the next one may take it for a kill");
        }
    }

    /// Where it was noted in time.
    fn note_on(self, disk: &Arc<dyn Disk>, patience: Duration) -> Vec<PathBuf> {
        let (done, is_done) = mpsc::channel();
        for dir in self.0 {
            let (disk, done) = (Arc::clone(disk), done.clone());
            let note = move || {
                match note_start_stopped(&*disk, &dir) {
                    // Nobody may be waiting any more.
                    Ok(()) => _ = done.send(dir),
                    Err(error) => {
                        let dir = dir.display();
                        warn!(%dir, %error, "that the start was stopped could not be noted: the next one takes it for a kill");
                    }
                }
            };
            // Without a thread it is not noted.
            let _ = thread::Builder::new().name("pagewire-note".into()).spawn(note);
        }
        drop(done);
        let until = Instant::now() + patience;
        let left = || until.saturating_duration_since(Instant::now());
        std::iter::from_fn(|| is_done.recv_timeout(left()).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pagewire_disk::{Call, FailingDisk, MemoryDisk};

    use super::*;

    #[test]
    fn a_directory_whose_disk_does_not_answer_keeps_no_other_from_its_note() {
        let failing = FailingDisk::new(Arc::new(MemoryDisk::new()));
        let [held_dir, well, also_well] = ["/held", "/well", "/also-well"].map(PathBuf::from);
        for dir in [&held_dir, &well, &also_well] {
            failing.create_dir_all(dir).expect("made");
        }
        let disk: Arc<dyn Disk> = Arc::new(failing.clone());
        let held = failing.hold("/held", Call::Open);
        let noted = InOrder(vec![held_dir, well.clone()]).note_on(&disk, Duration::from_secs(2));
        assert_eq!(noted, [Path::new("/well")]);
        assert!(held.is_reached());
        drop(held);
        // The one that was held is being noted still.
        let noted = InOrder(vec![well, also_well]).note_on(&disk, Duration::from_mins(1));
        assert_eq!(noted.len(), 2, "where all disks answer nobody waits for the end of the time");
    }
}
