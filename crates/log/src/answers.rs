//! What callers hand in and get back. Plain data.

use std::ops::Range;
use std::path::{Path, PathBuf};

use pagewire_zcopy::FileRange;

use crate::config::LogConfig;
use crate::cuts::Cut;
use crate::damaged::Damaged;
use crate::few::Few;
use crate::marks::Marks;
use crate::txns::index::AbortedTxn;
use crate::txns::undecided::Undecided;
use crate::txns::verification::Guard;

/// How a log is opened; by default one of which nothing is known.
#[derive(Debug, Clone, Default)]
pub struct OpenOptions {
    /// The topic's resolved settings.
    pub config: LogConfig,
    /// From `recovery-point-offset-checkpoint`: everything below was synced. 0 if unknown.
    pub recovery_point: i64,
    /// From `log-start-offset-checkpoint`. 0 if unknown; the first segment's base counts if it is higher.
    pub log_start_offset: i64,
    /// The clean-shutdown mark was there: only the tail of the active segment is checked.
    pub clean: bool,
    /// Epoch of this leadership, recorded in `leader-epoch-checkpoint` if it is new.
    pub leader_epoch: i32,
    /// Now.
    pub now_ms: i64,
}

/// Who appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A Produce request: sequences are checked, duplicates answered.
    Client,
    /// The broker itself (coordinators): epochs are checked, sequences are not.
    Coordinator,
    /// As `Client`, and a transaction begins only with the [`Guard`] that [`Log::verify`](crate::Log::verify) gave: `None`
    /// for one that was open when it was asked.
    ClientInTxn(Option<Guard>),
    /// As `Coordinator`, with the same proof.
    CoordinatorInTxn(Option<Guard>),
    /// A coordinator that ends a transaction, with a marker by the rules of this transaction version: from 2 on its epoch is
    /// later than those of all batches of the transaction.
    EndTxn {
        /// 0, 1 or 2.
        version: i16,
    },
}

impl Origin {
    /// A producer's sequences count.
    pub(crate) fn checks_sequences(self) -> bool {
        matches!(self, Self::Client | Self::ClientInTxn(_))
    }

    /// Whether a transaction may begin here, as far as that is to be proved: `allows` knows the question that is open.
    pub(crate) fn may_begin(self, allows: impl FnOnce(Option<Guard>) -> bool) -> bool {
        match self {
            Self::ClientInTxn(guard) | Self::CoordinatorInTxn(guard) => allows(guard),
            _ => true,
        }
    }

    /// The transaction version of a marker.
    pub(crate) fn marker_version(self) -> i16 {
        if let Self::EndTxn { version } = self { version } else { 0 }
    }
}

/// The circumstances of an append.
#[derive(Debug, Clone, Copy)]
pub struct AppendContext {
    /// Written into every batch header.
    pub leader_epoch: i32,
    /// Who appends.
    pub origin: Origin,
    /// Now.
    pub now_ms: i64,
}

/// A finished append: written to the page cache and readable. Not yet synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// Offset of the first record. For a duplicate: what it got the first time.
    pub base_offset: i64,
    /// Offset of the last record.
    pub last_offset: i64,
    /// What the Produce response carries: the broker's time for LogAppendTime batches, the batch's original largest
    /// timestamp for a duplicate, else -1.
    pub log_append_time_ms: i64,
    /// Start of the log.
    pub log_start_offset: i64,
    /// The batch was there already; nothing was written.
    pub duplicate: bool,
    /// Enough dirty bytes have piled up: run [`Log::pace`](crate::Log::pace) where a stall hurts nobody.
    pub pace_due: bool,
}

/// How far a read may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadUpTo {
    /// Ordinary consumers.
    HighWatermark,
    /// `read_committed` consumers.
    LastStable,
    /// Followers and the broker itself.
    LogEnd,
}

/// The answer to a read.
#[derive(Debug, Clone)]
pub struct ReadSlice {
    /// Whole batches from the one that contains (or follows) the offset, the last one possibly cut by `max_bytes`;
    /// of one segment file. `None`: nothing there yet, or the first batch does not fit and `at_least_one` is off.
    pub range: Option<FileRange>,
    /// The marks, taken before the range: the range never passes the bound in them.
    pub marks: Marks,
    /// The range is of a segment behind which another one follows: waiting does not make it longer, asking again from
    /// its end gives more.
    pub closed: bool,
    /// Of a read up to [`ReadUpTo::LastStable`]: the aborted transactions that may have records in the range, and some
    /// that begin after it. Readers leave out what these producers wrote from the first offset to the marker.
    pub aborted: Vec<AbortedTxn>,
}

/// The answer to a read that may not wait.
#[derive(Debug, Clone)]
pub enum TryRead {
    /// What [`Log::read`](crate::Log::read) would have answered.
    Slice(ReadSlice),
    /// Something has to come from the disk first.
    WouldBlock,
}

/// A record found by timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimestampOffset {
    /// The record's timestamp.
    pub timestamp: i64,
    /// Its offset.
    pub offset: i64,
    /// Leader epoch of its batch.
    pub leader_epoch: i32,
}

