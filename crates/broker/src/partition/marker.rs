//! The end of a producer's transaction in one partition: a control record of Kafka's format.

use pagewire_log::{AppendError, Appended, Origin};
use pagewire_record::{ControlType, EndTxnMarker, control_batch_of};
use pagewire_zcopy::IoPool;

use super::Partition;

/// Which transaction ends, how, and who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) producer_id: i64,
    /// From transaction version 2 on it is later than that of the transaction's records.
    pub(crate) producer_epoch: i16,
    pub(crate) committed: bool,
    /// Of the coordinator; an older one than the partition has heard of is fenced.
    pub(crate) coordinator_epoch: i32,
    /// 0, 1 or 2.
    pub(crate) transaction_version: i16,
}

impl Partition {
    /// Appends the marker. One that was written before is written again, as in Kafka: it changes nothing.
    pub(crate) fn end_transaction(
        &self,
        marker: Marker,
        now_ms: i64,
        io: &IoPool,
    ) -> Result<Appended, AppendError> {
        let Marker { producer_id, producer_epoch, committed, coordinator_epoch, transaction_version } =
            marker;
        let control_type = if committed { ControlType::Commit } else { ControlType::Abort };
        let end = EndTxnMarker { control_type, coordinator_epoch };
        let times = self.config().message_timestamp_type;
        let batch = control_batch_of(times, end, producer_id, producer_epoch, now_ms)
            .map_err(|_| AppendError::Malformed("a marker that cannot be built"))?;
        self.append(batch, Origin::EndTxn { version: transaction_version }, now_ms, io)
    }
}
