//! Reads a partition of `__consumer_offsets` from its start into a fresh machine. Blocks; runs on the I/O pool.
//!
//! What cannot be understood of groups is named as an error and passed over, a record or a whole batch: it must not take all
//! groups of its partition away. Only where it is not known where the next batch begins is the log not loaded. Transactional
//! commits wait for their marker, as they do while the shard runs.

use std::io;

use bytes::Bytes;
use pagewire_coordinate::{Settings, Shard as Machine, txn::TxnDecodeError};
use pagewire_log::{Log, ReadError, ReadUpTo};
use pagewire_record::{
    BatchError, ControlType, DecompressLimits, EndTxnMarker, RecordsError, SharedBatch, complete_batches,
};
use pagewire_zcopy::FileRange;
use tracing::{debug, error};

/// How much of the log is read at a time; a longer batch is read whole.
const READ_BYTES: u32 = 1 << 20;

/// Why a partition could not be loaded.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A segment cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Records are damaged, and nothing may be decided without them.
    #[error("offsets {first} to {last}: {error}")]
    Records { first: i64, last: i64, error: Unreadable },
    /// What became of a transactional id is not known.
    #[error("offset {offset}: {error}")]
    Transaction { offset: i64, error: TxnDecodeError },
    /// What lies here is no batch, and where the next one begins nobody knows.
    #[error("offset {offset}: {error}")]
    Batch { offset: i64, error: BatchError },
}

/// Why a batch is passed over, or the rest of it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Batch(#[from] BatchError),
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// The machine with everything the log says.
pub(super) fn load(log: &Log, settings: Settings, now_ms: i64) -> Result<Machine, LoadError> {
    let mut machine = Machine::new(settings);
    let records = each_batch(log, Harm::IsPassedOver, |batch| replay(&mut machine, batch, now_ms))?;
    if records > 0 {
        debug!(
            topic = &**log.topic(),
            partition = log.partition(),
            groups = machine.group_count(),
            offsets = machine.offset_count(),
            records,
            "groups loaded"
        );
    }
    Ok(machine)
}

/// What becomes of loading where records are damaged or missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Harm {
    /// They are named and passed over.
    IsPassedOver,
    /// Nothing is loaded.
    EndsIt,
}

/// Goes through all batches of a coordinator's log. `harm`: of those that cannot be read, or that `take` cannot take. Says how
/// many offsets there were.
pub(super) fn each_batch(
    log: &Log,
    harm: Harm,
    mut take: impl FnMut(&SharedBatch) -> Result<(), Unreadable>,
) -> Result<i64, LoadError> {
    let mut offset = log.marks().log_start;
    let start = offset;
    while let Some(range) = read(log, harm, &mut offset)? {
        let bytes = Bytes::from(range.read_to_vec()?);
        let before = offset;
        for batch in complete_batches(&bytes) {
            let batch = batch.map_err(|error| LoadError::Batch { offset, error })?;
            if let Err(error) = take(&batch) {
                let (first, last) = (batch.header.base_offset, batch.header.last_offset());
                if harm == Harm::EndsIt {
                    return Err(LoadError::Records { first, last, error });
                }
                let (topic, partition) = (&**log.topic(), log.partition());
                error!(topic, partition, first, last, %error, "records cannot be read and are passed over");
            }
            offset = batch.header.next_offset();
        }
        if offset <= before {
            break;
        }
    }
    Ok(offset - start)
}

