//! How long the requests of a connection wait for a place in a directory whose disk hangs: together, not each of them.
//!
//! Invariant: once a batch of a line was refused for want of a place, all behind it in that line are refused that are for the same
//! directory, also where there is a place again: a producer's second batch is not taken before its first one came again.

use std::{io, sync::Arc};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::lanes::{Entry, Lane, PATIENCE};

/// Of the requests of a connection that are under way, until there is none.
#[derive(Debug, Default)]
pub(super) struct Patience(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Of the one that waits.
    until: Option<Instant>,
    /// Directories for which one was refused.
    over: Vec<Arc<Lane>>,
}

impl Patience {
    /// Whether one was refused for want of a place in this directory.
    pub(super) fn is_over(&self, lane: &Arc<Lane>) -> bool {
        self.0.lock().over.iter().any(|over| Arc::ptr_eq(over, lane))
    }

    /// Waits for a place.
    pub(super) async fn place<'l>(&self, lane: &'l Arc<Lane>) -> io::Result<Entry<'l>> {
        if self.is_over(lane) {
            return Err(lane.refusal());
        }
        let until = *self.0.lock().until.get_or_insert_with(|| Instant::now() + PATIENCE);
        let place = lane.come(until).await;
        let mut state = self.0.lock();
        state.until = None;
        if place.is_err() {
            state.over.push(Arc::clone(lane));
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use pagewire_disk::MemoryDisk;

    use super::*;
    use crate::testing::Bench;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_stands_behind_one_that_was_refused_is_refused_though_there_is_a_place_again() {
        let bench = Bench::on(Arc::new(MemoryDisk::new()));
        let lane = Arc::clone(bench.broker.cluster().lanes().all().next().expect("home"));
        let line = Patience::default();
        assert!(line.place(&lane).await.is_ok());
        let taken: Vec<_> = std::iter::from_fn(|| lane.enter()).take(1000).collect();
        assert!(taken.len() < 1000 && line.place(&lane).await.is_err());
        drop(taken);
        assert!(lane.enter().is_some());
        assert!(line.is_over(&lane) && line.place(&lane).await.is_err());
        assert!(Patience::default().place(&lane).await.is_ok(), "another line");
    }
}
