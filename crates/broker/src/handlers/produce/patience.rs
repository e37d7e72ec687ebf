//! How long the requests of a connection wait for a place in a directory whose disk hangs, and for partitions that move to another
//! directory: together, not each of them.
//!
//! Invariant: once a batch of a pipeline was refused for want of a place, all behind it in it are refused that are for the same
//! directory, also where there is a place again: a producer's second batch is not taken before its first one came again. So are those
//! for the same partition, after one was refused because it moves.

use std::{io, sync::Arc, time::Duration};

use pagewire_wire::ErrorCode;
use parking_lot::Mutex;
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use crate::{
    cluster::Cluster,
    lanes::{Admission, Lane, PATIENCE},
    partition::Partition,
};

/// A batch waits for so long for the end of a move: for a last round that is called off, and as long again for what follows one.
const MOVE_PATIENCE: Duration = Duration::from_secs(20);

/// Of the requests of a connection that are under way, until there is none.
#[derive(Debug, Default)]
pub(super) struct Patience(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Of the one that waits.
    until: Option<Instant>,
    /// Directories for which one was refused.
    over: Vec<Arc<Lane>>,
    /// Of the one that waits for the end of a move.
    settled_until: Option<Instant>,
    /// Partitions for which one was refused because they move.
    given_up: Vec<(Arc<str>, i32)>,
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

    /// Whether one was refused because this partition moves.
    pub(super) fn has_given_up(&self, partition: &Partition) -> bool {
        let is_it = |(topic, index): &(Arc<str>, i32)| *topic == partition.topic && *index == partition.index;
        self.0.lock().given_up.iter().any(is_it)
    }

    /// Waits until it is known where the log is of a partition that moves.
    pub(super) async fn settled(
        &self,
        cluster: &Cluster,
        topic_id: Uuid,
        partition: &Arc<Partition>,
    ) -> Result<Arc<Partition>, ErrorCode> {
        if self.has_given_up(partition) {
            return Err(ErrorCode::NotLeaderOrFollower);
        }
        let until = *self.0.lock().settled_until.get_or_insert_with(|| Instant::now() + MOVE_PATIENCE);
        let settled = timeout_at(until, cluster.settled(topic_id, partition)).await;
        let mut state = self.0.lock();
        state.settled_until = None;
        settled.unwrap_or_else(|_| {
            state.given_up.push((Arc::clone(&partition.topic), partition.index));
            Err(ErrorCode::NotLeaderOrFollower)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pagewire_disk::{Call, MemoryDisk};

    use super::*;
    use crate::{moves::tests::World, testing::Bench};

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

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_comes_behind_one_that_was_refused_for_a_move_is_refused_though_it_is_over() {
        let world = World::new().await;
        let (here, there) = world.here_and_there();
        let held = world.disk.hold(&format!("{here}/t-0"), Call::Rename);
        assert_eq!(world.alter("t", 0, there).await, ErrorCode::None);
        assert!(tokio::task::block_in_place(|| held.is_reached()));
        let (broker, partition) = (Arc::clone(&world.bench.broker), world.partition());
        let topic_id = broker.image().topic("t").expect("there").id;
        let settled = async |line: &Patience| line.settled(broker.cluster(), topic_id, &partition).await;
        let line = Patience::default();
        line.0.lock().settled_until = Some(Instant::now());
        assert_eq!(settled(&line).await.err(), Some(ErrorCode::NotLeaderOrFollower));
        drop(held);
        let found = settled(&Patience::default()).await.expect("another connection");
        assert!(!Arc::ptr_eq(&found, &partition), "where it is now");
        assert!(settled(&line).await.is_err() && line.has_given_up(&found));
    }
}
