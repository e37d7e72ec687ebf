//! The records of one append as one batch, so that they are in the log together or not at all. Those of a transaction
//! are its producer's, without sequences.

use bytes::Bytes;
use pagewire_coordinate::{Append, EncodeError, KeyValue, TxnProducer};
use pagewire_record::{BatchBuilder, BuildError, Codec, NO_SEQUENCE};

/// Why records cannot become a batch. None of these gets better by trying again.
#[derive(Debug, thiserror::Error)]
pub(super) enum BatchError {
    /// A name is longer than a record can hold.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The batch cannot be built.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The batch passes `max.message.bytes` of the topic.
    #[error("{bytes} bytes of records pass max.message.bytes {max_bytes}")]
    TooLarge { bytes: usize, max_bytes: u32 },
}

pub(super) fn build(append: &Append, now_ms: i64, max_bytes: u32) -> Result<Bytes, BatchError> {
    let mut builder = BatchBuilder::new(Codec::None);
    if let Some(TxnProducer { producer_id, producer_epoch }) = append.in_txn {
        builder = builder.producer(producer_id, producer_epoch, NO_SEQUENCE).transactional();
    }
    fill(builder, &append.encode()?, now_ms, max_bytes)
}

/// A batch of records of nobody's transaction.
pub(super) fn of(records: &[KeyValue], now_ms: i64, max_bytes: u32) -> Result<Bytes, BatchError> {
    fill(BatchBuilder::new(Codec::None), records, now_ms, max_bytes)
}

fn fill(
    mut builder: BatchBuilder,
    records: &[KeyValue],
    now_ms: i64,
    max_bytes: u32,
) -> Result<Bytes, BatchError> {
    for (key, value) in records {
        builder.append(now_ms, Some(key), value.as_deref(), &[])?;
    }
    let bytes = builder.size_in_bytes();
    if bytes > max_bytes as usize {
        return Err(BatchError::TooLarge { bytes, max_bytes });
    }
    Ok(builder.build()?)
}
