//! A record of `__transaction_state`: what is known of one transactional id, in Kafka's format.
//!
//! ```text
//!   key    i16 0 │ transactional id string
//!   value  i16 0 or 1 │ producer id i64 │ epoch i16 │ timeout ms i32 │ state i8 │ partitions │ updated i64 │ begun i64 │ tags (v1)
//!          partitions: [ topic string │ [ i32 ] ], null for an empty transactional id        null: a tombstone
//!          tags: 0 the producer id before i64 │ 1 the next one i64 │ 2 the client's version of transactions i16
//!                3 the next epoch i16
//! ```
//!
//! Version 1 has compact lengths; it is written from `transaction.version` 1 on, as Kafka does. A value that is decoded and
//! encoded keeps its version, and its topics their order. Hostile bytes are errors, nothing is allocated from a claimed count.

use std::sync::Arc;

use bytes::Bytes;
use pagewire_record::fields::{FieldError, Fields, Width};

use super::state::TxnState;
use crate::records::EncodeError;
use crate::records::bytes_out::Writer;

/// No producer.
pub const NO_PRODUCER_ID: i64 = -1;
/// No epoch.
pub const NO_PRODUCER_EPOCH: i16 = -1;
/// The newest version of values.
pub(crate) const VALUE_VERSION: i16 = 1;

const KEY_TRANSACTION: i16 = 0;
/// The longest string, however its length is written.
const NAME_BYTES_MAX: usize = i16::MAX as usize;
const TAG_PREVIOUS_ID: u32 = 0;
const TAG_NEXT_ID: u32 = 1;
const TAG_CLIENT_VERSION: u32 = 2;
const TAG_NEXT_EPOCH: u32 = 3;

/// Why bytes are not a record of a transactional id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TxnDecodeError {
    /// They are not the fields of one.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A value of a version that is not known.
    #[error("value version {0} is not known")]
    Version(i16),
    /// A state that is not known.
    #[error("transaction state {0} is not known")]
    State(i8),
}

/// What a key and a value mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TxnDecoded {
    /// A transactional id.
    Record(TxnRecord),
    /// A record of another kind.
    Skipped {
        /// The type in its key.
        key_type: i16,
    },
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnRecord {
    /// Whose.
    pub transactional_id: Arc<str>,
    /// None deletes it.
    pub value: Option<TxnValue>,
}

/// Partitions of one topic that take part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnTopic {
    /// Its name.
    pub topic: Arc<str>,
    /// Their numbers.
    pub partitions: Vec<i32>,
}

/// What is known of a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnValue {
    /// The version of the value: 0 has no tags.
    pub version: i16,
    /// The producer id in use.
    pub producer_id: i64,
    /// The one in use before this record was written; mostly the same. -1 if unknown.
    pub previous_producer_id: i64,
    /// The one that follows when the transaction is over, because the epochs of this one are used up; else -1.
    pub next_producer_id: i64,
    /// The epoch in use.
    pub producer_epoch: i16,
    /// Epoch of the next producer id; else -1. Kafka 4.3 does not write it.
    pub next_producer_epoch: i16,
    /// How long a transaction may be open.
    pub timeout_ms: i32,
    /// Where it stands.
    pub state: TxnState,
    /// Who takes part; none for null.
    pub topics: Option<Vec<TxnTopic>>,
    /// When this was written.
    pub updated_ms: i64,
    /// When the transaction began; -1 before the first.
    pub started_ms: i64,
    /// `transaction.version` of the client that began or ended the transaction.
    pub client_version: i16,
}

impl TxnRecord {
    /// Reads a record of the log.
    ///
    /// # Errors
    /// The bytes break off, a length is negative or larger than what is left, or a version or state is not known.
    pub fn decode(key: &[u8], value: Option<&[u8]>) -> Result<TxnDecoded, TxnDecodeError> {
        let mut key = Fields::new(key);
        let key_type = key.i16()?;
        if key_type != KEY_TRANSACTION {
            return Ok(TxnDecoded::Skipped { key_type });
        }
        let transactional_id = Arc::from(key.text(Width::Short)?.ok_or(FieldError::Length)?);
        let value = value.map(TxnValue::decode).transpose()?;
        Ok(TxnDecoded::Record(Self { transactional_id, value }))
    }

    /// The key as bytes.
    ///
    /// # Errors
    /// The id is longer than the format can hold.
    pub fn encode_key(&self) -> Result<Bytes, EncodeError> {
        let mut out = Writer::default();
        out.i16(KEY_TRANSACTION);
        out.string(&self.transactional_id)?;
        Ok(out.done())
    }

    /// The value as bytes; none for a tombstone.
    ///
    /// # Errors
    /// As [`TxnValue::encode`].
    pub fn encode_value(&self) -> Result<Option<Bytes>, EncodeError> {
        self.value.as_ref().map(TxnValue::encode).transpose()
    }
}

impl TxnValue {
    /// The highest producer id that it names.
    pub fn highest_producer_id(&self) -> i64 {
        self.producer_id.max(self.previous_producer_id).max(self.next_producer_id)
    }

