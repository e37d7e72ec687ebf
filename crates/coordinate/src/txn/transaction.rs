//! One transactional id: what its record says, and what lives only here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::answer::Producer;
use super::record::{NO_PRODUCER_EPOCH, NO_PRODUCER_ID, TxnTopic, TxnValue, VALUE_VERSION};
use super::state::{Outcome, TxnState};
use crate::input::Token;
use crate::memory::{text_bytes, tree_bytes};

/// Time at which nothing began.
const NEVER_MS: i64 = -1;
/// From this epoch on a producer gets another id instead of the next epoch: the one above is left for whoever fences it.
const LAST_EPOCH: i16 = i16::MAX - 1;
/// What deadlines of a transaction take.
const DEADLINE_BYTES: usize = 96;
/// Fields of a value besides its topics, all tags there.
const VALUE_BYTES: usize = 2 + 8 + 2 + 4 + 1 + 5 + 8 + 8 + 1 + 2 * 10 + 2 * 4;
/// A topic besides its name and partitions, with the widest counts.
const TOPIC_BYTES: usize = 3 + 5 + 1;

/// Partitions by topic.
pub(crate) type Topics = BTreeMap<Arc<str>, BTreeSet<i32>>;

/// What is in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) producer_id: i64,
    pub(crate) previous_producer_id: i64,
    pub(crate) next_producer_id: i64,
    pub(crate) epoch: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) state: TxnState,
    pub(crate) topics: Topics,
    pub(crate) updated_ms: i64,
    pub(crate) started_ms: i64,
    pub(crate) client_version: i16,
}

/// A transactional id.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) kept: Kept,
    /// The epoch before this one, if a client that did not hear of this one may still ask with it. Not after a restart.
    pub(crate) last_epoch: i16,
    /// When its time is up, by the steady clock; only while it is open.
    pub(crate) deadline_ms: Option<i64>,
    /// When its markers are tried again; only while it ends.
    pub(crate) retry_at_ms: Option<i64>,
    /// Attempts to write its markers that failed.
    pub(crate) failures: u32,
    /// Who waits for its end.
    pub(crate) waiting: Option<Waiting>,
}

/// Who waits for the end of a transaction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Waiting {
    pub(crate) token: Token,
    /// What to say then.
    pub(crate) answer: Producer,
    /// By the steady clock: it is said then, whatever became of the markers.
    pub(crate) until_ms: i64,
}

impl Transaction {
    /// As a record says.
    pub(crate) const fn of(kept: Kept) -> Self {
        Self {
            kept,
            last_epoch: NO_PRODUCER_EPOCH,
            deadline_ms: None,
            retry_at_ms: None,
            failures: 0,
            waiting: None,
        }
    }

    /// What it takes in memory, about.
    pub(crate) fn bytes(&self, id: &str) -> usize {
        size_of::<Self>() + 2 * text_bytes(id) + DEADLINE_BYTES + self.kept.topics_bytes()
    }
}

impl Kept {
    /// Of a producer that has no epoch yet.
    pub(crate) const fn new(producer_id: i64, timeout_ms: i32, now_ms: i64) -> Self {
        Self {
            producer_id,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            epoch: NO_PRODUCER_EPOCH,
            timeout_ms,
            state: TxnState::Empty,
            topics: Topics::new(),
            updated_ms: now_ms,
            started_ms: NEVER_MS,
            client_version: 0,
        }
    }

    /// What a record says.
    pub(crate) fn read(value: TxnValue) -> Self {
        let mut topics = Topics::new();
        // Nobody takes part in what is over, whatever another program wrote.
        let named = value.topics.filter(|_| !value.state.is_at_rest());
        for topic in named.into_iter().flatten().filter(|topic| !topic.partitions.is_empty()) {
            // Kafka names a topic once; what names it twice means all of it.
            topics.entry(topic.topic).or_default().extend(topic.partitions);
        }
        Self {
            producer_id: value.producer_id,
            previous_producer_id: value.previous_producer_id,
            next_producer_id: value.next_producer_id,
            epoch: value.producer_epoch,
            timeout_ms: value.timeout_ms,
            state: value.state,
            topics,
            updated_ms: value.updated_ms,
            started_ms: value.started_ms,
            client_version: value.client_version,
        }
    }

    /// As a record. `level`: the `transaction.version` in force; at 0 whoever reads it may know only the first version of values.
    pub(crate) fn value(&self, level: i16) -> TxnValue {
        let topic = |(topic, partitions): (&Arc<str>, &BTreeSet<i32>)| TxnTopic {
            topic: topic.clone(),
            partitions: partitions.iter().copied().collect(),
        };
        let topics = (self.state != TxnState::Empty).then(|| self.topics.iter().map(topic).collect());
        TxnValue {
            version: if level > 0 { VALUE_VERSION } else { 0 },
            producer_id: self.producer_id,
            previous_producer_id: self.previous_producer_id,
            next_producer_id: self.next_producer_id,
            producer_epoch: self.epoch,
            next_producer_epoch: NO_PRODUCER_EPOCH,
            timeout_ms: self.timeout_ms,
            state: self.state,
            topics,
            updated_ms: self.updated_ms,
            started_ms: self.started_ms,
            client_version: self.client_version,
        }
    }

