//! Finds the shard of a group. Shards exist once `__consumer_offsets` does; its partition count says how many.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use pagewire_coordinate::{
    Answer, DeletedTopics, Error, GroupFilter, Input, ListedGroup, Settings, Token, partition_for,
};
use pagewire_log::Origin;
use tokio::task::consume_budget;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use super::{
    expressions::Looks,
    markers::NotEnded,
    memory::GroupMemory,
    running::{self, Unstable},
    shard::Shard,
    shards::{Missing, Places, Running, Shards},
    timer,
    topic::{self, OFFSETS_TOPIC},
};
use pagewire_wire::ErrorCode;

use crate::{
    broker::Broker,
    cluster::Refused,
    partition::{Marker, Partition},
};

/// The group coordinator of this node.
pub(crate) struct Groups {
    settings: Settings,
    memory: Arc<GroupMemory>,
    looks: Arc<Looks>,
    places: Places<Shard>,
}

impl Groups {
    pub(super) fn new(settings: Settings) -> Self {
        Self { settings, memory: Arc::default(), looks: Arc::default(), places: Places::new(OFFSETS_TOPIC) }
    }

    pub(super) fn start(&self, broker: &Arc<Broker>, tasks: &TaskTracker, stop: &CancellationToken) {
        self.places.start(tasks, stop);
        self.take_up(broker);
    }

    /// Begins to load what is there and is not loaded yet.
    pub(super) fn take_up(&self, broker: &Arc<Broker>) {
        if let Err(error) = self.shards(broker)
            && error != Error::NotCoordinator
        {
            warn!(%error, "groups cannot be loaded yet");
        }
    }

    /// Makes sure that groups can be served: creates their topic if this is the first use.
    pub(crate) async fn ensure(&self, broker: &Arc<Broker>) -> Result<(), Refused> {
        topic::ensure(broker).await?;
        let shards = self.shards(broker);
        shards
            .map(drop)
            .map_err(|_| Refused::new(ErrorCode::CoordinatorNotAvailable, "groups are not served yet"))
    }

    /// Whether the partition that keeps a group is served.
    pub(crate) fn serves(&self, broker: &Arc<Broker>, group_id: &str) -> bool {
        self.shard_of(broker, group_id).is_ok()
    }

    /// Puts a question to a group's machine and waits for its answer, which may take a whole rebalance. What was written for
    /// it is as durable by then as acks=all is. An answer that wrote nothing, such as that to most heartbeats, may tell of what a
    /// power failure takes back: its member then joins again.
    pub(crate) async fn ask(
        &self,
        broker: &Arc<Broker>,
        group_id: &str,
        question: impl FnOnce(Token) -> Input,
    ) -> Result<Answer, Error> {
        let shard = self.shard_of(broker, group_id)?;
        answered(broker, &shard, Origin::Coordinator, question).await
    }

    /// Writes the marker that ends a producer's transaction into a partition of the topic, and lets what waited for it count
    /// or go. Returns the offset after the marker.
    pub(super) fn end_transaction(
        &self,
        broker: &Arc<Broker>,
        index: i32,
        marker: Marker,
    ) -> Result<i64, NotEnded> {
        let shards = self.shards(broker).map_err(NotEnded::Shard)?;
        let shard = shards.at(index).ok_or(NotEnded::Shard(Error::NotCoordinator))?;
        shard.end_transaction(marker)
    }

    /// Reads from a group's machine.
    pub(crate) fn read<T>(
        &self,
        broker: &Arc<Broker>,
        group_id: &str,
        look: impl FnOnce(&pagewire_coordinate::Shard) -> T,
    ) -> Result<T, Error> {
        Ok(self.shard_of(broker, group_id)?.read(broker, look)?.0)
    }

    /// As [`Groups::read`], and what was read is as durable as acks=all by the time it is returned: a client must not start
    /// from an offset that a power failure could take back.
    pub(crate) async fn read_stable<T>(
        &self,
        broker: &Arc<Broker>,
        group_id: &str,
        look: impl FnOnce(&pagewire_coordinate::Shard) -> T,
    ) -> Result<T, Error> {
        let shard = self.shard_of(broker, group_id)?;
        let (seen, written_to) = shard.read(broker, look)?;
        if let Some(offset) = written_to {
            stable(broker, &shard, offset).await?;
        }
        Ok(seen)
    }

