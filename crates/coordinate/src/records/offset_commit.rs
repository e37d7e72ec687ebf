//! A committed offset (Kafka's OffsetCommitKey and OffsetCommitValue).
//!
//! ```text
//!   key          group string │ topic string │ partition i32
//!   value v0 v2  offset i64 │ metadata string │ commit time i64
//!   value v1     offset i64 │ metadata string │ commit time i64 │ expire time i64
//!   value v3     offset i64 │ leader epoch i32 │ metadata string │ commit time i64
//!   value v4     offset i64 │ leader epoch i32 │ metadata compact │ commit time i64 │ tags { 0: topic id 16 bytes }
//! ```

use std::sync::Arc;

use pagewire_record::fields::Fields;

use super::bytes_in::{DecodeError, Kept as _};
use super::bytes_out::{EncodeError, Writer};
use crate::input::TopicId;

const VERSION_WITH_EXPIRY: i16 = 1;
const VERSION: i16 = 4;
const TAG_TOPIC_ID: u32 = 0;

/// Whose offset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OffsetKey {
    /// The group.
    pub group_id: Arc<str>,
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
}

impl OffsetKey {
    pub(super) fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self { group_id: input.string()?, topic: input.string()?, partition: input.i32()? })
    }

    pub(super) fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.string(&self.group_id)?;
        out.string(&self.topic)?;
        out.i32(self.partition);
        Ok(())
    }
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetValue {
    /// The next offset to consume.
    pub offset: i64,
    /// Epoch of the last record consumed, -1 if unknown.
    pub leader_epoch: i32,
    /// The client's free text.
    pub metadata: Arc<str>,
    /// When it was committed.
    pub commit_ms: i64,
    /// When it expires, if the client asked for a time of its own.
    pub expire_ms: Option<i64>,
    /// All zeros when unknown.
    pub topic_id: TopicId,
}

impl OffsetValue {
    pub(super) fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let version = input.i16()?;
        if !(0..=VERSION).contains(&version) {
            return Err(DecodeError::Version(version));
        }
        let offset = input.i64()?;
        let leader_epoch = if version >= 3 { input.i32()? } else { -1 };
        let metadata = input.string_of(version >= 4)?;
        let commit_ms = input.i64()?;
        let expire_ms = if version == VERSION_WITH_EXPIRY { Some(input.i64()?) } else { None };
        let mut topic_id = [0; 16];
        if version >= 4 {
            input.tagged(|tag, field| {
                if tag == TAG_TOPIC_ID {
                    topic_id = field.array()?;
                }
                Ok(())
            })?;
        }
        let expire_ms = expire_ms.filter(|time| *time != -1);
        Ok(Self { offset, leader_epoch, metadata, commit_ms, expire_ms, topic_id })
    }

    pub(super) fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        if let Some(expire_ms) = self.expire_ms {
            out.i16(VERSION_WITH_EXPIRY);
            out.i64(self.offset);
            out.string(&self.metadata)?;
            out.i64(self.commit_ms);
            out.i64(expire_ms);
            return Ok(());
        }
        out.i16(VERSION);
        out.i64(self.offset);
        out.i32(self.leader_epoch);
        out.compact_string(&self.metadata)?;
        out.i64(self.commit_ms);
        if self.topic_id == [0; 16] {
            out.varint(0);
        } else {
            out.varint(1);
            out.varint(TAG_TOPIC_ID);
            out.varint(16);
            out.raw(&self.topic_id);
        }
        Ok(())
    }
}
