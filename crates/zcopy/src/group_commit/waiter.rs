//! One who waits: what it does next, blocking or not. All it knows is behind the commit's lock.

use std::sync::Arc;

use super::{CommitError, PAUSE, Shared, State};
use crate::IoPool;

/// What to do next.
#[derive(Debug)]
pub(super) enum Step {
    Stable,
    Error(CommitError),
    /// Wait for the end of a round.
    Wait,
    /// The same, and for [`PAUSE`] at most.
    Pause,
}

/// A waiter, counted for as long as it lives.
#[derive(Debug)]
pub(super) struct Waiter<'a> {
    shared: &'a Arc<Shared>,
    io: &'a IoPool,
    mark: u64,
    pauses_left: u128,
    /// Rounds that had been delayed when this one asked for its own.
    asked_at: Option<u64>,
    /// The commit knows that it waits.
    is_known: bool,
}

impl<'a> Waiter<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, mark: u64, io: &'a IoPool) -> Result<Self, CommitError> {
        if !shared.counters.enter(shared.options.waiters_max) {
            return Err(CommitError::Busy);
        }
        let pauses_left = shared.options.patience.as_nanos() / PAUSE.as_nanos();
        Ok(Self { shared, io, mark, pauses_left, asked_at: None, is_known: false })
    }

    pub(super) fn step(&mut self, state: &mut State) -> Step {
        if state.stable >= self.mark {
            self.is_known = false;
            return Step::Stable;
        }
        if let Some(error) = &state.failed {
            return Step::Error(CommitError::Failed(Arc::clone(error)));
        }
        if !std::mem::replace(&mut self.is_known, true) && state.circle.came(self.mark) {
            self.shared.gathered.notify_one();
        }
        // What was delayed before this one asked is no news.
        let delayed = self.asked_at.is_some_and(|at| at != state.delays);
        if !delayed && Shared::want(self.shared, state, self.mark, self.io).is_ok() {
            self.asked_at = Some(state.delays);
            return Step::Wait;
        }
        self.asked_at = None;
        match self.pauses_left.checked_sub(1) {
            Some(left) => {
                self.pauses_left = left;
                Step::Pause
            }
            None => Step::Error(CommitError::Busy),
        }
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.is_known {
            self.shared.state.lock().circle.left(self.mark);
        }
        self.shared.counters.leave();
    }
}
