//! What changes in a batch that passed: its time, its codec, or nothing.
//!
//! Times live in the header only, so a change of them leaves the payload alone and carries the verified CRC over
//! ([`crate::crc::replace_prefix`]). Another codec streams the records from one codec into the other; they keep
//! their bytes, because offsets and times are deltas.

use std::io::{self, Write};

use bytes::Bytes;

use crate::builder;
use crate::check::reject::{RejectKind, Rejected};
use crate::check::rules::ProduceRules;
use crate::check::scan::{Scanned, refuse_inflate};
use crate::compress::{self, Codec, Compression, Deflater, InflateError, Inflater};
use crate::crc;
use crate::header::{
    BatchHeader, CODEC_MASK, CONTROL, CRC_START, HEADER_LEN, LENGTH_PREFIX, LOG_APPEND_TIME, NO_TIMESTAMP,
    TRANSACTIONAL, TimestampType,
};

/// How far a checked batch differs from what came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewritten {
    /// Not at all: the bytes are the producer's.
    No,
    /// In the header: a time and the CRC.
    Header,
    /// In the payload: another codec.
    Payload,
}

/// A batch that a leader may append.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The header as it has to be stored, but for base offset and leader epoch.
    pub header: BatchHeader,
    /// What follows the header, sharing the producer's memory unless the codec changed.
    pub payload: Bytes,
    /// What was changed.
    pub rewritten: Rewritten,
    /// Header and payload in one piece, where such a piece exists.
    whole: Option<Bytes>,
}

impl Checked {
    /// Number of records.
    pub fn count(&self) -> i32 {
        self.header.records_count
    }

    /// Largest time in ms, or the time of appending; -1 when no record has one.
    pub fn max_timestamp(&self) -> i64 {
        self.header.max_timestamp
    }

    /// The time of appending in ms for the answer to the producer; -1 on a CreateTime topic.
    pub fn log_append_time_ms(&self) -> i64 {
        match self.header.timestamp_type() {
            TimestampType::CreateTime => NO_TIMESTAMP,
            TimestampType::LogAppendTime => self.header.max_timestamp,
        }
    }

    /// Bytes of the batch.
    pub fn size_in_bytes(&self) -> usize {
        HEADER_LEN + self.payload.len()
    }

    /// The whole batch in one piece. Free, except after [`Rewritten::Header`], where the payload is copied once;
    /// a log that writes header and payload from two places takes the fields instead.
    pub fn into_bytes(self) -> Bytes {
        self.whole.unwrap_or_else(|| {
            let mut whole = Vec::with_capacity(HEADER_LEN + self.payload.len());
            whole.extend_from_slice(&self.header.encode());
            whole.extend_from_slice(&self.payload);
            Bytes::from(whole)
        })
    }
}

/// Makes a batch whose records all passed ready to append.
pub(super) fn finish(
    bytes: &Bytes,
    codec: Codec,
    scanned: Scanned,
    rules: &ProduceRules,
) -> Result<Checked, Rejected> {
    let Some(raw) = bytes.first_chunk::<HEADER_LEN>() else {
        return Err(Rejected::new(RejectKind::CorruptMessage, "The record batch is cut".to_owned()));
    };
    let before = BatchHeader::decode(raw);
    let payload = bytes.slice(HEADER_LEN..);
    let checked = match rules.compression.target(codec) {
        Some(target) => recompress(&timed(before, scanned, rules), &payload, codec, target, rules)?,
        None if has_right_time(&before, scanned, rules) => {
            Checked { header: before, payload, rewritten: Rewritten::No, whole: Some(bytes.clone()) }
        }
        None => {
            let mut header = timed(before, scanned, rules);
            let after = header.encode();
            let (old, new) = (&raw[CRC_START..], &after[CRC_START..]);
            header.crc =
                crc::replace_prefix(before.crc, old, new, payload.len() as u64).unwrap_or(before.crc);
            Checked { header, payload, rewritten: Rewritten::Header, whole: None }
        }
    };
    if checked.size_in_bytes() as u64 > u64::from(rules.segment_bytes) {
        return Err(Rejected::new(
            RejectKind::RecordListTooLarge,
            format!(
                "The record batch has {} bytes, more than the {} that segment.bytes allows",
                checked.size_in_bytes(),
                rules.segment_bytes
            ),
        ));
    }
    Ok(checked)
}

fn right_max(scanned: Scanned, rules: &ProduceRules) -> i64 {
    match rules.timestamp_type {
        TimestampType::CreateTime => scanned.max_timestamp,
        TimestampType::LogAppendTime => rules.now_ms,
    }
}

fn has_right_time(header: &BatchHeader, scanned: Scanned, rules: &ProduceRules) -> bool {
    header.timestamp_type() == rules.timestamp_type && header.max_timestamp == right_max(scanned, rules)
}

/// The header with the topic's kind of time. Attribute bits that no producer may set are cleared with it, as in
/// Kafka.
fn timed(mut header: BatchHeader, scanned: Scanned, rules: &ProduceRules) -> BatchHeader {
    header.attributes &= CODEC_MASK | TRANSACTIONAL | CONTROL;
    if rules.timestamp_type == TimestampType::LogAppendTime {
        header.attributes |= LOG_APPEND_TIME;
    }
    header.max_timestamp = right_max(scanned, rules);
    header
}

/// Streams the records into the topic's codec. What grows past `max.message.bytes` is refused on the way.
fn recompress(
    header: &BatchHeader,
    payload: &[u8],
    source: Codec,
    target: Compression,
    rules: &ProduceRules,
) -> Result<Checked, Rejected> {
    let mut out = Bounded { bytes: Vec::new(), max: rules.max_message_bytes as usize };
    let failed = |error: &io::Error| {
        if error.kind() == io::ErrorKind::FileTooLarge {
            rules.too_large(&format!("too many bytes in {}", target.codec))
        } else {
            let reason = error.to_string();
            refuse_inflate(&InflateError::Corrupt { codec: target.codec, reason })
        }
    };
    out.write_all(&[0; HEADER_LEN]).map_err(|error| failed(&error))?;
    let mut inflater =
        Inflater::new(source, payload, &rules.limits).map_err(|error| refuse_inflate(&error))?;
    let mut deflater = Deflater::new(target, out).map_err(|error| failed(&error))?;
    let mut buffer = vec![0; compress::CHUNK];
    loop {
        let read = inflater.read(&mut buffer).map_err(|error| refuse_inflate(&error))?;
        if read == 0 {
            break;
        }
        deflater.write_all(buffer.get(..read).unwrap_or_default()).map_err(|error| failed(&error))?;
    }
    let out = deflater.finish().map_err(|error| failed(&error))?;

    let mut header = *header;
    header.attributes = (header.attributes & !CODEC_MASK) | i16::from(target.codec.id());
    header.batch_length = (out.bytes.len() - LENGTH_PREFIX) as i32;
    let whole = builder::seal(header, out.bytes).map_err(|error| rules.too_large(&error.to_string()))?;
    let header = whole.first_chunk().map_or(header, BatchHeader::decode);
    Ok(Checked {
        header,
        payload: whole.slice(HEADER_LEN..),
        rewritten: Rewritten::Payload,
        whole: Some(whole),
    })
}

/// Memory that refuses to grow past `max`, with [`io::ErrorKind::FileTooLarge`].
struct Bounded {
    bytes: Vec<u8>,
    max: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.max.saturating_sub(self.bytes.len()) {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
