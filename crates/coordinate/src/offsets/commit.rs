//! OffsetCommit: by members of the present generation, or by anyone while the group is empty (generation -1). Within a
//! transaction by the rules of `txn`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::answer::{Answer, CommitAnswer, CommittedTopic, Reply};
use crate::any_group::AnyGroup;
use crate::consumer;
use crate::effects::{Append, Effects, Then};
use crate::error::Error;
use crate::group::{Group, GroupState, new_group_bytes};
use crate::input::{Commit, CommitPartition, CommitTopic};
use crate::memory::text_bytes;
use crate::now::Now;
use crate::offsets::{Counts, txn};
use crate::records::{OffsetKey, OffsetValue, Record};
use crate::shard::Shard;

impl Shard {
    pub(crate) fn commit(&mut self, commit: &Commit, now: Now, out: &mut Effects) {
        if let Err(error) = self.may_commit(commit) {
            let answer = answer_of(&commit.topics, |_| Some(error));
            return out.reply(commit.token, answer);
        }
        if commit.in_txn.is_none() {
            self.keep_session_alive(commit, now, out);
        }
        let group_id: Arc<str> = Arc::from(commit.group_id.as_str());
        let max = self.settings().offset_metadata_max;
        let answer = answer_of(&commit.topics, |partition| check_metadata(partition, max).err());
        let records: Vec<Record> = commit
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(move |partition| (topic, partition)))
            .filter(|(_, partition)| check_metadata(partition, max).is_ok())
            .map(|(topic, partition)| {
                record_of(&group_id, topic, partition, commit.retention_ms, now.wall_ms)
            })
            .collect();
        if records.is_empty() {
            out.reply(commit.token, answer);
        } else {
            let then = Then::Reply(Reply { token: commit.token, answer });
            out.appends.push(Append { records, in_txn: commit.in_txn, then });
        }
    }

    fn may_commit(&self, commit: &Commit) -> Result<(), Error> {
        let limits = &self.settings().limits;
        let (offsets, bytes) =
            if commit.in_txn.is_some() { self.pending_growth_by(commit) } else { self.growth_by(commit) };
        let held = self.offsets().len().saturating_add(self.pending().len());
        if offsets > 0 && held.saturating_add(offsets) > limits.offsets || !self.has_bytes_for(bytes) {
            return Err(Error::InvalidCommitOffsetSize);
        }
        if commit.topics.iter().any(|topic| topic.name.len() > limits.name_bytes) {
            return Err(Error::InvalidRequest);
        }
        match self.any_group(&commit.group_id) {
            Some(AnyGroup::Classic(group)) if commit.in_txn.is_some() => txn::validate(group, commit),
            Some(AnyGroup::Classic(group)) => validate(group, commit),
            Some(AnyGroup::Consumer(_)) if commit.in_txn.is_some() && txn::names_nobody(commit) => Ok(()),
            Some(AnyGroup::Consumer(group)) if commit.in_txn.is_some() => {
                txn::in_generations(self.validate_consumer(group, commit))
            }
            Some(AnyGroup::Consumer(group)) => self.validate_consumer(group, commit),
            None if commit.generation >= 0 && commit.knows_member_epochs => Err(Error::GroupIdNotFound),
            None if commit.generation >= 0 => Err(Error::IllegalGeneration),
            None if self.group_count() >= limits.groups => Err(Error::InvalidCommitOffsetSize),
            None => Ok(()),
        }
    }

    fn validate_consumer(&self, group: &consumer::Group, commit: &Commit) -> Result<(), Error> {
        // TxnOffsetCommit has no version that came with epochs: every one may carry them.
        let knows_epochs = commit.knows_member_epochs || commit.in_txn.is_some();
        group.may_commit(&commit.member_id, commit.generation, knows_epochs)?;
        validate_partitions(group, commit, self.settings().offset_metadata_max)
    }

    /// Offsets that would be new, and the bytes that all of them take in addition.
    fn growth_by(&self, commit: &Commit) -> (usize, usize) {
        let (mut offsets, mut more, mut less) = (0, 0_usize, 0_usize);
        let of_group = self.offsets().of_group(&commit.group_id);
        let mut topics = of_group.map_or(0, BTreeMap::len);
        if self.any_group(&commit.group_id).is_none() {
            more += new_group_bytes(&commit.group_id);
        }
        for topic in &commit.topics {
            let mut new = 0;
            for partition in &topic.partitions {
                more += text_bytes(partition.metadata.as_deref().unwrap_or(""));
                match self.offsets().get(&commit.group_id, &topic.name, partition.partition) {
                    Some(old) => less += text_bytes(&old.metadata),
                    None => new += 1,
                }
            }
            let before = Counts { topics, ..Counts::of(of_group, &topic.name) };
            let after = before.and(new);
            more += after.bytes(&commit.group_id, &topic.name);
            less += before.bytes(&commit.group_id, &topic.name);
            (topics, offsets) = (after.topics, offsets + new);
        }
        (offsets, more.saturating_sub(less))
    }

    /// A commit is a sign of life of the member that sends it.
    fn keep_session_alive(&mut self, commit: &Commit, now: Now, out: &mut Effects) {
        self.with_group(&commit.group_id, now, out, |turn| {
            if matches!(turn.group.state(), GroupState::Stable | GroupState::PreparingRebalance) {
                turn.renew_session(&commit.member_id);
            }
        });
    }
}

