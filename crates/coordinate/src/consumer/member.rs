//! One member of a consumer group, as the log tells of it. Changes are made on a copy, which becomes records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::input::{Protocol, TopicId};
use crate::memory::{TIMER_BYTES, text_bytes, tree_bytes};
use crate::records::{ClassicMember, CurrentAssignment, EpochPartitions, MemberMetadata, MemberState};

/// The member epoch with which a member leaves.
pub(crate) const LEAVE: i32 = -1;
/// The member epoch with which a static member goes away for a while, and which it then has.
pub(crate) const LEAVE_FOR_A_WHILE: i32 = -2;

/// Partitions by topic, each with the member epoch since which the member has it.
pub(crate) type Owned = BTreeMap<TopicId, BTreeMap<i32, i32>>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) epoch: i32,
    pub(crate) previous_epoch: i32,
    pub(crate) state: MemberState,
    pub(crate) instance_id: Option<Arc<str>>,
    pub(crate) rack_id: Option<Arc<str>>,
    pub(crate) client_id: Arc<str>,
    pub(crate) client_host: Arc<str>,
    pub(crate) topics: BTreeSet<Arc<str>>,
    /// Empty if it names none; none only in records that say so.
    pub(crate) regex: Option<Arc<str>>,
    /// -1 if it never said.
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) assignor: Option<Arc<str>>,
    pub(crate) assigned: Owned,
    pub(crate) revoking: Owned,
    /// It speaks the classic protocol.
    pub(crate) classic: Option<ClassicMember>,
}

impl Member {
    pub(crate) fn new() -> Self {
        Self {
            epoch: 0,
            previous_epoch: -1,
            state: MemberState::Stable,
            instance_id: None,
            rack_id: None,
            client_id: Arc::from(""),
            client_host: Arc::from(""),
            topics: BTreeSet::new(),
            regex: Some(Arc::from("")),
            rebalance_timeout_ms: -1,
            assignor: None,
            assigned: Owned::new(),
            revoking: Owned::new(),
            classic: None,
        }
    }

    /// The regular expression it subscribes to.
    pub(crate) fn expression(&self) -> Option<&Arc<str>> {
        self.regex.as_ref().filter(|regex| !regex.is_empty())
    }

    /// It has what the assignment of this epoch gives it.
    pub(crate) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }

    /// The epoch since which it has a partition, whether or not it is to give it back.
    pub(crate) fn has_since(&self, topic: &TopicId, partition: i32) -> Option<i32> {
        let of = |owned: &Owned| owned.get(topic)?.get(&partition).copied();
        of(&self.assigned).or_else(|| of(&self.revoking))
    }

    /// It has partitions to give back, and speaks of them by itself: who is away for a while has given back what it had to.
    pub(crate) fn is_to_give_back(&self) -> bool {
        self.state == MemberState::UnrevokedPartitions
            && self.epoch != LEAVE_FOR_A_WHILE
            && self.classic.is_none()
    }

    pub(crate) fn move_to(&mut self, epoch: i32) {
        self.previous_epoch = std::mem::replace(&mut self.epoch, epoch);
    }

    pub(crate) fn set_metadata(&mut self, value: MemberMetadata) {
        self.instance_id = value.instance_id;
        self.rack_id = value.rack_id;
        self.client_id = value.client_id;
        self.client_host = value.client_host;
        self.topics = value.topics.into_iter().collect();
        self.regex = value.regex;
        self.rebalance_timeout_ms = value.rebalance_timeout_ms;
        self.assignor = value.assignor;
        self.classic = value.classic;
    }

    pub(crate) fn metadata(&self) -> MemberMetadata {
        MemberMetadata {
            instance_id: self.instance_id.clone(),
            rack_id: self.rack_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            topics: self.topics.iter().cloned().collect(),
            regex: self.regex.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            assignor: self.assignor.clone(),
            classic: self.classic.clone(),
        }
    }

    pub(crate) fn set_current(&mut self, value: &CurrentAssignment) {
        self.epoch = value.member_epoch;
        self.previous_epoch = value.previous_epoch;
        self.state = value.state;
        self.assigned = opened(&value.assigned, value.member_epoch);
        self.revoking = opened(&value.revoking, value.member_epoch);
    }

    pub(crate) fn current(&self) -> CurrentAssignment {
        CurrentAssignment {
            member_epoch: self.epoch,
            previous_epoch: self.previous_epoch,
            state: self.state,
            assigned: closed(&self.assigned),
            revoking: closed(&self.revoking),
        }
    }

    /// Its record of this kind is deleted: it has nothing.
    pub(crate) fn forget_current(&mut self) {
        (self.epoch, self.previous_epoch) = (LEAVE, LEAVE);
        self.assigned.clear();
        self.revoking.clear();
    }

    /// The protocols that it offers in the classic protocol.
    pub(crate) fn protocols(&self) -> &[Protocol] {
        self.classic.as_ref().map_or(&[], |classic| &classic.protocols)
    }

    /// Bytes it takes, about, without its place in the group's maps.
    pub(crate) fn bytes(&self, id: &str) -> usize {
        let maybe = |text: &Option<Arc<str>>| text.as_deref().map_or(0, text_bytes);
        let texts = text_bytes(id)
            + text_bytes(&self.client_id)
            + text_bytes(&self.client_host)
            + maybe(&self.instance_id)
            + maybe(&self.rack_id)
            + maybe(&self.regex)
            + maybe(&self.assignor);
        let topics = tree_bytes::<Arc<str>>(self.topics.len())
            + self.topics.iter().map(|topic| text_bytes(topic)).sum::<usize>();
        let protocols: usize =
            self.protocols().iter().map(|offer| text_bytes(&offer.name) + offer.metadata.len()).sum();
        // A session, and a deadline to give partitions back or to join.
        // What it has is counted once more among the group's owners.
        2 * TIMER_BYTES
            + texts
            + topics
            + protocols
            + 2 * (bytes_of(&self.assigned) + bytes_of(&self.revoking))
    }
}

fn bytes_of(owned: &Owned) -> usize {
    let topics = owned.values().map(|partitions| tree_bytes::<(i32, i32)>(partitions.len()));
    tree_bytes::<(TopicId, BTreeMap<i32, i32>)>(owned.len()) + topics.sum::<usize>()
}

/// Records from before partitions had epochs of their own count from the member's.
fn opened(topics: &[EpochPartitions], member_epoch: i32) -> Owned {
    let otherwise = member_epoch.max(0);
    let mut owned = Owned::new();
    for topic in topics {
        let epochs = topic.epochs.as_deref().filter(|epochs| epochs.len() == topic.partitions.len());
        let epoch = |at: usize| epochs.and_then(|epochs| epochs.get(at)).copied().unwrap_or(otherwise);
        let partitions = topic.partitions.iter().enumerate().map(|(at, partition)| (*partition, epoch(at)));
        owned.insert(topic.topic_id, partitions.collect());
    }
    owned
}

fn closed(owned: &Owned) -> Vec<EpochPartitions> {
    let topic = |(id, partitions): (&TopicId, &BTreeMap<i32, i32>)| EpochPartitions {
        topic_id: *id,
        partitions: partitions.keys().copied().collect(),
        epochs: Some(partitions.values().copied().collect()),
    };
    owned.iter().map(topic).collect()
}
