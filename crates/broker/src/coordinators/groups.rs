//! Finds the shard of a group. Shards exist once `__consumer_offsets` does; its partition count says how many.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use pagewire_coordinate::{Answer, DeletedTopics, Error, Input, ListedGroup, Settings, Token, partition_for};
use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;
use uuid::Uuid;

use super::{
    memory::GroupMemory,
    shard::Shard,
    topic::{self, OFFSETS_TOPIC},
};
use pagewire_wire::ErrorCode;

use crate::{
    broker::Broker,
    cluster::{PartitionEntry, Refused},
};

/// The group coordinator of this node.
pub(crate) struct Groups {
    settings: Settings,
    memory: Arc<GroupMemory>,
    shards: ArcSwapOption<Shards>,
    /// Held while shards are made for a topic that appeared, was replaced, or grew.
    adopting: Mutex<()>,
    running: OnceLock<Running>,
}

struct Running {
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// One shard per partition of one incarnation of the topic.
struct Shards {
    topic_id: Uuid,
    /// By partition number; none where another node leads.
    by_partition: Vec<Option<Arc<Shard>>>,
    stop: CancellationToken,
}

impl Groups {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            memory: Arc::default(),
            shards: ArcSwapOption::empty(),
            adopting: Mutex::default(),
            running: OnceLock::new(),
        }
    }

    pub(super) fn start(&self, broker: &Arc<Broker>, tasks: &TaskTracker, stop: &CancellationToken) {
        let _ = self.running.set(Running { tasks: tasks.clone(), stop: stop.clone() });
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

    /// Puts a question to a group's machine and waits for its answer, which may take a whole rebalance. What the answer
    /// promises is as durable by then as acks=all is.
    pub(crate) async fn ask(
        &self,
        broker: &Arc<Broker>,
        group_id: &str,
        question: impl FnOnce(Token) -> Input,
    ) -> Result<Answer, Error> {
        let shard = self.shard_of(broker, group_id)?;
        let answered = shard.ask(broker, question).await?;
        let Some(offset) = answered.stable_at else { return Ok(answered.answer) };
        match stable(broker, &shard, offset).await {
            Ok(()) => Ok(answered.answer),
            Err(error) => Ok(answered.answer.refuse(error)),
        }
    }

    /// Reads from a group's machine.
    pub(crate) fn read<T>(
        &self,
        broker: &Arc<Broker>,
        group_id: &str,
        look: impl FnOnce(&pagewire_coordinate::Shard) -> T,
    ) -> Result<T, Error> {
        Ok(self.shard_of(broker, group_id)?.read(look)?.0)
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
        let (seen, written_to) = shard.read(look)?;
        if let Some(offset) = written_to {
            stable(broker, &shard, offset).await?;
        }
        Ok(seen)
    }

    /// The groups of all shards. Without the topic there are none; shards that this node does not serve are passed over.
    pub(crate) fn list(
        &self,
        broker: &Arc<Broker>,
        states: &[impl AsRef<str>],
        types: &[impl AsRef<str>],
    ) -> Result<Vec<ListedGroup>, Error> {
        let shards = match self.shards(broker) {
            Ok(shards) => shards,
            Err(Error::NotCoordinator) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let mut listed = Vec::new();
        for shard in shards.by_partition.iter().flatten() {
            match shard.read(|machine| machine.list(states, types)) {
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
        let Some(shards) = self.shards.load_full() else {
            // Without the topic nobody committed anything.
            return broker.image().topic(OFFSETS_TOPIC).is_none();
        };
        let shards = || shards.by_partition.iter().flatten();
        if !shards().all(|shard| shard.is_open()) {
            return false;
        }
        let mut all_written = true;
        for shard in shards() {
            all_written &= shard.topics_deleted(broker, topics).await;
        }
        all_written
    }

    pub(super) fn shard_of(&self, broker: &Arc<Broker>, group_id: &str) -> Result<Arc<Shard>, Error> {
        let shards = self.shards(broker)?;
        let index = partition_for(group_id, shards.count());
        let shard = usize::try_from(index).ok().and_then(|index| shards.by_partition.get(index)?.clone());
        shard.ok_or(Error::NotCoordinator)
    }

    /// The shards of the topic as it is now.
    fn shards(&self, broker: &Arc<Broker>) -> Result<Arc<Shards>, Error> {
        let image = broker.image();
        let topic = image.topic(OFFSETS_TOPIC).ok_or(Error::NotCoordinator)?;
        let serves = |(shard, entry): (&Option<Arc<Shard>>, &PartitionEntry)| match (shard, &entry.hosted) {
            (Some(shard), Some(hosted)) => Arc::ptr_eq(shard.partition(), hosted),
            (shard, hosted) => shard.is_none() && hosted.is_none(),
        };
        let fits = |shards: &Shards| {
            shards.topic_id == topic.id
                && shards.by_partition.len() == topic.partitions.len()
                && shards.by_partition.iter().zip(&topic.partitions).all(serves)
        };
        if let Some(shards) = self.shards.load_full().filter(|shards| fits(shards)) {
            return Ok(shards);
        }
        let running = self.running.get().ok_or(Error::CoordinatorNotAvailable)?;
        let _adopting = self.adopting.lock();
        if let Some(shards) = self.shards.load_full() {
            if fits(&shards) {
                return Ok(shards);
            }
            // Another topic of that name, more partitions, or logs that were opened anew: groups live elsewhere now.
            shards.stop.cancel();
        }
        let stop = running.stop.child_token();
        let make = |hosted: &Arc<crate::partition::Partition>| {
            let shard = Arc::new(Shard::new(Arc::clone(hosted), Arc::clone(&self.memory)));
            let task = super::timer::run(
                Arc::clone(&shard),
                Arc::clone(broker),
                self.settings.clone(),
                stop.clone(),
            );
            running.tasks.spawn(task);
            shard
        };
        let by_partition = topic.partitions.iter().map(|entry| entry.hosted.as_ref().map(make)).collect();
        let shards = Arc::new(Shards { topic_id: topic.id, by_partition, stop });
        self.shards.store(Some(Arc::clone(&shards)));
        Ok(shards)
    }
}

impl Shards {
    fn count(&self) -> i32 {
        i32::try_from(self.by_partition.len()).unwrap_or(i32::MAX)
    }
}

/// Waits until everything below `offset` is as durable as acks=all is.
async fn stable(broker: &Broker, shard: &Shard, offset: i64) -> Result<(), Error> {
    let config = broker.config();
    if !config.acks_all_is_stable {
        return Ok(());
    }
    let timeout = Duration::from_millis(u64::try_from(config.offsets_commit_timeout_ms).unwrap_or(0));
    match tokio::time::timeout(timeout, shard.partition().stable(offset, broker.io())).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(crate::partition::CommitError::Failed(_))) => Err(Error::NotCoordinator),
        Ok(Err(crate::partition::CommitError::Busy)) | Err(_) => Err(Error::CoordinatorNotAvailable),
    }
}
