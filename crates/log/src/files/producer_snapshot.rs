//! The idempotent producers of a `.snapshot`, field by field.
//!
//! ```text
//!  | version i16 = 1 | CRC-32C u32 of what follows | count i32 | count x
//!      { producer id i64 | epoch i16 | last sequence i32 | last offset i64 | offset delta i32 | timestamp i64
//!      | coordinator epoch i32 | first offset of the open transaction i64 (-1: none) } |       46 bytes each
//! ```

use std::io;
use std::path::Path;

use pagewire_disk::{Disk, read_small};

use super::entries::take;

const VERSION: i16 = 1;
const CRC_AT: usize = 2;
const CRC_END: usize = 6;
const HEAD_LEN: usize = 10;
const PRODUCER_LEN: usize = 46;
/// More than the largest table that is ever written.
const FILE_MAX: u64 = 256 << 20;

/// One producer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotProducer {
    /// Producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// Sequence of the last record of its last batch, -1 without one.
    pub last_sequence: i32,
    /// Offset of that record, -1 without one.
    pub last_offset: i64,
    /// Last minus first offset of that batch.
    pub offset_delta: i32,
    /// Largest time of that batch, or of its last marker, ms.
    pub timestamp: i64,
    /// Epoch of the coordinator that wrote its last marker, -1 before any.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction, -1 without one.
    pub current_txn_first_offset: i64,
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotDamage {
    /// The disk said no.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Not even the fields before the producers are there.
    #[error("it has {0} bytes, fewer than a snapshot without producers")]
    Short(usize),
    /// A version that is not known.
    #[error("its version is {0}, not 1")]
    Version(i16),
    /// The checksum does not match.
    #[error("its stored checksum is {stored}, that of its bytes {computed}")]
    Checksum {
        /// As the file has it.
        stored: u32,
        /// Of the bytes.
        computed: u32,
    },
    /// The count and the length disagree.
    #[error("it counts {count} producers and has {bytes} bytes for them")]
    Count {
        /// Producers announced.
        count: i32,
        /// Bytes after the count.
        bytes: usize,
    },
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerSnapshot {
    /// In the file's order.
    pub producers: Vec<SnapshotProducer>,
}

impl ProducerSnapshot {
    /// Reads the file at `path`; `None` if it does not exist.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Self>, SnapshotDamage> {
        read_small(disk, path, FILE_MAX)?.map(|bytes| Self::parse(&bytes)).transpose()
    }

    /// Reads the file's bytes.
    ///
    /// # Errors
    /// Why they cannot be used.
    pub fn parse(bytes: &[u8]) -> Result<Self, SnapshotDamage> {
        let short = || SnapshotDamage::Short(bytes.len());
        let mut rest = bytes;
        let version = take(&mut rest).map(i16::from_be_bytes).ok_or_else(short)?;
        if version != VERSION {
            return Err(SnapshotDamage::Version(version));
        }
        let stored = take(&mut rest).map(u32::from_be_bytes).ok_or_else(short)?;
        let computed = crc32c::crc32c(rest);
        if bytes.len() < HEAD_LEN {
            return Err(short());
        }
        if stored != computed {
            return Err(SnapshotDamage::Checksum { stored, computed });
        }
        let count = take(&mut rest).map(i32::from_be_bytes).ok_or_else(short)?;
        if i64::from(count) * PRODUCER_LEN as i64 != rest.len() as i64 {
            return Err(SnapshotDamage::Count { count, bytes: rest.len() });
        }
        let producers = rest.chunks_exact(PRODUCER_LEN).filter_map(SnapshotProducer::parse).collect();
        Ok(Self { producers })
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_LEN + self.producers.len() * PRODUCER_LEN);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        // A table has a bound far below the largest count.
        let count = i32::try_from(self.producers.len()).unwrap_or(i32::MAX);
        bytes.extend_from_slice(&count.to_be_bytes());
        self.producers.iter().for_each(|producer| producer.put(&mut bytes));
        let crc = crc32c::crc32c(bytes.get(CRC_END..).unwrap_or_default());
        if let Some(place) = bytes.get_mut(CRC_AT..CRC_END) {
            place.copy_from_slice(&crc.to_be_bytes());
        }
        bytes
    }
}

impl SnapshotProducer {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.producer_id.to_be_bytes());
        bytes.extend_from_slice(&self.producer_epoch.to_be_bytes());
        bytes.extend_from_slice(&self.last_sequence.to_be_bytes());
        bytes.extend_from_slice(&self.last_offset.to_be_bytes());
        bytes.extend_from_slice(&self.offset_delta.to_be_bytes());
        bytes.extend_from_slice(&self.timestamp.to_be_bytes());
        bytes.extend_from_slice(&self.coordinator_epoch.to_be_bytes());
        bytes.extend_from_slice(&self.current_txn_first_offset.to_be_bytes());
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut bytes = bytes;
        Some(Self {
            producer_id: i64::from_be_bytes(take(&mut bytes)?),
            producer_epoch: i16::from_be_bytes(take(&mut bytes)?),
            last_sequence: i32::from_be_bytes(take(&mut bytes)?),
            last_offset: i64::from_be_bytes(take(&mut bytes)?),
            offset_delta: i32::from_be_bytes(take(&mut bytes)?),
            timestamp: i64::from_be_bytes(take(&mut bytes)?),
            coordinator_epoch: i32::from_be_bytes(take(&mut bytes)?),
            current_txn_first_offset: i64::from_be_bytes(take(&mut bytes)?),
        })
    }
}
