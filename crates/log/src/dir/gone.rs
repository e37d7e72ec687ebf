//! Partitions that were made and have no directory any more: somebody removed it, or the file system was restored without it.
//!
//! A checkpoint says of them that they had reached an offset, or the owner remembers that they had been made
//! ([`LogDirs::miss`](crate::LogDirs::miss)). None of them is made anew in silence, for then nobody would miss its records: it is
//! not served until its directory is back, or until whoever owns it says that the loss is accepted. Their entries stay in the
//! checkpoints meanwhile, so that the next start knows as much. A log that could not be opened and whose directory is removed
//! while it waits is one of them from then on.

use std::collections::{BTreeMap, HashSet};

use uuid::Uuid;

use super::LogDir;
use super::checkpoints::Checkpoints;
use super::evidence::Evidence;
use super::names::partition_dir;
use super::options::SettingsOf;
use super::stray::stray_in;
use crate::LogError;

/// A topic's partitions by name and number, and whether their loss is accepted for now.
pub(super) type Gone = BTreeMap<(String, i32), bool>;

/// Those that a checkpoint names, which the owner knows, and of which none is `found`: with the offset that they had
/// reached for certain. Of one that had reached none the owner alone may know that it had been made.
pub(super) fn absent(
    checkpoints: &Checkpoints,
    found: &HashSet<(&str, i32)>,
    settings: &SettingsOf<'_>,
) -> BTreeMap<(String, i32), i64> {
    let named = checkpoints.recovery.iter().chain(checkpoints.high_watermark.iter());
    named
        .filter(|(topic, partition, _)| !found.contains(&(*topic, *partition)))
        .filter(|(topic, partition, _)| settings(topic, *partition).is_some())
        .map(|(topic, partition, _)| ((topic.to_owned(), partition), checkpoints.known_end(topic, partition)))
        .collect()
}

/// Those of them that had records.
pub(super) fn of_absent(absent: &BTreeMap<(String, i32), i64>) -> Gone {
    absent.iter().filter(|(_, end)| **end > 0).map(|(name, _)| (name.clone(), false)).collect()
}

impl LogDir {
    /// Their names.
    pub(crate) fn gone_names(&self) -> Vec<(String, i32)> {
        self.gone.lock().keys().cloned().collect()
    }

    /// One that was made and is not here. Says whether that is news.
    pub(crate) fn miss(&self, topic: &str, partition: i32) -> bool {
        let is_news = self.gone.lock().insert((topic.to_owned(), partition), false).is_none();
        if is_news {
            let Evidence { checkpoints, clean, .. } = &self.evidence;
            self.carried.lock().carry_gone(checkpoints, topic, partition, *clean);
        }
        is_news
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

    /// Looks for logs that could not be opened and whose directories were removed since. Those that the owner does not know by
    /// these ids any more were of a deleted topic, and nothing waits for them.
    pub(crate) fn look_for_removed(&self, is_known: &dyn Fn(&str, i32, Uuid) -> bool) {
        let change = self.changing.of_others();
        let waiting: Vec<_> = self
            .unopened
            .lock()
            .all()
            .map(|((topic, partition), id)| (topic.clone(), *partition, id))
            .collect();
        for (topic, partition, topic_id) in waiting {
            if change.is_being_opened(&topic, partition) || !self.is_absent(&topic, partition) {
                continue;
            }
            if is_known(&topic, partition, topic_id) {
                self.lose(&topic, partition);
            } else {
                self.stop_waiting(&topic, partition);
            }
        }
    }

    /// One that could not be opened has no directory any more.
    pub(super) fn lose(&self, topic: &str, partition: i32) {
        if self.unopened.lock().remove(topic, partition) {
            let Evidence { checkpoints, clean, .. } = &self.evidence;
            self.carried.lock().carry_gone(checkpoints, topic, partition, *clean);
            self.gone.lock().entry((topic.to_owned(), partition)).or_insert(false);
        }
    }

    /// The topic of these is deleted: those that could not be opened are waited for only where they left a directory.
    pub(super) fn stop_waiting_for_removed(&self, topic: &str, partitions: &[i32]) {
        let waits = |&partition: &i32| self.unopened.lock().waits(topic, partition);
        let waiting: Vec<i32> = partitions.iter().copied().filter(waits).collect();
        for partition in waiting.into_iter().filter(|partition| self.is_absent(topic, *partition)) {
            self.stop_waiting(topic, partition);
        }
    }

    /// One that could not be opened is of a deleted topic, and has no directory any more.
    fn stop_waiting(&self, topic: &str, partition: i32) {
        if self.unopened.lock().remove(topic, partition) {
            self.carried.lock().forget(topic, partition);
        }
    }

    /// What is said of one that is gone.
    pub(crate) fn gone_error(&self, topic: &str, partition: i32) -> LogError {
        LogError::Gone {
            path: self.path.join(partition_dir(topic, partition)),
            home: self.home.clone(),
            stray: stray_in(&*self.disk, &self.path, (topic, partition)),
        }
    }

    /// Whether there is no directory of this partition. One that cannot be looked for may be there.
    pub(crate) fn is_absent(&self, topic: &str, partition: i32) -> bool {
        self.disk.exists(&self.path.join(partition_dir(topic, partition))).is_ok_and(|there| !there)
    }

    /// Whether a partition was made and is not here, whatever is said of its loss.
    pub(super) fn is_missed(&self, topic: &str, partition: i32) -> bool {
        self.gone.lock().contains_key(&(topic.to_owned(), partition))
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
