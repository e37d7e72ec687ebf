//! Groups: list, describe, delete. Both classic groups and the newer consumer groups (KIP-848) are described.

use std::collections::BTreeMap;

use pagewire_wire::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use pagewire_wire::messages::consumer_group_describe_response as consumer;
use pagewire_wire::messages::delete_groups_request::DeleteGroupsRequest;
use pagewire_wire::messages::describe_groups_request::DescribeGroupsRequest;
use pagewire_wire::messages::describe_groups_response::DescribedGroupMember;
use pagewire_wire::messages::list_groups_request::ListGroupsRequest;
use pagewire_wire::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};
use pagewire_wire::{ApiKey, ErrorCode, Str};

use crate::client::error::Error;
use crate::client::routing::{Client, Target};
use crate::client::{Place, Result, assignor};

/// From these versions on a broker filters by state and by type.
const STATES_FROM: i16 = 4;

/// A group as listed.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    /// Group id.
    pub(crate) group: String,
    /// State; empty from brokers before 2.6.
    pub(crate) state: String,
    /// `Classic`, `Consumer`, ...; empty from brokers before 3.8.
    pub(crate) kind: String,
    /// Protocol type, such as `consumer` or `connect`.
    pub(crate) protocol: String,
}

/// A member as described.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    /// Member id.
    pub(crate) id: String,
    /// Instance id of a static member.
    pub(crate) instance: Option<String>,
    /// The client's name for itself.
    pub(crate) client: String,
    /// Where it connects from.
    pub(crate) host: String,
    /// Its share of the partitions.
    pub(crate) assigned: Vec<Place>,
}

/// A group as described.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    /// Group id.
    pub(crate) group: String,
    /// State.
    pub(crate) state: String,
    /// `classic` or `consumer`.
    pub(crate) kind: &'static str,
    /// How partitions are shared out; empty while nobody is there.
    pub(crate) assignor: String,
    /// Node id of the coordinator.
    pub(crate) coordinator: i32,
    /// All members.
    pub(crate) members: Vec<Member>,
}

impl Client {
    /// All groups of all nodes, by id. A broker that cannot look at states refuses to be asked for some.
    pub(crate) async fn list_groups(&mut self, states: &[String]) -> Result<Vec<Listed>> {
        let filter: Vec<Str> = states.iter().cloned().map(Str::from).collect();
        let nodes: Vec<i32> = self.cluster().nodes.keys().copied().collect();
        let mut groups = BTreeMap::new();
        for node in nodes {
            if !filter.is_empty() {
                let deadline = self.deadline();
                let connection = self.connection(Target::Node(node), deadline).await?;
                connection.versions().demand::<ListGroupsRequest>(STATES_FROM)?;
            }
            let build = |_| ListGroupsRequest { states_filter: filter.clone(), types_filter: Vec::new() };
            let answer = self.call(Target::Node(node), i16::MAX, build).await?;
            Error::check(answer.error_code, None, || format!("groups of node {node}"))?;
            for group in answer.groups {
                let listed = Listed {
                    group: group.group_id.to_string(),
                    state: group.group_state.to_string(),
                    kind: group.group_type.to_string(),
                    protocol: group.protocol_type.to_string(),
                };
                groups.insert(listed.group.clone(), listed);
            }
        }
        Ok(groups.into_values().collect())
    }

    /// One group. A group that does not exist is an error here, whatever the broker's age.
    pub(crate) async fn describe_group(&mut self, group: &str) -> Result<Described> {
        let deadline = self.deadline();
        let has_newer =
            self.connection(Target::Any, deadline).await?.versions().has(ApiKey::ConsumerGroupDescribe);
        if has_newer && let Some(described) = self.describe_consumer_group(group).await? {
            return Ok(described);
        }
        let missing = || Error::Api {
            what: format!("group {group}"),
            code: ErrorCode::GroupIdNotFound.code(),
            message: None,
        };
        let request =
            DescribeGroupsRequest { groups: vec![Str::from(group.to_owned())], ..Default::default() };
        let first = |answer: &pagewire_wire::messages::describe_groups_response::DescribeGroupsResponse| {
            answer.groups.first().map_or(0, |group| group.error_code)
        };
        let answer = self.call_coordinator(group, i16::MAX, |_| request.clone(), first).await?;
        let found = answer.groups.into_iter().next().ok_or_else(missing)?;
        Error::check(found.error_code, found.error_message.as_deref(), || format!("group {group}"))?;
        // Before version 6 a group that nobody knows is answered as a dead one.
        if &*found.group_state == "Dead" {
            return Err(missing());
        }
        let deadline = self.deadline();
        Ok(Described {
            group: group.to_owned(),
            state: found.group_state.to_string(),
            kind: "classic",
            assignor: found.protocol_data.to_string(),
            coordinator: self.coordinator_once(group, deadline).await?,
            members: found.members.into_iter().map(|member| classic(member, &found.protocol_type)).collect(),
        })
    }

