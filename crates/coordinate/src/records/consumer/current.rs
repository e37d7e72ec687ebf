//! What a member has (Kafka's ConsumerGroupCurrentMemberAssignmentValue).
//!
//! ```text
//!   member epoch i32 │ previous epoch i32 │ state i8 │ assigned [ topic ] │ pending revocation [ topic ] │ tags
//!   topic: id 16 bytes │ partitions [ i32 ] │ tags { 0: assignment epochs [ i32 ] (KIP-1251) }
//! ```

use pagewire_record::fields::Fields;

use super::{read_array, skip_tags, write_array};
use crate::input::TopicId;
use crate::records::bytes_in::{DecodeError, Kept as _};
use crate::records::bytes_out::{EncodeError, Writer};

const TAG_EPOCHS: u32 = 0;

/// How far a member is on its way to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberState {
    /// It has what it is to have.
    Stable,
    /// It has yet to give partitions back.
    UnrevokedPartitions,
    /// It waits for partitions that others have yet to give back.
    UnreleasedPartitions,
    /// A later Kafka wrote it.
    Unknown(i8),
}

impl MemberState {
    const fn of(code: i8) -> Self {
        match code {
            0 => Self::Stable,
            1 => Self::UnrevokedPartitions,
            2 => Self::UnreleasedPartitions,
            other => Self::Unknown(other),
        }
    }

    const fn code(self) -> i8 {
        match self {
            Self::Stable => 0,
            Self::UnrevokedPartitions => 1,
            Self::UnreleasedPartitions => 2,
            Self::Unknown(code) => code,
        }
    }
}

/// A member's current assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentAssignment {
    /// What the next heartbeat of the member must name; -2 while a static member is away.
    pub member_epoch: i32,
    /// What it may still name if an answer got lost.
    pub previous_epoch: i32,
    /// How far it is.
    pub state: MemberState,
    /// What it has.
    pub assigned: Vec<EpochPartitions>,
    /// What it has yet to give back.
    pub revoking: Vec<EpochPartitions>,
}

/// Partitions of one topic, and since which member epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochPartitions {
    /// The topic.
    pub topic_id: TopicId,
    /// Their numbers.
    pub partitions: Vec<i32>,
    /// One for each partition; none in records from before Kafka 4.3.
    pub epochs: Option<Vec<i32>>,
}

impl CurrentAssignment {
    pub(super) fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let (member_epoch, previous_epoch) = (input.i32()?, input.i32()?);
        let state = MemberState::of(input.i8()?);
        let assigned = read_array(input, EpochPartitions::read)?;
        let revoking = read_array(input, EpochPartitions::read)?;
        skip_tags(input)?;
        Ok(Self { member_epoch, previous_epoch, state, assigned, revoking })
    }

    pub(super) fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.i32(self.member_epoch);
        out.i32(self.previous_epoch);
        out.i8(self.state.code());
        write_array(out, &self.assigned, |out, topic| topic.write(out))?;
        write_array(out, &self.revoking, |out, topic| topic.write(out))?;
        out.tagged(None);
        Ok(())
    }
}

impl EpochPartitions {
    fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let topic_id = input.array()?;
        let partitions = read_array(input, |input| Ok(input.i32()?))?;
        let mut epochs = None;
        input.tagged(|tag, field| {
            if tag == TAG_EPOCHS {
                let mut read = Vec::new();
                for _ in 0..field.count_of(true)? {
                    read.push(field.i32()?);
                }
                epochs = Some(read);
            }
            Ok(())
        })?;
        Ok(Self { topic_id, partitions, epochs })
    }

    fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        let number = |out: &mut Writer, number: &i32| {
            out.i32(*number);
            Ok(())
        };
        out.raw(&self.topic_id);
        write_array(out, &self.partitions, number)?;
        let Some(epochs) = &self.epochs else {
            out.tagged(None);
            return Ok(());
        };
        let mut field = Writer::default();
        write_array(&mut field, epochs, number)?;
        out.tagged(Some((TAG_EPOCHS, field)));
        Ok(())
    }
}
