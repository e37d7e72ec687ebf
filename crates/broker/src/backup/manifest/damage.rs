//! What of a `.log` was damaged when it was copied.

use pagewire_log::Stretch;
use serde::{Deserialize, Serialize};

/// A stretch of a `.log`; without bytes where records are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::backup) struct DamageRecord {
    from: u64,
    to: u64,
    offset: i64,
    next_offset: i64,
}

impl From<Stretch> for DamageRecord {
    fn from(stretch: Stretch) -> Self {
        let Stretch { offset, next_offset, .. } = stretch;
        Self { from: stretch.begin(), to: stretch.end(), offset, next_offset }
    }
}

impl From<DamageRecord> for Stretch {
    fn from(record: DamageRecord) -> Self {
        Self::new(record.from..record.to, record.offset..record.next_offset)
    }
}
