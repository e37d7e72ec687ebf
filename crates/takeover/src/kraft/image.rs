//! The cluster as the records of its metadata log, one after the other, made it.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::configs::Owner;
use super::fields::DecodeError;
use super::identities::Identity;
use super::record::Change;
use super::topics::Placement;

/// A topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Topic {
    pub(crate) id: Uuid,
    /// When the record that made it was written, or the snapshot it stands in.
    pub(crate) created_ms: i64,
    /// By number.
    pub(crate) partitions: BTreeMap<i32, Placement>,
}

/// The cluster.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    pub(crate) topics: BTreeMap<String, Topic>,
    pub(crate) configs: BTreeMap<Owner, BTreeMap<String, String>>,
    pub(crate) brokers: BTreeSet<i32>,
    pub(crate) features: BTreeMap<String, i16>,
    /// The first producer id that nobody has.
    pub(crate) next_producer_id: i64,
    names: BTreeMap<Uuid, String>,
    identities: BTreeSet<Identity>,
    /// The image before a transaction that has not ended.
    before: Option<Box<Self>>,
}

/// What is known of users and clients and not carried over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct NotCarried {
    /// Access control entries.
    pub acls: usize,
    /// SCRAM credentials.
    pub scram_credentials: usize,
    /// Quotas.
    pub quotas: usize,
    /// Delegation tokens.
    pub delegation_tokens: usize,
}

impl NotCarried {
    /// How many in all.
    pub fn total(&self) -> usize {
        self.acls + self.scram_credentials + self.quotas + self.delegation_tokens
    }
}

impl Image {
    /// Takes one change over.
    pub(super) fn apply(&mut self, change: Change, timestamp_ms: i64) -> Result<(), DecodeError> {
        match change {
            Change::Topic(made) => {
                self.names.insert(made.id, made.name.clone());
                let topic = Topic { id: made.id, created_ms: timestamp_ms, partitions: BTreeMap::new() };
                self.topics.insert(made.name, topic);
            }
            Change::TopicGone(id) => {
                let name = self.names.remove(&id).ok_or(DecodeError::Unknown { what: "deletion" })?;
                self.configs.remove(&Owner::Topic(name.clone()));
                self.topics.remove(&name);
            }
            Change::Partition(made) => {
                let topic = self.topic(made.topic_id, "partition")?;
                topic.partitions.insert(made.index, made.placement);
            }
            Change::PartitionChanged(changed) => {
                let topic = self.topic(changed.topic_id, "change of a partition")?;
                let placement = topic.partitions.get_mut(&changed.index);
                changed.apply(placement.ok_or(DecodeError::Unknown { what: "change of a partition" })?);
            }
            Change::Config(set) => {
                let own = self.configs.entry(set.owner).or_default();
                match set.value {
                    Some(value) => own.insert(set.name, value),
                    None => own.remove(&set.name),
                };
            }
            Change::ProducerIds { next } => self.next_producer_id = self.next_producer_id.max(next),
            Change::Broker { id, is_there: true } => {
                self.brokers.insert(id);
            }
            Change::Broker { id, is_there: false } => {
                self.brokers.remove(&id);
            }
            Change::Feature { name, level } => {
                self.features.insert(name, level);
            }
            Change::Identity(identity) => {
                self.identities.insert(identity);
            }
            Change::IdentityGone(identity) => {
                self.identities.remove(&identity);
            }
            Change::Begin if self.before.is_none() => self.before = Some(Box::new(self.clone())),
            Change::End if self.before.is_some() => self.before = None,
            Change::Abort if self.before.is_some() => self.abort(),
            Change::Begin | Change::End | Change::Abort => {
                return Err(DecodeError::Misplaced { what: "bound of a transaction" });
            }
            Change::Nothing => {}
        }
        Ok(())
    }

    fn topic(&mut self, id: Uuid, what: &'static str) -> Result<&mut Topic, DecodeError> {
        let name = self.names.get(&id).ok_or(DecodeError::Unknown { what })?;
        self.topics.get_mut(name).ok_or(DecodeError::Unknown { what })
    }

    /// Back to before the transaction that is open, if one is. The end of the log ends it so, too.
    pub(super) fn abort(&mut self) {
        if let Some(before) = self.before.take() {
            *self = *before;
        }
    }

    /// What is counted only.
    pub(crate) fn not_carried(&self) -> NotCarried {
        let mut counted = NotCarried::default();
        for identity in &self.identities {
            match identity {
                Identity::Acl(_) => counted.acls += 1,
                Identity::Scram { .. } => counted.scram_credentials += 1,
                Identity::Quota { .. } => counted.quotas += 1,
                Identity::Token(_) => counted.delegation_tokens += 1,
            }
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broker(id: i32) -> Change {
        Change::Broker { id, is_there: true }
    }

    #[test]
    fn a_transaction_counts_from_its_end_on_and_an_aborted_one_never() {
        let mut image = Image::default();
        let mut apply = |change| image.apply(change, 0).expect("applied");
        [Change::Begin, broker(1), Change::End, Change::Begin, broker(2), Change::Abort, broker(3)]
            .into_iter()
            .for_each(&mut apply);
        [Change::Begin, broker(4)].into_iter().for_each(&mut apply);
        image.abort();
        assert_eq!(image.brokers, BTreeSet::from([1, 3]));
        assert!(image.apply(Change::End, 0).is_err());
    }

    #[test]
    fn a_partition_of_no_topic_is_refused() {
        let mut image = Image::default();
        assert!(image.apply(Change::TopicGone(Uuid::from_u128(1)), 0).is_err());
    }

    #[test]
    fn producer_ids_never_go_back() {
        let mut image = Image::default();
        for next in [5000, 3000] {
            image.apply(Change::ProducerIds { next }, 0).expect("applied");
        }
        assert_eq!(image.next_producer_id, 5000);
    }
}
