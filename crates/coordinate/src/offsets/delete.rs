//! Offsets that go because somebody said so: OffsetDelete, or a topic turns out to be another one.

use std::cmp::Ordering;

use crate::answer::{Answer, DeleteOffsetsAnswer, DeletedOffsets, Reply};
use crate::effects::{Effects, Then};
use crate::error::Error;
use crate::input::{ANY_ID, DeleteOffsets, TopicId};
use crate::offsets::tombstone;
use crate::records::Record;
use crate::shard::Shard;

impl Shard {
    pub(crate) fn delete_offsets(&mut self, request: DeleteOffsets, out: &mut Effects) {
        let refuse =
            |error| Answer::DeleteOffsets(DeleteOffsetsAnswer { error: Some(error), topics: Vec::new() });
        let Some(group) = self.any_group(&request.group_id) else {
            return out.reply(request.token, refuse(Error::GroupIdNotFound));
        };
        if !group.knows_topics() {
            // Nobody can tell which topics the members use.
            return out.reply(request.token, refuse(Error::NonEmptyGroup));
        }
        let mut records = Vec::new();
        let mut topics = Vec::with_capacity(request.topics.len());
        for (topic, partitions) in request.topics {
            let error = group.is_subscribed_to(&topic).then_some(Error::GroupSubscribedToTopic);
            for partition in &partitions {
                let has_any = self.offsets().get(group.id(), &topic, *partition).is_some()
                    || self.pending().is_unstable(group.id(), &topic, *partition);
                if error.is_none() && has_any {
                    records.push(tombstone(group.id(), &topic, *partition));
                }
            }
            let partitions = partitions.into_iter().map(|partition| (partition, error)).collect();
            topics.push(DeletedOffsets { name: topic, partitions });
        }
        let answer = Answer::DeleteOffsets(DeleteOffsetsAnswer { error: None, topics });
        self.append_and_answer(records, Reply { token: request.token, answer }, out);
    }

    /// Clean-ups that somebody waits for: the answer comes with the last part.
    pub(crate) fn append_and_answer(&self, records: Vec<Record>, reply: Reply, out: &mut Effects) {
        let mut parts = self.in_parts(records);
        let Some(last) = parts.pop() else { return out.reply(reply.token, reply.answer) };
        for part in parts {
            out.append(part, Then::Nothing);
        }
        out.append(last, Then::Reply(reply));
    }

    /// Offsets go whose topic has another id by now, or is not there any more: what was to be told about its deletion
    /// was not. `id_of` says a topic's id. Offsets without an id stay, whosever they are.
    pub fn forget_strangers(&self, id_of: impl Fn(&str) -> Option<TopicId>) -> Effects {
        let mut records: Vec<Record> = Vec::new();
        for (group_id, by_topic) in self.offsets().groups() {
            for (name, partitions) in by_topic {
                let id = id_of(name);
                let strangers = partitions
                    .iter()
                    .filter(|(_, value)| value.topic_id != ANY_ID && Some(value.topic_id) != id);
                records.extend(strangers.map(|(partition, _)| tombstone(group_id, name, *partition)));
            }
        }
        let waiting = self.pending().all();
        let strangers = waiting
            .filter(|(key, value)| value.topic_id != ANY_ID && Some(value.topic_id) != id_of(&key.topic));
        records.extend(strangers.map(|(key, _)| tombstone(&key.group_id, &key.topic, key.partition)));
        let mut out = Effects::default();
        self.append_in_parts(records, &mut out);
        out
    }

    /// Clean-ups may be large: they are written in several appends, each small enough for one batch.
    pub(crate) fn append_in_parts(&self, mut records: Vec<Record>, out: &mut Effects) {
        records.sort_by(in_order);
        for part in self.in_parts(records) {
            out.append(part, Then::Nothing);
        }
    }

    /// Cuts tombstones into parts within the limits of one append; none is empty.
    pub(crate) fn in_parts(&self, records: Vec<Record>) -> Vec<Vec<Record>> {
        let limits = &self.settings().limits;
        let mut parts: Vec<Vec<Record>> = Vec::new();
        let mut bytes = 0;
        for record in records {
            let size = size_of(&record);
            bytes += size;
            match parts.last_mut() {
                Some(part) if part.len() < limits.records_per_append && bytes <= limits.append_bytes => {
                    part.push(record);
                }
                _ => {
                    parts.push(vec![record]);
                    bytes = size;
                }
            }
        }
        parts
    }
}

/// What a tombstone takes in a batch besides its names, at most: the record's own lengths and the key's fixed fields.
const TOMBSTONE_BYTES: usize = 48;

fn size_of(record: &Record) -> usize {
    TOMBSTONE_BYTES
        + match record {
            Record::Offset { key, .. } => key.group_id.len() + key.topic.len(),
            Record::Group { group_id, .. } => group_id.len(),
            Record::Consumer { group_id, record } => group_id.len() + record.name_bytes(),
        }
}

/// Group by group, and what deletes a group after its offsets, in the order in which it came.
fn in_order(a: &Record, b: &Record) -> Ordering {
    match (a, b) {
        (Record::Offset { key: a, .. }, Record::Offset { key: b, .. }) => a.cmp(b),
        (Record::Offset { key, .. }, other) => {
            key.group_id.as_ref().cmp(other.group_id()).then(Ordering::Less)
        }
        (other, Record::Offset { key, .. }) => other.group_id().cmp(&key.group_id).then(Ordering::Greater),
        (a, b) => a.group_id().cmp(b.group_id()),
    }
}
