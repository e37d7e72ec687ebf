//! From a kept group back to a living one, and the other way.

use std::sync::Arc;

use bytes::Bytes;

use super::group_metadata::{GroupMember, GroupMetadata};
use crate::group::{Group, Member};
use crate::input::Protocol;

/// The members of a record, each with the one protocol that the group had chosen.
pub(crate) fn members_of(value: &GroupMetadata) -> impl Iterator<Item = (Arc<str>, Member)> + '_ {
    let protocol: Arc<str> = value.protocol.clone().unwrap_or_else(|| Arc::from(""));
    value.members.iter().map(move |kept| {
        let rebalance_timeout_ms = match kept.rebalance_timeout_ms {
            -1 => kept.session_timeout_ms,
            timeout_ms => timeout_ms,
        };
        let member = Member {
            instance_id: kept.instance_id.clone(),
            client_id: kept.client_id.clone(),
            client_host: kept.client_host.clone(),
            rebalance_timeout_ms,
            session_timeout_ms: kept.session_timeout_ms,
            protocols: vec![Protocol { name: protocol.clone(), metadata: kept.subscription.clone() }],
            assignment: kept.assignment.clone(),
            awaiting_join: None,
            awaiting_sync: None,
            is_new: false,
        };
        (kept.member_id.clone(), member)
    })
}

impl GroupMetadata {
    /// The group as it is to be kept, each member with the assignment that `assignment_of` names for it.
    pub(crate) fn of(group: &Group, assignment_of: impl Fn(&str, &Member) -> Bytes) -> Self {
        let protocol = group.protocol.as_deref().unwrap_or("");
        let members = group.members().map(|(id, member)| GroupMember {
            member_id: id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(protocol),
            assignment: assignment_of(id, member),
        });
        Self {
            protocol_type: group.protocol_type.clone().unwrap_or_else(|| Arc::from("")),
            generation: group.generation,
            protocol: group.protocol.clone(),
            leader: group.leader.clone(),
            state_since_ms: group.state_since_ms,
            members: members.collect(),
        }
    }
}