    /// Whether this is the producer id that follows when the transaction is over: its producer may have heard of that before it
    /// is.
    pub(crate) const fn gives_way_to(&self, producer_id: i64, epoch: i16) -> bool {
        matches!(self.state, TxnState::PrepareCommit | TxnState::PrepareAbort)
            && self.next_producer_id != NO_PRODUCER_ID
            && self.next_producer_id == producer_id
            && epoch == 0
    }

    /// No producer may have a later epoch with this producer id.
    pub(crate) const fn is_exhausted(&self) -> bool {
        self.epoch >= LAST_EPOCH
    }

    /// As [`Kept::is_exhausted`], of the epoch that a client names.
    pub(crate) const fn is_last(epoch: i16) -> bool {
        epoch >= LAST_EPOCH
    }

    /// The producer, at rest with this id and epoch.
    pub(crate) fn begun(&self, producer_id: i64, epoch: i16, timeout_ms: i32, now_ms: i64) -> Self {
        Self {
            producer_id,
            previous_producer_id: self.producer_id,
            epoch,
            timeout_ms,
            state: TxnState::Empty,
            topics: Topics::new(),
            updated_ms: now_ms,
            started_ms: NEVER_MS,
            ..self.clone()
        }
    }

    /// With more partitions.
    pub(crate) fn with(&self, partitions: &[(Arc<str>, i32)], client_version: i16, now_ms: i64) -> Self {
        let mut topics = self.topics.clone();
        for (topic, partition) in partitions {
            topics.entry(topic.clone()).or_default().insert(*partition);
        }
        Self {
            previous_producer_id: self.producer_id,
            state: TxnState::Ongoing,
            topics,
            updated_ms: now_ms,
            started_ms: if self.state.is_at_rest() { now_ms } else { self.started_ms },
            client_version,
            ..self.clone()
        }
    }

    /// Its end decided. `next_producer_id`: another id for the producer, as the epochs of this one are used up.
    pub(crate) fn prepared(
        &self,
        outcome: Outcome,
        client_version: i16,
        next_producer_id: i64,
        now_ms: i64,
    ) -> Self {
        let raises = client_version >= 2;
        Self {
            previous_producer_id: self.producer_id,
            next_producer_id,
            // At the very last epoch, which no producer is given, it is still aborted.
            epoch: if raises { self.epoch.saturating_add(1) } else { self.epoch },
            state: outcome.prepared(),
            updated_ms: now_ms,
            // What was not open for the coordinator is aborted as if it had begun now.
            started_ms: if self.state.is_at_rest() { now_ms } else { self.started_ms },
            client_version,
            ..self.clone()
        }
    }

    /// Its abort decided by somebody else, by the rules before version 2: with the next epoch, under the same producer id.
    pub(crate) fn fenced(&self, level: i16, now_ms: i64) -> Self {
        let raised = Self { epoch: self.epoch.saturating_add(1), ..self.clone() };
        raised.prepared(Outcome::Abort, level, NO_PRODUCER_ID, now_ms)
    }

    /// Its markers written.
    pub(crate) fn completed(&self, outcome: Outcome, now_ms: i64) -> Self {
        let (producer_id, epoch) = self.producer_after_end();
        Self {
            producer_id,
            previous_producer_id: self.producer_id,
            next_producer_id: NO_PRODUCER_ID,
            epoch,
            state: outcome.complete(),
            topics: Topics::new(),
            updated_ms: now_ms,
            ..self.clone()
        }
    }

    /// The producer id and epoch once an end that is decided is done.
    pub(crate) const fn producer_after_end(&self) -> (i64, i16) {
        if self.client_version >= 2 && self.next_producer_id != NO_PRODUCER_ID {
            (self.next_producer_id, 0)
        } else {
            (self.producer_id, self.epoch)
        }
    }

    pub(crate) fn holds(&self, topic: &str, partition: i32) -> bool {
        self.topics.get(topic).is_some_and(|partitions| partitions.contains(&partition))
    }

    /// This one has its marker.
    pub(crate) fn remove(&mut self, topic: &str, partition: i32) {
        let Some(partitions) = self.topics.get_mut(topic) else { return };
        partitions.remove(&partition);
        if partitions.is_empty() {
            self.topics.remove(topic);
        }
    }

    pub(crate) fn partition_count(&self) -> usize {
        self.topics.values().map(BTreeSet::len).sum()
    }

    /// The most bytes that a value with these topics takes, in whatever state.
    pub(crate) fn value_bytes(&self) -> usize {
        let topic = |(topic, partitions): (&Arc<str>, &BTreeSet<i32>)| {
            TOPIC_BYTES + topic.len() + size_of::<i32>() * partitions.len()
        };
        VALUE_BYTES + self.topics.iter().map(topic).sum::<usize>()
    }

    fn topics_bytes(&self) -> usize {
        let topic = |(topic, partitions): (&Arc<str>, &BTreeSet<i32>)| {
            text_bytes(topic) + tree_bytes::<i32>(partitions.len())
        };
        let topics = self.topics.iter().map(topic).sum::<usize>();
        topics + tree_bytes::<(Arc<str>, BTreeSet<i32>)>(self.topics.len())
    }
}
