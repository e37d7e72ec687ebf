//! Kafka record batches, version 2: the only format this product writes, accepts and serves.
//!
//! A batch is a 61-byte header and a list of records, the list compressed as one blob or not at all. What the
//! header says in big-endian numbers, [`header`] reads and writes; what the records say in zig-zag varints,
//! [`records`] iterates. Nothing here opens a file, a socket or a clock: bytes and a time come in, bytes go out.
//!
//! | to do | use |
//! |---|---|
//! | look at batches in memory (a fetched slice, a file's tail) | [`batches`], [`Batch`], [`BatchHeader`] |
//! | consume: whole batches of a fetched slice, the cut tail ignored | [`complete_batches`], [`SharedBatch::records`] |
//! | write a batch | [`BatchBuilder`], [`control_batch`] |
//! | place a batch in a log | [`patch_header`] |
//! | accept a batch from a producer | [`check_produced`] |
//!
//! Invariants: no memory is taken on the strength of a length, size or count that the bytes only claim; every
//! decompression has a cap; no input makes a function here panic. Offsets are `i64`, times are milliseconds since
//! the epoch in names that end in `_ms` or in the field's own name `timestamp`, sizes are bytes.
//!
//! Sources: KIP-98 (the format), KIP-32 (timestamps), KIP-110 (zstd), KIP-467 (errors per record).

pub mod batch;
pub mod builder;
pub mod check;
pub mod compress;
pub mod control;
pub mod crc;
pub mod error;
pub mod fields;
mod fits;
pub mod header;
pub mod records;
pub mod varint;

pub use batch::{Batch, Batches, CompleteBatches, SharedBatch, batches, complete_batches};
pub use builder::{BatchBuilder, BuildError};
pub use check::{Checked, ProduceRules, RejectKind, Rejected, TopicCompression, check_produced};
pub use compress::{Codec, Compression, DecompressLimits, InflateError};
pub use control::{ControlType, EndTxnMarker, control_batch, control_batch_of};
pub use error::{BatchError, RecordFault, RecordsError};
pub use fits::fits;
pub use header::{
    BatchHeader, HEADER_LEN, LENGTH_PREFIX, MAGIC, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE,
    NO_TIMESTAMP, TimestampType, add_sequence, patch_header,
};
pub use records::{Record, RecordHeader, Records};
