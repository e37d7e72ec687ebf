//! The records of `__consumer_offsets` that classic and consumer groups use, in Kafka's formats.
//!
//! ```text
//!   key    i16 type │ fields                 type 0, 1: a committed offset     type 2: a classic group
//!   value  i16 version │ fields              null: a tombstone                 types 3 to 8, 16: a consumer group
//! ```
//!
//! Written as Kafka 4.3 writes them: offsets in value version 4 (version 1 when the client named a retention time),
//! classic groups in value version 3. All versions are read. Kinds of groups that are not served use other types: those
//! are passed over. Hostile bytes are errors, nothing is allocated from a claimed count.

mod bytes_in;
pub(crate) mod bytes_out;
mod consumer;
mod group_metadata;
mod offset_commit;
mod replay;

use std::sync::Arc;

use bytes::Bytes;
use pagewire_record::fields::Fields;

pub use bytes_in::DecodeError;
pub use bytes_out::EncodeError;
pub use consumer::{
    ClassicMember, ConsumerRecord, CurrentAssignment, EpochPartitions, GroupEpoch, MemberMetadata,
    MemberState, PartitionMetadata, PartitionRacks, RegularExpression, TargetAssignment, TargetEpoch,
    TopicMetadata, TopicPartitions,
};
pub use group_metadata::{GroupMember, GroupMetadata};
pub use offset_commit::{OffsetKey, OffsetValue};
pub(crate) use replay::members_of;

use bytes_in::Kept as _;
use bytes_out::Writer;

const KEY_OFFSET_LEGACY: i16 = 0;
const KEY_OFFSET: i16 = 1;
const KEY_GROUP: i16 = 2;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A committed offset, or its tombstone.
    Offset {
        /// Whose.
        key: OffsetKey,
        /// None deletes it.
        value: Option<OffsetValue>,
    },
    /// A classic group at the end of a rebalance, or its tombstone.
    Group {
        /// Its id.
        group_id: Arc<str>,
        /// None deletes it.
        value: Option<GroupMetadata>,
    },
    /// Something about a consumer group, or its tombstone.
    Consumer {
        /// The group.
        group_id: Arc<str>,
        /// What.
        record: ConsumerRecord,
    },
}

/// What a key and a value mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A record of a group of a kind that is served.
    Record(Record),
    /// A record of another kind of group.
    Skipped {
        /// The type in its key.
        key_type: i16,
    },
}

impl Record {
    /// Whose it is.
    pub fn group_id(&self) -> &str {
        match self {
            Self::Offset { key, .. } => &key.group_id,
            Self::Group { group_id, .. } | Self::Consumer { group_id, .. } => group_id,
        }
    }

    /// The key as bytes.
    pub fn encode_key(&self) -> Result<Bytes, EncodeError> {
        let mut out = Writer::default();
        match self {
            Self::Offset { key, .. } => {
                out.i16(KEY_OFFSET);
                key.write(&mut out)?;
            }
            Self::Group { group_id, .. } => {
                out.i16(KEY_GROUP);
                out.string(group_id)?;
            }
            Self::Consumer { group_id, record } => record.write_key(group_id, &mut out)?,
        }
        Ok(out.done())
    }

    /// The value as bytes; none for a tombstone.
    pub fn encode_value(&self) -> Result<Option<Bytes>, EncodeError> {
        let mut out = Writer::default();
        match self {
            Self::Offset { value: None, .. } | Self::Group { value: None, .. } => return Ok(None),
            Self::Offset { value: Some(value), .. } => value.write(&mut out)?,
            Self::Group { value: Some(value), .. } => value.write(&mut out)?,
            Self::Consumer { record, .. } => {
                if !record.write_value(&mut out)? {
                    return Ok(None);
                }
            }
        }
        Ok(Some(out.done()))
    }

    /// Reads a record of the log.
    ///
    /// # Errors
    /// The bytes break off, a length is negative or larger than what is left, or a version is not known.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<Decoded, DecodeError> {
        let mut key_in = Fields::new(key);
        let key_type = key_in.i16()?;
        let record = match key_type {
            KEY_OFFSET_LEGACY | KEY_OFFSET => Self::Offset {
                key: OffsetKey::read(&mut key_in)?,
                value: value.map(|bytes| OffsetValue::read(&mut Fields::new(bytes))).transpose()?,
            },
            KEY_GROUP => Self::Group {
                group_id: key_in.string()?,
                value: value.map(|bytes| GroupMetadata::read(&mut Fields::new(bytes))).transpose()?,
            },
            key_type if ConsumerRecord::has(key_type) => {
                let group_id = key_in.string()?;
                match ConsumerRecord::read(key_type, &mut key_in, value)? {
                    Some(record) => Self::Consumer { group_id, record },
                    None => return Ok(Decoded::Skipped { key_type }),
                }
            }
            key_type => return Ok(Decoded::Skipped { key_type }),
        };
        Ok(Decoded::Record(record))
    }
}
