//! One partition's log, in Kafka's files and formats byte for byte.
//!
//! ```text
//!   append ──short lock──▶ sequence check ▶ roll? ▶ offsets ▶ one vectored write ▶ marks
//!   read   ──no lock─────▶ segments snapshot ▶ index page ▶ batch header ▶ FileRange (no record byte is read)
//!   sync   ──no lock on appends──▶ fdatasync of what is dirty ▶ recovery point
//! ```
//!
//! | file | what it holds |
//! |---|---|
//! | `%020d.log` | record batches; the only evidence, everything else is rebuilt from it |
//! | `%020d.index`, `.timeindex` | sparse entries, believed only where the batch header they point at agrees |
//! | `%020d.txnindex` | aborted transactions, in the segment of their marker |
//! | `%020d.snapshot` | idempotent producers at that offset |
//! | `leader-epoch-checkpoint` | first offset of each leader epoch |
//!
//! Invariants
//! - A segment is append-only while it lives, and is replaced by a new file and a rename, never rewritten.
//! - A [`FileRange`](pagewire_zcopy::FileRange) holds its file open: retention or compaction may unlink it mid-send.
//! - Nothing below a published mark changes. Only bytes that were never published are cut (a failed write).
//! - After a failed sync nothing more is acknowledged: the log is [`Offline`] for writes. A full disk, or a process out of
//!   descriptors or memory, refuses what it cannot do now; the next attempt may succeed, and retention goes on.
//! - Time is passed in. Every call that touches the disk blocks.
//!
//! Memory of one open log: about 2.8 KiB (struct, marks, one segment, no maps, no threads), 0.3 KiB per closed segment, 0.6 KiB
//! once it was read; the whole sum, measured, is in `docs/benchmarks.md`. Descriptors are opened when first needed and capped per [`Handles`].
//!
//! # The calls ([`Log`] is `Send + Sync`, all take `&self`)
//!
//! ```text
//! Log::open(disk: Arc<dyn Disk>, dir: &Path, topic: &str, partition: i32, OpenOptions) -> Result<(Log, RecoveryReport), LogError>
//! Log::open_with(.., handles: Arc<Handles>)      // one descriptor budget for all logs of a process
//! append(Bytes, AppendContext) -> Result<Appended, AppendError>
//! append_batch(&BatchHeader, payload: &[u8], AppendContext) -> the same      // header and payload from two places
//! read(offset, max_bytes: u32, ReadUpTo, at_least_one: bool) -> Result<ReadSlice, ReadError>
//! try_read(the same) -> Result<TryRead, ReadError>  // for event loops: never waits for a disk, says so instead
//! verify(TxnStart, now_ms) -> Option<Guard>       // before a transactional batch of a client: see Origin
//! marks() -> Marks
//! offset_for_time(ts) -> Result<Option<TimestampOffset>, ReadError>      max_timestamp_offset() -> the same
//! leader_epoch() -> Option<i32>      end_offset_for_epoch(epoch) -> Option<(epoch, end offset)>
//! delete_records_before(offset) -> Result<i64 log start, DeleteRecordsError>     // -1: the high watermark
//! roll_if_due(now_ms) -> Result<bool, AppendError>     apply_retention(now_ms) -> Result<Retained, AppendError>
//! unlink_due(now_ms) -> io::Result<usize>              expire_producers(now_ms) -> usize
//! sync() -> io::Result<i64 synced up to>               pace() -> io::Result<u64 bytes pushed>
//! offline() -> Option<Offline>    take_offline(kind, reason)    close(now_ms) -> io::Result<()>
//! topic() partition() dir() config() set_config(LogConfig) size_bytes() segments() producers()
//! ```
//!
//! # Compaction
//!
//! [`LogDir::dirtiest`] hands out the dirtiest compacted log, to one [`Cleaner`] at a time; [`Dirty::clean`] cleans it at the
//! rate of a [`Throttle`]. A log that is damaged is set aside, a full disk tried again later: [`LogDir::cleaning`] says so.
//! A cleaned segment takes the place of several by rename (`.cleaned`, `.swap`) and by a new list of segments. It lies below
//! the recovery point, because past it recovery takes holes between offsets for losses, unless the log is or was compacted.
//!
//! Left to others: judging produced batches (`record`), moving bytes (`zcopy`), who waits for which mark (`broker`).

mod ahead;
mod answers;
mod append;
pub mod backup;
mod clean;
mod config;
mod cuts;
mod damaged;
mod dir;
mod dirs;
mod epochs;
mod errors;
mod evident;
mod few;
pub mod files;
mod halted;
mod handles;
mod health;
mod held;
mod home;
mod index;
mod later;
mod lines;
mod log;
mod log_start;
mod marks;
mod nameless;
mod online;
mod open;
mod patience;
mod probe;
mod producers;
mod put_back;
mod read;
mod rebuild;
mod retention;
mod rewritten;
mod roll;
#[cfg(test)]
mod said;
mod scan;
mod scrub;
mod segment;
mod share;
mod sick;
mod sync;
mod times;
mod txns;
mod unnoted;
pub mod verify;
mod writer;

pub use answers::{
    AppendContext, Appended, Hole, Leftovers, OpenOptions, Origin, ProducerInfo, ReadSlice, ReadUpTo, Reason,
    RecoveryReport, Removed, Retained, SegmentInfo, TimestampOffset, TryRead,
};
pub use clean::{CleanError, CleanStats, Cleaned, Cleaner, CleanerLimits, Throttle};
pub use config::LogConfig;
pub use cuts::{Cut, GoodBatches};
pub use damaged::Damaged;
pub use dir::{
    CleaningReport, CloseReport, Contradiction, CreateError, DirDescription, DirName, Dirty, FailedLog,
    Flushed, FutureLog, KnownIdentity, LoadMeter, LoadReport, LoadedLog, Loading, LockedDir, LogDescription,
    LogDir, LogDirError, LogDirOptions, MEASURED_MAX, MissingLog, Notice, PartitionSettings, Progress,
    RetainedAll, SUMS_FILE, SettingsOf, Survey, Suspicion, Uncleanable, Unmarked, VOUCHED_FILE,
    is_marked_in_order, note_restored, note_start_stopped, survey, was_left_in_order,
};
pub use dirs::{
    Adopted, Apart, Coming, Homeless, Locked, LogDirs, MoveError, Moving, Placed, PlacedIn, Spread,
    TakeInError, TakenIn, Takes, ToMake, Unswitched,
};
pub use errors::{AppendError, DeleteRecordsError, LogError, Offline, ReadError};
pub use few::Few;
pub use halted::LastRound;
pub use handles::Handles;
pub use log::Log;
pub use marks::Marks;
pub use online::OnlineCommand;
pub use producers::{Entry, ProducerTable, Verdict, producer::BatchMeta};
pub use rewritten::{FILE as LENGTHS_FILE, write_lengths};
pub use scrub::{FILE as SCRUB_FILE, Harm, ScrubCounts, ScrubLimits, Scrubbed, Stretch};
pub use share::Share;
pub use txns::index::{AbortedTxn, decode_txn_index};
pub use txns::undecided::{FILE as UNDECIDED_FILE, doubt_decided};
pub use txns::verification::{Guard, TxnStart};
pub use txns::witness::doubt_aborted;
