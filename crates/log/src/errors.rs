//! What can go wrong, one narrow enum per operation. Each variant says what its caller does next.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::online::{anew, online};
use crate::sick::is_shortage;

/// Opening a log failed. The partition cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The disk said no.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// Several log directories have the partition.
    #[error(
        "it is in {} at once, and which of them is right cannot be told: nothing in them was changed; stop the broker, \
         take the wrong one out of its log directory and start again",
        listed(paths)
    )]
    Twice {
        /// Its directories.
        paths: Vec<PathBuf>,
    },
    /// It is to be served from a copy that has not the name of a log yet.
    #[error(
        "it has left another log directory for {}, and is not served from there yet: {} serves it when the cause is gone, or a restart",
        path.display(),
        online(path.parent().unwrap_or(path), home)
    )]
    Copied {
        /// Where it will be.
        path: PathBuf,
        /// The broker's first log directory.
        home: PathBuf,
    },
    /// Its directory was removed.
    #[error("{}", gone(path, home, stray.as_deref()))]
    Gone {
        /// Where it was.
        path: PathBuf,
        /// The broker's first log directory.
        home: PathBuf,
        /// What lies beside it under its name and `-stray`: set aside, as it names the id of another topic, or renamed.
        stray: Option<PathBuf>,
    },
}

fn gone(path: &Path, home: &Path, stray: Option<&Path>) -> String {
    let dir = path.parent().unwrap_or(path);
    let (online, anew) = (online(dir, home), anew(dir, home));
    let Some(stray) = stray else {
        return format!(
            "{} is gone, and with it what records were in it: put it back and run {online}, or start again. If it is lost for good, \
             {anew} makes the partition anew, empty",
            path.display()
        );
    };
    format!(
        "{} is gone, and {} lies there: set aside, as its partition.metadata names the id of another topic, or renamed by somebody. If \
         its records are this partition's, remove partition.metadata in it, give it its name back and run {online}, or start again. \
         If not, and the partition's own are lost for good, {anew} makes it anew, empty",
        path.display(),
        stray.display()
    )
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(" and ")
}

impl LogError {
    pub(crate) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io { path, error }
    }
}

/// A log that takes no more writes, and why. Reads go on as long as the disk answers them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("log is offline for writes: {reason}")]
pub struct Offline {
    /// The first failure, in words.
    pub reason: Arc<str>,
    /// What kind of failure it was (`StorageFull`, ...).
    pub kind: io::ErrorKind,
}