/// A producer as DescribeProducers shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProducerInfo {
    /// Producer id.
    pub producer_id: i64,
    /// Its newest epoch.
    pub producer_epoch: i16,
    /// Last sequence, -1 if none in this epoch.
    pub last_sequence: i32,
    /// Largest timestamp of its last batch.
    pub last_timestamp: i64,
    /// Epoch of the coordinator that wrote its last marker, -1 before any.
    pub coordinator_epoch: i32,
    /// First offset of its open transaction, -1 if none.
    pub current_txn_start_offset: i64,
}

/// A segment as others may see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentInfo {
    /// First offset it may hold; its file name.
    pub base_offset: i64,
    /// The offset after its last record.
    pub next_offset: i64,
    /// Bytes of its `.log`.
    pub size_bytes: u64,
}

/// What opening found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Bytes of log whose batches were checked.
    pub scanned_bytes: u64,
    /// What was cut from the log, oldest first. Empty after an orderly stop on a healthy disk.
    pub cuts: Vec<Cut>,
    /// Derived files that were missing, unbelievable or out of date and were rebuilt (indexes, epochs, producers).
    pub rebuilt: Few<PathBuf>,
    /// Offsets of which the log has no record though it should. Reads of them are refused.
    pub holes: Few<Hole>,
    /// What was stable once and is damaged or missing, where it was looked at.
    pub damage: Vec<Damaged>,
    /// Notes that were told where they were found.
    pub told: Vec<String>,
    /// The log ends before an offset to which it had come, as a whole producer snapshot or a leader epoch says.
    pub lost_end: Option<Hole>,
    /// Offsets among which it is not known what became of transactions. Readers of committed records are refused them; a note
    /// says so.
    pub undecided: Vec<Range<i64>>,
    /// Files that were left of segments that are not there any more, and are removed.
    pub leftovers: Leftovers,
    /// Oddities worth a line in the log that cost no record.
    pub notes: Few<String>,
}

impl RecoveryReport {
    /// Whether there is nothing to tell: nothing was changed, then.
    pub(crate) fn is_silent(&self) -> bool {
        self.cuts.is_empty()
            && self.rebuilt.is_empty()
            && self.holes.is_empty()
            && self.damage.is_empty()
            && self.lost_end.is_none()
            && self.undecided.is_empty()
            && self.notes.is_empty()
            && self.leftovers == Leftovers::default()
    }

    /// It is not known what became of some transactions of the log in `dir`.
    pub(crate) fn tell_undecided(&mut self, undecided: &Undecided, dir: &Path) {
        self.undecided = undecided.iter().cloned().collect();
        let told = self.undecided.iter().map(|Range { start, end }| {
            format!(
                "{}: transactions that are open since offset {start} may have ended among records that are lost: readers of \
                 committed records are refused the offsets {start} to {}, and compaction leaves them alone",
                dir.display(),
                end - 1
            )
        });
        for note in told.collect::<Vec<_>>() {
            self.note(note);
        }
    }

    /// Tells of an oddity.
    pub(crate) fn note(&mut self, what: String) {
        self.notes.push(what);
    }

    /// Tells of an oddity that whoever reads the log was told where it was found.
    pub(crate) fn note_told(&mut self, what: String) {
        self.note(what.clone());
        if self.notes.left_out() == 0 {
            self.told.push(what);
        }
    }

    /// Its oddities as lines, but for those that were told before; the last says whether there are more.
    pub fn noted(&self) -> impl Iterator<Item = String> {
        let lines = self.notes.lines(String::clone, "such lines about this log");
        lines.filter(|line| !self.told.contains(line))
    }
}

/// Files that nobody needs: of segments that were deleted before the stop, or not finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// How many.
    pub files: u64,
    /// Their bytes, as far as they could be told.
    pub bytes: u64,
}

impl Leftovers {
    /// These besides.
    pub fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
    }
}

/// Records that are missing between others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// The segment file they should be in, or that comes before them.
    pub file: PathBuf,
    /// The first of their offsets.
    pub from: i64,
    /// The offset after the last.
    pub upto: i64,
}

impl Hole {
    /// In words, what is missing where a log has these.
    pub fn told(holes: &Few<Self>) -> impl Iterator<Item = String> {
        holes.lines(|hole| format!("{hole}: they are lost"), "such places of this log")
    }
}

impl std::fmt::Display for Hole {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { file, from, upto } = self;
        write!(f, "{}: no record has the offsets {from} to {}", file.display(), upto - 1)
    }
}

/// Why retention took segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// They lie below the log start: DeleteRecords moved it.
    LogStart,
    /// The log was longer.
    Size {
        /// `retention.bytes`.
        retention_bytes: i64,
    },
    /// Their newest records are older.
    Time {
        /// `retention.ms`.
        retention_ms: i64,
    },
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::LogStart => f.write_str("below the log start"),
            Self::Size { retention_bytes } => {
                write!(f, "the log was longer than retention.bytes={retention_bytes}")
            }
            Self::Time { retention_ms } => write!(f, "older than retention.ms={retention_ms}"),
        }
    }
}

/// Segments that retention took from a log for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removed {
    /// Why.
    pub reason: Reason,
    /// How many.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Base offset of the first.
    pub from: i64,
    /// The offset after their last.
    pub upto: i64,
}

/// What a retention round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retained {
    /// Segments renamed to `.deleted`.
    pub segments: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The log start afterwards.
    pub log_start: i64,
    /// The same segments by why they went, oldest first.
    pub removed: Vec<Removed>,
}
