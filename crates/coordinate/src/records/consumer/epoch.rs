//! A consumer group's epoch (Kafka's ConsumerGroupMetadataValue).
//!
//! ```text
//!   epoch i32 │ tags { 0: metadata hash i64 (KIP-1101) }
//! ```

use pagewire_record::fields::Fields;

use crate::records::bytes_in::DecodeError;
use crate::records::bytes_out::Writer;

const TAG_METADATA_HASH: u32 = 0;

/// The epoch of a group; it rises whenever a new assignment may be needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupEpoch {
    /// From 1 on.
    pub epoch: i32,
    /// What the topics looked like that members subscribe to; 0 if none of them exists.
    pub metadata_hash: i64,
}

impl GroupEpoch {
    pub(super) fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let epoch = input.i32()?;
        let mut metadata_hash = 0;
        input.tagged(|tag, field| {
            if tag == TAG_METADATA_HASH {
                metadata_hash = field.i64()?;
            }
            Ok(())
        })?;
        Ok(Self { epoch, metadata_hash })
    }

    pub(super) fn write(self, out: &mut Writer) {
        out.i32(self.epoch);
        out.tagged((self.metadata_hash != 0).then(|| {
            let mut field = Writer::default();
            field.i64(self.metadata_hash);
            (TAG_METADATA_HASH, field)
        }));
    }
}
