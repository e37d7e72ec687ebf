//! Partitions that the checkpoints know to have had records, and that have no directory any more: somebody removed it, or the
//! file system was restored without it.
//!
//! None of them is made anew in silence, for then nobody would miss its records: it is not served until its directory is
//! back, or until whoever owns it says that the loss is accepted. Their entries stay in the checkpoints meanwhile, so that the
//! next start knows as much.

use std::collections::{BTreeSet, HashSet};

use super::LogDir;
use super::checkpoints::Checkpoints;
use super::options::PartitionSettings;

/// A topic's partitions by name and number.
pub(super) type Gone = BTreeSet<(String, i32)>;

/// Those of which a checkpoint says that they had reached an offset, which the owner knows, and of which none is `found`.
pub(super) fn find(
    checkpoints: &Checkpoints,
    found: &HashSet<(&str, i32)>,
    settings: &(dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
) -> Gone {
    let named = checkpoints.recovery.iter().chain(checkpoints.high_watermark.iter());
    named
        .filter(|(topic, partition, offset)| *offset > 0 && !found.contains(&(*topic, *partition)))
        .filter(|(topic, partition, _)| settings(topic, *partition).is_some())
        .map(|(topic, partition, _)| (topic.to_owned(), partition))
        .collect()
}

impl LogDir {
    /// How many there are.
    pub(crate) fn gone_count(&self) -> usize {
        self.gone.lock().len()
    }

    /// The loss is accepted: they may be made anew.
    pub(crate) fn accept_gone(&self) {
        self.keep_gone(|_, _| false);
    }

    /// Forgets those that are not gone, or not from here.
    pub(crate) fn keep_gone(&self, is_gone: impl Fn(&str, i32) -> bool) {
        self.gone.lock().retain(|(topic, partition)| {
            let stays = is_gone(topic, *partition);
            if !stays {
                self.carried.lock().forget(topic, *partition);
            }
            stays
        });
    }

    /// Whether a partition may not be made anew.
    pub(super) fn is_gone(&self, topic: &str, partition: i32) -> bool {
        self.gone.lock().iter().any(|(name, number)| name == topic && *number == partition)
    }
}
