//! Whether a round waits a moment for those who are about to want it too.
//!
//! Who was answered comes back with more, where several requests are in flight. A sync that begins with the first of them
//! has the others wait for the next one:
//!
//! ```text
//!   five in flight, at once:  sync 1 . sync 4 . sync 1 . sync 4        two syncs for five batches
//!   in a circle:              .... sync 5 .... sync 5                  one
//! ```
//!
//! So a round that follows closely upon another waits until as many want it as that one answered, beside those who wait already,
//! but no longer than that one took: so long the others would have waited for it anyhow. Where they do not come, nobody is waited
//! for in the next rounds; nor where the pool has no thread left for the sync of another target.

use std::time::{Duration, Instant};

/// The longest wait: slow disks take ten times as long, whoever comes back does not.
const WAIT_MAX: Duration = Duration::from_millis(2);
/// Rounds that wait for nobody, after one that waited in vain.
const RESTS: u32 = 16;

/// Who waits, and who is expected back.
#[derive(Debug, Default)]
pub(super) struct Circle {
    /// The marks of those who wait.
    waiting: Vec<u64>,
    /// So many are expected to wait before the next round begins.
    expected: usize,
    /// Until then, as the last round was so long ago.
    until: Option<Instant>,
    /// How many waited when the wait began.
    found: usize,
    rests: u32,
}

impl Circle {
    /// One more waits for `mark`. Whether that was the last one expected.
    pub(super) fn came(&mut self, mark: u64) -> bool {
        self.waiting.push(mark);
        self.waiting.len() == self.expected
    }

    /// Somebody who waited for `mark` has given up, or was answered already.
    pub(super) fn left(&mut self, mark: u64) {
        if let Some(at) = self.waiting.iter().position(|one| *one == mark) {
            self.waiting.swap_remove(at);
        }
    }

    /// A round is about to begin: until when it waits for the others, if it does.
    pub(super) fn begins(&mut self, now: Instant) -> Option<Instant> {
        if self.rests > 0 {
            self.rests -= 1;
            return None;
        }
        self.found = self.waiting.len();
        self.until.filter(|until| *until > now && !self.is_whole())
    }

    /// Whether all who are expected wait.
    pub(super) fn is_whole(&self) -> bool {
        self.waiting.len() >= self.expected
    }

    /// A wait is over. It was worth it if at least half of those came who were expected.
    pub(super) fn waited(&mut self) {
        let (came, missed) =
            (self.waiting.len().saturating_sub(self.found), self.expected.saturating_sub(self.found));
        if 2 * came < missed {
            self.rests = RESTS;
        }
    }

    /// A round that took so long has ended, and everything up to `stable` is stable.
    pub(super) fn ended(&mut self, stable: u64, now: Instant, took: Duration) {
        // Whoever was answered is expected back, beside those who wait.
        self.expected = self.waiting.len();
        self.waiting.retain(|mark| *mark > stable);
        self.until = Some(now + took.min(WAIT_MAX));
    }
}

#[cfg(test)]
impl Circle {
    /// The next round waits until then for two.
    pub(super) fn expect_two(&mut self, until: Instant) {
        (self.expected, self.until) = (2, Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_micros(300);

    /// A round that answered `answered`, while others came.
    fn after(answered: usize, came: usize, now: Instant) -> Circle {
        let mut circle = Circle::default();
        for mark in 1..=(answered + came) as u64 {
            circle.came(mark);
        }
        circle.ended(answered as u64, now, TOOK);
        circle
    }

    #[test]
    fn a_round_waits_until_those_are_back_who_were_answered() {
        let now = Instant::now();
        let mut circle = after(4, 1, now);
        assert_eq!(circle.begins(now), Some(now + TOOK));
        assert_eq!([6, 7, 8, 9].map(|mark| circle.came(mark)), [false, false, false, true]);
        circle.waited();
        circle.ended(9, now, TOOK);
        circle.came(10);
        assert_eq!(circle.begins(now), Some(now + TOOK), "five in flight are five");
    }

    #[test]
    fn one_alone_and_one_after_a_pause_are_not_kept_waiting() {
        let now = Instant::now();
        let mut alone = after(1, 0, now);
        alone.came(2);
        assert_eq!(alone.begins(now), None);
        let mut late = after(4, 0, now);
        late.came(5);
        assert_eq!(late.begins(now + TOOK), None);
    }

    #[test]
    fn after_a_wait_in_vain_nobody_is_waited_for_in_some_rounds() {
        let now = Instant::now();
        let mut circle = after(4, 1, now);
        assert!(circle.begins(now).is_some());
        circle.came(6);
        circle.waited();
        for _ in 0..RESTS {
            assert_eq!(circle.begins(now), None);
        }
        assert!(circle.begins(now).is_some(), "then it is tried again");
        circle.came(7);
        circle.came(8);
        circle.waited();
        assert!(circle.begins(now).is_some(), "half of them are worth it");
    }

    #[test]
    fn who_gave_up_is_not_kept_in_mind() {
        let mut circle = Circle::default();
        for mark in [u64::MAX, 3] {
            circle.came(mark);
            circle.left(mark);
        }
        assert!(circle.waiting.is_empty());
    }

    #[test]
    fn a_slow_disk_is_no_reason_to_wait_long() {
        let now = Instant::now();
        let mut circle = after(2, 0, now);
        circle.came(3);
        circle.came(4);
        circle.ended(3, now, Duration::from_secs(1));
        assert_eq!(circle.begins(now), Some(now + WAIT_MAX));
    }
}
