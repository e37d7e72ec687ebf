//! What a group's topics looked like (Kafka's ConsumerGroupPartitionMetadataValue). Kafka 4.0 and before wrote it; since
//! 4.1 the group's epoch carries a hash instead (KIP-1101), and a group that still has such a record deletes it.
//!
//! ```text
//!   topics [ id 16 bytes │ name │ partition count i32 │ partitions [ i32 │ racks [ string ] │ tags ] │ tags ] │ tags
//! ```

use std::sync::Arc;

use pagewire_record::fields::Fields;

use super::{read_array, read_text, skip_tags, write_array};
use crate::input::TopicId;
use crate::records::bytes_in::DecodeError;
use crate::records::bytes_out::{EncodeError, Writer};

/// The topics of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionMetadata {
    /// In no order.
    pub topics: Vec<TopicMetadata>,
}

/// One of its topics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicMetadata {
    /// Its id.
    pub id: TopicId,
    /// Its name.
    pub name: Arc<str>,
    /// How many partitions it had.
    pub partition_count: i32,
    /// Where they lay; empty if no rack was known.
    pub partitions: Vec<PartitionRacks>,
}

/// The racks of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRacks {
    /// Its number.
    pub partition: i32,
    /// Racks of its replicas.
    pub racks: Vec<Arc<str>>,
}

impl PartitionMetadata {
    pub(super) fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let topics = read_array(input, TopicMetadata::read)?;
        skip_tags(input)?;
        Ok(Self { topics })
    }

    pub(super) fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        write_array(out, &self.topics, |out, topic| topic.write(out))?;
        out.tagged(None);
        Ok(())
    }
}

impl TopicMetadata {
    fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let (id, name, partition_count) = (input.array()?, read_text(input)?, input.i32()?);
        let partitions = read_array(input, PartitionRacks::read)?;
        skip_tags(input)?;
        Ok(Self { id, name, partition_count, partitions })
    }

    fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.raw(&self.id);
        out.compact_string(&self.name)?;
        out.i32(self.partition_count);
        write_array(out, &self.partitions, |out, partition| partition.write(out))?;
        out.tagged(None);
        Ok(())
    }
}

impl PartitionRacks {
    fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let partition = input.i32()?;
        let racks = read_array(input, read_text)?;
        skip_tags(input)?;
        Ok(Self { partition, racks })
    }

    fn write(&self, out: &mut Writer) -> Result<(), EncodeError> {
        out.i32(self.partition);
        write_array(out, &self.racks, |out, rack| out.compact_string(rack))?;
        out.tagged(None);
        Ok(())
    }
}
