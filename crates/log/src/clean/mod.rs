//! Compaction: of each key the latest record stays, as in Kafka's log cleaner.
//!
//! ```text
//!   LogDir::dirtiest ─▶ Dirty ─▶ clean
//!     look, cleanable    which part is dirty, how far it can be cleaned, is it time         (pure)
//!     ahead              aborted transactions, from their indexes, a bounded number at a time
//!     markers            theirs, seen before anything goes because of them
//!     learn              first pass, dirty part: latest offset of each key ─▶ offset_map    (bounded)
//!     group              which neighbours become one segment                                (pure)
//!     rewrite            second pass, group by group, oldest first:
//!       source             batches of the old segments, each checked
//!       filter             keep, txns: what stays (pure); raw_record, rebuild: written again
//!       target             .log.cleaned with its indexes, synced
//!       replace            put in place; finish: the same after a crash
//! ```
//!
//! Invariants
//! - Offsets never change, nor do sequences: a batch keeps its base offset and last offset delta, a batch of which all
//!   stays keeps its bytes.
//! - What is cleaned lies below the last stable offset, what is undecided, the active segment, and the recovery point as it is on the
//!   disk: past that a hole is a loss.
//! - The log start that it goes by is on the disk: what lies below is not looked at, and must not come back when a tombstone behind
//!   it, or there, has gone.
//! - What a producer's state hangs on is stable before anything goes in its favour.
//! - A batch that cannot be believed ends the clean and sets the partition aside, with the place and the reason;
//!   nothing is left out in silence.
//! - Groups are put in place one by one, oldest first: a log cleaned half way is a log cleaned up to there.
//! - Memory: the map up to its bound, as far as there are keys; two buffers; one batch and its decompressed records
//!   (bounded by [`LogConfig::decompress`](crate::LogConfig::decompress)); up to 4 MiB for some 32,000 aborted transactions before
//!   the walk; what transactions are open around one place, some 200 bytes each. Only while segments wait for retention below the
//!   log start, the producers that ended a transaction behind them, 8 bytes each.
//! - Readers are never waited for, and never see a segment between old and new.
//!
//! Where we differ from Kafka 4.3.1: a transaction's marker gets its horizon, and an aborted one's entry goes, with the
//! clean that takes the last of its batches, not with the one after; a tombstone past what the map could take gets its
//! horizon when a clean covers it, not before.
//!
//! Left to others: when to look and on how many threads (`broker`), time and size (`retention`).

mod ahead;
pub(crate) mod cleanable;
mod cleaner;
mod error;
mod filter;
mod finish;
mod group;
mod keep;
mod learn;
mod look;
mod markers;
mod offset_map;
mod raw_record;
mod rebuild;
pub(crate) mod replace;
mod rewrite;
mod source;
mod stats;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod throttle;
mod txns;
mod work;

pub use cleaner::{Cleaned, Cleaner, CleanerLimits};
pub use error::CleanError;
pub(crate) use finish::finish_swaps;
pub use stats::CleanStats;
pub use throttle::Throttle;
