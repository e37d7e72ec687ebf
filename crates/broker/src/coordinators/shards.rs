//! The shards of an internal topic: one per partition that is here, as long as the topic is the same, has as many partitions,
//! and its logs are those that were opened. Their count says where a group or a transactional id lives.

use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use crate::{
    broker::Broker,
    cluster::{PartitionEntry, TopicEntry},
    partition::Partition,
};

/// What runs on one partition.
pub(super) trait Shard {
    fn partition(&self) -> &Arc<Partition>;

    /// Another shard takes its place: nothing is written any more once this returns.
    fn end(&self);
}

/// Where shards live, and what ends them all.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

/// Why there are no shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// There is no such topic.
    Topic,
    /// The coordinator does not run yet.
    Start,
}

/// The shards of the topic of this name.
pub(super) struct Places<S> {
    topic: &'static str,
    shards: ArcSwapOption<Shards<S>>,
    /// Held while shards are made for a topic that appeared, was replaced, or grew.
    adopting: Mutex<()>,
    running: OnceLock<Running>,
}

/// One shard per partition of one incarnation of the topic.
pub(super) struct Shards<S> {
    topic_id: Uuid,
    /// By partition number; none where another node leads.
    by_partition: Vec<Option<Live<S>>>,
}

/// A shard, and what ends its task.
struct Live<S> {
    shard: Arc<S>,
    stop: CancellationToken,
}

impl<S: Shard> Places<S> {
    pub(super) fn new(topic: &'static str) -> Self {
        Self { topic, shards: ArcSwapOption::empty(), adopting: Mutex::default(), running: OnceLock::new() }
    }

    /// From now on shards may be made.
    pub(super) fn start(&self, tasks: &TaskTracker, stop: &CancellationToken) {
        let _ = self.running.set(Running { tasks: tasks.clone(), stop: stop.clone() });
    }

    /// Those that were made last, if any ever were.
    pub(super) fn present(&self) -> Option<Arc<Shards<S>>> {
        self.shards.load_full()
    }

    /// The shards of the topic as it is now. `begin` makes one: its token ends its task.
    pub(super) fn of_now(
        &self,
        broker: &Arc<Broker>,
        begin: impl Fn(&Arc<Partition>, &Running) -> Arc<S>,
    ) -> Result<Arc<Shards<S>>, Missing> {
        let image = broker.image();
        let topic = image.topic(self.topic).ok_or(Missing::Topic)?;
        if let Some(shards) = self.shards.load_full().filter(|shards| shards.fit(topic)) {
            return Ok(shards);
        }
        let running = self.running.get().ok_or(Missing::Start)?;
        let _adopting = self.adopting.lock();
        // Whoever had the lock may have seen a later one.
        let image = broker.image();
        let topic = image.topic(self.topic).ok_or(Missing::Topic)?;
        let before = self.shards.load_full();
        if let Some(shards) = before.as_ref().filter(|shards| shards.fit(topic)) {
            return Ok(Arc::clone(shards));
        }
        // Another topic of that name, more partitions, or logs that were opened anew.
        let kept = before.as_ref().map_or_else(Vec::new, |before| before.kept_for(topic));
        if let Some(before) = &before {
            before.end_but(&kept);
        }
        let make = |hosted: &Arc<Partition>| {
            let running = Running { tasks: running.tasks.clone(), stop: running.stop.child_token() };
            Live { shard: begin(hosted, &running), stop: running.stop }
        };
        let kept = kept.into_iter().chain(std::iter::repeat_with(|| None));
        let by_partition = topic.partitions.iter().zip(kept).map(|(entry, kept)| {
            let hosted = entry.hosted.as_ref();
            kept.or_else(|| hosted.map(make))
        });
        let shards = Arc::new(Shards { topic_id: topic.id, by_partition: by_partition.collect() });
        self.shards.store(Some(Arc::clone(&shards)));
        Ok(shards)
    }
}

impl<S: Shard> Shards<S> {
    pub(super) fn count(&self) -> i32 {
        i32::try_from(self.by_partition.len()).unwrap_or(i32::MAX)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Arc<S>> {
        self.by_partition.iter().flatten().map(|live| &live.shard)
    }

    pub(super) fn at(&self, index: i32) -> Option<&Arc<S>> {
        let live = usize::try_from(index).ok().and_then(|index| self.by_partition.get(index)?.as_ref());
        live.map(|live| &live.shard)
    }

    /// Whether keys are in the same partitions of `topic`: it is the same, and has as many.
    fn are_of(&self, topic: &TopicEntry) -> bool {
        self.topic_id == topic.id && self.by_partition.len() == topic.partitions.len()
    }

    /// Whether these are the shards of `topic`.
    fn fit(&self, topic: &TopicEntry) -> bool {
        let fits = |(live, entry): (&Option<Live<S>>, &PartitionEntry)| match live {
            Some(live) => live.serves(entry),
            None => entry.hosted.is_none(),
        };
        self.are_of(topic) && self.by_partition.iter().zip(&topic.partitions).all(fits)
    }

    /// Those that can go on in `topic`, by partition.
    fn kept_for(&self, topic: &TopicEntry) -> Vec<Option<Live<S>>> {
        let keep = |(live, entry): (&Option<Live<S>>, &PartitionEntry)| {
            live.clone().filter(|live| self.are_of(topic) && live.serves(entry))
        };
        self.by_partition.iter().zip(&topic.partitions).map(keep).collect()
    }

    /// Ends the others, before anybody reads what they have written.
    fn end_but(&self, kept: &[Option<Live<S>>]) {
        for (at, live) in self.by_partition.iter().enumerate() {
            if let Some(live) = live
                && kept.get(at).is_none_or(Option::is_none)
            {
                live.stop.cancel();
                live.shard.end();
            }
        }
    }
}

impl<S: Shard> Live<S> {
    fn serves(&self, entry: &PartitionEntry) -> bool {
        entry.hosted.as_ref().is_some_and(|hosted| Arc::ptr_eq(self.shard.partition(), hosted))
    }
}

impl<S> Clone for Live<S> {
    fn clone(&self) -> Self {
        Self { shard: Arc::clone(&self.shard), stop: self.stop.clone() }
    }
}
