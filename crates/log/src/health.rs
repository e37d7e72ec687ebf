//! Whether the logs of a directory take writes: one answer for all of them.
//!
//! Sick is for good, until the directory is opened again. Held is for a while: the directory is well, but the broker
//! may not let anybody write yet. Segments may be removed meanwhile, for that makes the room it waits for. Full says
//! that something did not fit: whatever fits is taken all the same, so this decides nothing and is only told, once when
//! it begins and once when it is over.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use pagewire_disk::Disk;

use crate::Offline;
use crate::online::{OnlineCommand, online};
use crate::probe::probe;
use crate::sick::{is_lasting, told};

/// Shared by a log directory and all its logs.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// The directory and the broker's first one; empty of a log that is in none.
    dir: PathBuf,
    home: PathBuf,
    sick: OnceLock<(Offline, Instant)>,
    held: AtomicBool,
    /// Why it is or was held.
    why_held: OnceLock<Offline>,
    /// Something did not fit, and that was told.
    full: AtomicBool,
    /// Something did not fit since anybody looked for room.
    refused: AtomicBool,
}

impl Health {
    /// Of a directory, beside the first one of its broker.
    pub(crate) fn of(dir: &Path, home: &Path) -> Self {
        Self { dir: dir.to_path_buf(), home: home.to_path_buf(), ..Self::default() }
    }

    /// Why nothing is written, if so.
    pub(crate) fn offline(&self) -> Option<&Offline> {
        self.sick().or_else(|| if self.is_held() { self.why_held.get() } else { None })
    }

    /// Why nothing will be written any more, if so.
    pub(crate) fn sick(&self) -> Option<&Offline> {
        self.sick.get().map(|(why, _)| why)
    }

    /// For how long nothing can be written, if so.
    pub(crate) fn sick_for(&self) -> Option<Duration> {
        self.sick.get().map(|(_, since)| since.elapsed())
    }

    /// No writes from now on. The first reason stays; says whether this is it.
    pub(crate) fn end(&self, why: Offline) -> bool {
        self.sick.set((why, Instant::now())).is_ok()
    }

    /// The same for something that went wrong: the first reason is told, with the way back.
    pub(crate) fn fail(&self, why: Offline) {
        let reason = Arc::clone(&why.reason);
        if self.end(why) {
            tracing::error!(
                dir = %self.dir.display(),
                reason = &*reason,
                "log directory is offline for writes; what can be read is served. {}",
                self.way_back(true)
            );
        }
    }

    /// Something could not be written, for a reason that lasts and may be that of one file. Where nothing can be written in the
    /// directory, no writes from now on.
    pub(crate) fn look(&self, disk: &dyn Disk) {
        if self.dir.as_os_str().is_empty() || self.sick().is_some() {
            return;
        }
        if let Err(error) = probe(disk, &self.dir)
            && is_lasting(&error)
        {
            let reason = format!("nothing can be written in it: {}", told(&error));
            self.fail(Offline { reason: reason.into(), kind: error.kind() });
        }
    }

    /// The command that opens the directory again, if it has one.
    pub(crate) fn online(&self) -> Option<OnlineCommand<'_>> {
        (!self.dir.as_os_str().is_empty()).then(|| online(&self.dir, &self.home))
    }

    /// What to type for writes to be taken again. `or_restart`: nothing is lost by that either.
    pub(crate) fn way_back(&self, or_restart: bool) -> String {
        let or_restart = if or_restart { ", or a restart" } else { "" };
        format!("When the cause is gone, {} opens it again{or_restart}", online(&self.dir, &self.home))
    }

    /// No writes until [`release`](Self::release). The reason of the first time stays.
    pub(crate) fn hold(&self, reason: &str) {
        let _ = self.why_held.set(Offline { reason: reason.into(), kind: ErrorKind::StorageFull });
        self.held.store(true, Ordering::Release);
    }

    /// Writes may begin.
    pub(crate) fn release(&self) {
        self.held.store(false, Ordering::Release);
    }

    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Ordering::Acquire)
    }

    /// Something did not fit on the disk of `dir`. Said when that is news, with how long what is deleted stays there.
    pub(crate) fn note_full(&self, dir: &Path, error: &io::Error, delete_delay_ms: i64) {
        self.refused.store(true, Ordering::Relaxed);
        if !self.full.swap(true, Ordering::AcqRel) {
            tracing::error!(
                dir = %dir.display(),
                %error,
                "the disk is full: what does not fit is refused, records and new topics alike; reads go on. Make room \
                 (delete topics, shorten their retention, move partitions to another log directory if there is one, or other \
                 files away): writes then go on by themselves. What is \
                 deleted gives up its room after file.delete.delay.ms, {delete_delay_ms} ms, and some seconds"
            );
        }
    }

    /// Something did not fit, and there is no room yet for all that anybody knows.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Ordering::Acquire)
    }

    /// So much can be written again, in bytes. Believed, and said, when nothing was refused since the last look.
    pub(crate) fn note_room(&self, dir: &Path, usable_bytes: u64) {
        if !self.refused.swap(false, Ordering::Relaxed) && self.full.swap(false, Ordering::AcqRel) {
            tracing::info!(dir = %dir.display(), usable_bytes, "there is room on the disk again: writes are taken");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_full_until_a_while_has_passed_in_which_everything_fitted() {
        let (health, dir, full) =
            (Health::default(), Path::new("/d"), io::Error::from(ErrorKind::StorageFull));
        health.note_room(dir, 1);
        assert!(!health.is_full());
        health.note_full(dir, &full, 60_000);
        health.note_room(dir, 1);
        assert!(health.is_full(), "it was refused a moment ago");
        health.note_full(dir, &full, 60_000);
        health.note_room(dir, 1);
        assert!(health.is_full(), "and again");
        health.note_room(dir, 1);
        assert!(!health.is_full());
    }
}
