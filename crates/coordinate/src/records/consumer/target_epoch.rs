//! The epoch that a target assignment was computed for (Kafka's ConsumerGroupTargetAssignmentMetadataValue).
//!
//! ```text
//!   assignment epoch i32 │ tags { 0: assignment timestamp i64 (KIP-1263) }
//! ```

use pagewire_record::fields::Fields;

use crate::records::bytes_in::DecodeError;
use crate::records::bytes_out::Writer;

const TAG_TIMESTAMP: u32 = 0;

/// The state of a group's target assignment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TargetEpoch {
    /// Lower than the group's epoch while an assignment is due.
    pub epoch: i32,
    /// When it was computed, in milliseconds since the Unix epoch; 0 if that is not known.
    pub computed_ms: i64,
}

impl TargetEpoch {
    pub(super) fn read(input: &mut Fields<'_>) -> Result<Self, DecodeError> {
        let epoch = input.i32()?;
        let mut computed_ms = 0;
        input.tagged(|tag, field| {
            if tag == TAG_TIMESTAMP {
                computed_ms = field.i64()?;
            }
            Ok(())
        })?;
        Ok(Self { epoch, computed_ms })
    }

    pub(super) fn write(self, out: &mut Writer) {
        out.i32(self.epoch);
        out.tagged((self.computed_ms != 0).then(|| {
            let mut field = Writer::default();
            field.i64(self.computed_ms);
            (TAG_TIMESTAMP, field)
        }));
    }
}
