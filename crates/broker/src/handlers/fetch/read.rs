//! From positions to file ranges, within the limits of the request.
//!
//! KIP-74: partitions are served in the order asked for. As long as nothing was found, the first partition with data
//! gives at least one whole batch, however large; after that the limits are strict and a partition that does not fit
//! answers with no records and no error.

use std::sync::Arc;

use pagewire_log::{AbortedTxn, ReadError, ReadSlice, ReadUpTo, TryRead};
use pagewire_wire::{ErrorCode, messages::fetch_request::FetchRequest};
use pagewire_zcopy::FileRange;

use super::wanted::Wanted;
use crate::{
    clock::now_ms,
    cluster::{Image, PartitionEntry},
    config::BrokerConfig,
    lanes::Lane,
    partition::{Partition, epoch_error},
};

/// What bounds one answer.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    /// Fewer are waited for; more than `max_bytes` can never be.
    pub(super) min_bytes: u64,
    max_bytes: u32,
    up_to: ReadUpTo,
    committed_only: bool,
    /// Partitions that may answer with records. The others have to wait until the client asks again.
    ranges_max: usize,
}

/// Partitions with records in one answer: each holds a file open until it is read.
const RANGES_MAX: usize = 512;

impl Limits {
    /// `files_left`: so many ranges may all unsent answers still refer to.
    pub(super) fn of(request: &FetchRequest, version: i16, config: &BrokerConfig, files_left: usize) -> Self {
        // Version 4 and up: 1 is READ_COMMITTED.
        let committed_only = version >= 4 && request.isolation_level == 1;
        let asked = u32::try_from(request.max_bytes).unwrap_or(0);
        let max_bytes = asked.min(config.fetch_max_bytes);
        Self {
            min_bytes: u64::from(u32::try_from(request.min_bytes).unwrap_or(0).min(max_bytes)),
            max_bytes,
            up_to: if committed_only { ReadUpTo::LastStable } else { ReadUpTo::HighWatermark },
            committed_only,
            ranges_max: files_left.clamp(1, RANGES_MAX),
        }
    }
}

/// What becomes of a partition whose lookup would have to wait for the disk.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cold<'l> {
    /// It is left out: it answers with no records, and the round is marked.
    LeaveOut,
    /// It waits if it is of this directory, on a thread of that; else it is left out.
    AwaitIn(&'l Lane),
}

impl Cold<'_> {
    /// `None`: it would have to wait.
    fn read(
        self,
        partition: &Partition,
        offset: i64,
        max_bytes: u32,
        up_to: ReadUpTo,
        first: bool,
    ) -> Result<Option<ReadSlice>, ReadError> {
        let log = &partition.log;
        match self {
            Self::AwaitIn(lane) if partition.is_in(lane) => {
                log.read(offset, max_bytes, up_to, first).map(Some)
            }
            Self::AwaitIn(_) | Self::LeaveOut => {
                log.try_read(offset, max_bytes, up_to, first).map(|tried| match tried {
                    TryRead::Slice(slice) => Some(slice),
                    TryRead::WouldBlock => None,
                })
            }
        }
    }
}

/// The answers of one round over all partitions.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) partitions: Vec<Answer>,
    /// Record bytes found.
    pub(super) bytes: u64,
    /// Partitions they were found in.
    pub(super) ranges: usize,
    /// Something must be said now, however few bytes: an error, a diverging epoch, records of a segment that will not
    /// grow, or as many ranges as an answer may have.
    pub(super) urgent: bool,
    /// A partition was left out because its lookup would have to wait for the disk of this directory.
    pub(super) cold: Option<Arc<Lane>>,
    /// A partition was left out because its log has left its directory, and is not shown yet where it is.
    pub(super) moved: bool,
    /// READ_COMMITTED: the client wants the list of aborted transactions, be it empty.
    pub(super) committed_only: bool,
}

/// One partition's answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) error: ErrorCode,
    pub(super) high_watermark: i64,
    pub(super) last_stable_offset: i64,
    pub(super) log_start_offset: i64,
    pub(super) records: Option<FileRange>,
    /// READ_COMMITTED: whose records in the range to leave out, from which offset on.
    pub(super) aborted: Vec<AbortedTxn>,
    /// KIP-320: the largest epoch the log knows at or below the client's last one, and where it ends.
    pub(super) diverging: Option<(i32, i64)>,
    /// KIP-951: the leader to ask instead, with the errors that mean "not here".
    pub(super) leader: Option<(i32, i32)>,
}

impl Answer {
    fn failed(error: ErrorCode) -> Self {
        Self {
            error,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            records: None,
            aborted: Vec::new(),
            diverging: None,
            leader: None,
        }
    }

    fn at(partition: &Partition, records: Option<FileRange>) -> Self {
        let marks = partition.log.marks();
        Self {
            error: ErrorCode::None,
            high_watermark: marks.high_watermark,
            last_stable_offset: marks.last_stable,
            log_start_offset: marks.log_start,
            records,
            aborted: Vec::new(),
            diverging: None,
            leader: None,
        }
    }

