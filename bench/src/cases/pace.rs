//! Work that is due at a steady rate, whatever became of the one before: no coordinated omission.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

/// Threads are running by then.
const LEAD_IN: Duration = Duration::from_millis(50);

/// So many a second, for so long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) per_second: u32,
    pub(super) seconds: u32,
}

impl Pace {
    /// When each is due.
    pub(super) fn dues(self, start: Instant) -> impl Iterator<Item = Instant> {
        (0..self.per_second * self.seconds)
            .map(move |number| start + Duration::from_secs(1) * number / self.per_second)
    }
}

/// When the first is due, if it begins now.
pub(super) fn start() -> Instant {
    Instant::now() + LEAD_IN
}

/// This thread's sleeps end when they are over and not up to 50 us later (PR_SET_TIMERSLACK(2const)), where that may be asked for.
pub(super) fn wake_exactly() {
    let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_due_one_after_the_other_for_so_long() {
        let (pace, start) = (Pace { per_second: 4, seconds: 2 }, Instant::now());
        let dues: Vec<_> = pace.dues(start).collect();
        assert_eq!(dues.len(), 8);
        assert_eq!(dues[0], start);
        assert!(dues.windows(2).all(|two| two[1] - two[0] == Duration::from_millis(250)));
        assert_eq!(dues[7] + Duration::from_millis(250), start + Duration::from_secs(2));
    }
}
