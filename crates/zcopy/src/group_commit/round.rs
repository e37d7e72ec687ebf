//! A round: one sync on a thread of the pool, and its announcement.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use super::{Shared, State, SyncFailure};
use crate::{IoPool, PoolFull};

impl Shared {
    /// Makes sure that a round covering `mark` is running or will follow the running one.
    pub(super) fn want(
        shared: &Arc<Self>,
        state: &mut State,
        mark: u64,
        io: &IoPool,
    ) -> Result<(), PoolFull> {
        // What is not written yet no round can cover: rounds would go on for ever.
        state.wanted = state.wanted.max(mark.min(shared.target.written()));
        if state.running || state.wanted <= state.stable {
            return Ok(());
        }
        let round = Round { shared: Arc::clone(shared), io: io.clone() };
        io.submit_urgent(move || round.run())?;
        state.running = true;
        Ok(())
    }
}

impl Shared {
    /// Waits for those who are about to want this round too.
    fn gather(&self) {
        let mut state = self.state.lock();
        let Some(until) = state.circle.begins(Instant::now()) else { return };
        while !state.circle.is_whole() && !self.gathered.wait_until(&mut state, until).timed_out() {}
        state.circle.waited();
    }
}

/// What a round needs, on its I/O thread.
struct Round {
    shared: Arc<Shared>,
    io: IoPool,
}

impl Round {
    /// Syncs until nobody waits for more, each time from the end of the pool's queue.
    fn run(self) {
        while self.sync() {
            let next = Self { shared: Arc::clone(&self.shared), io: self.io.clone() };
            if self.io.follow_urgent(move || next.run()).is_ok() {
                return;
            }
        }
    }

    /// One sync and its announcement; whether somebody waits for more.
    fn sync(&self) -> bool {
        let shared = &*self.shared;
        // The last thread is for whoever wants another target synced.
        if self.io.has_urgent_room() {
            shared.gather();
        }
        let began = Instant::now();
        // A panic must not leave the waiters waiting.
        let outcome = catch_unwind(AssertUnwindSafe(|| shared.target.sync()))
            .unwrap_or_else(|_| Err(SyncFailure::Failed(io::Error::other("the sync panicked"))));
        shared.counters.round(&outcome);
        let mut state = shared.state.lock();
        let more = state.ended(outcome);
        let (stable, now) = (state.stable, Instant::now());
        state.circle.ended(stable, now, now - began);
        state.running = more;
        shared.changed.notify_all();
        #[cfg(feature = "tokio")]
        shared.news.notify_waiters();
        more
    }
}

impl State {
    /// Notes how a round ended; whether another has to follow.
    fn ended(&mut self, outcome: Result<u64, SyncFailure>) -> bool {
        match outcome {
            Ok(stable) => {
                self.stable = self.stable.max(stable);
                self.wanted > self.stable
            }
            Err(SyncFailure::NotBegun(_)) => {
                self.delays += 1;
                false
            }
            Err(SyncFailure::Failed(error)) => {
                self.failed = Some(Arc::new(error));
                false
            }
        }
    }
}
