//! What of a backup is damaged, as people are told.

use pagewire_log::Stretch;
use serde::{Deserialize, Serialize};

use super::manifest::{FileRecord, LogRecord};

/// So many stretches and files are told one by one: an answer is one line of bounded length.
const TOLD_MAX: usize = 64;

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

/// A file of a backup that is not what was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Altered {
    /// Its name within the backup.
    pub file: String,
    /// What is wrong.
    pub reason: String,
    /// What a restore did with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What a restore does with a file that is not what was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Taken as it is, up to where it can be read: nothing else has what is in it.
    AsItIs,
    /// Written anew, of what the manifest says.
    WrittenAnew,
    /// Left out: it is made anew from the records.
    LeftOut,
}

/// All damage that was found: how much, and the first of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// How many stretches of records.
    pub stretches: usize,
    /// The first of them.
    pub some: Vec<Damaged>,
    /// How many files of the backup are not what was copied.
    #[serde(default)]
    pub altered_files: usize,
    /// The first of them.
    #[serde(default)]
    pub altered: Vec<Altered>,
}

impl Damage {
    /// Whether nothing is damaged.
    pub fn is_none(&self) -> bool {
        self.stretches == 0 && self.altered_files == 0
    }

    pub(super) fn note(&mut self, log: &LogRecord, file: &FileRecord, stretch: Stretch) {
        self.stretches += 1;
        if self.some.len() < TOLD_MAX {
            self.some.push(Damaged {
                topic: log.topic.clone(),
                partition: log.partition,
                file: file.name.clone(),
                position: stretch.begin(),
                bytes: stretch.bytes(),
                offset: stretch.offset,
                next_offset: stretch.next_offset,
            });
        }
    }

    /// A file was read; `reason` says why it is not what was copied, if so.
    pub(super) fn note_altered(&mut self, file: &str, reason: Option<String>, outcome: Option<Outcome>) {
        let Some(reason) = reason else { return };
        self.altered_files += 1;
        if self.altered.len() < TOLD_MAX {
            self.altered.push(Altered { file: file.to_owned(), reason, outcome });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_altered_files_are_counted_and_some_are_told() {
        let mut damage = Damage::default();
        damage.note_altered("a", None, None);
        assert!(damage.is_none());
        for number in 0..2 * TOLD_MAX {
            damage.note_altered(&number.to_string(), Some("it is missing".to_owned()), None);
        }
        assert_eq!((damage.altered_files, damage.altered.len()), (2 * TOLD_MAX, TOLD_MAX));
        assert!(!damage.is_none());
    }
}
