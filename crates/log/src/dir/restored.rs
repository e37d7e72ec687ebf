//! Notes in a directory that has no mark of an orderly stop, where that is no news: a restore made it and no broker had it yet, or a
//! start was stopped on purpose while it loaded it. They go with the next start, and change nothing of what that checks.

use std::io;
use std::path::Path;

use pagewire_disk::{CleanMark, Disk, write_atomically};

/// Why a directory has no mark of an orderly stop, where that is no sign of a kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmarked {
    /// It was restored, and not served since.
    Restored,
    /// The stop before was in order, and the start behind it was stopped before it served.
    StartStopped,
    /// Its mark was removed, and nobody else had it, or is damaged.
    MarkLost,
}

/// What is noted, the note's name, and words for whoever finds it.
const NOTES: [(Unmarked, &str, &[u8]); 2] = [
    (Unmarked::Restored, "pagewire-restored", b"Made by a restore, and not served since.\n"),
    (Unmarked::StartStopped, "pagewire-start-stopped", b"A start was stopped while it loaded these logs.\n"),
];

/// Leaves the note of a restore in a directory that is whole. Durable once the directory is synced.
pub fn note_restored(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    leave(disk, dir, Unmarked::Restored)
}

/// Leaves the note that a start is stopped before it served, in a directory that [was left in order](was_left_in_order) before it.
pub fn note_start_stopped(disk: &dyn Disk, dir: &Path) -> io::Result<()> {
    leave(disk, dir, Unmarked::StartStopped)
}

/// Whether nobody was killed who had it last, as far as a mark or a note of that says so.
pub fn was_left_in_order(disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
    let noted = |(_, file, _): &(_, &str, _)| disk.exists(&dir.join(file)).unwrap_or(false);
    Ok(CleanMark::exists(disk, dir)? || NOTES.iter().any(noted))
}

fn leave(disk: &dyn Disk, dir: &Path, what: Unmarked) -> io::Result<()> {
    let mut notes = NOTES.iter().filter(|(unmarked, ..)| *unmarked == what);
    notes.try_for_each(|(_, file, words)| write_atomically(disk, &dir.join(file), words))
}

/// Takes the notes away; what the first of them said. One that stays says the same once more, and nothing else hangs on it.
pub(super) fn take(disk: &dyn Disk, dir: &Path) -> Option<Unmarked> {
    let taken = NOTES.map(|(unmarked, file, _)| take_one(disk, dir, file).then_some(unmarked));
    taken.into_iter().flatten().next()
}

/// Whether there was one.
fn take_one(disk: &dyn Disk, dir: &Path, file: &str) -> bool {
    let path = dir.join(file);
    match disk.remove_file(&path).and_then(|()| disk.sync_dir(dir)) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "not removed");
            disk.exists(&path).unwrap_or(false)
        }
    }
}
