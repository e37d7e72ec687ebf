//! The batches of a `.log` or a metadata snapshot, and their records.

use std::fmt;
use std::path::Path;

use bytes::Bytes;
use pagewire_disk::Disk;
use pagewire_log::files::{BatchWalk, Step, WalkedBatch};
use pagewire_record::{
    BatchError, BatchHeader, Codec, DecompressLimits, NO_SEQUENCE, Record, RecordsError, SharedBatch,
    TimestampType, add_sequence,
};
use serde::Serialize;

use super::contents::{Contents, Wanted};
use super::page::Page;
use super::text::text;
use crate::args::log::DumpArgs;

/// The heading of Kafka's tool for offsets that do not follow each other.
const NOT_CONSECUTIVE: &str = "Non-consecutive offsets in ";

/// A batch's header and state.
#[derive(Debug, Serialize)]
struct BatchLine {
    base_offset: i64,
    last_offset: i64,
    count: i32,
    base_sequence: i32,
    last_sequence: i32,
    producer_id: i64,
    producer_epoch: i16,
    partition_leader_epoch: i32,
    is_transactional: bool,
    is_control: bool,
    delete_horizon_ms: Option<i64>,
    position: u64,
    timestamp_type: &'static str,
    max_timestamp: i64,
    size: u64,
    magic: i8,
    codec: String,
    crc: u32,
    is_valid: bool,
}

impl BatchLine {
    fn new(batch: &WalkedBatch<'_>) -> Self {
        let header = &batch.header;
        Self {
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            count: header.records_count,
            base_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            partition_leader_epoch: header.partition_leader_epoch,
            is_transactional: header.is_transactional(),
            is_control: header.is_control(),
            delete_horizon_ms: header.delete_horizon_ms(),
            position: batch.position,
            timestamp_type: time_name(header),
            max_timestamp: header.max_timestamp,
            size: header.size_in_bytes(),
            magic: header.magic,
            codec: header
                .codec()
                .map_or_else(|| format!("unknown({})", header.codec_id()), |codec: Codec| codec.to_string()),
            crc: header.crc,
            is_valid: batch.is_whole(),
        }
    }
}

impl fmt::Display for BatchLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { base_offset, last_offset, count, base_sequence, last_sequence, producer_id, .. } = self;
        write!(
            f,
            "baseOffset: {base_offset} lastOffset: {last_offset} count: {count} baseSequence: {base_sequence} \
             lastSequence: {last_sequence} producerId: {producer_id} producerEpoch: {} partitionLeaderEpoch: {} \
             isTransactional: {} isControl: {} deleteHorizonMs: {} position: {} {}: {} size: {} magic: {} \
             compresscodec: {} crc: {} isvalid: {}",
            self.producer_epoch,
            self.partition_leader_epoch,
            self.is_transactional,
            self.is_control,
            optional(self.delete_horizon_ms),
            self.position,
            self.timestamp_type,
            self.max_timestamp,
            self.size,
            self.magic,
            self.codec,
            self.crc,
            self.is_valid
        )
    }
}

/// A record's place and sizes, and what was asked of its contents.
#[derive(Debug, Serialize)]
struct RecordLine {
    offset: i64,
    #[serde(skip)]
    timestamp_type: &'static str,
    timestamp: i64,
    key_size: i64,
    value_size: i64,
    sequence: i32,
    header_keys: Vec<String>,
    #[serde(flatten)]
    contents: Contents,
    #[serde(skip)]
    bare: bool,
}

impl fmt::Display for RecordLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.bare {
            return self.contents.write(f, "| ");
        }
        let Self { offset, timestamp_type, timestamp, key_size, value_size, sequence, header_keys, .. } =
            self;
        write!(
            f,
            "| offset: {offset} {timestamp_type}: {timestamp} keySize: {key_size} valueSize: {value_size} \
             sequence: {sequence} headerKeys: [{}]",
            header_keys.join(",")
        )?;
        self.contents.write(f, " ")
    }
}

/// As Java prints an optional number.
pub(super) fn optional(number: Option<i64>) -> String {
    number.map_or_else(|| "OptionalLong.empty".to_owned(), |number| format!("OptionalLong[{number}]"))
}

