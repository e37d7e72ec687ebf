//! Offsets that go because their topic was deleted. Any group may have some, so the look for them goes through all, in
//! parts: whoever runs the shard lets others act in between.

use std::collections::HashMap;
use std::sync::Arc;

use crate::effects::Effects;
use crate::input::{ANY_ID, DeletedTopic, TopicId};
use crate::offsets::{GroupOffsets, tombstone};
use crate::records::{OffsetValue, Record};
use crate::shard::Shard;

/// Topics that are gone, by name: one look finds what was committed for any of them.
#[derive(Clone, Debug, Default)]
pub struct DeletedTopics(HashMap<Arc<str>, Vec<TopicId>>);

impl FromIterator<DeletedTopic> for DeletedTopics {
    fn from_iter<I: IntoIterator<Item = DeletedTopic>>(topics: I) -> Self {
        let mut by_name: HashMap<Arc<str>, Vec<TopicId>> = HashMap::new();
        for topic in topics {
            by_name.entry(topic.name).or_default().push(topic.id);
        }
        Self(by_name)
    }
}

impl Shard {
    /// Forgets what groups from `from` on committed for topics that were deleted, as far as one part goes. Says the group
    /// to go on from once the effects have acted; none after the last part.
    pub fn topics_deleted(
        &self,
        topics: &DeletedTopics,
        from: Option<&Arc<str>>,
    ) -> (Effects, Option<Arc<str>>) {
        let (mut out, mut records) = (Effects::default(), Vec::new());
        let mut steps = self.settings().limits.look_steps.max(1);
        let mut next = None;
        if from.is_none() {
            // Those that wait for a transaction are few: they go with the first part.
            let waiting = self.pending().all().filter(|(key, value)| topics.had(&key.topic, value));
            records.extend(waiting.map(|(key, _)| tombstone(&key.group_id, &key.topic, key.partition)));
        }
        for (group_id, by_topic) in self.offsets().groups_from(from) {
            if steps == 0 {
                next = Some(group_id.clone());
                break;
            }
            let found = topics.offsets_of(group_id, by_topic, &mut records);
            steps = steps.saturating_sub(1 + found);
        }
        self.append_in_parts(records, &mut out);
        (out, next)
    }
}

impl DeletedTopics {
    /// Whether an offset is one of these topics.
    fn had(&self, topic: &str, value: &OffsetValue) -> bool {
        self.0.get(topic).is_some_and(|ids| is_of(ids, value))
    }

    /// Adds tombstones for what the group committed for these topics. Says how many topics and offsets were looked at.
    fn offsets_of(&self, group_id: &Arc<str>, by_topic: &GroupOffsets, records: &mut Vec<Record>) -> usize {
        let mut looked_at = by_topic.len().min(self.0.len());
        let mut look = |topic: &Arc<str>, ids: &[TopicId]| {
            let Some((name, partitions)) = by_topic.get_key_value(topic) else { return };
            looked_at += partitions.len();
            let gone = partitions.iter().filter(|(_, value)| is_of(ids, value));
            records.extend(gone.map(|(partition, _)| tombstone(group_id, name, *partition)));
        };
        // Whichever are fewer lead the way.
        if by_topic.len() < self.0.len() {
            by_topic
                .keys()
                .filter_map(|topic| self.0.get_key_value(topic))
                .for_each(|(topic, ids)| look(topic, ids));
        } else {
            self.0.iter().for_each(|(topic, ids)| look(topic, ids));
        }
        looked_at
    }
}

/// Whether an offset was committed for one of these incarnations of a topic; those without an id count for each.
fn is_of(ids: &[TopicId], value: &OffsetValue) -> bool {
    value.topic_id == ANY_ID || ids.iter().any(|id| [ANY_ID, value.topic_id].contains(id))
}
