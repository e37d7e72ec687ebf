//! Whether sends with `MSG_ZEROCOPY` came to anything of late.
//!
//! A way to a peer either takes pages or does not, and peers change: what counts is how many sends in a row were copied
//! after all, and after some plans without any it is asked again. Time is counted in plans.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::Completions;
use crate::caps::PLANS_TO_RETRY;

/// So many sends in a row tell what the way is like.
const SENDS_TO_TELL: u32 = 16;

/// What the kernel's last words were.
#[derive(Debug, Default)]
pub(crate) struct CopiedLately {
    /// Completed sends in a row that were copied; held at `SENDS_TO_TELL`.
    streak: AtomicU32,
    /// Plans that began while it was so.
    plans: AtomicU32,
}

impl CopiedLately {
    /// Takes in what was read from one error queue.
    pub(crate) fn note(&self, done: Completions) {
        if done.completed == 0 {
            return;
        }
        if done.copied < done.completed {
            self.streak.store(0, Ordering::Relaxed);
            return;
        }
        let more = u32::try_from(done.copied).unwrap_or(SENDS_TO_TELL).min(SENDS_TO_TELL);
        let streak = self.streak.load(Ordering::Relaxed);
        // Several threads at once may lose each other's words: it takes a few more then.
        self.streak.store((streak + more).min(SENDS_TO_TELL), Ordering::Relaxed);
    }

    /// Whether all of the last sends were copied.
    pub(crate) fn is_so(&self) -> bool {
        self.streak.load(Ordering::Relaxed) == SENDS_TO_TELL
    }

    /// Notes that a plan begins: after so many, one send is enough to tell again.
    pub(crate) fn plan_begins(&self) {
        if !self.is_so() {
            return;
        }
        let plans = self.plans.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        if plans.is_multiple_of(PLANS_TO_RETRY) {
            self.streak.store(SENDS_TO_TELL - 1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(lately: &CopiedLately, completed: u64, copied: u64) {
        lately.note(Completions { completed, copied });
    }

    #[test]
    fn the_last_sends_tell_whatever_came_before() {
        let lately = CopiedLately::default();
        note(&lately, 1_000_000, 0);
        note(&lately, 15, 15);
        assert!(!lately.is_so());
        note(&lately, 0, 0);
        note(&lately, 1, 1);
        assert!(lately.is_so(), "one success long ago does not hide it");
        note(&lately, u64::MAX, u64::MAX);
        note(&lately, 9, 8);
        assert!(!lately.is_so(), "one that was not copied is news");
    }

    #[test]
    fn after_some_plans_it_is_tried_again_and_one_send_tells() {
        let lately = CopiedLately::default();
        (0..2 * PLANS_TO_RETRY).for_each(|_| lately.plan_begins());
        note(&lately, 16, 16);
        (1..PLANS_TO_RETRY).for_each(|_| lately.plan_begins());
        assert!(lately.is_so());
        lately.plan_begins();
        assert!(!lately.is_so());
        note(&lately, 1, 1);
        assert!(lately.is_so());
    }
}
