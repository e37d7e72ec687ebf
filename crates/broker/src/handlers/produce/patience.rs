//! How long the requests of a connection wait for a place in a directory whose disk hangs: together, not each of them.
//!
//! Invariant: once a batch of a pipeline was refused for want of a place, all behind it in it are refused that are for the same
//! directory, also where there is a place again: a producer's second batch is not taken before its first one came again.

use std::{io, sync::Arc};

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::lanes::{Admission, Lane, PATIENCE};

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

    /// Waits until one is admitted.
    pub(super) async fn admit<'l>(&self, lane: &'l Arc<Lane>) -> io::Result<Admission<'l>> {
        if self.is_over(lane) {
            return Err(lane.refusal());
        }
        let until = *self.0.lock().until.get_or_insert_with(|| Instant::now() + PATIENCE);
        let admission = lane.admit_until(until).await;
        let mut state = self.0.lock();
        state.until = None;
        if admission.is_err() {
            state.over.push(Arc::clone(lane));
        }
        admission
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pagewire_disk::MemoryDisk;

    use super::*;
    use crate::testing::Bench;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_comes_behind_one_that_was_refused_is_refused_though_there_is_a_place_again() {
        let bench = Bench::on(Arc::new(MemoryDisk::new()));
        let lane = Arc::clone(bench.broker.cluster().lanes().all().next().expect("home"));
        let pipeline = Patience::default();
        assert!(pipeline.admit(&lane).await.is_ok());
        let taken: Vec<_> = std::iter::from_fn(|| lane.admit()).take(1000).collect();
        assert!(taken.len() < 1000 && pipeline.admit(&lane).await.is_err());
        drop(taken);
        assert!(lane.admit().is_some());
        assert!(pipeline.is_over(&lane) && pipeline.admit(&lane).await.is_err());
        assert!(Patience::default().admit(&lane).await.is_ok(), "another connection");
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_waits_so_long_for_a_place_and_has_it_if_one_is_left_before() {
        let bench = Bench::on(Arc::new(MemoryDisk::new()));
        let lane = Arc::clone(bench.broker.cluster().lanes().all().next().expect("home"));
        lane.be_wary();
        let mut taken: Vec<_> = std::iter::from_fn(|| lane.admit()).take(1000).collect();
        assert!(taken.len() < 1000, "wary, so that they go aside, of which there are so many");
        let began = Instant::now();
        assert!(Patience::default().admit(&lane).await.is_err());
        assert_eq!(began.elapsed(), PATIENCE);
        let nearly = PATIENCE.checked_sub(Duration::from_millis(2)).expect("longer than that");
        let (line, leave) = (Patience::default(), async {
            tokio::time::sleep(nearly).await;
            taken.pop();
        });
        let (admission, ()) = tokio::join!(line.admit(&lane), leave);
        assert!(admission.is_ok() && began.elapsed() < 2 * PATIENCE);
    }
}
