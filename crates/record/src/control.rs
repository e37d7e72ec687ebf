//! Control records: what a coordinator writes into a log to end a transaction, and readers skip.
//!
//! ```text
//! key   = version i16 (0) | type i16
//! value = version i16 (0) | coordinator epoch i32          (end of a transaction, KIP-98)
//! ```

use bytes::Bytes;

use crate::builder::{BatchBuilder, BuildError};
use crate::compress::Codec;
use crate::header::{NO_SEQUENCE, TimestampType};

/// Version that is written in keys and values.
const VERSION: i16 = 0;

/// Type of a control record. Readers skip numbers they do not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ControlType {
    /// The transaction was aborted.
    Abort,
    /// The transaction was committed.
    Commit,
    /// A number of the cluster metadata log, or of a later time.
    Other(i16),
}

impl ControlType {
    /// The number in the key.
    pub const fn id(self) -> i16 {
        match self {
            Self::Abort => 0,
            Self::Commit => 1,
            Self::Other(id) => id,
        }
    }

    /// Reads a control record's key; `None` when it is too short or of a version below 0. Versions above the known
    /// one only add fields, so their type is still read.
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (version, rest) = key.split_first_chunk()?;
        let id = i16::from_be_bytes(*rest.first_chunk()?);
        (i16::from_be_bytes(*version) >= 0).then_some(match id {
            0 => Self::Abort,
            1 => Self::Commit,
            other => Self::Other(other),
        })
    }

    /// Writes a control record's key.
    pub fn to_key(self) -> [u8; 4] {
        let [a, b] = VERSION.to_be_bytes();
        let [c, d] = self.id().to_be_bytes();
        [a, b, c, d]
    }
}

/// The end of a transaction, as its marker's value says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndTxnMarker {
    /// Committed or aborted.
    pub control_type: ControlType,
    /// Epoch of the coordinator that wrote the marker, against zombies.
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// Reads key and value of a control record; `None` unless it is a well-formed end of a transaction.
    pub fn from_record(key: &[u8], value: &[u8]) -> Option<Self> {
        let control_type = ControlType::from_key(key)?;
        if !matches!(control_type, ControlType::Abort | ControlType::Commit) {
            return None;
        }
        let (version, rest) = value.split_first_chunk()?;
        let coordinator_epoch = i32::from_be_bytes(*rest.first_chunk()?);
        (i16::from_be_bytes(*version) >= 0).then_some(Self { control_type, coordinator_epoch })
    }
}

/// The batch that ends a transaction: one uncompressed control record without a sequence number.
///
/// # Errors
/// Never in practice; the signature is the builder's.
pub fn control_batch(
    marker: EndTxnMarker,
    producer_id: i64,
    producer_epoch: i16,
    timestamp: i64,
) -> Result<Bytes, BuildError> {
    control_batch_of(TimestampType::CreateTime, marker, producer_id, producer_epoch, timestamp)
}

/// As [`control_batch`], in a log whose records have times of this type.
///
/// # Errors
/// Never in practice; the signature is the builder's.
pub fn control_batch_of(
    timestamp_type: TimestampType,
    marker: EndTxnMarker,
    producer_id: i64,
    producer_epoch: i16,
    timestamp: i64,
) -> Result<Bytes, BuildError> {
    let mut value = [0; 6];
    value[2..].copy_from_slice(&marker.coordinator_epoch.to_be_bytes());
    let mut builder = BatchBuilder::new(Codec::None)
        .producer(producer_id, producer_epoch, NO_SEQUENCE)
        .transactional()
        .control();
    if timestamp_type == TimestampType::LogAppendTime {
        builder = builder.log_append_time(timestamp);
    }
    let key = marker.control_type.to_key();
    builder.append(timestamp, Some(&key), Some(&value), &[])?;
    builder.build()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::complete_batches;
    use crate::compress::DecompressLimits;

    #[test]
    fn a_marker_in_a_log_of_append_times_has_such_a_time() {
        let marker = EndTxnMarker { control_type: ControlType::Commit, coordinator_epoch: 1 };
        let bytes = control_batch_of(TimestampType::LogAppendTime, marker, 9, 3, 1000).unwrap();
        let batch = complete_batches(&bytes).next().unwrap().unwrap();
        batch.verify_crc().unwrap();
        assert_eq!((batch.header.attributes, batch.header.max_timestamp), (0b11_1000, 1000));
    }

    #[test]
    fn a_marker_comes_back_from_its_batch() {
        for control_type in [ControlType::Abort, ControlType::Commit] {
            let marker = EndTxnMarker { control_type, coordinator_epoch: 42 };
            let bytes = control_batch(marker, 9, 3, 1000).unwrap();
            let batch = complete_batches(&bytes).next().unwrap().unwrap();
            batch.verify_crc().unwrap();
            assert!(batch.header.is_control() && batch.header.is_transactional());
            assert_eq!((batch.header.producer_id, batch.header.producer_epoch), (9, 3));
            assert_eq!((batch.header.base_sequence, batch.header.last_sequence()), (-1, -1));
            let record = batch.records(&DecompressLimits::default()).unwrap().next().unwrap().unwrap();
            let read = EndTxnMarker::from_record(&record.key.unwrap(), &record.value.unwrap());
            assert_eq!(read, Some(marker));
        }
    }

    #[test]
    fn short_and_foreign_control_records_are_no_markers() {
        assert_eq!(ControlType::from_key(&[0, 0, 0]), None);
        assert_eq!(ControlType::from_key(&[0xff, 0xff, 0, 1]), None);
        assert_eq!(ControlType::from_key(&[0, 0, 0, 2]), Some(ControlType::Other(2)));
        assert_eq!(EndTxnMarker::from_record(&[0, 0, 0, 2], &[0; 6]), None);
        assert_eq!(EndTxnMarker::from_record(&[0, 0, 0, 1], &[0; 5]), None);
    }
}