    /// Reads a value.
    ///
    /// # Errors
    /// As [`TxnRecord::decode`].
    pub fn decode(value: &[u8]) -> Result<Self, TxnDecodeError> {
        let mut fields = Fields::new(value);
        let version = fields.i16()?;
        if !(0..=VALUE_VERSION).contains(&version) {
            return Err(TxnDecodeError::Version(version));
        }
        let (producer_id, producer_epoch, timeout_ms) = (fields.i64()?, fields.i16()?, fields.i32()?);
        let state = fields.i8()?;
        let mut decoded = Self {
            version,
            producer_id,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            producer_epoch,
            next_producer_epoch: NO_PRODUCER_EPOCH,
            timeout_ms,
            state: TxnState::of(state).ok_or(TxnDecodeError::State(state))?,
            topics: topics(&mut fields, version > 0)?,
            updated_ms: fields.i64()?,
            started_ms: fields.i64()?,
            client_version: 0,
        };
        if version > 0 {
            fields.tagged(|tag, field| {
                match tag {
                    TAG_PREVIOUS_ID => decoded.previous_producer_id = field.i64()?,
                    TAG_NEXT_ID => decoded.next_producer_id = field.i64()?,
                    TAG_CLIENT_VERSION => decoded.client_version = field.i16()?,
                    TAG_NEXT_EPOCH => decoded.next_producer_epoch = field.i16()?,
                    _ => {}
                }
                Ok(())
            })?;
        }
        Ok(decoded)
    }

    /// The value as bytes.
    ///
    /// # Errors
    /// A name or a list is longer than the format can hold.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let (mut out, flexible) = (Writer::default(), self.version > 0);
        out.i16(self.version);
        out.i64(self.producer_id);
        out.i16(self.producer_epoch);
        out.i32(self.timeout_ms);
        out.raw(&(self.state as i8).to_be_bytes());
        write_count(&mut out, self.topics.as_ref().map(Vec::len), flexible)?;
        for topic in self.topics.iter().flatten() {
            topic.write(&mut out, flexible)?;
        }
        out.i64(self.updated_ms);
        out.i64(self.started_ms);
        if flexible {
            self.write_tags(&mut out);
        }
        Ok(out.done())
    }

    /// Those that are not as they are by themselves, in the order of their tags.
    fn write_tags(&self, out: &mut Writer) {
        let ids = [(TAG_PREVIOUS_ID, self.previous_producer_id), (TAG_NEXT_ID, self.next_producer_id)];
        let ids = ids.into_iter().filter(|(_, id)| *id != NO_PRODUCER_ID);
        let shorts = [
            (TAG_CLIENT_VERSION, self.client_version, 0),
            (TAG_NEXT_EPOCH, self.next_producer_epoch, NO_PRODUCER_EPOCH),
        ];
        let shorts = shorts.into_iter().filter(|(_, value, usual)| value != usual);
        out.varint((ids.clone().count() + shorts.clone().count()) as u32);
        for (tag, id) in ids {
            out.varint(tag);
            out.varint(size_of::<i64>() as u32);
            out.i64(id);
        }
        for (tag, value, _) in shorts {
            out.varint(tag);
            out.varint(size_of::<i16>() as u32);
            out.i16(value);
        }
    }
}

impl TxnTopic {
    fn write(&self, out: &mut Writer, flexible: bool) -> Result<(), EncodeError> {
        if flexible {
            out.compact_string(&self.topic)?;
        } else {
            out.string(&self.topic)?;
        }
        write_count(out, Some(self.partitions.len()), flexible)?;
        for partition in &self.partitions {
            out.i32(*partition);
        }
        if flexible {
            out.varint(0);
        }
        Ok(())
    }
}

fn topics(fields: &mut Fields<'_>, flexible: bool) -> Result<Option<Vec<TxnTopic>>, FieldError> {
    let (name, list) = if flexible { (Width::Compact, Width::Compact) } else { (Width::Short, Width::Int) };
    let Some(count) = fields.length(list)? else { return Ok(None) };
    let mut topics = Vec::new();
    for _ in 0..count {
        let topic = fields.text(name)?.filter(|text| text.len() <= NAME_BYTES_MAX);
        let topic = Arc::from(topic.ok_or(FieldError::Length)?);
        let mut partitions = Vec::new();
        for _ in 0..fields.length(list)?.ok_or(FieldError::Length)? {
            partitions.push(fields.i32()?);
        }
        if flexible {
            fields.tagged(|_, _| Ok(()))?;
        }
        topics.push(TxnTopic { topic, partitions });
    }
    Ok(Some(topics))
}

/// The count of an array; none for null.
fn write_count(out: &mut Writer, count: Option<usize>, flexible: bool) -> Result<(), EncodeError> {
    let count = count.map(|count| i32::try_from(count).map_err(|_| EncodeError::TooLong(count)));
    let count = count.transpose()?;
    if flexible {
        out.varint(count.map_or(0, |count| count as u32 + 1));
    } else {
        out.i32(count.unwrap_or(-1));
    }
    Ok(())
}
