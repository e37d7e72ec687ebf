//! Partitions of a topic, as target assignments name them.

use pagewire_record::fields::Fields;

use super::{read_array, skip_tags, write_array};
use crate::input::TopicId;
use crate::records::bytes_in::DecodeError;
use crate::records::bytes_out::{EncodeError, Writer};

/// Partitions of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicPartitions {
    /// The topic.
    pub topic_id: TopicId,
    /// Their numbers.
    pub partitions: Vec<i32>,
}

impl TopicPartitions {
    pub(super) fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let topic_id = input.array()?;
        let partitions = read_array(input, |input| Ok(input.i32()?))?;
        skip_tags(input)?;
        Ok(Self { topic_id, partitions })
    }

    pub(super) fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.raw(&self.topic_id);
        write_array(out, &self.partitions, |out, partition| {
            out.i32(*partition);
            Ok(())
        })?;
        out.tagged(None);
        Ok(())
    }
}