/// An append that changed nothing.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The sequence does not follow the producer's last one: OUT_OF_ORDER_SEQUENCE_NUMBER.
    #[error("producer {producer_id}: sequence {got} does not follow {last}")]
    OutOfOrderSequence {
        /// The producer.
        producer_id: i64,
        /// First sequence of the batch.
        got: i32,
        /// Last sequence known, -1 if none in this epoch.
        last: i32,
    },
    /// The producer was fenced by a newer epoch: INVALID_PRODUCER_EPOCH.
    #[error("producer {producer_id}: epoch {got} is older than {current}")]
    InvalidProducerEpoch {
        /// The producer.
        producer_id: i64,
        /// Epoch of the batch.
        got: i16,
        /// Epoch known.
        current: i16,
    },
    /// A batch outside the producer's open transaction: INVALID_TXN_STATE.
    #[error("producer {producer_id} has an open transaction")]
    InvalidTxnState {
        /// The producer.
        producer_id: i64,
    },
    /// A batch that would begin a transaction that the coordinator was not asked about, or that has ended since:
    /// INVALID_TXN_STATE.
    #[error("producer {producer_id}: its transaction is not known to have this partition")]
    NotInTransaction {
        /// The producer.
        producer_id: i64,
    },
    /// A marker that is late: its transaction was ended, and another one is under way: INVALID_PRODUCER_EPOCH.
    #[error("producer {producer_id}: a marker of epoch {got} ends no transaction of epoch {current}")]
    LateMarker {
        /// The producer.
        producer_id: i64,
        /// Epoch of the marker.
        got: i16,
        /// Epoch known.
        current: i16,
    },
    /// A marker of a coordinator that was replaced: TRANSACTION_COORDINATOR_FENCED.
    #[error("producer {producer_id}: coordinator epoch {got} is older than {current}")]
    CoordinatorFenced {
        /// The producer.
        producer_id: i64,
        /// Epoch in the marker.
        got: i32,
        /// Epoch known.
        current: i32,
    },
    /// As many transactions are open in the partition as it remembers producers; it may be tried again when some have
    /// ended: THROTTLING_QUOTA_EXCEEDED.
    #[error("{max} transactions are open in the partition")]
    TooManyTransactions {
        /// How many may be.
        max: usize,
    },
    /// Longer than a whole segment may be: RECORD_LIST_TOO_LARGE.
    #[error("{bytes} bytes do not fit a segment of {segment_bytes}")]
    TooLarge {
        /// Length of the batches.
        bytes: u64,
        /// `segment.bytes`.
        segment_bytes: u32,
    },
    /// Not whole v2 batches with room for their offsets; the caller checked nothing: CORRUPT_MESSAGE.
    #[error("not whole record batches: {0}")]
    Malformed(&'static str),
    /// A write failed and was undone; the log is as it was and takes further appends. Storage is full
    /// (`ErrorKind::StorageFull`) or failing: KAFKA_STORAGE_ERROR.
    #[error("write failed: {0}")]
    Write(io::Error),
    /// The partition is about to be served from another log directory, or is by now: who can wait does until it is known where it
    /// is, who cannot is told NOT_LEADER_OR_FOLLOWER.
    #[error("the partition moves to another log directory")]
    Moving,
    /// The log takes no writes any more: KAFKA_STORAGE_ERROR.
    #[error(transparent)]
    Offline(#[from] Offline),
}

/// A read that returned nothing.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// Below the log start or above the log end: OFFSET_OUT_OF_RANGE.
    #[error("offset {offset} is outside {log_start}..={log_end}")]
    OffsetOutOfRange {
        /// What was asked.
        offset: i64,
        /// First readable offset.
        log_start: i64,
        /// End of the log.
        log_end: i64,
    },
    /// Bytes of a segment are not a record batch: CORRUPT_MESSAGE. Other segments may still be readable.
    #[error("{}: no record batch at position {position}", file.display())]
    Corrupt {
        /// The segment file.
        file: PathBuf,
        /// Where in it.
        position: u64,
    },
    /// Records that are known not to be what was written, or not to be there: CORRUPT_MESSAGE. What lies before and behind
    /// them is readable.
    #[error("{}: the records at offset {offset} are damaged or missing, position {position}; good ones begin at {next_offset}", file.display())]
    Damaged {
        /// The segment file.
        file: PathBuf,
        /// Where the damage begins.
        position: u64,
        /// What was asked, or where the damage begins if that is behind it.
        offset: i64,
        /// The first offset behind the damage.
        next_offset: i64,
    },
    /// Committed records were asked for where it is not known which are: CORRUPT_MESSAGE. Readers of everything get them.
    #[error(
        "{}: whether the records from offset {offset} to {} are committed is not known, for what ended their transactions is lost; \
         others are readable from {next_offset} on",
        dir.display(),
        next_offset - 1
    )]
    Undecided {
        /// The log's directory.
        dir: PathBuf,
        /// What was asked.
        offset: i64,
        /// The first offset behind.
        next_offset: i64,
    },
    /// The disk said no: KAFKA_STORAGE_ERROR.
    #[error("read failed: {0}")]
    Io(#[from] io::Error),
}

impl ReadError {
    /// No descriptor or memory was left: that says nothing of the disk, and passes.
    pub fn is_shortage(&self) -> bool {
        matches!(self, Self::Io(error) if is_shortage(error))
    }
}

/// For those to whom all that keeps bytes from being read is the same.
impl From<ReadError> for io::Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Io(error) => error,
            other => Self::new(io::ErrorKind::InvalidData, other),
        }
    }
}

/// DeleteRecords refused.
#[derive(Debug, thiserror::Error)]
pub enum DeleteRecordsError {
    /// Above the high watermark (or negative): OFFSET_OUT_OF_RANGE.
    #[error("offset {offset} is above the high watermark {high_watermark}")]
    OffsetOutOfRange {
        /// What was asked.
        offset: i64,
        /// Where the log can be cut at most.
        high_watermark: i64,
    },
    /// The log takes no writes any more: KAFKA_STORAGE_ERROR.
    #[error(transparent)]
    Offline(#[from] Offline),
}
