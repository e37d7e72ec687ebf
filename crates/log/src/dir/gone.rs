//! Partitions that were made and have no directory any more: somebody removed it, or the file system was restored without it.
//!
//! A checkpoint says of them that they had reached an offset, or the owner remembers that they had been made
//! ([`LogDirs::miss`](crate::LogDirs::miss)). None of them is made anew in silence, for then nobody would miss its records: it is
//! not served until its directory is back, or until whoever owns it says that the loss is accepted. Their entries stay in the
//! checkpoints meanwhile, so that the next start knows as much.

use std::collections::{BTreeMap, HashSet};

use super::LogDir;
use super::checkpoints::Checkpoints;
use super::options::SettingsOf;

/// A topic's partitions by name and number, and whether their loss is accepted for now.
pub(super) type Gone = BTreeMap<(String, i32), bool>;

/// Those of which a checkpoint says that they had reached an offset, which the owner knows, and of which none is `found`.
pub(super) fn find(
    checkpoints: &Checkpoints,
    found: &HashSet<(&str, i32)>,
    settings: &SettingsOf<'_>,
) -> Gone {
    let named = checkpoints.recovery.iter().chain(checkpoints.high_watermark.iter());
    named
        .filter(|(topic, partition, offset)| *offset > 0 && !found.contains(&(*topic, *partition)))
        .filter(|(topic, partition, _)| settings(topic, *partition).is_some())
        .map(|(topic, partition, _)| ((topic.to_owned(), partition), false))
        .collect()
}

impl LogDir {
    /// How many there are.
    pub(crate) fn gone_count(&self) -> usize {
        self.gone.lock().len()
    }

    /// Their names.
    pub(crate) fn gone_names(&self) -> Vec<(String, i32)> {
        self.gone.lock().keys().cloned().collect()
    }

    /// One that was made and is not here. Says whether that is news.
    pub(crate) fn miss(&self, topic: &str, partition: i32) -> bool {
        self.gone.lock().insert((topic.to_owned(), partition), false).is_none()
    }

    /// The loss is accepted, or not any more: they may be made anew. One that could not be made is still gone.
    pub(crate) fn accept_gone(&self, accepted: bool) {
        self.gone.lock().values_mut().for_each(|one| *one = accepted);
    }

    /// Forgets those that are not gone, or not from here.
    pub(crate) fn keep_gone(&self, is_gone: impl Fn(&str, i32) -> bool) {
        self.gone.lock().retain(|(topic, partition), _| {
            let stays = is_gone(topic, *partition);
            if !stays {
                self.carried.lock().forget(topic, *partition);
            }
            stays
        });
    }

    /// Whether a partition may not be made anew.
    pub(super) fn is_gone(&self, topic: &str, partition: i32) -> bool {
        self.gone.lock().get(&(topic.to_owned(), partition)) == Some(&false)
    }

    /// It is open now, or its topic was deleted.
    pub(super) fn no_longer_gone(&self, topic: &str, partition: i32) {
        if self.gone.lock().remove(&(topic.to_owned(), partition)).is_some() {
            self.carried.lock().forget(topic, partition);
        }
    }
}
