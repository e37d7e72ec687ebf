//! Who makes or drops the note of a wish at the moment, or makes its copy the log: one at a time, or the note of one wish is dropped
//! as that of another, or with the log itself.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use pagewire_log::FutureLog;
use parking_lot::{Condvar, Mutex};

use super::Key;

type Note = (Key, PathBuf);

/// The notes that somebody holds, by partition and directory.
#[derive(Default)]
pub(super) struct Notes {
    held: Mutex<HashSet<Note>>,
    free: Condvar,
}

/// A note that is nobody else's meanwhile.
pub(super) struct Noting<'n> {
    notes: &'n Notes,
    note: Note,
}

impl Notes {
    /// Waits for whoever has it, and so for the disk of that directory, which who asks is about to touch.
    pub(super) fn hold(&self, future: &FutureLog, to: &Path) -> Noting<'_> {
        let note = note(future, to);
        let mut held = self.held.lock();
        self.free.wait_while(&mut held, |held| !held.insert(note.clone()));
        Noting { notes: self, note }
    }

    /// Unless somebody else has it.
    pub(super) fn try_hold(&self, future: &FutureLog, to: &Path) -> Option<Noting<'_>> {
        let note = note(future, to);
        self.held.lock().insert(note.clone()).then(|| Noting { notes: self, note })
    }
}

fn note(future: &FutureLog, to: &Path) -> Note {
    ((future.topic_id, future.partition), to.to_path_buf())
}

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        self.notes.held.lock().remove(&self.note);
        self.notes.free.notify_all();
    }
}
