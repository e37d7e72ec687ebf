//! What of a backup is damaged: as the manifest has it, and as people are told.

use pagewire_log::Stretch;
use serde::{Deserialize, Serialize};

use super::manifest::{FileRecord, LogRecord};

/// So many stretches are told one by one: an answer is one line of bounded length.
const TOLD_MAX: usize = 64;

/// A stretch of a `.log`, in the manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DamageRecord {
    from: u64,
    to: u64,
    offset: i64,
    next_offset: i64,
}

impl From<Stretch> for DamageRecord {
    fn from(stretch: Stretch) -> Self {
        let Stretch { from, to, offset, next_offset } = stretch;
        Self { from, to, offset, next_offset }
    }
}

impl From<DamageRecord> for Stretch {
    fn from(record: DamageRecord) -> Self {
        let DamageRecord { from, to, offset, next_offset } = record;
        Self { from, to, offset, next_offset }
    }
}

/// Records that are damaged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damaged {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The segment's file.
    pub file: String,
    /// The first damaged byte in it.
    pub position: u64,
    /// How many there are.
    pub bytes: u64,
    /// The first offset that may be concerned.
    pub offset: i64,
    /// The first one behind.
    pub next_offset: i64,
}

/// All damage that was found: how many stretches, and the first of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// How many there are.
    pub stretches: usize,
    /// The first of them.
    pub some: Vec<Damaged>,
}

impl Damage {
    /// Whether nothing is damaged.
    pub fn is_none(&self) -> bool {
        self.stretches == 0
    }

    pub(super) fn note(&mut self, log: &LogRecord, file: &FileRecord, stretch: Stretch) {
        self.stretches += 1;
        if self.some.len() < TOLD_MAX {
            self.some.push(Damaged {
                topic: log.topic.clone(),
                partition: log.partition,
                file: file.name.clone(),
                position: stretch.from,
                bytes: stretch.to.saturating_sub(stretch.from),
                offset: stretch.offset,
                next_offset: stretch.next_offset,
            });
        }
    }
}
