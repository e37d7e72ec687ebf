//! What a fetch asks for: each partition once, in few bytes, without holding on to the frame it came in.
//!
//! A partition named twice counts once, as in Kafka: the last word about it, in the place of the first.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use foldhash::fast::RandomState;
use pagewire_wire::{
    ErrorCode, Str,
    messages::fetch_request::{FetchPartition, FetchRequest},
};
use uuid::Uuid;

use crate::cluster::{Image, TopicEntry};

/// Partitions one fetch may cover. A request that names more is INVALID_REQUEST as a whole (before version 7, which
/// has no place for that, the connection ends); a session that grows beyond is given up.
pub(super) const PARTITIONS_MAX: usize = 100_000;

/// A topic as the client named it: by id from version 13 on, by name before. The other is empty.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Named {
    /// A copy: it outlives the request, and must not keep its frame.
    pub(super) topic: Str,
    pub(super) topic_id: Uuid,
}

impl Named {
    pub(super) fn new(topic: &Str, topic_id: pagewire_wire::Uuid) -> Arc<Self> {
        let topic = if topic.is_empty() { Str::new() } else { topic.detach() };
        Arc::new(Self { topic, topic_id: Uuid::from_bytes(topic_id.0) })
    }
}

/// Names a partition within one request or session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) named: Arc<Named>,
    pub(super) index: i32,
}

/// Where a client stands in a partition, and how much it takes at a time. Small: a parked fetch may have many.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) named: Arc<Named>,
    pub(super) fetch_offset: i64,
    pub(super) index: i32,
    pub(super) current_leader_epoch: i32,
    pub(super) last_fetched_epoch: i32,
    pub(super) max_bytes: i32,
}

impl Wanted {
    fn new(named: &Arc<Named>, partition: &FetchPartition) -> Self {
        Self {
            named: Arc::clone(named),
            index: partition.partition,
            fetch_offset: partition.fetch_offset,
            // As Kafka, any epoch below zero is none.
            current_leader_epoch: partition.current_leader_epoch.max(-1),
            last_fetched_epoch: partition.last_fetched_epoch,
            max_bytes: partition.partition_max_bytes,
        }
    }

    pub(super) fn key(&self) -> Key {
        Key { named: Arc::clone(&self.named), index: self.index }
    }

    /// The topic meant, if it exists now.
    pub(super) fn topic<'a>(&self, image: &'a Image, version: i16) -> Option<&'a Arc<TopicEntry>> {
        if version >= 13 { image.topic_by_id(self.named.topic_id) } else { image.topic(&self.named.topic) }
    }
}

/// The partitions a request names.
pub(super) fn wanted_of(request: &FetchRequest) -> Result<Vec<Wanted>, ErrorCode> {
    let count: usize = request.topics.iter().map(|topic| topic.partitions.len()).sum();
    if let ([topic], 1) = (&request.topics[..], count) {
        let named = Named::new(&topic.topic, topic.topic_id);
        return Ok(topic.partitions.iter().map(|partition| Wanted::new(&named, partition)).collect());
    }
    let room = count.min(PARTITIONS_MAX);
    let mut wanted: Vec<Wanted> = Vec::with_capacity(room);
    let mut places: HashMap<Key, usize, RandomState> = HashMap::default();
    places.reserve(room);
    for topic in &request.topics {
        let named = Named::new(&topic.topic, topic.topic_id);
        for partition in &topic.partitions {
            let want = Wanted::new(&named, partition);
            match places.entry(want.key()) {
                Entry::Occupied(place) => {
                    if let Some(known) = wanted.get_mut(*place.get()) {
                        *known = want;
                    }
                }
                Entry::Vacant(_) if wanted.len() == PARTITIONS_MAX => return Err(ErrorCode::InvalidRequest),
                Entry::Vacant(place) => {
                    place.insert(wanted.len());
                    wanted.push(want);
                }
            }
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use pagewire_wire::messages::fetch_request::FetchTopic;

    use super::*;

    fn topic(name: &'static str, partitions: &[(i32, i64)]) -> FetchTopic {
        let partition = |(partition, fetch_offset): &(i32, i64)| FetchPartition {
            partition: *partition,
            fetch_offset: *fetch_offset,
            ..Default::default()
        };
        FetchTopic {
            topic: name.into(),
            partitions: partitions.iter().map(partition).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn of_a_partition_named_twice_the_last_word_counts_in_the_first_place() {
        let topics =
            vec![topic("a", &[(0, 1), (1, 2), (0, 3)]), topic("b", &[(0, 4)]), topic("a", &[(1, 5)])];
        let wanted = wanted_of(&FetchRequest { topics, ..Default::default() }).expect("few");
        let told: Vec<_> = wanted.iter().map(|w| (w.named.topic.as_str(), w.index, w.fetch_offset)).collect();
        assert_eq!(told, [("a", 0, 3), ("a", 1, 5), ("b", 0, 4)]);
    }

    #[test]
    fn repeats_are_free_and_different_partitions_are_counted() {
        let most = i32::try_from(PARTITIONS_MAX).expect("small");
        let mut partitions: Vec<_> = (0..most).chain(0..most).map(|index| (index, 0)).collect();
        let ask = |partitions: &[(i32, i64)]| {
            wanted_of(&FetchRequest { topics: vec![topic("a", partitions)], ..Default::default() })
        };
        assert_eq!(ask(&partitions).expect("as many as may be").len(), PARTITIONS_MAX);
        partitions.push((most, 0));
        assert_eq!(ask(&partitions).expect_err("one more"), ErrorCode::InvalidRequest);
    }

    #[test]
    fn a_wanted_partition_is_small() {
        assert!(size_of::<Wanted>() <= 32);
    }
}
