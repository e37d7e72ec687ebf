//! A group at the end of a rebalance (Kafka's GroupMetadataKey and GroupMetadataValue).
//!
//! ```text
//!   key    group string
//!   value  protocol type string │ generation i32 │ protocol string? │ leader string? │ state since i64 (v2+)
//!          members [ member id │ instance id? (v3+) │ client id │ client host │ rebalance timeout i32 (v1+)
//!                    session timeout i32 │ subscription bytes │ assignment bytes ]          v4: compact, with tags
//! ```

use std::sync::Arc;

use bytes::Bytes;
use pagewire_record::fields::Fields;

use super::bytes_in::{DecodeError, Kept as _};
use super::bytes_out::{EncodeError, Writer};

const VERSION: i16 = 3;
const VERSION_MAX: i16 = 4;

/// A group as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMetadata {
    /// Empty when nobody ever joined.
    pub protocol_type: Arc<str>,
    /// Counts rebalances.
    pub generation: i32,
    /// The chosen protocol; none while the group is empty.
    pub protocol: Option<Arc<str>>,
    /// Member id of the leader.
    pub leader: Option<Arc<str>>,
    /// When the group came into its state; none in old records.
    pub state_since_ms: Option<i64>,
    /// None while the group is empty.
    pub members: Vec<GroupMember>,
}

/// A member as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMember {
    /// Its id.
    pub member_id: Arc<str>,
    /// `group.instance.id`
    pub instance_id: Option<Arc<str>>,
    /// Client id of its join.
    pub client_id: Arc<str>,
    /// Where it joined from.
    pub client_host: Arc<str>,
    /// -1 in old records: the session timeout counts.
    pub rebalance_timeout_ms: i32,
    /// Session timeout in milliseconds.
    pub session_timeout_ms: i32,
    /// Its metadata for the chosen protocol.
    pub subscription: Bytes,
    /// What the leader assigned to it.
    pub assignment: Bytes,
}

impl GroupMetadata {
    pub(super) fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let version = input.i16()?;
        if !(0..=VERSION_MAX).contains(&version) {
            return Err(DecodeError::Version(version));
        }
        let flexible = version >= 4;
        let protocol_type = input.string_of(flexible)?;
        let generation = input.i32()?;
        let protocol = input.nullable_string_of(flexible)?;
        let leader = input.nullable_string_of(flexible)?;
        let state_since_ms = if version >= 2 { Some(input.i64()?).filter(|time| *time != -1) } else { None };
        let count = input.count_of(flexible)?;
        let mut members = Vec::new();
        for _ in 0..count {
            members.push(GroupMember::read(input, version)?);
        }
        if flexible {
            input.tagged(|_, _| Ok(()))?;
        }
        Ok(Self { protocol_type, generation, protocol, leader, state_since_ms, members })
    }

    pub(super) fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.i16(VERSION);
        out.string(&self.protocol_type)?;
        out.i32(self.generation);
        out.nullable_string(self.protocol.as_deref())?;
        out.nullable_string(self.leader.as_deref())?;
        out.i64(self.state_since_ms.unwrap_or(-1));
        out.i32(i32::try_from(self.members.len()).map_err(|_| EncodeError::TooLong(self.members.len()))?);
        self.members.iter().try_for_each(|member| member.write(out))
    }
}

impl GroupMember {
    fn read(input: &mut Fields<'_>, version: i16) -> Result<Self, DecodeError> {
        let flexible = version >= 4;
        let member = Self {
            member_id: input.string_of(flexible)?,
            instance_id: if version >= 3 { input.nullable_string_of(flexible)? } else { None },
            client_id: input.string_of(flexible)?,
            client_host: input.string_of(flexible)?,
            rebalance_timeout_ms: if version >= 1 { input.i32()? } else { -1 },
            session_timeout_ms: input.i32()?,
            subscription: input.bytes_of(flexible)?,
            assignment: input.bytes_of(flexible)?,
        };
        if flexible {
            input.tagged(|_, _| Ok(()))?;
        }
        Ok(member)
    }

    fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.string(&self.member_id)?;
        out.nullable_string(self.instance_id.as_deref())?;
        out.string(&self.client_id)?;
        out.string(&self.client_host)?;
        out.i32(self.rebalance_timeout_ms);
        out.i32(self.session_timeout_ms);
        out.bytes(&self.subscription)?;
        out.bytes(&self.assignment)
    }
}
