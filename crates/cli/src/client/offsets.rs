//! Offsets: where partitions begin and end, which offset a time has, and what groups have committed.

use std::collections::{BTreeMap, BTreeSet};

use pagewire_wire::messages::list_offsets_request::{
    ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic,
};
use pagewire_wire::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use pagewire_wire::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup};
use pagewire_wire::{ErrorCode, Str};

use super::deadline::Deadline;
use super::error::Error;
use super::routing::{Client, Target, Which};
use super::{Place, Result};

/// In place of a time: the end of the partition.
pub(crate) const LATEST: i64 = -1;
/// In place of a time: its first offset.
pub(crate) const EARLIEST: i64 = -2;
/// Transactions that are still open, or were aborted, are read too.
pub(crate) const READ_UNCOMMITTED: i8 = 0;
/// Only what is committed is read.
pub(crate) const READ_COMMITTED: i8 = 1;

/// The last versions of OffsetCommit and OffsetFetch that speak of names.
const BY_NAME_MAX: i16 = 9;
/// From this version on OffsetFetch asks about groups in a list.
const GROUPS_FROM: i16 = 8;

/// In whose name offsets are committed.
#[derive(Debug, Clone)]
pub(crate) struct Committer {
    /// The group.
    pub(crate) group: String,
    /// Member id; empty for a tool that is no member.
    pub(crate) member: Str,
    /// Generation; -1 for a tool that is no member.
    pub(crate) generation: i32,
}

impl Client {
    /// For each place the offset of its time in ms, or of [`EARLIEST`] or [`LATEST`]. -1: no record is that young.
    pub(crate) async fn offsets(
        &mut self,
        wanted: &BTreeMap<Place, i64>,
        isolation: i8,
    ) -> Result<BTreeMap<Place, i64>> {
        let mut found = BTreeMap::new();
        let mut retry = self.retry();
        while found.len() < wanted.len() {
            let missing = wanted.iter().filter(|(place, _)| !found.contains_key(*place));
            let missing: Vec<(Place, i64)> = missing.map(|(place, time)| (place.clone(), *time)).collect();
            match self.offsets_once(&missing, isolation, retry.deadline(), &mut found).await {
                Ok(()) => {}
                Err(error) => {
                    let error = self.in_view_of_disks(error).await;
                    retry.after(error).await?;
                }
            }
        }
        Ok(found)
    }