    /// Length of the records in the file, 0 for none.
    pub(super) fn records_len(&self) -> u64 {
        self.records.as_ref().map_or(0, FileRange::len)
    }
}

/// Reads every wanted partition once, in order.
pub(super) fn all(
    image: &Image,
    version: i16,
    wanted: &[Wanted],
    limits: &Limits,
    cold: Cold<'_>,
) -> Answers {
    let mut answers = Answers {
        partitions: Vec::with_capacity(wanted.len()),
        committed_only: limits.committed_only,
        ..Answers::default()
    };
    let mut left = limits.max_bytes;
    for want in wanted {
        let answer = match find(image, version, want) {
            Ok(partition) => answers.read(partition, want, limits, left, cold),
            Err(answer) => answer,
        };
        answers.urgent |= answer.error != ErrorCode::None || answer.diverging.is_some();
        answers.bytes += answer.records_len();
        left = left.saturating_sub(u32::try_from(answer.records_len()).unwrap_or(u32::MAX));
        answers.partitions.push(answer);
    }
    answers
}

/// The partition meant, or why it is not read.
fn find<'i>(image: &'i Image, version: i16, want: &Wanted) -> Result<&'i Arc<Partition>, Answer> {
    let unknown = if version >= 13 { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
    let topic = want.topic(image, version).ok_or_else(|| Answer::failed(unknown))?;
    let entry =
        topic.partition(want.index).ok_or_else(|| Answer::failed(ErrorCode::UnknownTopicOrPartition))?;
    let partition = topic.served(want.index).map_err(|error| match error {
        ErrorCode::NotLeaderOrFollower => elsewhere(entry, error),
        error => Answer::failed(error),
    })?;
    match epoch_error(want.current_leader_epoch, partition.leader_epoch()) {
        None => {}
        // Whoever knows a newer epoch than ours learns nothing from us.
        Some(ErrorCode::UnknownLeaderEpoch) => return Err(Answer::failed(ErrorCode::UnknownLeaderEpoch)),
        Some(error) => return Err(elsewhere(entry, error)),
    }
    match diverging(want, partition) {
        Ok(None) => Ok(partition),
        Ok(diverging) => Err(Answer { diverging, ..Answer::at(partition, None) }),
        Err(error) => Err(Answer::failed(error)),
    }
}

impl Answers {
    fn read(
        &mut self,
        partition: &Arc<Partition>,
        want: &Wanted,
        limits: &Limits,
        left: u32,
        cold: Cold<'_>,
    ) -> Answer {
        if self.ranges >= limits.ranges_max {
            self.urgent = true;
            return Answer::at(partition, None);
        }
        let max_bytes = left.min(u32::try_from(want.max_bytes).unwrap_or(0));
        match cold.read(partition, want.fetch_offset, max_bytes, limits.up_to, self.bytes == 0) {
            Ok(Some(slice)) => {
                self.urgent |= slice.closed;
                let range = slice.range.filter(|range| !range.is_empty());
                self.ranges += usize::from(range.is_some());
                Answer { aborted: slice.aborted, ..Answer::at(partition, range) }
            }
            Ok(None) => {
                self.cold.get_or_insert_with(|| Arc::clone(partition.lane()));
                Answer::at(partition, None)
            }
            // It is about to be shown where it is now.
            Err(ReadError::Io(_)) if partition.log.is_moved() => {
                self.moved = true;
                Answer::at(partition, None)
            }
            Err(error) => failed(partition, &error),
        }
    }
}

fn failed(partition: &Partition, error: &ReadError) -> Answer {
    let code = match error {
        ReadError::OffsetOutOfRange { .. } => return Answer::failed(ErrorCode::OffsetOutOfRange),
        ReadError::Corrupt { .. } | ReadError::Damaged { .. } | ReadError::Undecided { .. } => {
            ErrorCode::CorruptMessage
        }
        ReadError::Io(_) => ErrorCode::KafkaStorageError,
    };
    partition.note_unreadable(error, now_ms());
    Answer::failed(code)
}

fn elsewhere(entry: &PartitionEntry, error: ErrorCode) -> Answer {
    Answer { leader: Some((entry.leader, entry.leader_epoch)), ..Answer::failed(error) }
}

/// Where the log and the client part, if they do. An epoch the log never came to says nothing about where.
fn diverging(want: &Wanted, partition: &Partition) -> Result<Option<(i32, i64)>, ErrorCode> {
    if want.last_fetched_epoch < 0 {
        return Ok(None);
    }
    if want.fetch_offset < partition.log.marks().log_start {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let end = partition.end_offset_for_epoch(want.last_fetched_epoch);
    let (epoch, end_offset) = end.ok_or(ErrorCode::OffsetOutOfRange)?;
    let parted = epoch < want.last_fetched_epoch || end_offset < want.fetch_offset;
    Ok(parted.then_some((epoch, end_offset)))
}
