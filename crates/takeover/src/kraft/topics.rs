//! Topics and where their partitions are: TopicRecord, RemoveTopicRecord, PartitionRecord, PartitionChangeRecord.
//!
//! ```text
//!   topic      name string │ id uuid
//!   partition  index i32 │ topic id │ replicas [i32] │ isr │ removing │ adding │ leader i32 │ leader epoch i32 │
//!              partition epoch i32 │ from version 1 on: directories [uuid] │ tags { 1: eligible, 2: last known }
//!   change     index i32 │ topic id │ tags { 0: isr, 1: leader, 2: replicas, 6: eligible, 7: last known, 8: directories, ... }
//! ```
//!
//! Eligible (KIP-966) are replicas that left the in-sync set and have everything that was committed all the same: an
//! orderly stop of all brokers moves the last ones there.

use pagewire_record::fields::FieldError;
use uuid::Uuid;

use super::fields::{DecodeError, Fields, Flexible};

/// Nobody leads.
pub(crate) const NO_LEADER: i32 = -1;

const TAG_ISR: u32 = 0;
const TAG_LEADER: u32 = 1;
const TAG_REPLICAS: u32 = 2;
const TAG_ELIGIBLE: u32 = 6;
const TAG_LAST_KNOWN: u32 = 7;
const TAG_DIRECTORIES: u32 = 8;
const TAG_ELIGIBLE_MADE: u32 = 1;
const TAG_LAST_KNOWN_MADE: u32 = 2;
const VERSION_WITH_DIRECTORIES: u32 = 1;

/// Ids of directories up to this one mean something else (KIP-858).
const RESERVED_IDS: u128 = 100;

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
    /// Those that keep up with the leader.
    pub(crate) isr: Vec<i32>,
    /// Those that kept up until less than `min.insync.replicas` were left: they have everything that was committed.
    pub(crate) eligible: Vec<i32>,
    /// Who is known to have led last where nobody is eligible any more.
    pub(crate) last_known: Vec<i32>,
    /// [`NO_LEADER`] for none.
    pub(crate) leader: i32,
    /// Rises with every leader.
    pub(crate) leader_epoch: i32,
    /// The log directory of each replica, by its id; empty where Kafka does not say.
    pub(crate) directories: Vec<Uuid>,
}

impl Placement {
    /// The directory of the replica on `node`, if it is known.
    pub(crate) fn directory_of(&self, node: i32) -> Option<Uuid> {
        let at = self.replicas.iter().position(|replica| *replica == node)?;
        // Small ones stand for "not assigned", "lost" and the like.
        self.directories.get(at).copied().filter(|id| id.as_u128() > RESERVED_IDS)
    }
}

/// A partition that is made.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct PartitionMade {
    pub(super) topic_id: Uuid,
    pub(super) index: i32,
    pub(super) placement: Placement,
}

impl PartitionMade {
    pub(super) fn read(fields: &mut Fields<'_>, version: u32) -> Result<Self, DecodeError> {
        let (index, topic_id) = (fields.i32()?, fields.uuid()?);
        let (replicas, isr) = (fields.list(Fields::i32)?, fields.list(Fields::i32)?);
        let (_removing, _adding) = (fields.list(Fields::i32)?, fields.list(Fields::i32)?);
        let (leader, leader_epoch) = (fields.i32()?, fields.i32()?);
        let _partition_epoch = fields.i32()?;
        let has_directories = version >= VERSION_WITH_DIRECTORIES;
        let directories = if has_directories { fields.list(Flexible::uuid)? } else { Vec::new() };
        if index < 0 || leader_epoch < 0 {
            return Err(FieldError::Length.into());
        }
        let (mut eligible, mut last_known) = (None, None);
        fields.tagged(|tag, field| {
            match tag {
                TAG_ELIGIBLE_MADE => eligible = field.nullable_list(Fields::i32)?,
                TAG_LAST_KNOWN_MADE => last_known = field.nullable_list(Fields::i32)?,
                _ => {}
            }
            Ok(())
        })?;
        let (eligible, last_known) = (eligible.unwrap_or_default(), last_known.unwrap_or_default());
        let placement = Placement { replicas, isr, eligible, last_known, leader, leader_epoch, directories };
        Ok(Self { topic_id, index, placement })
    }
}

/// What changes of a partition; none stays as it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PartitionChanged {
    pub(super) topic_id: Uuid,
    pub(super) index: i32,
    isr: Option<Vec<i32>>,
    eligible: Option<Vec<i32>>,
    last_known: Option<Vec<i32>>,
    leader: Option<i32>,
    replicas: Option<Vec<i32>>,
    directories: Option<Vec<Uuid>>,
}

/// No change of leader.
const SAME_LEADER: i32 = -2;

impl PartitionChanged {
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let (index, topic_id) = (fields.i32()?, fields.uuid()?);
        let mut changed = Self { topic_id, index, ..Self::default() };
        fields.tagged(|tag, field| {
            match tag {
                TAG_ISR => changed.isr = field.nullable_list(Fields::i32)?,
                TAG_LEADER => changed.leader = Some(field.i32()?).filter(|leader| *leader != SAME_LEADER),
                TAG_REPLICAS => changed.replicas = field.nullable_list(Fields::i32)?,
                TAG_ELIGIBLE => changed.eligible = field.nullable_list(Fields::i32)?,
                TAG_LAST_KNOWN => changed.last_known = field.nullable_list(Fields::i32)?,
                TAG_DIRECTORIES => changed.directories = field.nullable_list(Flexible::uuid)?,
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
        if let Some(directories) = self.directories {
            placement.directories = directories;
        }
        let lists = [
            (self.isr, &mut placement.isr),
            (self.eligible, &mut placement.eligible),
            (self.last_known, &mut placement.last_known),
            (self.replicas, &mut placement.replicas),
        ];
        for (new, list) in lists {
            if let Some(new) = new {
                *list = new;
            }
        }
    }
}
