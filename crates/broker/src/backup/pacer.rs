//! How fast, how far, and whether to go on: asked after each piece of bytes.

use std::cell::{Cell, RefCell};
use std::io;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// Progress is told at most this often.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// A wait for the rate looks this often whether the work shall end.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What bounds the work.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Bytes read a second, at most.
    pub rate_bytes_per_second: Option<u64>,
    /// Cancelled when the work shall end.
    pub ending: CancellationToken,
}

/// How far the work is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Bytes read.
    pub bytes: u64,
    /// About as many as there will be.
    pub bytes_total: u64,
    /// Logs done.
    pub logs: usize,
    /// Logs in all.
    pub logs_total: usize,
    /// What is under way.
    pub now: String,
}

/// Sees to it.
pub(super) struct Pacer<'a> {
    limits: &'a Limits,
    tell: &'a dyn Fn(&Progress),
    begun: Instant,
    told: Cell<Instant>,
    progress: RefCell<Progress>,
}

impl<'a> Pacer<'a> {
    pub(super) fn new(limits: &'a Limits, tell: &'a dyn Fn(&Progress)) -> Self {
        let now = Instant::now();
        Self { limits, tell, begun: now, told: Cell::new(now), progress: RefCell::default() }
    }

    /// There is so much to do.
    pub(super) fn expect(&self, logs: usize, bytes: u64) {
        let mut progress = self.progress.borrow_mut();
        progress.logs_total += logs;
        progress.bytes_total += bytes;
    }

    /// A log begins.
    pub(super) fn begin(&self, what: &str) {
        what.clone_into(&mut self.progress.borrow_mut().now);
        self.maybe_tell();
    }

    /// A log is done.
    pub(super) fn done(&self) {
        self.progress.borrow_mut().logs += 1;
    }

    /// So many bytes were read. Waits if that was too fast; an error of kind `Interrupted` if the work shall end.
    pub(super) fn moved(&self, bytes: u64) -> io::Result<()> {
        let all = {
            let mut progress = self.progress.borrow_mut();
            progress.bytes += bytes;
            progress.bytes
        };
        self.maybe_tell();
        loop {
            if self.limits.ending.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let Some(wait) = self.ahead_by(all) else { return Ok(()) };
            std::thread::sleep(wait.min(LOOK_EVERY));
            // Whoever looks on is not to take a low rate for a disk that hangs.
            self.maybe_tell();
        }
    }

    /// How long it is until so many bytes are not too many.
    fn ahead_by(&self, bytes: u64) -> Option<Duration> {
        let rate = self.limits.rate_bytes_per_second.filter(|rate| *rate > 0)?;
        let due_ms = u128::from(bytes) * 1000 / u128::from(rate);
        let wait_ms = due_ms.saturating_sub(self.begun.elapsed().as_millis());
        (wait_ms > 0).then(|| Duration::from_millis(u64::try_from(wait_ms).unwrap_or(u64::MAX)))
    }

    fn maybe_tell(&self) {
        if self.told.get().elapsed() >= TELL_EVERY {
            (self.tell)(&self.progress.borrow());
            self.told.set(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_on_the_average_and_the_end_is_noticed_in_between() {
        let limits = Limits { rate_bytes_per_second: Some(1000), ..Limits::default() };
        let pacer = Pacer::new(&limits, &|_| {});
        assert!(pacer.ahead_by(1_000_000).is_some_and(|wait| wait > Duration::from_mins(15)));
        assert_eq!(pacer.ahead_by(0), None);
        limits.ending.cancel();
        let ended = pacer.moved(1_000_000).expect_err("no waiting");
        assert_eq!(ended.kind(), io::ErrorKind::Interrupted);
    }
}
