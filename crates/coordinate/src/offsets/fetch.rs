//! OffsetFetch: a reading, so it takes no turn and has no effects.

use std::sync::Arc;

use crate::error::Error;
use crate::input::{ANY_ID, TopicId};
use crate::records::OffsetValue;
use crate::shard::Shard;

/// A topic's committed offsets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedTopic {
    /// The topic.
    pub name: Arc<str>,
    /// Its partitions.
    pub partitions: Vec<FetchedOffset>,
}

/// A committed offset as OffsetFetch answers it; `-1`, `-1` and an empty text where nothing is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedOffset {
    /// The partition.
    pub partition: i32,
    /// The next offset to consume.
    pub offset: i64,
    /// -1 if unknown.
    pub leader_epoch: i32,
    /// The client's free text.
    pub metadata: Arc<str>,
    /// UNSTABLE_OFFSET_COMMIT for who wants only what lasts.
    pub error: Option<Error>,
}

impl FetchedOffset {
    fn of(partition: i32, value: Option<&OffsetValue>) -> Self {
        value.map_or_else(
            || Self { partition, offset: -1, leader_epoch: -1, metadata: Arc::from(""), error: None },
            |value| Self {
                partition,
                offset: value.offset,
                leader_epoch: value.leader_epoch,
                metadata: value.metadata.clone(),
                error: None,
            },
        )
    }

    fn unstable(partition: i32) -> Self {
        Self { error: Some(Error::UnstableOffsetCommit), ..Self::of(partition, None) }
    }
}

impl Shard {
    /// Whether a member may fetch offsets of its group. Of a group that is not there, and of classic groups, anybody may.
    ///
    /// # Errors
    /// The group does not know the member, or the epoch is not the member's.
    pub fn may_fetch(&self, group_id: &str, member_id: Option<&str>, member_epoch: i32) -> Result<(), Error> {
        let group = self.consumer_group(group_id);
        group.map_or(Ok(()), |group| group.may_fetch(member_id, member_epoch))
    }

    /// The offsets of these partitions. An unknown group, or an offset kept for a namesake of the topic with another id,
    /// reads as nothing committed. An id of zeros matches any. `require_stable`: an offset that a transaction under way may
    /// change is not told (KIP-447).
    pub fn fetch_offsets(
        &self,
        group_id: &str,
        topic: &Arc<str>,
        id: TopicId,
        partitions: &[i32],
        require_stable: bool,
    ) -> FetchedTopic {
        let committed =
            |partition: i32| self.offsets().get(group_id, topic, partition).filter(|value| fits(value, id));
        let partitions = partitions.iter().map(|index| {
            if require_stable && self.pending().is_unstable(group_id, topic, *index) {
                return FetchedOffset::unstable(*index);
            }
            FetchedOffset::of(*index, committed(*index))
        });
        FetchedTopic { name: topic.clone(), partitions: partitions.collect() }
    }

    /// All offsets of a group but those kept for a namesake of a topic; `id_of` says a topic's id, zeros if it has none.
    /// Of what waits for a transaction and was not committed before nothing is said, as in Kafka.
    pub fn fetch_all_offsets(
        &self,
        group_id: &str,
        id_of: impl Fn(&str) -> TopicId,
        require_stable: bool,
    ) -> Vec<FetchedTopic> {
        let Some(topics) = self.offsets().of_group(group_id) else { return Vec::new() };
        let fetched = topics.iter().map(|(name, partitions)| {
            let id = id_of(name);
            let partitions = partitions.iter().filter(|(_, value)| fits(value, id));
            FetchedTopic {
                name: name.clone(),
                partitions: partitions
                    .map(|(index, value)| {
                        if require_stable && self.pending().is_unstable(group_id, name, *index) {
                            return FetchedOffset::unstable(*index);
                        }
                        FetchedOffset::of(*index, Some(value))
                    })
                    .collect(),
            }
        });
        fetched.filter(|topic| !topic.partitions.is_empty()).collect()
    }
}

/// Whether an offset is one of the topic with this id. Zeros on either side fit any.
fn fits(value: &OffsetValue, id: TopicId) -> bool {
    [ANY_ID, id].contains(&value.topic_id) || id == ANY_ID
}
