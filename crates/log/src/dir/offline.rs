//! One sick disk, one directory: after an I/O error nothing in it takes writes until it is opened again.
//!
//! A full disk is no such error. A write that did not fit was undone, and the next may fit.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pagewire_disk::LOCK_FILE;

use super::{Entry, LogDir};
use crate::sick::{is_full, is_lasting, is_sick, told};
use crate::{LogConfig, Offline};

/// With less left than this, in bytes, a batch or an index page does not fit.
const ROOM_BYTES: u64 = 1 << 20;

/// In one look so many logs' directories are listed, or as many as have so many names: of 10,000 logs each once in some minutes.
const LISTED_AT_ONCE: usize = 128;
const NAMES_AT_ONCE: usize = 20_000;

impl LogDir {
    /// Why the directory takes no writes, if it takes none: an error of its own files, or of any of its logs', or
    /// because it is [held](Self::hold). A log whose sync ran out of space is offline alone:
    /// see [`LogDescription`](super::LogDescription).
    pub fn offline(&self) -> Option<Offline> {
        self.health.offline().cloned()
    }

    /// Takes the directory and all its logs offline for writes. The first reason stays.
    pub fn take_offline(&self, kind: ErrorKind, reason: &str) {
        self.health.fail(Offline { reason: Arc::from(reason), kind });
    }

    /// No writes in the directory until [`release`](Self::release), as on a full disk: reads go on, and segments may be
    /// removed. A stop meanwhile is no clean one.
    pub fn hold(&self, reason: &str) {
        self.health.hold(reason);
    }

    /// Writes may begin.
    pub fn release(&self) {
        self.health.release();
    }

    /// Whether it is held.
    pub fn is_held(&self) -> bool {
        self.health.is_held()
    }

    /// Whether the directory is sick, rather than held.
    pub(crate) fn is_sick(&self) -> bool {
        self.health.sick().is_some()
    }

    /// For how long it is sick, if it is: since the call that failed, not since somebody looked.
    pub fn sick_for(&self) -> Option<Duration> {
        self.health.sick_for()
    }

    /// Looks whether the directory is still there, and is still the one that was opened. Files that are open can be
    /// written whatever becomes of their names, so nothing else would tell before something is done by name. Where
    /// another took its place, nothing is: see [`Anchored`](pagewire_disk::Anchored). The same goes for each log's directory.
    pub fn look(&self) {
        if self.is_sick() {
            return;
        }
        match self.disk.exists(&self.path.join(LOCK_FILE)) {
            Ok(false) => {
                self.take_offline(ErrorKind::NotFound, "it is gone: removed, moved away or unmounted");
            }
            Err(error) => self.note(&self.path, &error),
            Ok(true) => {
                self.look_for_room();
                let entries = self.entries();
                for entry in &entries {
                    entry.log.look_for_its_file();
                }
                self.look_for_closed_segments(&entries);
            }
        }
    }

    /// Nothing opens a closed segment by its name as long as it is open. So the names in some logs' directories are looked at
    /// each time, in turn.
    fn look_for_closed_segments(&self, entries: &[Arc<Entry>]) {
        let mut names = 0;
        for _ in 0..entries.len().min(LISTED_AT_ONCE) {
            if names >= NAMES_AT_ONCE {
                break;
            }
            let next = self.looked.fetch_add(1, Ordering::Relaxed) % entries.len();
            names += entries.get(next).map_or(0, |entry| entry.log.look_for_its_segments());
        }
    }

    /// Whether something did not fit on its disk, and there is no room yet.
    pub fn is_full(&self) -> bool {
        self.health.is_full()
    }

    /// A disk that does not say how much is left is believed to have room when nothing is refused any more.
    fn look_for_room(&self) {
        if !self.is_full() {
            return;
        }
        let usable_bytes = self.disk.space(&self.path).map_or(ROOM_BYTES, |space| space.usable_bytes);
        if usable_bytes >= ROOM_BYTES {
            self.health.note_room(&self.path, usable_bytes);
        }
    }

    /// After the orderly stop nothing may be made or removed any more.
    pub(super) fn close_for_writes(&self) {
        let _ = self.health.end(Offline { reason: "the directory is closed".into(), kind: ErrorKind::Other });
    }

    /// Decides what an error on one of the directory's own files means.
    pub(crate) fn note(&self, path: &Path, error: &io::Error) {
        if is_sick(error) {
            self.take_offline(error.kind(), &format!("{}: {}", path.display(), told(error)));
        } else if is_full(error.kind()) {
            self.health.note_full(&self.path, error, self.delete_delay_ms());
        } else {
            if !self.behind.swap(true, Ordering::AcqRel) {
                tracing::warn!(path = %path.display(), %error, "a log directory's file could not be written; tried again");
            }
            if is_lasting(error) {
                self.health.look(&*self.disk);
            }
        }
    }

    /// For how long what is deleted stays, at most. Of logs that are just coming or going nobody waits to be told.
    fn delete_delay_ms(&self) -> i64 {
        let delays = self
            .table
            .try_read()
            .and_then(|table| table.entries().map(|entry| entry.log.config().file_delete_delay_ms).max());
        delays.unwrap_or_else(|| LogConfig::default().file_delete_delay_ms)
    }

    /// Its own files are as they should be.
    pub(super) fn note_written(&self) {
        if self.behind.swap(false, Ordering::AcqRel) {
            tracing::info!(dir = %self.path.display(), "the log directory's files are written again");
        }
    }
}
