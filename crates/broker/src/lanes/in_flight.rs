//! What waits for the disk of a directory at the moment, and whether that answers anybody.
//!
//! Invariant: a directory is silent for as long as something waits for it and nothing was answered by its disk. What waits behind
//! others, on a disk that answers slowly, makes none silent. An answer that came at once may have come from the page cache, which
//! says nothing of the disk.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// What takes longer has waited for the disk, or was held by the kernel on its behalf.
const SLOW: Duration = Duration::from_millis(2);

/// Of one directory, by numbers.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    next: u64,
    since: BTreeMap<u64, Instant>,
    /// When the disk answered last.
    answered: Option<Instant>,
}

/// Something waits for the disk of a directory until this is dropped.
#[derive(Debug)]
pub(crate) struct Operation {
    of: Arc<InFlight>,
    number: u64,
    /// It cannot end without an answer of the disk, however soon it does.
    is_of_disk: bool,
}

impl Drop for Operation {
    fn drop(&mut self) {
        let mut state = self.of.0.lock();
        let since = state.since.remove(&self.number);
        if self.is_of_disk || since.is_some_and(|since| since.elapsed() > SLOW) {
            state.answered = Some(Instant::now());
        }
    }
}

impl InFlight {
    /// Something begins that may be answered by the page cache.
    pub(super) fn begin(self: &Arc<Self>) -> Operation {
        self.begin_one(false)
    }

    /// Something begins that the disk has to answer: a sync.
    pub(super) fn begin_of_disk(self: &Arc<Self>) -> Operation {
        self.begin_one(true)
    }

    fn begin_one(self: &Arc<Self>, is_of_disk: bool) -> Operation {
        let mut state = self.0.lock();
        let number = state.next;
        state.next += 1;
        state.since.insert(number, Instant::now());
        Operation { of: Arc::clone(self), number, is_of_disk }
    }

    /// How long the one that waits longest has waited.
    pub(super) fn longest(&self) -> Option<Duration> {
        // Who came first has the lowest number.
        self.0.lock().since.first_key_value().map(|(_, since)| since.elapsed())
    }

    /// For how long something has waited and nothing was answered.
    pub(super) fn silent_for(&self) -> Option<Duration> {
        let state = self.0.lock();
        let (_, since) = state.since.first_key_value()?;
        Some(state.answered.map_or(*since, |answered| answered.max(*since)).elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait_longer_than(time: Duration) {
        let began = Instant::now();
        while began.elapsed() <= time {
            std::thread::yield_now();
        }
    }

    #[test]
    fn something_waits_for_the_disk_until_the_last_operation_is_over() {
        let all = Arc::new(InFlight::default());
        let (first, second) = (all.begin(), all.begin());
        drop(first);
        assert!(all.longest().is_some() && all.silent_for().is_some());
        drop(second);
        assert!(all.longest().is_none() && all.silent_for().is_none());
    }

    #[test]
    fn what_waits_behind_others_on_a_disk_that_answers_makes_it_not_silent() {
        let all = Arc::new(InFlight::default());
        let waits = all.begin();
        let slow = all.begin();
        wait_longer_than(2 * SLOW);
        assert!(all.silent_for() > Some(2 * SLOW), "nothing was answered yet");
        drop(slow);
        let silent_for = all.silent_for().expect("one waits");
        assert!(silent_for + 2 * SLOW < all.longest().expect("one waits"), "it counts from the answer on");
        drop(waits);
    }

    #[test]
    fn an_answer_at_once_says_nothing_of_the_disk_unless_nobody_else_can_give_it() {
        let all = Arc::new(InFlight::default());
        let _waits = all.begin();
        wait_longer_than(SLOW);
        drop(all.begin());
        assert!(all.silent_for() > Some(SLOW), "it was in the page cache");
        let before = all.silent_for();
        drop(all.begin_of_disk());
        assert!(all.silent_for() < before);
    }
}
