//! Whether the logs of a directory take writes: one answer for all of them.
//!
//! Sick is for good, until the directory is opened again. Held is for a while: the directory is well, but the broker may not
//! let anybody write yet. Segments may be removed meanwhile, for that makes the room it waits for.

use std::io::ErrorKind;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Offline;

/// Shared by a log directory and all its logs.
#[derive(Debug, Default)]
pub(crate) struct Health {
    sick: OnceLock<(Offline, Instant)>,
    held: AtomicBool,
    /// Why it is or was held.
    why_held: OnceLock<Offline>,
}

impl Health {
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
}
