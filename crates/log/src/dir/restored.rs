//! A note in a directory that a restore made: no broker had it yet, so that its logs were not closed in order is no news. It goes
//! with the first start, and changes nothing of what that checks.

use std::io;
use std::path::Path;

use pagewire_disk::{Disk, write_atomically};

/// Its name.
const FILE: &str = "pagewire-restored";
/// For whoever finds it.
const WORDS: &[u8] = b"Made by a restore, and not served since.\n";

/// Why a directory has no mark of an orderly stop, where that is no sign of a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmarked {
    /// It was restored, and not served since.
    Restored,
    /// Its mark was removed; nobody else had it.
    MarkRemoved,
}

/// Leaves the note in a directory that is whole. Durable once the directory is synced.
pub fn note_restored(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    write_atomically(disk, &dir.join(FILE), WORDS)
}

/// Takes the note away; whether there was one. One that stays says the same once more, and nothing else hangs on it.
pub(super) fn take(disk: &dyn Disk, dir: &Path) -> bool {
    let path = dir.join(FILE);
    match disk.remove_file(&path).and_then(|()| disk.sync_dir(dir)) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "not removed");
            disk.exists(&path).unwrap_or(false)
        }
    }
}