/// In the consumer protocol an epoch that is too old for one partition is too old for the whole commit.
fn validate_partitions(group: &consumer::Group, commit: &Commit, max: usize) -> Result<(), Error> {
    let (member_id, epoch) = (&commit.member_id, commit.generation);
    let places = commit.topics.iter().flat_map(|topic| topic.partitions.iter().map(move |one| (topic, one)));
    places
        .filter(|(_, one)| check_metadata(one, max).is_ok())
        .try_for_each(|(topic, one)| group.may_commit_for(member_id, epoch, &topic.id, one.partition))
}

fn validate(group: &Group, commit: &Commit) -> Result<(), Error> {
    let empty = group.is(GroupState::Empty);
    if commit.generation < 0 && empty {
        return Ok(());
    }
    if commit.generation < 0 && commit.member_id.is_empty() && commit.instance_id.is_none() {
        // Someone outside a group that has members.
        return Err(Error::UnknownMemberId);
    }
    group.validate_member(&commit.member_id, commit.instance_id.as_deref())?;
    if commit.generation != group.generation {
        return Err(Error::IllegalGeneration);
    }
    if group.is(GroupState::CompletingRebalance) {
        // It has joined and not synced yet: it cannot own what it commits.
        return Err(Error::RebalanceInProgress);
    }
    Ok(())
}

/// Kafka counts UTF-16 units; bytes are never fewer, so most strings need no counting.
fn check_metadata(partition: &CommitPartition, max: usize) -> Result<(), Error> {
    match partition.metadata.as_deref() {
        Some(text) if text.len() > max && text.encode_utf16().count() > max => {
            Err(Error::OffsetMetadataTooLarge)
        }
        _ => Ok(()),
    }
}

fn answer_of(topics: &[CommitTopic], error_of: impl Fn(&CommitPartition) -> Option<Error>) -> Answer {
    let topics = topics.iter().map(|topic| CommittedTopic {
        name: topic.name.clone(),
        id: topic.id,
        partitions: topic
            .partitions
            .iter()
            .map(|partition| (partition.partition, error_of(partition)))
            .collect(),
    });
    Answer::Commit(CommitAnswer { topics: topics.collect() })
}

fn record_of(
    group_id: &Arc<str>,
    topic: &CommitTopic,
    partition: &CommitPartition,
    retention_ms: Option<i64>,
    wall_ms: i64,
) -> Record {
    let expire_ms = retention_ms.map(|retention_ms| wall_ms.saturating_add(retention_ms));
    // The record version that keeps an expiry has no room for epoch and topic id.
    let room = expire_ms.is_none();
    Record::Offset {
        key: OffsetKey {
            group_id: group_id.clone(),
            topic: topic.name.clone(),
            partition: partition.partition,
        },
        value: Some(OffsetValue {
            offset: partition.offset,
            leader_epoch: if room { partition.leader_epoch } else { -1 },
            metadata: Arc::from(partition.metadata.as_deref().unwrap_or("")),
            commit_ms: wall_ms,
            expire_ms,
            topic_id: if room { topic.id } else { [0; 16] },
        }),
    }
}
