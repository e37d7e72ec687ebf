//! What appends go by: the state behind the append lock.

use std::sync::Arc;

use crate::producers::budget::Producers;
use crate::scan::derive::Sparse;

/// What only the holder of the append lock may touch.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    pub(crate) producers: Arc<Producers>,
    pub(crate) sparse: Sparse,
    /// Largest timestamp of the active segment's first batch.
    pub(crate) first_timestamp: Option<i64>,
    /// When the active segment got its first batch, by this broker's clock.
    pub(crate) opened_ms: i64,
    /// LogAppendTime of the last batch that has it. A later one is not appended earlier.
    pub(crate) append_time_ms: i64,
    /// Offsets of the snapshots on disk, oldest first.
    pub(crate) snapshots: Vec<i64>,
}
