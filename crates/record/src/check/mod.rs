//! What a leader asks of a batch before it appends it: Kafka's rules, in Kafka's order.
//!
//! 1. the request's rules: exactly one batch, magic 2, zstd only from Produce 7 on;
//! 2. the log's rules: base offset 0, size within `max.message.bytes`, CRC;
//! 3. the batch's rules: counts that agree, no control batch, a sequence where there is a producer id;
//! 4. every record, compressed or not: its structure, its offset, its key on a compacted topic, its time;
//! 5. the result: LogAppendTime, the true maximum timestamp, the topic's codec, `segment.bytes`.
//!
//! A batch is taken whole or refused whole. What idempotence and transactions demand needs the log's state and is
//! decided there. Nothing here reads a clock: `now_ms` is an argument.

mod reject;
mod rewrite;
mod rules;
mod scan;
mod source;

pub use reject::{RECORD_ERRORS_MAX, RecordError, RejectKind, Rejected};
pub use rewrite::{Checked, Rewritten};
pub use rules::{ProduceRules, TopicCompression};

use bytes::Bytes;

use crate::batch::Batch;
use crate::compress::Codec;
use crate::error::BatchError;
use crate::header::{HEADER_LEN, LENGTH_PREFIX, MAGIC};

/// First Produce version that may carry zstd (KIP-110).
const ZSTD_SINCE: i16 = 7;
/// Least batch length of the oldest format, below which no format has a batch.
const BATCH_LENGTH_MIN: i32 = 14;
/// Bytes up to and including the magic byte, which lies at the same place in every format.
const UP_TO_MAGIC: usize = 17;

/// Checks what a producer sent for one partition and makes it ready to append.
///
/// `bytes` is the partition's records field; a null field is an empty one. The result still has base offset 0 and
/// the producer's leader epoch: the log writes those ([`crate::patch_header`]). Bytes after the batch that do not
/// begin another one are dropped, as Kafka does.
///
/// # Errors
/// [`Rejected`], with the answer for the client.
pub fn check_produced(bytes: &Bytes, rules: &ProduceRules) -> Result<Checked, Rejected> {
    check_produced_counting(bytes, rules, &mut 0)
}

/// As [`check_produced`]; adds to `inflated` the bytes that came out of the decompressor, taken or refused, so that
/// a caller can bound what several batches cost together. Compressing again for the topic's codec inflates a second
/// time, which is not counted.
///
/// # Errors
/// [`Rejected`], with the answer for the client.
pub fn check_produced_counting(
    bytes: &Bytes,
    rules: &ProduceRules,
    inflated: &mut u64,
) -> Result<Checked, Rejected> {
    let bytes = only_batch(bytes, rules)?;
    let batch = Batch::first(&bytes).map_err(|error| refuse_bytes(&error))?;
    let codec = log_rules(&batch, rules)?;
    batch_rules(&batch)?;
    let scanned = scan::scan(&batch, codec, rules, inflated)?;
    rewrite::finish(&bytes, codec, scanned, rules)
}

/// What lies at the start of a records field.
enum Next {
    Nothing,
    Batch { length: usize, magic: i8 },
}

fn next_batch(bytes: &[u8]) -> Result<Next, Rejected> {
    let corrupt = |message| Err(Rejected::new(RejectKind::CorruptMessage, message));
    let Some(&length) = bytes.get(8..LENGTH_PREFIX).and_then(<[u8]>::first_chunk) else {
        return Ok(Next::Nothing);
    };
    let length = i32::from_be_bytes(length);
    if length < BATCH_LENGTH_MIN {
        return corrupt(format!("A batch length of {length} is below the least that any batch has"));
    }
    let Some(&magic) = bytes.get(UP_TO_MAGIC - 1) else {
        return Ok(Next::Nothing);
    };
    let magic = magic as i8;
    if !(0..=MAGIC).contains(&magic) {
        return corrupt(format!("Magic {magic} is no version of the batch format"));
    }
    let length = length as usize + LENGTH_PREFIX;
    Ok(if length > bytes.len() { Next::Nothing } else { Next::Batch { length, magic } })
}

/// The request's rules; returns the batch without what follows it.
fn only_batch(bytes: &Bytes, rules: &ProduceRules) -> Result<Bytes, Rejected> {
    let version = rules.produce_version;
    let invalid = |message| Err(Rejected::new(RejectKind::InvalidRecord, message));
    let Next::Batch { length, magic } = next_batch(bytes)? else {
        return invalid(format!("Produce version {version} must carry one whole record batch per partition"));
    };
    if magic != MAGIC {
        return invalid(format!(
            "Produce version {version} may only carry record batches of magic 2, not {magic}"
        ));
    }
    if length < HEADER_LEN {
        return Err(refuse_bytes(&BatchError::Length((length - LENGTH_PREFIX) as i32)));
    }
    let batch = bytes.slice(..length);
    let zstd = Batch::first(&batch).is_ok_and(|batch| batch.header.codec() == Some(Codec::Zstd));
    if zstd && version < ZSTD_SINCE {
        return Err(Rejected::new(
            RejectKind::UnsupportedCompressionType,
            format!("Produce version {version} may not carry zstd, which came with version {ZSTD_SINCE}"),
        ));
    }
    if let Next::Batch { .. } = next_batch(bytes.get(length..).unwrap_or_default())? {
        return invalid(format!(
            "Produce version {version} must carry exactly one record batch per partition"
        ));
    }
    Ok(batch)
}

fn refuse_bytes(error: &BatchError) -> Rejected {
    Rejected::new(RejectKind::CorruptMessage, format!("The record batch is corrupt: {error}"))
}

/// The log's rules; returns the codec.
fn log_rules(batch: &Batch<'_>, rules: &ProduceRules) -> Result<Codec, Rejected> {
    let header = &batch.header;
    if header.base_offset != 0 {
        return Err(Rejected::new(
            RejectKind::InvalidRecord,
            format!(
                "The base offset of a record batch from a producer must be 0, it is {}",
                header.base_offset
            ),
        ));
    }
    rules.check_size(batch.bytes.len())?;
    batch.verify_crc().map_err(|error| refuse_bytes(&error))?;
    header.codec().ok_or_else(|| {
        Rejected::new(
            RejectKind::UnsupportedCompressionType,
            format!("Compression codec {} is unknown", header.codec_id()),
        )
    })
}

/// What the header must say about the batch.
fn batch_rules(batch: &Batch<'_>) -> Result<(), Rejected> {
    let header = &batch.header;
    let invalid = |message| Err(Rejected::new(RejectKind::InvalidRecord, message));
    let from_offsets = i64::from(header.last_offset_delta) + 1;
    let count = i64::from(header.records_count);
    if from_offsets <= 0 {
        return invalid(format!(
            "The batch has an impossible last offset delta {}",
            header.last_offset_delta
        ));
    }
    if count <= 0 {
        return invalid(format!("The batch has an impossible record count {count}"));
    }
    if from_offsets != count {
        return invalid(format!(
            "The batch has {count} records, but its last offset delta {} says {from_offsets}",
            header.last_offset_delta
        ));
    }
    if header.is_control() {
        return invalid("Clients may not write control records".to_owned());
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return invalid(format!(
            "Invalid sequence number {} in a record batch of producer id {}",
            header.base_sequence, header.producer_id
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
