//! What the files beside the logs say of a log that is opened, and which logs wait for another attempt.
//!
//! A log that could not be opened is opened later by what was known at the first attempt: what it was known to have held does
//! not become less by waiting.

use std::collections::{BTreeMap, BTreeSet};

use pagewire_disk::{DamageEntry, OffsetCheckpoint};
use uuid::Uuid;

use super::checkpoints::Checkpoints;
use super::{LogDir, vouched};
use crate::home::Vouched;
use crate::scrub::Noted;

/// A topic's partition.
type Name = (String, i32);

/// What was read when the directory was loaded.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) checkpoints: Checkpoints,
    pub(super) vouched: Option<OffsetCheckpoint>,
    /// Where logs were found damaged before.
    pub(super) noted: Noted,
    /// The last stop was an orderly one.
    pub(super) clean: bool,
    /// Another program may have had the directory: what we noted of compaction says nothing.
    pub(super) others_wrote: bool,
}

impl Evidence {
    /// Of a log that nobody had open yet, beyond what the checkpoints may say.
    pub(super) fn of_an_attempt(checkpoints: Checkpoints) -> Self {
        Self { checkpoints, ..Self::default() }
    }

    /// Whether a log was closed in order.
    pub(super) fn says_closed(&self, topic: &str, partition: i32) -> bool {
        self.clean && self.checkpoints.name_as_closed(topic, partition)
    }

    /// What an orderly stop vouches for of a log.
    pub(super) fn vouched(&self, topic: &str, partition: i32) -> Option<Vouched> {
        self.vouched.as_ref().map(|sums| vouched::of(sums, topic, partition))
    }

    /// The same of some logs alone.
    pub(super) fn only<'n>(self, logs: impl Iterator<Item = &'n Name>) -> Self {
        let mut checkpoints = Checkpoints {
            legible: self.checkpoints.legible,
            recovery_is_certain: self.checkpoints.recovery_is_certain,
            starts_are_certain: self.checkpoints.starts_are_certain,
            ..Checkpoints::default()
        };
        let mut sums = OffsetCheckpoint::new();
        let mut names = BTreeSet::new();
        for (topic, partition) in logs {
            checkpoints.carry(&self.checkpoints, topic, *partition, true);
            if let Some(packed) = self.vouched.as_ref().and_then(|sums| sums.get(topic, *partition)) {
                sums.set(topic, *partition, packed);
            }
            names.insert((topic.as_str(), *partition));
        }
        Self {
            checkpoints,
            vouched: self.vouched.map(|_| sums),
            noted: self.noted.only(|topic, partition| names.contains(&(topic, partition))),
            clean: self.clean,
            others_wrote: self.others_wrote,
        }
    }
}

/// Logs that could not be opened, by the ids of their topics.
#[derive(Debug, Default)]
pub(super) struct Unopened(BTreeMap<Name, Uuid>);

impl Unopened {
    pub(super) fn add(&mut self, topic: &str, partition: i32, topic_id: Uuid) {
        self.0.insert((topic.to_owned(), partition), topic_id);
    }

    /// It is open now, or gone.
    pub(super) fn remove(&mut self, topic: &str, partition: i32) {
        self.0.remove(&(topic.to_owned(), partition));
    }

    pub(super) fn has(&self, topic: &str, partition: i32, topic_id: Uuid) -> bool {
        self.0.get(&(topic.to_owned(), partition)) == Some(&topic_id)
    }

    /// Whether one of this name is among them.
    fn waits(&self, topic: &str, partition: i32) -> bool {
        self.0.contains_key(&(topic.to_owned(), partition))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.keys()
    }
}

impl LogDir {
    /// Where logs that wait for another attempt were found damaged.
    pub(crate) fn notes_of_unopened(&self) -> Vec<DamageEntry> {
        let unopened = self.unopened.lock();
        let noted = self.evidence.noted.iter();
        noted.filter(|entry| unopened.waits(&entry.topic, entry.partition)).cloned().collect()
    }
}
