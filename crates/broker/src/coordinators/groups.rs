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
    timer,
    topic::{self, OFFSETS_TOPIC},
};
use pagewire_wire::ErrorCode;

use crate::{
    broker::Broker,
    cluster::{PartitionEntry, Refused, TopicEntry},
    partition::Partition,
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
    by_partition: Vec<Option<Live>>,
}

/// A shard, and what ends its task.
#[derive(Clone)]
struct Live {
    shard: Arc<Shard>,
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
        for shard in shards.all() {
            match shard.read(broker, |machine| machine.list(states, types)) {
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
        if !shards.all().all(|shard| shard.is_open()) {
            return false;
        }
        let mut all_written = true;
        for shard in shards.all() {
            all_written &= shard.topics_deleted(broker, topics).await;
        }
        all_written
    }

    pub(super) fn shard_of(&self, broker: &Arc<Broker>, group_id: &str) -> Result<Arc<Shard>, Error> {
        let shards = self.shards(broker)?;
        let index = partition_for(group_id, shards.count());
        let live = usize::try_from(index).ok().and_then(|index| shards.by_partition.get(index)?.as_ref());
        live.map(|live| Arc::clone(&live.shard)).ok_or(Error::NotCoordinator)
    }

    /// The shards of the topic as it is now.
    fn shards(&self, broker: &Arc<Broker>) -> Result<Arc<Shards>, Error> {
        let image = broker.image();
        let topic = image.topic(OFFSETS_TOPIC).ok_or(Error::NotCoordinator)?;
        if let Some(shards) = self.shards.load_full().filter(|shards| shards.fit(topic)) {
            return Ok(shards);
        }
        let running = self.running.get().ok_or(Error::CoordinatorNotAvailable)?;
        let _adopting = self.adopting.lock();
        // Whoever had the lock may have seen a later one.
        let image = broker.image();
        let topic = image.topic(OFFSETS_TOPIC).ok_or(Error::NotCoordinator)?;
        let before = self.shards.load_full();
        if let Some(shards) = before.as_ref().filter(|shards| shards.fit(topic)) {
            return Ok(Arc::clone(shards));
        }
        // Another topic of that name, more partitions, or logs that were opened anew.
        let kept = before.as_ref().map_or_else(Vec::new, |before| before.kept_for(topic));
        if let Some(before) = &before {
            before.end_but(&kept);
        }
        let make = |hosted: &Arc<Partition>| self.begin(broker, hosted, running);
        let kept = kept.into_iter().chain(std::iter::repeat(None));
        let by_partition = topic.partitions.iter().zip(kept).map(|(entry, kept)| {
            let hosted = entry.hosted.as_ref();
            kept.or_else(|| hosted.map(make))
        });
        let shards = Arc::new(Shards { topic_id: topic.id, by_partition: by_partition.collect() });
        self.shards.store(Some(Arc::clone(&shards)));
        Ok(shards)
    }

    /// Begins to load the groups of a partition.
    fn begin(&self, broker: &Arc<Broker>, hosted: &Arc<Partition>, running: &Running) -> Live {
        let shard = Arc::new(Shard::new(Arc::clone(hosted), Arc::clone(&self.memory)));
        let stop = running.stop.child_token();
        let (broker, settings) = (Arc::clone(broker), self.settings.clone());
        running.tasks.spawn(timer::run(Arc::clone(&shard), broker, settings, stop.clone()));
        Live { shard, stop }
    }
}

impl Shards {
    fn count(&self) -> i32 {
        i32::try_from(self.by_partition.len()).unwrap_or(i32::MAX)
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Shard>> {
        self.by_partition.iter().flatten().map(|live| &live.shard)
    }

    /// Whether groups are in the same partitions of `topic`: it is the same, and has as many.
    fn are_of(&self, topic: &TopicEntry) -> bool {
        self.topic_id == topic.id && self.by_partition.len() == topic.partitions.len()
    }

    /// Whether these are the shards of `topic`.
    fn fit(&self, topic: &TopicEntry) -> bool {
        let fits = |(live, entry): (&Option<Live>, &PartitionEntry)| match live {
            Some(live) => live.serves(entry),
            None => entry.hosted.is_none(),
        };
        self.are_of(topic) && self.by_partition.iter().zip(&topic.partitions).all(fits)
    }

    /// Those that can go on in `topic`, by partition.
    fn kept_for(&self, topic: &TopicEntry) -> Vec<Option<Live>> {
        let keep = |(live, entry): (&Option<Live>, &PartitionEntry)| {
            live.clone().filter(|live| self.are_of(topic) && live.serves(entry))
        };
        self.by_partition.iter().zip(&topic.partitions).map(keep).collect()
    }

    /// Ends the others, before anybody reads what they have written.
    fn end_but(&self, kept: &[Option<Live>]) {
        for (at, live) in self.by_partition.iter().enumerate() {
            if let Some(live) = live
                && kept.get(at).is_none_or(Option::is_none)
            {
                live.stop.cancel();
                live.shard.end(Error::NotCoordinator);
            }
        }
    }
}

impl Live {
    fn serves(&self, entry: &PartitionEntry) -> bool {
        entry.hosted.as_ref().is_some_and(|hosted| Arc::ptr_eq(self.shard.partition(), hosted))
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
