//! When each log was verified last, kept over a restart.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use pagewire_disk::{Disk, OffsetCheckpoint};

/// Name of the file in a log directory.
const FILE: &str = "pagewire-scrub-checkpoint";

/// Times in ms by topic and partition.
#[derive(Debug, Default)]
pub(super) struct Verified(BTreeMap<(String, i32), i64>);

impl Verified {
    /// As the file has it. Whatever keeps it from being read: all logs count as never verified, which costs a round.
    pub(super) fn read(disk: &dyn Disk, dir: &Path) -> Self {
        let read = OffsetCheckpoint::read(disk, &dir.join(FILE)).unwrap_or_else(|error| {
            tracing::warn!(%error, "it is not known when logs were verified last");
            None
        });
        let entries = read.unwrap_or_default();
        Self(entries.iter().map(|(topic, partition, at)| ((topic.to_owned(), partition), at)).collect())
    }

    /// Replaces the file.
    pub(super) fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let mut checkpoint = OffsetCheckpoint::new();
        for ((topic, partition), at) in &self.0 {
            checkpoint.set(topic, *partition, *at);
        }
        checkpoint.write(disk, &dir.join(FILE))
    }

    /// When this one was; 0 for never.
    pub(super) fn at(&self, topic: &str, partition: i32) -> i64 {
        self.0.get(&(topic.to_owned(), partition)).copied().unwrap_or(0)
    }

    pub(super) fn set(&mut self, topic: &str, partition: i32, at: i64) {
        self.0.insert((topic.to_owned(), partition), at.max(0));
    }

    /// Forgets logs that are not there any more.
    pub(super) fn keep(&mut self, is_there: impl Fn(&str, i32) -> bool) {
        self.0.retain(|(topic, partition), _| is_there(topic, *partition));
    }
}
