//! A member's target assignment (Kafka's ConsumerGroupTargetAssignmentMemberValue).
//!
//! ```text
//!   topics [ id 16 bytes │ partitions [ i32 ] │ tags ] │ tags
//! ```

use pagewire_record::fields::Fields;

use super::{TopicPartitions, read_array, skip_tags, write_array};
use crate::records::bytes_in::DecodeError;
use crate::records::bytes_out::{EncodeError, Writer};

/// What a member is to have in the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetAssignment {
    /// In the order in which the assignor gave them out: the next assignment depends on it.
    pub topics: Vec<TopicPartitions>,
}

impl TargetAssignment {
    pub(super) fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let topics = read_array(input, TopicPartitions::read)?;
        skip_tags(input)?;
        Ok(Self { topics })
    }

    pub(super) fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        write_array(out, &self.topics, |out, topic| topic.write(out))?;
        out.tagged(None);
        Ok(())
    }
}
