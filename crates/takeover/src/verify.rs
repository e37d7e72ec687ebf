//! Looks at the records of one partition before they are taken over. Reads Kafka's files, changes nothing.
//!
//! The first batch that cannot be believed ends the log there, if Kafka's own recovery would cut it as well: past the
//! recovery point of a Kafka that was killed. Anywhere else it is damage, and the partition is refused.

use std::fs::File;
use std::path::Path;

use pagewire_record::{DecompressLimits, InflateError, RecordsError, SharedBatch};

use crate::batches::{Batches, Stop};
use crate::error::ImportError;
use crate::options::Depth;
use crate::source::{PartitionFiles, Segment};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Verified {
    /// Bytes of each segment that count, oldest first; segments after a cut are not among them.
    pub(crate) keep: Vec<u64>,
    /// The offset after the last record; none if nobody looked.
    pub(crate) log_end: Option<i64>,
    /// What is cut, in words.
    pub(crate) cut: Option<String>,
    pub(crate) batches: u64,
    pub(crate) records: u64,
    /// -1: none.
    pub(crate) leader_epoch_max: i32,
    /// -1: none.
    pub(crate) producer_id_max: i64,
}

/// Why a partition is not taken.
#[derive(Debug)]
pub(crate) enum Unfit {
    /// In words for its owner.
    Refused(String),
    /// The disk said no.
    Failed(ImportError),
}

/// How a partition is looked at.
pub(crate) struct Look<'a> {
    pub(crate) dir: &'a Path,
    pub(crate) depth: Depth,
    /// Everything below this offset was on the disk when Kafka stopped.
    pub(crate) stable: i64,
    /// Hears of bytes that were looked at.
    pub(crate) read: &'a dyn Fn(u64),
}

impl Look<'_> {
    /// Looks at all segments.
    pub(crate) fn at(&self, files: &PartitionFiles) -> Result<Verified, Unfit> {
        let mut verified = Verified { leader_epoch_max: -1, producer_id_max: -1, ..Verified::default() };
        let mut end = i64::MIN;
        for segment in &files.segments {
            if segment.base < end {
                let why = format!("{} begins below the end of the segment before it, {end}", segment.log());
                return Err(Unfit::Refused(why));
            }
            let bad = self.segment(segment, &mut verified, &mut end)?;
            if bad.is_some() {
                verified.cut = bad;
                break;
            }
        }
        if self.depth != Depth::None {
            verified.log_end = Some(end.max(files.segments.first().map_or(0, |first| first.base)));
        }
        Ok(verified)
    }

    /// Looks at one segment. What ends the log in it is answered.
    fn segment(
        &self,
        segment: &Segment,
        verified: &mut Verified,
        end: &mut i64,
    ) -> Result<Option<String>, Unfit> {
        let path = self.dir.join(segment.log());
        let failed = ImportError::at(&path);
        let file = File::open(&path).map_err(|error| Unfit::Failed(failed(error)))?;
        let mut batches = match self.depth {
            Depth::Deep => Batches::whole(&file, segment.len, segment.base),
            Depth::Headers | Depth::None => Batches::headers(&file, segment.len, segment.base),
        };
        let mut told = 0;
        let bad = loop {
            let batch = match batches.next() {
                Ok(None) => break None,
                Ok(Some(batch)) => batch,
                Err(Stop::Io(error)) => return Err(Unfit::Failed(failed(error))),
                Err(Stop::OldFormat { magic }) => return Err(Unfit::Refused(old_format(segment, magic))),
                Err(Stop::Bad(reason)) => break Some((batches.position(), reason)),
            };
            if self.depth == Depth::Deep
                && let Err(reason) = readable(&batch)
            {
                break Some((batches.position() - batch.header.size_in_bytes(), reason));
            }
            if self.depth == Depth::None {
                verified.keep.push(segment.len);
                return Ok(None);
            }
            note(verified, &batch);
            *end = batches.expected();
            (self.read)(batches.position() - told);
            told = batches.position();
        };
        let Some((position, reason)) = bad else {
            *end = (*end).max(segment.base);
            verified.keep.push(segment.len);
            return Ok(None);
        };
        let offset = (*end).max(segment.base);
        if offset < self.stable {
            return Err(Unfit::Refused(damaged(segment, position, offset, &reason)));
        }
        *end = offset;
        verified.keep.push(position);
        Ok(Some(format!("{} ends at offset {offset}, byte {position}: {reason}", path.display())))
    }
}

fn note(verified: &mut Verified, batch: &SharedBatch) {
    let header = &batch.header;
    verified.batches += 1;
    verified.records += u64::try_from(header.records_count).unwrap_or(0);
    verified.leader_epoch_max = verified.leader_epoch_max.max(header.partition_leader_epoch);
    verified.producer_id_max = verified.producer_id_max.max(header.producer_id);
}

/// Whether all records of a batch can be read, and lie where the header says.
fn readable(batch: &SharedBatch) -> Result<(), String> {
    batch.verify_crc().map_err(|error| error.to_string())?;
    let records = match batch.records(&DecompressLimits::default()) {
        Ok(records) => records,
        // The bytes are Kafka's. That they are many is no fault.
        Err(RecordsError::Inflate(InflateError::TooLarge { .. })) => return Ok(()),
        Err(error) => return Err(error.to_string()),
    };
    let (mut next, last) = (batch.header.base_offset, batch.header.last_offset());
    for record in records {
        let offset = record.map_err(|error| error.to_string())?.offset;
        if offset < next || offset > last {
            return Err(format!("a record of offset {offset} where {next} to {last} can be"));
        }
        next = offset + 1;
    }
    Ok(())
}

fn old_format(segment: &Segment, magic: i8) -> String {
    format!(
        "{} holds messages of format {magic}, from before Kafka 0.11: only version 2 is served. Let a Kafka before 4.0 \
         rewrite them, wait until retention takes them, or leave the topic out with --exclude",
        segment.log()
    )
}

fn damaged(segment: &Segment, position: u64, offset: i64, reason: &str) -> String {
    format!(
        "{} is damaged at byte {position}, offset {offset}, which Kafka had on the disk: {reason}. A damaged payload can be \
         taken as it is with --verify headers; a topic can be left out with --exclude",
        segment.log()
    )
}
