//! DescribeGroups.

use std::sync::Arc;

use bytes::Bytes;

use crate::group::GroupState;
use crate::shard::Shard;

/// A group as DescribeGroups answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedGroup {
    /// Its state.
    pub state: GroupState,
    /// Empty if nobody ever joined.
    pub protocol_type: Arc<str>,
    /// The chosen protocol, only while stable.
    pub protocol: Arc<str>,
    /// Its members.
    pub members: Vec<DescribedMember>,
}

/// A member as DescribeGroups answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedMember {
    /// Its id.
    pub member_id: Arc<str>,
    /// `group.instance.id`
    pub instance_id: Option<Arc<str>>,
    /// Client id of its join.
    pub client_id: Arc<str>,
    /// Where it joined from.
    pub client_host: Arc<str>,
    /// Its metadata, only while the group is stable.
    pub metadata: Bytes,
    /// Its assignment.
    pub assignment: Bytes,
}

impl Shard {
    /// Describes a group; none if there is no such group.
    pub fn describe(&self, group_id: &str) -> Option<DescribedGroup> {
        let group = self.group(group_id)?;
        let empty = || Arc::from("");
        let protocol = if group.is(GroupState::Stable) { group.protocol.clone() } else { None };
        let members = group.members().map(|(id, member)| DescribedMember {
            member_id: id.clone(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: protocol.as_deref().map(|name| member.metadata(name)).unwrap_or_default(),
            assignment: member.assignment.clone(),
        });
        Some(DescribedGroup {
            state: group.state(),
            protocol_type: group.protocol_type.clone().unwrap_or_else(empty),
            members: members.collect(),
            protocol: protocol.clone().unwrap_or_else(empty),
        })
    }
}
