//! What a backup lacks of what the broker has, because that was wished or allowed: nobody is to find out by restoring it.

use std::path::Path;

use pagewire_log::backup::BackupError;
use serde::{Deserialize, Serialize};

use super::BackupFailed;
use super::manifest::{Manifest, MissingRecord};

/// So many partitions are told one by one: an answer is one line of bounded length.
const TOLD_MAX: usize = 64;

/// A partition whose records are not in the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// The topic, which is in it.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Why they could not be read.
    pub why: String,
}

/// All that is lacking: how much, and the first of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lacks {
    /// Topics that were left out, as was wished.
    pub excluded: Vec<String>,
    /// How many partitions.
    pub missing_logs: usize,
    /// The first of them.
    pub missing: Vec<Missing>,
}

impl Lacks {
    /// What a manifest says.
    pub(super) fn of(manifest: &Manifest) -> Self {
        let mut lacks = Self { excluded: manifest.head.excluded.clone(), ..Self::default() };
        manifest.missing.iter().for_each(|missing| lacks.note(missing));
        lacks
    }

    pub(super) fn note(&mut self, MissingRecord { topic, partition, why, .. }: &MissingRecord) {
        self.missing_logs += 1;
        if self.missing.len() < TOLD_MAX {
            let (topic, why) = (topic.clone(), why.clone());
            self.missing.push(Missing { topic, partition: *partition, why });
        }
    }
}

/// Why a log was not copied.
pub(super) enum Untaken {
    /// It cannot be read: there can be a backup without it.
    Unread(BackupFailed),
    /// There can be none.
    Failed(BackupFailed),
}

impl<E: Into<BackupFailed>> From<E> for Untaken {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Untaken {
    /// Of a copy into the backup at `to`: what fails there is not for want of the log.
    pub(super) fn of(error: BackupError, to: &Path) -> Self {
        let is_of_log = match &error {
            _ if error.is_stopped() => false,
            BackupError::Io { path, .. } | BackupError::Damaged { path, .. } => !path.starts_with(to),
            BackupError::Missing(_) => true,
            BackupError::Changing(_) | BackupError::Reopened(_) => false,
        };
        if is_of_log { Self::Unread(error.into()) } else { Self::Failed(error.into()) }
    }
}

/// Why the records of a partition are missing, for whoever is told which partition it is.
pub(super) fn why(error: &BackupFailed) -> String {
    match error {
        BackupFailed::Offline { .. } => "it was not served".to_owned(),
        BackupFailed::Away { path, why, .. } => {
            format!("its log directory {} could not be read: {why}", path.display())
        }
        BackupFailed::Unserved { path, why, .. } => {
            format!("its log directory {} was not in service: {why}", path.display())
        }
        BackupFailed::Elsewhere { directory, .. } => {
            format!("its log directory, with directory.id={directory}, was none of those that were named")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn partitions_of_one_directory_are_missing_for_one_reason() {
        let why_of = |partition| {
            let (path, text) = (PathBuf::from("/disk2"), "it is not mounted".to_owned());
            why(&BackupFailed::Unserved { topic: "t".to_owned(), partition, path, why: text })
        };
        assert_eq!(why_of(0), "its log directory /disk2 was not in service: it is not mounted");
        assert_eq!(why_of(0), why_of(1));
    }

    #[test]
    fn all_missing_partitions_are_counted_and_some_are_told() {
        let mut lacks = Lacks::default();
        for partition in 0..100 {
            let (topic, why) = ("t".to_owned(), "gone".to_owned());
            lacks.note(&MissingRecord { topic, topic_id: Uuid::nil(), partition, why });
        }
        assert_eq!((lacks.missing_logs, lacks.missing.len()), (100, TOLD_MAX));
    }
}
