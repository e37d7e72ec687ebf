//! The two sparse indexes beside a segment, in Kafka's formats.
//!
//! ```text
//!  .index      | last offset - base  i32 | position i32 |      of a batch; one per > index.interval.bytes of log
//!  .timeindex  | largest timestamp so far i64 | last offset - base i32 |      of the batch that has it
//! ```
//!
//! Both are written in pieces while the segment grows; the piece not yet written is kept in memory. Neither is
//! evidence: whoever uses an entry compares it with the batch header it points at and falls back to walking the log.

pub(crate) mod offset;
pub(crate) mod time;

/// Entries kept in memory before they are written: 256 KiB of log at the default interval.
pub(crate) const PIECE: usize = 64;