    /// `None` if it is no such group.
    async fn describe_consumer_group(&mut self, group: &str) -> Result<Option<Described>> {
        let request = ConsumerGroupDescribeRequest {
            group_ids: vec![Str::from(group.to_owned())],
            ..Default::default()
        };
        let first = |answer: &consumer::ConsumerGroupDescribeResponse| {
            answer.groups.first().map_or(0, |group| group.error_code)
        };
        let answer = self.call_coordinator(group, i16::MAX, |_| request.clone(), first).await?;
        let Some(found) = answer.groups.into_iter().next().filter(|found| found.error_code == 0) else {
            return Ok(None);
        };
        let deadline = self.deadline();
        Ok(Some(Described {
            group: group.to_owned(),
            state: found.group_state.to_string(),
            kind: "consumer",
            assignor: found.assignor_name.to_string(),
            coordinator: self.coordinator_once(group, deadline).await?,
            members: found.members.iter().map(newer).collect(),
        }))
    }

    /// Deletes a group with its offsets.
    pub(crate) async fn delete_group(&mut self, group: &str) -> Result<()> {
        let request = DeleteGroupsRequest { groups_names: vec![Str::from(group.to_owned())] };
        let first = |answer: &pagewire_wire::messages::delete_groups_response::DeleteGroupsResponse| {
            answer.results.first().map_or(0, |result| result.error_code)
        };
        let answer = self.call_coordinator(group, i16::MAX, |_| request.clone(), first).await?;
        Error::check(first(&answer), None, || format!("group {group}"))
    }

    /// Deletes a group's offsets of these places; the group stays.
    pub(crate) async fn delete_offsets(&mut self, group: &str, places: &[Place]) -> Result<()> {
        let mut topics: BTreeMap<&str, Vec<OffsetDeleteRequestPartition>> = BTreeMap::new();
        for place in places {
            let partition = OffsetDeleteRequestPartition { partition_index: place.partition };
            topics.entry(&place.topic).or_default().push(partition);
        }
        let topic = |(name, partitions): (&str, _)| OffsetDeleteRequestTopic {
            name: Str::from(name.to_owned()),
            partitions,
        };
        let request = OffsetDeleteRequest {
            group_id: Str::from(group.to_owned()),
            topics: topics.into_iter().map(topic).collect(),
        };
        let answer =
            self.call_coordinator(group, i16::MAX, |_| request.clone(), |answer| answer.error_code).await?;
        Error::check(answer.error_code, None, || format!("offsets of group {group}"))?;
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let what =
                    || format!("offset of group {group} for {} [{}]", topic.name, partition.partition_index);
                Error::check(partition.error_code, None, what)?;
            }
        }
        Ok(())
    }
}

/// Only consumers' shares can be read; other protocol types keep their own form.
fn classic(member: DescribedGroupMember, protocol_type: &str) -> Member {
    let assigned =
        if protocol_type == "consumer" { assignor::assigned(member.member_assignment) } else { Vec::new() };
    Member {
        id: member.member_id.to_string(),
        instance: member.group_instance_id.as_ref().map(ToString::to_string),
        client: member.client_id.to_string(),
        host: host(&member.client_host),
        assigned,
    }
}

fn newer(member: &consumer::Member) -> Member {
    let mut assigned = Vec::new();
    for topic in &member.assignment.topic_partitions {
        assigned.extend(topic.partitions.iter().map(|partition| Place::new(&*topic.topic_name, *partition)));
    }
    Member {
        id: member.member_id.to_string(),
        instance: member.instance_id.as_ref().map(ToString::to_string),
        client: member.client_id.to_string(),
        host: host(&member.client_host),
        assigned,
    }
}

/// Kafka writes Java's form of an address: `/127.0.0.1`.
fn host(text: &str) -> String {
    text.trim_start_matches('/').to_owned()
}