    /// The groups of all shards that the filter admits. Without the topic there are none; shards that this node does not serve
    /// are passed over.
    pub(crate) async fn list(
        &self,
        broker: &Arc<Broker>,
        filter: &GroupFilter,
    ) -> Result<Vec<ListedGroup>, Error> {
        let shards = match self.shards(broker) {
            Ok(shards) => shards,
            Err(Error::NotCoordinator) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut listed = Vec::new();
        for shard in shards.all() {
            consume_budget().await;
            match shard.read(broker, |machine| machine.list(filter)) {
                Ok((mut groups, _)) => listed.append(&mut groups),
                Err(Error::CoordinatorLoadInProgress) => return Err(Error::CoordinatorLoadInProgress),
                Err(_) => {}
            }
        }
        Ok(listed)
    }

    /// Sorts groups by the shard they live in, so that a request about many of them is a few questions.
    pub(crate) fn by_shard<G: AsRef<str>>(
        &self,
        broker: &Arc<Broker>,
        group_ids: impl IntoIterator<Item = G>,
    ) -> Result<Vec<Vec<G>>, Error> {
        let count = self.shards(broker)?.count();
        let mut sorted: BTreeMap<i32, Vec<G>> = BTreeMap::new();
        for group_id in group_ids {
            sorted.entry(partition_for(group_id.as_ref(), count)).or_default().push(group_id);
        }
        Ok(sorted.into_values().collect())
    }

    /// Tells every shard that topics are gone, if all can be told now. Says whether their tombstones are written.
    pub(super) async fn topics_deleted(&self, broker: &Broker, topics: &DeletedTopics) -> bool {
        let Some(shards) = self.places.present() else {
            // Without the topic nobody committed anything.
            return broker.image().topic(OFFSETS_TOPIC).is_none();
        };
        if !shards.all().all(|shard| shard.is_open()) {
            return false;
        }
        let mut all_written = true;
        for shard in shards.all() {
            all_written &= shard.topics_deleted(topics).await;
        }
        all_written
    }

    pub(super) fn shard_of(&self, broker: &Arc<Broker>, group_id: &str) -> Result<Arc<Shard>, Error> {
        let shards = self.shards(broker)?;
        let shard = shards.at(partition_for(group_id, shards.count()));
        shard.map(Arc::clone).ok_or(Error::NotCoordinator)
    }

    /// The shards of the topic as it is now.
    fn shards(&self, broker: &Arc<Broker>) -> Result<Arc<Shards<Shard>>, Error> {
        let begin = |hosted: &Arc<Partition>, running: &Running| {
            let (memory, looks) = (Arc::clone(&self.memory), Arc::clone(&self.looks));
            let shard = Arc::new(Shard::new(Arc::clone(hosted), memory, looks, running.clone()));
            let (broker, settings) = (Arc::clone(broker), self.settings.clone());
            running.tasks.spawn(timer::run(Arc::clone(&shard), broker, settings, running.stop.clone()));
            shard
        };
        self.places.of_now(broker, begin).map_err(|missing| match missing {
            Missing::Topic => Error::NotCoordinator,
            Missing::Start => Error::CoordinatorNotAvailable,
        })
    }
}

/// A shard's answer to a question, whose records are written as `origin`'s.
pub(super) async fn answered(
    broker: &Arc<Broker>,
    shard: &Shard,
    origin: Origin,
    question: impl FnOnce(Token) -> Input,
) -> Result<Answer, Error> {
    let answered = shard.ask_as(broker, origin, question).await?;
    let Some(offset) = answered.stable_at else { return Ok(answered.answer) };
    match stable(broker, shard, offset).await {
        Ok(()) => Ok(answered.answer),
        Err(error) => Ok(answered.answer.refuse(error)),
    }
}

/// Waits until everything below `offset` is as durable as acks=all is.
async fn stable(broker: &Broker, shard: &Shard, offset: i64) -> Result<(), Error> {
    let patience_ms = u64::try_from(broker.config().offsets_commit_timeout_ms).unwrap_or(0);
    let patience = Duration::from_millis(patience_ms);
    running::stable(broker, shard.partition(), offset, patience).await.map_err(|unstable| match unstable {
        Unstable::Failed => Error::NotCoordinator,
        Unstable::Late => Error::CoordinatorNotAvailable,
    })
}
