//! DescribeGroups: members, their subscriptions and assignments. An unknown group is Dead; from version 6 on that is an
//! error as well (KIP-1043). A group named twice is described once.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use pagewire_coordinate::{DescribedGroup as Machine, DescribedMember, GroupState};
use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        describe_groups_request::DescribeGroupsRequest,
        describe_groups_response::{DescribeGroupsResponse, DescribedGroup, DescribedGroupMember},
    },
};

use tokio::task::consume_budget;

use crate::{
    coordinators::{shared, text},
    net::Close,
    request::{Context, RESPONSE_BYTES_MAX},
};

/// Groups that one request may name; more end the connection.
const GROUPS_MAX: usize = 100_000;
const SAYS_NOT_FOUND: i16 = 6;
/// Everything that can be done to a group, as a bit field of Kafka's ACL operations: read 3, delete 6, describe 8,
/// describe configs 10, alter configs 11. Without an authorizer everybody may.
pub(super) const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

pub(crate) async fn handle(
    ctx: Context,
    request: DescribeGroupsRequest,
) -> Result<DescribeGroupsResponse, Close> {
    let group_ids = distinct(request.groups)?;
    let mut response = DescribeGroupsResponse::default();
    let mut left = RESPONSE_BYTES_MAX;
    for group_id in group_ids {
        consume_budget().await;
        let groups = ctx.broker.coordinators().groups();
        let described = groups.read(&ctx.broker, &group_id, |machine| machine.describe(&group_id));
        let mut group = match described {
            Ok(Some(group)) => found(group_id, group),
            Ok(None) => unknown(group_id, ctx.version),
            Err(error) => DescribedGroup { group_id, error_code: error.code(), ..Default::default() },
        };
        if request.include_authorized_operations && group.error_code == 0 {
            group.authorized_operations = ALL_OPERATIONS;
        }
        left = left.checked_sub(weight(&group)).ok_or_else(|| Close::because("too much to describe"))?;
        response.groups.push(group);
    }
    Ok(response)
}

/// Each group once, in the order of the first mention.
pub(super) fn distinct(mut group_ids: Vec<Str>) -> Result<Vec<Str>, Close> {
    let mut seen: HashSet<Str, RandomState> = HashSet::default();
    group_ids.retain(|group_id| seen.len() <= GROUPS_MAX && seen.insert(group_id.clone()));
    if seen.len() > GROUPS_MAX {
        return Err(Close::because(format_args!("more than {GROUPS_MAX} groups are to be described")));
    }
    Ok(group_ids)
}

/// About the bytes of a description.
fn weight(group: &DescribedGroup) -> usize {
    let members = group.members.iter();
    let bytes = members
        .map(|m| m.member_metadata.len() + m.member_assignment.len() + m.member_id.len() + m.client_id.len());
    group.group_id.len() + bytes.sum::<usize>()
}

fn found(group_id: Str, group: Machine) -> DescribedGroup {
    let member = |member: DescribedMember| DescribedGroupMember {
        member_id: shared(&member.member_id),
        group_instance_id: member.instance_id.as_ref().map(shared),
        client_id: shared(&member.client_id),
        client_host: shared(&member.client_host),
        member_metadata: member.metadata,
        member_assignment: member.assignment,
        ..Default::default()
    };
    DescribedGroup {
        group_id,
        group_state: text(group.state.name()),
        protocol_type: shared(&group.protocol_type),
        protocol_data: shared(&group.protocol),
        members: group.members.into_iter().map(member).collect(),
        ..Default::default()
    }
}

fn unknown(group_id: Str, version: i16) -> DescribedGroup {
    let mut group = DescribedGroup { group_state: text(GroupState::Dead.name()), ..Default::default() };
    if version >= SAYS_NOT_FOUND {
        group.error_code = ErrorCode::GroupIdNotFound.code();
        group.error_message = Some(format!("Group {} not found.", &*group_id).into());
    }
    group.group_id = group_id;
    group
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_named_twice_is_described_once() {
        let named: Vec<Str> = vec!["b".into(), "a".into(), "b".into(), "c".into(), "a".into()];
        let once = distinct(named).expect("few");
        assert_eq!(once.iter().map(Str::as_str).collect::<Vec<_>>(), ["b", "a", "c"]);
    }

    #[test]
    fn repeats_are_free_and_different_groups_are_counted() {
        let names = (0..GROUPS_MAX).map(|n| Str::from(n.to_string()));
        let mut named: Vec<Str> = names.clone().chain(names).collect();
        assert_eq!(distinct(named.clone()).expect("as many as may be").len(), GROUPS_MAX);
        named.push("one more".into());
        assert!(distinct(named).is_err());
    }
}
