//! One pass over the records of a batch, without keeping any of them.
//!
//! The same rules hold for compressed and uncompressed records, and they are those a consumer's decoder applies:
//! a batch that passes here can be read to its end. The pass allocates nothing unless a record is at fault.

use crate::batch::Batch;
use crate::check::reject::{Faults, RejectKind, Rejected};
use crate::check::rules::ProduceRules;
use crate::check::source::{Memory, ScanError, Source, Stream};
use crate::compress::{Codec, InflateError};
use crate::error::RecordFault;
use crate::header::{BatchHeader, NO_TIMESTAMP, TimestampType};

/// What the pass found out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanned {
    /// Largest time of a record in ms, at least -1.
    pub(super) max_timestamp: i64,
}

/// Checks all records. Adds to `inflated` what was decompressed, whatever the outcome.
pub(super) fn scan(
    batch: &Batch<'_>,
    codec: Codec,
    rules: &ProduceRules,
    inflated: &mut u64,
) -> Result<Scanned, Rejected> {
    match codec {
        Codec::None => walk(&mut Memory::new(batch), &batch.header, rules),
        codec => {
            let mut stream = Stream::new(batch, codec, rules.limits).map_err(|error| refuse(error, 0))?;
            let scanned = walk(&mut stream, &batch.header, rules);
            *inflated += stream.inflated();
            scanned
        }
    }
}

/// The few things about a record that matter here.
struct Sketch {
    timestamp_delta: i64,
    offset_delta: i32,
    has_key: bool,
}

fn walk<S: Source>(source: &mut S, header: &BatchHeader, rules: &ProduceRules) -> Result<Scanned, Rejected> {
    let append_time = header.timestamp_type() == TimestampType::LogAppendTime;
    let mut max_timestamp = NO_TIMESTAMP;
    let mut faults = Faults::default();
    for index in 0..header.records_count {
        let record = sketch(source).map_err(|error| refuse(error, index))?;
        let timestamp = if append_time {
            header.max_timestamp
        } else {
            header.base_timestamp.wrapping_add(record.timestamp_delta)
        };
        max_timestamp = max_timestamp.max(timestamp);
        judge(&record, index, timestamp, append_time, rules, &mut faults);
    }
    if !source.at_end().map_err(|error| refuse(error, header.records_count))? {
        return Err(Rejected::new(
            RejectKind::InvalidRecord,
            format!("Bytes remain in the batch after its {} records", header.records_count),
        ));
    }
    faults.into_result()?;
    Ok(Scanned { max_timestamp })
}

/// At most one fault a record, in Kafka's order: place, key, time.
fn judge(
    record: &Sketch,
    index: i32,
    timestamp: i64,
    append_time: bool,
    rules: &ProduceRules,
    faults: &mut Faults,
) {
    if record.offset_delta != index {
        faults.add(RejectKind::InvalidRecord, index, || {
            format!("Record {index} of the batch has offset delta {}", record.offset_delta)
        });
    } else if rules.compacted && !record.has_key {
        faults.add(RejectKind::InvalidRecord, index, || {
            "Compacted topic cannot accept message without key".to_owned()
        });
    } else if append_time {
        faults.add(RejectKind::InvalidTimestamp, index, || {
            "A producer must not set the timestamp type to LogAppendTime".to_owned()
        });
    } else if rules.timestamp_type == TimestampType::CreateTime && rules.is_out_of_bounds(timestamp) {
        faults.add(RejectKind::InvalidTimestamp, index, || {
            format!(
                "Timestamp {timestamp} of record {index} is out of range: it should be within [{}, {}]",
                rules.now_ms.wrapping_sub(rules.before_max_ms),
                rules.now_ms.wrapping_add(rules.after_max_ms)
            )
        });
    }
}

/// Reads over one record.
fn sketch<S: Source>(source: &mut S) -> Result<Sketch, ScanError> {
    let length = u64::try_from(source.varint()?).map_err(|_| fault(RecordFault::Length))?;
    let end = source.position() + length;
    let _attributes = source.byte()?;
    let timestamp_delta = source.varlong()?;
    let offset_delta = source.varint()?;
    let has_key = skip_field(source, end)?;
    skip_field(source, end)?;
    let headers = source.varint()?;
    let left = end.saturating_sub(source.position());
    // Two bytes are the least a header takes.
    if headers < 0 || headers as u64 > left / 2 {
        return Err(fault(RecordFault::HeaderCount));
    }
    for _ in 0..headers {
        if !skip_field(source, end)? {
            return Err(fault(RecordFault::HeaderKey));
        }
        skip_field(source, end)?;
    }
    if source.position() == end {
        Ok(Sketch { timestamp_delta, offset_delta, has_key })
    } else {
        Err(fault(RecordFault::Length))
    }
}

/// Skips a field that must end by `end`; false when it is null.
fn skip_field<S: Source>(source: &mut S, end: u64) -> Result<bool, ScanError> {
    let Ok(length) = u64::try_from(source.varint()?) else {
        return Ok(false);
    };
    if length > end.saturating_sub(source.position()) {
        return Err(fault(RecordFault::Length));
    }
    source.skip(length)?;
    Ok(true)
}

fn fault(fault: RecordFault) -> ScanError {
    ScanError::Record(fault)
}

fn refuse(error: ScanError, index: i32) -> Rejected {
    match error {
        ScanError::Record(fault) => Rejected::new(
            RejectKind::InvalidRecord,
            format!("Record {index} of the batch is broken: {fault}"),
        ),
        ScanError::Inflate(error) => refuse_inflate(&error),
    }
}

/// A payload that does not decompress although its CRC is right: the producer wrote it so.
pub(super) fn refuse_inflate(error: &InflateError) -> Rejected {
    let kind = match error {
        InflateError::TooLarge { .. } => RejectKind::MessageTooLarge,
        InflateError::Corrupt { .. } => RejectKind::InvalidRecord,
    };
    Rejected::new(kind, format!("The records cannot be taken: {error}"))
}
