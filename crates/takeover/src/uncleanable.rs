//! Batches that decompress to more than compaction takes into memory at once: it would set their partition aside, and an import
//! is the moment at which somebody can do something about it.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Places that are named of a partition.
const NAMED_MAX: usize = 64;

/// Where a batch is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchPlace {
    /// Kafka's file.
    pub file: PathBuf,
    /// Where in it.
    pub position: u64,
    /// Of its first record.
    pub offset: i64,
}

/// The batches of a partition of a compacted topic that compaction will not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uncleanable {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// How many they are.
    pub batches: u64,
    /// What compaction takes at most of one, decompressed.
    pub max_bytes: usize,
    /// The first of them.
    pub first: Vec<BatchPlace>,
}

/// Those of one log, as they are found.
#[derive(Debug, Default)]
pub(crate) struct TooMuch {
    first: Vec<BatchPlace>,
    batches: u64,
}

impl TooMuch {
    /// One more; where it is.
    pub(crate) fn note(&mut self, place: impl FnOnce() -> BatchPlace) {
        self.batches += 1;
        if self.first.len() < NAMED_MAX {
            self.first.push(place());
        }
    }

    /// What is to be said of them, if there are any.
    pub(crate) fn told(&self, (topic, partition): (&str, i32), max_bytes: usize) -> Option<Uncleanable> {
        let Self { first, batches } = self;
        let told = |()| Uncleanable {
            topic: topic.to_owned(),
            partition,
            batches: *batches,
            max_bytes,
            first: first.clone(),
        };
        (*batches > 0).then_some(()).map(told)
    }
}

impl fmt::Display for Uncleanable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { topic, partition, batches, max_bytes, first } = self;
        let decompress = if *batches == 1 { "batch decompresses" } else { "batches decompress each" };
        write!(f, "{topic}-{partition}: {batches} {decompress} to more than {max_bytes} bytes")?;
        if let Some(BatchPlace { file, position, offset }) = first.first() {
            write!(f, " (the first at position {position} of {}, offset {offset})", file.display())?;
        }
        f.write_str(
            ": readers get them, but compaction takes no more into memory at once and would set the partition aside. Raise the \
             topic's max.message.bytes above what they come to",
        )
    }
}
