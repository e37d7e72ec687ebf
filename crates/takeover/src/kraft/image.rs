//! The cluster as the records of its metadata log, one after the other, made it.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::configs::Owner;
use super::fields::DecodeError;
use super::identities::Identity;
use super::record::Change;
use super::topics::Placement;

/// The feature whose level says which records there are.
const METADATA_VERSION: &str = "metadata.version";
/// That of Kafka 4.3.
const METADATA_VERSION_MAX: i16 = 30;

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

/// Features that are here as well, with the highest level that a Kafka 4.3 has: a new cluster has that.
const FEATURES: [(&str, i16); 2] = [("group.version", 1), ("transaction.version", 2)];
/// From this level of the metadata's own feature on (Kafka 4.0) a new cluster has both: one that is not named was switched off.
const METADATA_VERSION_WITH_FEATURES: i16 = 25;

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
            Change::EligibleGone { topic } => self.clear_eligible(topic.as_deref())?,
            Change::Feature { name, level } => {
                if name == METADATA_VERSION && level > METADATA_VERSION_MAX {
                    let (found, known) =
                        (level.unsigned_abs().into(), METADATA_VERSION_MAX.unsigned_abs().into());
                    return Err(DecodeError::Newer { what: METADATA_VERSION, found, known });
                }
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

    fn clear_eligible(&mut self, only: Option<&str>) -> Result<(), DecodeError> {
        if only.is_some_and(|name| !self.topics.contains_key(name)) {
            return Err(DecodeError::Unknown { what: "clearing of eligible replicas" });
        }
        let of = self.topics.iter_mut().filter(|(name, _)| only.is_none_or(|only| only == *name));
        for placement in of.flat_map(|(_, topic)| topic.partitions.values_mut()) {
            placement.eligible.clear();
            placement.last_known.clear();
        }
        Ok(())
    }

    /// Back to before the transaction that is open, if one is. The end of the log ends it so, too.
    pub(super) fn abort(&mut self) {
        if let Some(before) = self.before.take() {
            *self = *before;
        }
    }

    /// Levels that somebody wanted below those of a new cluster.
    pub(crate) fn lowered_features(&self) -> BTreeMap<String, i16> {
        let metadata_version = self.features.get(METADATA_VERSION).copied().unwrap_or(0);
        let unnamed = (metadata_version >= METADATA_VERSION_WITH_FEATURES).then_some(0);
        let level = |name| self.features.get(name).copied().or(unnamed);
        let lowered = FEATURES.into_iter().filter_map(|(name, max)| Some((name, level(name)?, max)));
        lowered
            .filter(|(_, level, max)| level < max)
            .map(|(name, level, _)| (name.to_owned(), level))
            .collect()
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
    fn nobody_is_eligible_after_that_was_cleared() {
        let mut image = Image::default();
        for (id, name) in [(1, "a"), (2, "b")] {
            let placement = Placement {
                replicas: vec![1, 2],
                isr: Vec::new(),
                eligible: vec![2],
                last_known: vec![1],
                leader: -1,
                leader_epoch: 0,
                directories: Vec::new(),
            };
            let partitions = BTreeMap::from([(0, placement)]);
            let topic = Topic { id: Uuid::from_u128(id), created_ms: 0, partitions };
            image.topics.insert(name.to_owned(), topic);
        }
        let mut clear = |topic: Option<&str>| {
            image.apply(Change::EligibleGone { topic: topic.map(str::to_owned) }, 0)?;
            let left = |name: &str| image.topics[name].partitions[&0].eligible.len();
            Ok((left("a"), left("b")))
        };
        assert_eq!(clear(Some("a")), Ok((0, 1)));
        assert_eq!(clear(None), Ok((0, 0)));
        assert_eq!(clear(Some("c")), Err(DecodeError::Unknown { what: "clearing of eligible replicas" }));
    }

    #[test]
    fn a_metadata_version_of_a_newer_kafka_is_refused() {
        let level = |level| Change::Feature { name: METADATA_VERSION.to_owned(), level };
        Image::default().apply(level(METADATA_VERSION_MAX), 0).expect("that of 4.3");
        assert!(Image::default().apply(level(METADATA_VERSION_MAX + 1), 0).is_err());
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
