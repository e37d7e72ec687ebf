//! What the files beside the logs say of a log that is opened, and which logs wait for another attempt.
//!
//! A log that could not be opened, or was not there, is opened later by what was known when the directory was loaded: what it was
//! known to have held does not become less by waiting.

use std::collections::BTreeMap;

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
    /// Of a log that an attempt to make it left, beyond what the checkpoints may say.
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

    /// The same of logs that wait for another attempt; where they were damaged, of all that are not `open`.
    pub(super) fn only<'n>(
        self,
        logs: impl Iterator<Item = &'n Name>,
        is_open: impl Fn(&str, i32) -> bool,
    ) -> Self {
        let mut checkpoints = Checkpoints {
            recovery_is_certain: self.checkpoints.recovery_is_certain,
            starts_are_certain: self.checkpoints.starts_are_certain,
            watermarks_are_certain: self.checkpoints.watermarks_are_certain,
            ..Checkpoints::default()
        };
        let mut sums = OffsetCheckpoint::new();
        for (topic, partition) in logs {
            checkpoints.carry(&self.checkpoints, topic, *partition, true);
            if let Some(packed) = self.vouched.as_ref().and_then(|sums| sums.get(topic, *partition)) {
                sums.set(topic, *partition, packed);
            }
        }
        Self {
            checkpoints,
            vouched: self.vouched.map(|_| sums),
            noted: self.noted.only(|topic, partition| !is_open(topic, partition)),
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

    /// It is open now, or gone. Says whether it was among them.
    pub(super) fn remove(&mut self, topic: &str, partition: i32) -> bool {
        self.0.remove(&(topic.to_owned(), partition)).is_some()
    }

    pub(super) fn has(&self, topic: &str, partition: i32, topic_id: Uuid) -> bool {
        self.0.get(&(topic.to_owned(), partition)) == Some(&topic_id)
    }

    /// Whether one of this name is among them.
    pub(super) fn waits(&self, topic: &str, partition: i32) -> bool {
        self.0.contains_key(&(topic.to_owned(), partition))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &Name> {
        self.0.keys()
    }

    /// With the ids of their topics.
    pub(super) fn all(&self) -> impl Iterator<Item = (&Name, Uuid)> {
        self.0.iter().map(|(name, id)| (name, *id))
    }
}

impl LogDir {
    /// Whether the log of a topic's partition is one that could not be opened, or was not there, when the directory was loaded.
    pub(super) fn is_awaited(&self, topic: &str, partition: i32, topic_id: Uuid) -> bool {
        self.unopened.lock().has(topic, partition, topic_id) || self.is_missed(topic, partition)
    }

    /// Whether it is here and could not be opened so far.
    pub(crate) fn is_unopened(&self, topic: &str, partition: i32, topic_id: Uuid) -> bool {
        self.unopened.lock().has(topic, partition, topic_id)
    }

    /// Where logs that wait for another attempt were found damaged.
    pub(crate) fn notes_of_awaited(&self) -> Vec<DamageEntry> {
        let unopened = self.unopened.lock();
        let waits =
            |topic: &str, partition| unopened.waits(topic, partition) || self.is_missed(topic, partition);
        let noted = self.evidence.noted.iter();
        noted.filter(|entry| waits(&entry.topic, entry.partition)).cloned().collect()
    }
}
