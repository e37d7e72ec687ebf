//! When each log was verified last, kept over a restart.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use pagewire_disk::{Disk, OffsetCheckpoint};

/// Name of the file in a log directory.
pub const FILE: &str = "pagewire-scrub-checkpoint";

/// Times by topic and partition.
#[derive(Debug, Default)]
pub(super) struct Verified(BTreeMap<(String, i32), Look>);

/// The last look at a log.
#[derive(Debug, Clone, Copy)]
struct Look {
    at_ms: i64,
    /// Nothing was wrong. What is known of damage is gone at a restart, so that one counts as never verified then.
    sound: bool,
}

impl Verified {
    /// As the file has it. Whatever keeps it from being read: all logs count as never verified, which costs a round.
    pub(super) fn read(disk: &dyn Disk, dir: &Path) -> Self {
        let read = OffsetCheckpoint::read(disk, &dir.join(FILE)).unwrap_or_else(|error| {
            tracing::warn!(%error, "it is not known when logs were verified last");
            None
        });
        let entries = read.unwrap_or_default();
        Self(
            entries
                .iter()
                .map(|(topic, partition, at_ms)| ((topic.to_owned(), partition), Look { at_ms, sound: true }))
                .collect(),
        )
    }

    /// Replaces the file.
    pub(super) fn write(&self, disk: &dyn Disk, dir: &Path) -> io::Result<()> {
        let mut checkpoint = OffsetCheckpoint::new();
        for ((topic, partition), look) in self.0.iter().filter(|(_, look)| look.sound) {
            checkpoint.set(topic, *partition, look.at_ms);
        }
        checkpoint.write(disk, &dir.join(FILE))
    }

    /// When this one was; 0 for never.
    pub(super) fn at(&self, topic: &str, partition: i32) -> i64 {
        self.0.get(&(topic.to_owned(), partition)).map_or(0, |look| look.at_ms)
    }

    pub(super) fn set(&mut self, topic: &str, partition: i32, at_ms: i64, sound: bool) {
        self.0.insert((topic.to_owned(), partition), Look { at_ms: at_ms.max(0), sound });
    }

    /// What this process made, and was not verified since, counts as verified when it was made; whether that is news.
    pub(super) fn note_made(&mut self, topic: &str, partition: i32, made_ms: i64) -> bool {
        let news = made_ms > self.at(topic, partition);
        if news {
            self.set(topic, partition, made_ms, true);
        }
        news
    }

    /// A part of the log was looked at since: it counts as sound only if it did before and that part is.
    pub(super) fn doubt(&mut self, topic: &str, partition: i32, sound: bool) {
        if let Some(look) = self.0.get_mut(&(topic.to_owned(), partition)) {
            look.sound &= sound;
        }
    }

    /// Forgets logs that are not there any more.
    pub(super) fn keep(&mut self, is_there: impl Fn(&str, i32) -> bool) {
        self.0.retain(|(topic, partition), _| is_there(topic, *partition));
    }
}
