//! Topics and where their partitions are: TopicRecord, RemoveTopicRecord, PartitionRecord, PartitionChangeRecord.
//!
//! ```text
//!   topic      name string │ id uuid
//!   partition  index i32 │ topic id │ replicas [i32] │ isr │ removing │ adding │ leader i32 │ leader epoch i32 │ ...
//!   change     index i32 │ topic id │ tags { 0: isr, 1: leader, 2: replicas, ... }
//! ```

use uuid::Uuid;

use super::fields::{DecodeError, Fields};

/// Nobody leads.
pub(crate) const NO_LEADER: i32 = -1;

const TAG_ISR: u32 = 0;
const TAG_LEADER: u32 = 1;
const TAG_REPLICAS: u32 = 2;

/// A topic, without its partitions.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TopicMade {
    pub(super) name: String,
    pub(super) id: Uuid,
}

impl TopicMade {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        Ok(Self { name: fields.string()?, id: fields.uuid()? })
    }
}

/// Where a partition is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placement {
    /// Node ids.
    pub(crate) replicas: Vec<i32>,
    /// Those that have everything that was committed.
    pub(crate) isr: Vec<i32>,
    /// [`NO_LEADER`] for none.
    pub(crate) leader: i32,
    /// Rises with every leader.
    pub(crate) leader_epoch: i32,
}

/// A partition that is made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartitionMade {
    pub(super) topic_id: Uuid,
    pub(super) index: i32,
    pub(super) placement: Placement,
}

impl PartitionMade {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let (index, topic_id) = (fields.i32()?, fields.uuid()?);
        let (replicas, isr) = (fields.list(Fields::i32)?, fields.list(Fields::i32)?);
        let (_removing, _adding) = (fields.list(Fields::i32)?, fields.list(Fields::i32)?);
        let (leader, leader_epoch) = (fields.i32()?, fields.i32()?);
        if index < 0 || leader_epoch < 0 {
            return Err(DecodeError::Length);
        }
        Ok(Self { topic_id, index, placement: Placement { replicas, isr, leader, leader_epoch } })
    }
}

/// What changes of a partition; none stays as it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartitionChanged {
    pub(super) topic_id: Uuid,
    pub(super) index: i32,
    isr: Option<Vec<i32>>,
    leader: Option<i32>,
    replicas: Option<Vec<i32>>,
}

/// No change of leader.
const SAME_LEADER: i32 = -2;

impl PartitionChanged {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let (index, topic_id) = (fields.i32()?, fields.uuid()?);
        let mut changed = Self { topic_id, index, isr: None, leader: None, replicas: None };
        fields.tagged(|tag, field| {
            match tag {
                TAG_ISR => changed.isr = field.nullable_list(Fields::i32)?,
                TAG_LEADER => changed.leader = Some(field.i32()?).filter(|leader| *leader != SAME_LEADER),
                TAG_REPLICAS => changed.replicas = field.nullable_list(Fields::i32)?,
                _ => {}
            }
            Ok(())
        })?;
        Ok(changed)
    }

    /// Every record that names a leader begins an epoch, also if it is the same one.
    pub(super) fn apply(self, placement: &mut Placement) {
        if let Some(leader) = self.leader {
            placement.leader = leader;
            placement.leader_epoch = placement.leader_epoch.saturating_add(1);
        }
        if let Some(isr) = self.isr {
            placement.isr = isr;
        }
        if let Some(replicas) = self.replicas {
            placement.replicas = replicas;
        }
    }
}
