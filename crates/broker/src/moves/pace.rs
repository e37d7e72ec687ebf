//! How fast moves may copy: `replica.alter.log.dirs.io.max.bytes.per.second`, all to one directory together.

use std::cell::Cell;
use std::io;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

/// A wait looks this often whether the move shall end, or the rate is another.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Keeps one move to the rate that is in force.
pub(super) struct Pace<'a> {
    rate: &'a dyn Fn() -> u64,
    ending: &'a CancellationToken,
    /// Since when the rate is what it is, and what was moved since.
    since: Cell<(Instant, u64, u64)>,
}

impl<'a> Pace<'a> {
    pub(super) fn new(rate: &'a dyn Fn() -> u64, ending: &'a CancellationToken) -> Self {
        Self { rate, ending, since: Cell::new((Instant::now(), rate(), 0)) }
    }

    /// So many bytes were moved. Waits if that was too fast; an error of kind `Interrupted` if the move shall end.
    pub(super) fn moved(&self, bytes: u64) -> io::Result<()> {
        let (begun, rate, before) = self.since.get();
        self.since.set((begun, rate, before.saturating_add(bytes)));
        loop {
            if self.ending.is_cancelled() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let now = (self.rate)();
            let (begun, rate, moved) = self.since.get();
            if now != rate {
                self.since.set((Instant::now(), now, 0));
                return Ok(());
            }
            let Some(wait) = ahead_by(moved, rate, begun.elapsed()) else { return Ok(()) };
            std::thread::sleep(wait.min(LOOK_EVERY));
        }
    }
}

/// How long it is until so many bytes are not too many. A rate of 0 lets nothing through.
fn ahead_by(bytes: u64, rate: u64, elapsed: Duration) -> Option<Duration> {
    let due_ms = (u128::from(bytes) * 1000).checked_div(u128::from(rate));
    let wait_ms = due_ms.unwrap_or(u128::MAX).saturating_sub(elapsed.as_millis());
    (bytes > 0 && wait_ms > 0).then(|| Duration::from_millis(u64::try_from(wait_ms).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_kept_on_the_average() {
        let second = Duration::from_secs(1);
        assert_eq!(ahead_by(1000, 1000, second), None);
        assert_eq!(ahead_by(3000, 1000, second), Some(2 * second));
        assert_eq!(ahead_by(u64::MAX, i64::MAX as u64, second), Some(second));
        assert_eq!(ahead_by(0, 0, second), None);
        assert!(ahead_by(1, 0, second).is_some_and(|wait| wait > 1000 * second));
    }

    #[test]
    fn a_move_that_waits_for_its_rate_ends_when_it_shall_and_goes_on_when_there_is_another() {
        let (rate, ending) = (Cell::new(1), CancellationToken::new());
        let now = || rate.get();
        let pace = Pace::new(&now, &ending);
        rate.set(u64::MAX);
        assert!(pace.moved(1 << 40).is_ok(), "another rate");
        ending.cancel();
        assert_eq!(pace.moved(1).expect_err("it ends").kind(), io::ErrorKind::Interrupted);
    }
}