/// The records from `offset` on; it is moved past those that are known to be damaged or missing, if they are passed over.
fn read(log: &Log, harm: Harm, offset: &mut i64) -> Result<Option<FileRange>, ReadError> {
    loop {
        match log.read(*offset, READ_BYTES, ReadUpTo::LogEnd, true) {
            Ok(slice) => return Ok(slice.range),
            Err(damage @ ReadError::Damaged { next_offset, .. })
                if next_offset > *offset && harm == Harm::IsPassedOver =>
            {
                error!(topic = &**log.topic(), partition = log.partition(), %damage, "records are passed over");
                *offset = next_offset;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Takes over one batch, as far as it can be read.
fn replay(machine: &mut Machine, batch: &SharedBatch, now_ms: i64) -> Result<(), Unreadable> {
    let header = &batch.header;
    let producer_id = header.producer_id;
    batch.verify_crc()?;
    let records = batch.records(&DecompressLimits::default())?;
    for record in records {
        let record = record?;
        let Some(key) = record.key else { continue };
        if header.is_control() {
            let value = record.value.as_deref().unwrap_or_default();
            if let Some(marker) = EndTxnMarker::from_record(&key, value) {
                machine.end_transaction(producer_id, marker.control_type == ControlType::Commit, now_ms);
            }
            continue;
        }
        let value = record.value.as_deref();
        let taken = if header.is_transactional() {
            machine.replay_in_txn(producer_id, &key, value, now_ms)
        } else {
            machine.replay(&key, value, now_ms)
        };
        if let Err(error) = taken {
            let offset = record.offset;
            error!(offset, %error, "a group record cannot be understood and is passed over");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use pagewire_coordinate::{ANY_ID, OffsetKey, OffsetValue, Record};
    use pagewire_disk::{Call, Disk, Errno, FailingDisk, MemoryDisk, OpenMode, When};
    use pagewire_log::{AppendContext, OpenOptions, Origin};
    use pagewire_record::{BatchBuilder, Codec, control_batch};

    use super::*;

    const DIR: &str = "/d/__consumer_offsets-0";

    fn empty_log() -> Log {
        log_on(Arc::new(MemoryDisk::new()))
    }

    fn log_on(disk: Arc<dyn Disk>) -> Log {
        Log::open(disk, Path::new(DIR), "__consumer_offsets", 0, OpenOptions::default()).unwrap().0
    }

    fn append(log: &Log, batch: Bytes) {
        log.append(batch, AppendContext { leader_epoch: 0, origin: Origin::Coordinator, now_ms: 0 }).unwrap();
    }

    fn commit(partition: i32, offset: i64) -> (Bytes, Bytes) {
        let record = Record::Offset {
            key: OffsetKey { group_id: "g".into(), topic: "t".into(), partition },
            value: Some(OffsetValue {
                offset,
                leader_epoch: -1,
                metadata: "".into(),
                commit_ms: 0,
                expire_ms: None,
                topic_id: ANY_ID,
            }),
        };
        (record.encode_key().unwrap(), record.encode_value().unwrap().unwrap())
    }

    fn committed(log: &Log) -> Vec<i64> {
        let machine = load(log, Settings::default(), 0).unwrap();
        let fetched = machine.fetch_offsets("g", &Arc::from("t"), ANY_ID, &[0, 1, 2], false);
        fetched.partitions.iter().map(|one| one.offset).collect()
    }

    #[test]
    fn the_last_record_of_a_key_counts_and_strange_ones_are_passed_over() {
        let log = empty_log();
        for offset in 1..=3 {
            let (key, value) = commit(0, offset);
            let mut batch = BatchBuilder::new(Codec::Zstd);
            batch.append(0, Some(b"\xff"), Some(b"no such kind"), &[]).unwrap();
            batch.append(0, None, Some(b"no key"), &[]).unwrap();
            batch.append(0, Some(&key), Some(&value), &[]).unwrap();
            batch.append(0, Some(b"\0\x01\0\x01g"), Some(b"cut"), &[]).unwrap();
            batch.append(0, Some(b"\0\x05\0\x01g\0\x01m"), Some(b"\0\0"), &[]).unwrap();
            append(&log, batch.build().unwrap());
        }
        assert_eq!(committed(&log), [3, -1, -1]);
    }

    /// Three commits, one batch each; the byte at `at` of the second is another.
    fn second_damaged(at: u64) -> Log {
        let disk = Arc::new(MemoryDisk::new());
        let log = log_on(Arc::clone(&disk) as Arc<dyn Disk>);
        let mut second = 0;
        for partition in 0..3 {
            if partition == 1 {
                second = log.size_bytes();
            }
            let (key, value) = commit(partition, 5);
            let mut batch = BatchBuilder::new(Codec::None);
            batch.append(0, Some(&key), Some(&value), &[]).unwrap();
            append(&log, batch.build().unwrap());
        }
        let segment = Path::new(DIR).join(format!("{:020}.log", 0));
        let file = disk.open(&segment, OpenMode::ReadWrite).unwrap();
        let mut byte = [0];
        file.read_exact_at(second + at, &mut byte).unwrap();
        file.write_at(second + at, &[byte[0] ^ 0x40]).unwrap();
        log
    }

    #[test]
    fn a_corrupt_batch_does_not_take_the_others_away() {
        for at in [17, 40, 61, 80] {
            assert_eq!(committed(&second_damaged(at)), [5, -1, 5], "byte {at}");
        }
    }

    /// Castagnoli's, a bit at a time.
    fn crc32c(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ ((crc & 1) * 0x82F6_3B78))
        })
    }

    #[test]
    fn a_batch_whose_records_do_not_unpack_does_not_take_the_others_away() {
        let log = empty_log();
        for partition in 0..3 {
            let (key, value) = commit(partition, 5);
            let mut batch = BatchBuilder::new(Codec::None);
            batch.append(0, Some(&key), Some(&value), &[]).unwrap();
            let mut bytes = batch.build().unwrap().to_vec();
            if partition == 1 {
                // Says that it is compressed, with the right checksum.
                bytes[22] |= 1;
                let crc = crc32c(&bytes[21..]);
                bytes[17..21].copy_from_slice(&crc.to_be_bytes());
            }
            append(&log, bytes.into());
        }
        assert_eq!(committed(&log), [5, -1, 5]);
    }

    #[test]
    fn where_no_batch_begins_nothing_is_guessed() {
        // The magic number: what follows cannot be found.
        let log = second_damaged(16);
        assert!(matches!(load(&log, Settings::default(), 0), Err(LoadError::Batch { offset: 1, .. })));
    }

    #[test]
    fn a_log_that_cannot_be_read_for_a_while_is_loaded_afterwards() {
        let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
        let log = log_on(Arc::new(disk.clone()));
        for partition in 0..2 {
            let (key, value) = commit(partition, 5);
            let mut batch = BatchBuilder::new(Codec::None);
            batch.append(0, Some(&key), Some(&value), &[]).unwrap();
            append(&log, batch.build().unwrap());
        }
        disk.fail(Call::Read, When::Always, Errno::IO);
        assert!(matches!(load(&log, Settings::default(), 0), Err(LoadError::Read(_))));
        disk.heal();
        assert_eq!(committed(&log), [5, 5, -1]);
    }

    #[test]
    fn transactional_commits_count_from_their_marker_on() {
        let log = empty_log();
        for (partition, producer_id) in [(0, 7), (1, 8), (2, 9)] {
            let (key, value) = commit(partition, 5);
            let mut batch = BatchBuilder::new(Codec::None).producer(producer_id, 0, -1).transactional();
            batch.append(0, Some(&key), Some(&value), &[]).unwrap();
            append(&log, batch.build().unwrap());
        }
        for (producer_id, control_type) in [(7, ControlType::Commit), (8, ControlType::Abort)] {
            let marker = EndTxnMarker { control_type, coordinator_epoch: 0 };
            append(&log, control_batch(marker, producer_id, 0, 0).unwrap());
        }
        assert_eq!(committed(&log), [5, -1, -1]);
    }
}
