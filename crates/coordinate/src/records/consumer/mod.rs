//! The records of consumer groups (KIP-848), one kind a file, all in value version 0 as Kafka 4.3 writes them.
//!
//! ```text
//!   key type   key after the group      value
//!      3                                the group's epoch and what its topics looked like then
//!      4                                what its topics looked like, before Kafka 4.1: read, and deleted when seen
//!      5       member string            what a member says of itself
//!      6                                the epoch that the target assignment was computed for
//!      7       member string            a member's target assignment
//!      8       member string            what a member has, and what it has yet to give back
//!     16       expression string        the topics that a regular expression stood for
//! ```
//!
//! Keys are not flexible, values are. A group is deleted kind by kind: 8, 7, 6, 5, 16, 4, 3.

mod current;
mod epoch;
mod member;
mod partition_metadata;
mod regex;
mod target;
mod target_epoch;
mod topic_partitions;

use std::sync::Arc;

use pagewire_record::fields::Fields;

use super::bytes_in::{DecodeError, Kept as _};
use super::bytes_out::{EncodeError, Writer};

pub use current::{CurrentAssignment, EpochPartitions, MemberState};
pub use epoch::GroupEpoch;
pub use member::{ClassicMember, MemberMetadata};
pub use partition_metadata::{PartitionMetadata, PartitionRacks, TopicMetadata};
pub use regex::RegularExpression;
pub use target::TargetAssignment;
pub use target_epoch::TargetEpoch;
pub use topic_partitions::TopicPartitions;

/// Every value is of this version.
const VERSION: i16 = 0;

/// One record of a consumer group; no value deletes it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what they are called")]
pub enum ConsumerRecord {
    /// Key type 3.
    Epoch(Option<GroupEpoch>),
    /// Key type 4.
    PartitionMetadata(Option<PartitionMetadata>),
    /// Key type 5.
    Member { member_id: Arc<str>, value: Option<MemberMetadata> },
    /// Key type 6.
    TargetEpoch(Option<TargetEpoch>),
    /// Key type 7.
    Target { member_id: Arc<str>, value: Option<TargetAssignment> },
    /// Key type 8.
    Current { member_id: Arc<str>, value: Option<CurrentAssignment> },
    /// Key type 16.
    Regex { expression: Arc<str>, value: Option<RegularExpression> },
}

impl ConsumerRecord {
    const fn key_type(&self) -> i16 {
        match self {
            Self::Epoch(_) => 3,
            Self::PartitionMetadata(_) => 4,
            Self::Member { .. } => 5,
            Self::TargetEpoch(_) => 6,
            Self::Target { .. } => 7,
            Self::Current { .. } => 8,
            Self::Regex { .. } => 16,
        }
    }

    /// Whether it deletes something.
    pub(crate) const fn is_tombstone(&self) -> bool {
        matches!(
            self,
            Self::Epoch(None)
                | Self::PartitionMetadata(None)
                | Self::Member { value: None, .. }
                | Self::TargetEpoch(None)
                | Self::Target { value: None, .. }
                | Self::Current { value: None, .. }
                | Self::Regex { value: None, .. }
        )
    }

    /// Bytes of the names in its key besides the group's.
    pub(crate) fn name_bytes(&self) -> usize {
        match self {
            Self::Epoch(_) | Self::PartitionMetadata(_) | Self::TargetEpoch(_) => 0,
            Self::Member { member_id: name, .. }
            | Self::Target { member_id: name, .. }
            | Self::Current { member_id: name, .. }
            | Self::Regex { expression: name, .. } => name.len(),
        }
    }

    pub(super) fn write_key(&self, group_id: &str, out: &mut Writer) -> Result<(), EncodeError> {
        out.i16(self.key_type());
        out.string(group_id)?;
        match self {
            Self::Epoch(_) | Self::PartitionMetadata(_) | Self::TargetEpoch(_) => Ok(()),
            Self::Member { member_id: name, .. }
            | Self::Target { member_id: name, .. }
            | Self::Current { member_id: name, .. }
            | Self::Regex { expression: name, .. } => out.string(name),
        }
    }

    /// The value; false for a tombstone.
    pub(super) fn write_value(&self, out: &mut Writer) -> Result<bool, EncodeError> {
        out.i16(VERSION);
        match self {
            Self::Epoch(Some(value)) => value.write(out),
            Self::PartitionMetadata(Some(value)) => value.write(out)?,
            Self::Member { value: Some(value), .. } => value.write(out)?,
            Self::TargetEpoch(Some(value)) => value.write(out),
            Self::Target { value: Some(value), .. } => value.write(out)?,
            Self::Current { value: Some(value), .. } => value.write(out)?,
            Self::Regex { value: Some(value), .. } => value.write(out)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The record of a key of `key_type`, of which group and type are read; none if it is none of a consumer group.
    pub(super) fn read(
        key_type: i16,
        key: &mut Fields<'_>,
        value: Option<&[u8]>,
    ) -> Result<Option<Self>, DecodeError> {
        Ok(Some(match key_type {
            3 => Self::Epoch(read(value, GroupEpoch::read)?),
            4 => Self::PartitionMetadata(read(value, PartitionMetadata::read)?),
            5 => Self::Member { member_id: key.string()?, value: read(value, MemberMetadata::read)? },
            6 => Self::TargetEpoch(read(value, TargetEpoch::read)?),
            7 => Self::Target { member_id: key.string()?, value: read(value, TargetAssignment::read)? },
            8 => Self::Current { member_id: key.string()?, value: read(value, CurrentAssignment::read)? },
            16 => Self::Regex { expression: key.string()?, value: read(value, RegularExpression::read)? },
            _ => return Ok(None),
        }))
    }

    /// Whether a key of this type is one of a consumer group.
    pub(super) const fn has(key_type: i16) -> bool {
        matches!(key_type, 3..=8 | 16)
    }
}

/// A value behind its version.
fn read<T>(
    value: Option<&[u8]>,
    read: impl FnOnce(&mut Fields<'_>) -> Result<T, DecodeError>,
) -> Result<Option<T>, DecodeError> {
    let Some(bytes) = value else { return Ok(None) };
    let mut input = Fields::new(bytes);
    match input.i16()? {
        VERSION => read(&mut input).map(Some),
        version => Err(DecodeError::Version(version)),
    }
}

/// Elements of an array in the compact form, each at least a byte: the count is held against what is left.
fn read_array<T>(
    input: &mut Fields<'_>,
    mut element: impl FnMut(&mut Fields<'_>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let mut elements = Vec::new();
    for _ in 0..input.count_of(true)? {
        elements.push(element(input)?);
    }
    Ok(elements)
}

fn write_array<T>(
    out: &mut Writer,
    elements: &[T],
    mut element: impl FnMut(&mut Writer, &T) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    out.compact_count(elements.len())?;
    elements.iter().try_for_each(|one| element(out, one))
}

fn read_text(input: &mut Fields<'_>) -> Result<Arc<str>, DecodeError> {
    Ok(input.string_of(true)?)
}

fn read_maybe_text(input: &mut Fields<'_>) -> Result<Option<Arc<str>>, DecodeError> {
    Ok(input.nullable_string_of(true)?)
}

/// Tagged fields that are not known here.
fn skip_tags(input: &mut Fields<'_>) -> Result<(), DecodeError> {
    Ok(input.tagged(|_, _| Ok(()))?)
}