    /// One attempt. What was found is added to `found` even if the rest fails.
    async fn offsets_once(
        &mut self,
        wanted: &[(Place, i64)],
        isolation: i8,
        deadline: Deadline,
        found: &mut BTreeMap<Place, i64>,
    ) -> Result<()> {
        let mut failure = None;
        for (node, wanted) in self.by_leader(wanted).await? {
            let request = ListOffsetsRequest {
                replica_id: -1,
                isolation_level: isolation,
                topics: by_topic(wanted).into_iter().map(offsets_topic).collect(),
                timeout_ms: deadline.left_ms(),
            };
            let answer = self.call_once(Target::Node(node), i16::MAX, deadline, |_| request).await?;
            for topic in &answer.topics {
                for partition in &topic.partitions {
                    let place = Place::new(&*topic.name, partition.partition_index);
                    let code = partition.error_code;
                    match Error::check(code, None, || format!("offsets of {place}")) {
                        Ok(()) => {
                            found.insert(place, partition.offset);
                        }
                        Err(error) if error.is_retriable() => failure = Some(error),
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Splits questions by the node that leads their partition.
    pub(crate) async fn by_leader(
        &mut self,
        wanted: &[(Place, i64)],
    ) -> Result<BTreeMap<i32, Vec<(Place, i64)>>> {
        let names: BTreeSet<&str> = wanted.iter().map(|(place, _)| place.topic.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let topics = self.metadata(Which::Named(&names)).await?;
        let mut leaders = BTreeMap::new();
        for topic in &topics {
            for partition in &topic.partitions {
                leaders.insert(Place::new(&topic.name, partition.index), partition.leader);
            }
        }
        let mut split: BTreeMap<i32, Vec<(Place, i64)>> = BTreeMap::new();
        for (place, time) in wanted {
            let leader = leaders.get(place).copied();
            let code = match leader {
                None => ErrorCode::UnknownTopicOrPartition.code(),
                Some(None) => ErrorCode::LeaderNotAvailable.code(),
                Some(Some(_)) => 0,
            };
            Error::check(code, None, || place.to_string())?;
            if let Some(Some(leader)) = leader {
                split.entry(leader).or_default().push((place.clone(), *time));
            }
        }
        Ok(split)
    }

    /// What `group` has committed, places without a commit left out.
    pub(crate) async fn committed(&mut self, group: &str) -> Result<BTreeMap<Place, i64>> {
        let id = Str::from(group.to_owned());
        let build = |version| {
            if version >= GROUPS_FROM {
                let all = OffsetFetchRequestGroup {
                    group_id: id.clone(),
                    topics: None,
                    ..OffsetFetchRequestGroup::default()
                };
                OffsetFetchRequest { groups: vec![all], ..OffsetFetchRequest::default() }
            } else {
                OffsetFetchRequest { group_id: id.clone(), topics: None, ..OffsetFetchRequest::default() }
            }
        };
        let answer = self
            .call_coordinator(group, BY_NAME_MAX, build, |answer| {
                answer.groups.first().map_or(answer.error_code, |group| group.error_code)
            })
            .await?;
        let mut committed = BTreeMap::new();
        let code = answer.groups.first().map_or(answer.error_code, |group| group.error_code);
        Error::check(code, None, || format!("offsets of group {group}"))?;
        for topic in &answer.topics {
            for partition in &topic.partitions {
                Error::check(partition.error_code, None, || format!("offsets of group {group}"))?;
                committed
                    .insert(Place::new(&*topic.name, partition.partition_index), partition.committed_offset);
            }
        }
        for topic in answer.groups.iter().flat_map(|group| &group.topics) {
            for partition in &topic.partitions {
                Error::check(partition.error_code, None, || format!("offsets of group {group}"))?;
                committed
                    .insert(Place::new(&*topic.name, partition.partition_index), partition.committed_offset);
            }
        }
        committed.retain(|_, offset| *offset >= 0);
        Ok(committed)
    }

    /// Commits offsets of a group.
    pub(crate) async fn commit(&mut self, by: &Committer, offsets: &BTreeMap<Place, i64>) -> Result<()> {
        if offsets.is_empty() {
            return Ok(());
        }
        let group = &by.group;
        let places = offsets.iter().map(|(place, offset)| (place.clone(), *offset)).collect();
        let request = OffsetCommitRequest {
            group_id: Str::from(group.clone()),
            generation_id_or_member_epoch: by.generation,
            member_id: by.member.clone(),
            topics: by_topic(places).into_iter().map(commit_topic).collect(),
            ..OffsetCommitRequest::default()
        };
        let first_error = |answer: &pagewire_wire::messages::offset_commit_response::OffsetCommitResponse| {
            let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
            partitions.map(|partition| partition.error_code).find(|code| *code != 0).unwrap_or(0)
        };
        let answer = self.call_coordinator(group, BY_NAME_MAX, |_| request.clone(), first_error).await?;
        Error::check(first_error(&answer), None, || format!("committing offsets of group {group}"))
    }
}

/// Gathers places of the same topic.
fn by_topic(places: Vec<(Place, i64)>) -> BTreeMap<String, Vec<(i32, i64)>> {
    let mut topics: BTreeMap<String, Vec<(i32, i64)>> = BTreeMap::new();
    for (place, number) in places {
        topics.entry(place.topic).or_default().push((place.partition, number));
    }
    topics
}

fn offsets_topic((name, partitions): (String, Vec<(i32, i64)>)) -> ListOffsetsTopic {
    let partition = |(partition_index, timestamp)| ListOffsetsPartition {
        partition_index,
        timestamp,
        ..ListOffsetsPartition::default()
    };
    ListOffsetsTopic { name: Str::from(name), partitions: partitions.into_iter().map(partition).collect() }
}

fn commit_topic((name, partitions): (String, Vec<(i32, i64)>)) -> OffsetCommitRequestTopic {
    let partition = |(partition_index, committed_offset)| OffsetCommitRequestPartition {
        partition_index,
        committed_offset,
        committed_metadata: Some(Str::new()),
        ..OffsetCommitRequestPartition::default()
    };
    OffsetCommitRequestTopic {
        name: Str::from(name),
        partitions: partitions.into_iter().map(partition).collect(),
        ..OffsetCommitRequestTopic::default()
    }
}