fn time_name(header: &BatchHeader) -> &'static str {
    match header.timestamp_type() {
        TimestampType::CreateTime => "CreateTime",
        TimestampType::LogAppendTime => "LogAppendTime",
    }
}

/// Prints them.
pub(super) fn dump(disk: &dyn Disk, path: &Path, args: &DumpArgs, page: &mut Page<'_>) -> anyhow::Result<()> {
    let (file, len) = super::open(disk, path)?;
    let end = args.max_bytes.map_or(len, |max| max.min(len));
    let wanted = Wanted::of(args);
    let mut walk = BatchWalk::new(&*file, 0, end);
    if wanted.records {
        walk = walk.keeping(args.max_message_size);
    }
    let (mut printed, mut last_offset) = (0, -1);
    while args.max_batches.is_none_or(|max| printed < max) {
        match walk.step()? {
            None => break,
            Some(Step::Batch(batch)) => {
                page.line("batch", &BatchLine::new(&batch), BatchLine::to_string)?;
                if !batch.is_whole() {
                    let error = BatchError::Checksum { stored: batch.header.crc, computed: batch.crc };
                    page.damage(Some(batch.position), &error.to_string())?;
                }
                if wanted.records {
                    records(&batch, wanted, args.max_message_size, &mut last_offset, page)?;
                }
                printed += 1;
            }
            Some(Step::Bad(bad)) => {
                let is_cut = matches!(bad.error, BatchError::Truncated { .. });
                // Where the end was chosen, a batch that lies across it is none of the file's faults.
                if args.max_bytes.is_some() && is_cut {
                    break;
                }
                let what = if bad.error == BatchError::Magic(0) && walk.only_zeros_from(bad.position)? {
                    format!("{} bytes of zeros at the end, reserved or never written", bad.left)
                } else {
                    bad.error.to_string()
                };
                page.damage(Some(bad.position), &what)?;
                if let Some(next) = bad.next {
                    walk.resume_at(next);
                    continue;
                }
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                page.text(|| format!("Found {} invalid bytes at the end of {name}", bad.left))?;
                break;
            }
        }
    }
    Ok(())
}

/// Prints the records of a batch, as far as they can be read.
fn records(
    batch: &WalkedBatch<'_>,
    wanted: Wanted,
    size_max: usize,
    last_offset: &mut i64,
    page: &mut Page<'_>,
) -> anyhow::Result<()> {
    let header = &batch.header;
    // Short ones are kept whatever the limit is.
    let Some(bytes) = batch.bytes.filter(|bytes| bytes.len() <= size_max) else {
        let what = format!("the batch is longer than --max-message-size {size_max} and is not opened");
        return page.damage(Some(batch.position), &what);
    };
    let opened = SharedBatch::first(&Bytes::copy_from_slice(bytes))
        .map_err(|error| error.to_string())
        .and_then(|whole| whole.records(&DecompressLimits::default()).map_err(|error| error.to_string()));
    let records = match opened {
        Ok(records) => records,
        Err(what) => return page.damage(Some(batch.position), &what),
    };
    for record in records {
        let record = match record {
            Ok(record) => record,
            Err(error) => return page.damage(Some(batch.position), &RecordsError::to_string(&error)),
        };
        if record.offset != *last_offset + 1 {
            page.later(NOT_CONSECUTIVE, format!("  {last_offset} is followed by {}", record.offset));
        }
        *last_offset = record.offset;
        page.line("record", &line(header, &record, wanted), RecordLine::to_string)?;
    }
    Ok(())
}

fn line(header: &BatchHeader, record: &Record, wanted: Wanted) -> RecordLine {
    let size = |field: &Option<Bytes>| field.as_ref().map_or(-1, |bytes| bytes.len() as i64);
    let delta = i32::try_from(record.offset.wrapping_sub(header.base_offset)).unwrap_or(0);
    let sequenced = header.base_sequence != NO_SEQUENCE;
    RecordLine {
        offset: record.offset,
        timestamp_type: time_name(header),
        timestamp: record.timestamp,
        key_size: size(&record.key),
        value_size: size(&record.value),
        sequence: if sequenced { add_sequence(header.base_sequence, delta) } else { NO_SEQUENCE },
        header_keys: record.headers.iter().map(|header| text(&header.key).into_owned()).collect(),
        contents: Contents::of(header, record, wanted),
        bare: wanted.bare,
    }
}
