//! The files of a partition's directory as they lie there, entry by entry, for whoever looks at them from outside:
//! checks, dumps, the scrub.
//!
//! Nothing here opens a log, takes a lock, changes a byte or judges what it reads against other files: a broker may be
//! serving them meanwhile. Memory is one window per file, whatever the file's length; every length is checked against
//! the bytes that are there.
//!
//! | file | read by | an item |
//! |---|---|---|
//! | `.log` | [`BatchWalk`] | [`Step`]: a batch with the CRC it really has, or bytes that begin none |
//! | `.index` | [`Entries`] of [`OffsetEntry`] | last offset of a batch, where it begins |
//! | `.timeindex` | [`Entries`] of [`TimeStamped`] | largest time so far, the batch that has it |
//! | `.txnindex` | [`Entries`] of [`TxnEntry`] | an aborted transaction |
//! | `.snapshot` | [`ProducerSnapshot`] | idempotent producers |
//! | `pagewire-aborted`, `-compacted`, `-undecided` | [`read_noted`] | [`Noted`]: numbers of a segment, or of transactions |
//! | checkpoints, `partition.metadata`, `meta.properties` | [`read_text`] | nothing: whether they read |
//!
//! [`TxnTrail`] says of a walk over all batches which transactions it left open.

mod batches;
mod entries;
mod notes;
mod producer_snapshot;
mod texts;
mod transactions;

pub(crate) use batches::BATCH_LEN_MAX;
pub use batches::{BadBytes, BatchWalk, Step, WalkedBatch};
pub use entries::{Entries, Entry, OffsetEntry, TimeStamped, TxnEntry};
pub use notes::{Noted, is_noted, read_noted};
pub use producer_snapshot::{ProducerSnapshot, SnapshotDamage, SnapshotProducer};
pub use texts::{is_text, read_text};
pub use transactions::{OpenTxn, TxnTrail};

use crate::segment::names;

/// Bytes read at once.
pub(crate) const CHUNK: usize = 256 << 10;

/// What a file of a partition's directory is, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Record batches.
    Log,
    /// Offsets to positions.
    OffsetIndex,
    /// Times to offsets.
    TimeIndex,
    /// Aborted transactions.
    TxnIndex,
    /// Idempotent producers.
    Snapshot,
}

impl FileKind {
    /// All kinds with their suffixes.
    pub const ALL: [(Self, &'static str); 5] = [
        (Self::Log, names::LOG),
        (Self::OffsetIndex, names::INDEX),
        (Self::TimeIndex, names::TIME_INDEX),
        (Self::TxnIndex, names::TXN_INDEX),
        (Self::Snapshot, names::SNAPSHOT),
    ];

    /// Kind and offset of a name such as `00000000000000000042.index`; `None` for any other name.
    pub fn parse(name: &str) -> Option<(Self, i64)> {
        Self::ALL.iter().find_map(|(kind, suffix)| Some((*kind, names::offset(name, suffix)?)))
    }
}
