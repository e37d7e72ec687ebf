//! What is said of records that the disk of a directory did not give out, and how often: clients ask again at once, each for each
//! of its partitions, and there may be thousands.
//!
//! The first one is said at once, those of the next seconds together, and then those of ten minutes at a time. A shortage says
//! nothing of the disk, and is told by itself.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use parking_lot::Mutex;
use tracing::error;

/// Those that come with the first are told together after this time, in milliseconds.
const SOON_MS: i64 = 5_000;
/// What goes on is told again after this one.
const EVERY_MS: i64 = 600_000;
/// Partitions that are named.
const NAMED_MAX: usize = 8;

const DISK: &str = "the disk did not give out records, which may be readable again: clients are told to try again (KAFKA_STORAGE_ERROR), \
                    and whoever goes past them leaves them out; pagewire cluster says how the disk is, pagewire log check DIR what \
                    of it can be read";
const SHORTAGE: &str = "no descriptor or memory was left to read records with, which says nothing of the disk: clients are told to try \
                        again (KAFKA_STORAGE_ERROR); pagewire doctor says how many descriptors there may be";

/// Of one directory.
#[derive(Debug, Default)]
pub(super) struct Unread {
    of_the_disk: Mutex<Told>,
    for_a_shortage: Mutex<Told>,
}

impl Unread {
    /// Records of a partition in `dir` could not be read.
    pub(super) fn note(&self, dir: &Path, partition: (&str, i32), error: (&io::Error, bool), now_ms: i64) {
        let (error, is_shortage) = error;
        let (told, words) =
            if is_shortage { (&self.for_a_shortage, SHORTAGE) } else { (&self.of_the_disk, DISK) };
        let partitions = told.lock().say(partition, now_ms);
        if let Some(partitions) = partitions {
            error!(dir = %dir.display(), partitions, %error, "{words}");
        }
    }
}

/// What was said of one kind, in one stretch of time: after ten quiet minutes another one begins.
#[derive(Debug, Default)]
struct Told {
    failed_ms: i64,
    last_ms: Option<i64>,
    /// More than the first was said.
    is_known: bool,
    /// Partitions since, some of them, and whether there were others.
    since: BTreeSet<(String, i32)>,
    is_more: bool,
}

impl Told {
    /// The partitions that are to be told of now; `None` if it is too early.
    fn say(&mut self, (topic, partition): (&str, i32), now_ms: i64) -> Option<String> {
        if !(0..EVERY_MS).contains(&now_ms.saturating_sub(self.failed_ms)) {
            *self = Self::default();
        }
        self.failed_ms = now_ms;
        let is_named = self.since.iter().any(|(other, at)| (&**other, *at) == (topic, partition));
        if !is_named && self.since.len() < NAMED_MAX {
            self.since.insert((topic.to_owned(), partition));
        } else {
            self.is_more |= !is_named;
        }
        if let Some(last_ms) = self.last_ms {
            let pause = if self.is_known { EVERY_MS } else { SOON_MS };
            if now_ms.saturating_sub(last_ms) < pause {
                return None;
            }
            self.is_known = true;
        }
        self.last_ms = Some(now_ms);
        let names: Vec<_> = std::mem::take(&mut self.since)
            .into_iter()
            .map(|(topic, partition)| format!("{topic}-{partition}"))
            .collect();
        let more = if std::mem::take(&mut self.is_more) { " and more" } else { "" };
        Some(names.join(", ") + more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_disk_is_told_at_once_soon_with_other_partitions_and_then_now_and_then() {
        let mut told = Told::default();
        let mut lines = Vec::new();
        for now_ms in (0..2 * EVERY_MS).step_by(500) {
            lines.extend((0..1000).filter_map(|partition| told.say(("t", partition), now_ms)));
        }
        assert_eq!(lines[0], "t-0");
        assert_eq!(lines.len(), 3, "{lines:?}");
        for line in &lines[1..] {
            assert_eq!(line, "t-1, t-2, t-3, t-4, t-5, t-6, t-7, t-8 and more");
        }
        assert!(told.say(("t", 0), 0).is_some(), "the clock was set back");
    }

    #[test]
    fn a_disk_that_dies_again_is_told_as_it_was_the_first_time_and_of_those_partitions_alone() {
        let mut told = Told::default();
        for now_ms in [0, SOON_MS, SOON_MS + 1] {
            told.say(("old", 0), now_ms);
        }
        let again = SOON_MS + 1 + EVERY_MS;
        assert_eq!(told.say(("t", 1), again).as_deref(), Some("t-1"));
        assert_eq!(told.say(("t", 2), again + 1), None);
        assert_eq!(told.say(("t", 1), again + SOON_MS).as_deref(), Some("t-1, t-2"));
    }

    #[test]
    fn what_one_partition_has_alone_is_told_with_its_name() {
        let mut told = Told::default();
        assert_eq!(told.say(("t", 7), 5).as_deref(), Some("t-7"));
        assert_eq!(told.say(("t", 7), 4 + SOON_MS), None);
        assert_eq!(told.say(("t", 7), 5 + SOON_MS).as_deref(), Some("t-7"));
        assert_eq!(told.say(("t", 7), 4 + SOON_MS + EVERY_MS), None);
        assert_eq!(told.say(("u", 1), 5 + SOON_MS + EVERY_MS).as_deref(), Some("t-7, u-1"));
    }
}
