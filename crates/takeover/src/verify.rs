//! Looks at the records of one partition before they are taken over. Reads Kafka's files, changes nothing.
//!
//! The first batch that cannot be believed ends the log there. If that is the torn tail of a Kafka that was killed it
//! is told; anything else loses records, and the partition is refused unless that is wanted (verdict.rs).

use std::fs::File;
use std::path::{Path, PathBuf};

use pagewire_log::files::TxnTrail;
use pagewire_record::{DecompressLimits, SharedBatch};

use crate::batches::{Batches, Stop};
use crate::cut::Cut;
use crate::error::ImportError;
use crate::holes::Holes;
use crate::options::Depth;
use crate::readable::{Readable, readable};
use crate::source::{PartitionFiles, Segment};
use crate::uncleanable::{BatchPlace, TooMuch};
use crate::verdict::{Bad, Marks, old_format};

/// What was found.
#[derive(Debug)]
pub(crate) struct Verified {
    /// Bytes of each segment that count, oldest first; segments after a cut are not among them.
    pub(crate) keep: Vec<u64>,
    /// The offset after the last record; none if nobody looked.
    pub(crate) log_end: Option<i64>,
    /// The log ends before its end.
    pub(crate) cut: Option<Cut>,
    /// Offsets that nothing has.
    pub(crate) holes: Holes,
    pub(crate) batches: u64,
    pub(crate) records: u64,
    /// -1: none.
    pub(crate) leader_epoch_max: i32,
    /// -1: none.
    pub(crate) producer_id_max: i64,
    /// Transactions that nothing has ended, if anybody looked.
    pub(crate) transactions: TxnTrail,
    /// Batches of which the records were too many to be looked at.
    pub(crate) too_much: TooMuch,
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
    pub(crate) topic: &'a str,
    pub(crate) index: i32,
    pub(crate) dir: &'a Path,
    pub(crate) depth: Depth,
    /// How far batches are decompressed.
    pub(crate) limits: DecompressLimits,
    /// What Kafka knew of it.
    pub(crate) marks: Marks,
    /// Take what is there, whatever is lost.
    pub(crate) accept_damage: bool,
    /// Hears of bytes that were looked at.
    pub(crate) read: &'a dyn Fn(u64),
}

impl Look<'_> {
    /// Looks at all segments.
    pub(crate) fn at(&self, files: &PartitionFiles) -> Result<Verified, Unfit> {
        let mut verified = Verified {
            keep: Vec::with_capacity(files.segments.len()),
            log_end: None,
            cut: None,
            holes: Holes::in_log(self.marks.cleaned_to),
            batches: 0,
            records: 0,
            leader_epoch_max: -1,
            producer_id_max: -1,
            transactions: TxnTrail::default(),
            too_much: TooMuch::default(),
        };
        let mut end = i64::MIN;
        for (at, segment) in files.segments.iter().enumerate() {
            if segment.base < end {
                let why = format!("{} begins below the end of the segment before it, {end}", segment.log());
                return Err(Unfit::Refused(why));
            }
            if let Some(bad) = self.segment(segment, &mut verified, &mut end)? {
                let later = files.segments.get(at + 1..).unwrap_or_default();
                verified.cut = Some(self.judge(bad, segment, later)?);
                break;
            }
        }
        if self.depth != Depth::None {
            let end = end.max(files.segments.first().map_or(0, |first| first.base));
            verified.log_end = Some(end);
            verified.cut = match verified.cut {
                Some(cut) => Some(cut),
                None => self.missing(end, files)?,
            };
        }
        Ok(verified)
    }

    /// The file of a segment's records.
    pub(crate) fn path(&self, segment: &Segment) -> PathBuf {
        self.dir.join(segment.log())
    }

    /// Looks at one segment. What ends the log in it is answered.
    fn segment(
        &self,
        segment: &Segment,
        verified: &mut Verified,
        end: &mut i64,
    ) -> Result<Option<Bad>, Unfit> {
        let path = self.path(segment);
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
                Err(Stop::Torn(reason)) => break Some((batches.position(), true, reason)),
                Err(Stop::Bad(reason)) => break Some((batches.position(), false, reason)),
            };
            let position = batches.position() - batch.header.size_in_bytes();
            match self.look_into(&batch) {
                Ok(Readable::Whole) => {}
                Ok(Readable::TooMuch) => {
                    let (file, offset) = (path.clone(), batch.header.base_offset);
                    verified.too_much.note(|| BatchPlace { file, position, offset });
                }
                Err(reason) => break Some((position, false, reason)),
            }
            if self.depth == Depth::None {
                verified.keep.push(segment.len);
                return Ok(None);
            }
            verified.note(&batch, *end);
            *end = batches.expected();
            (self.read)(batches.position() - told);
            told = batches.position();
        };
        *end = (*end).max(segment.base);
        verified.keep.push(bad.as_ref().map_or(segment.len, |(position, ..)| *position));
        Ok(bad.map(|(position, torn, reason)| Bad { position, offset: *end, torn, reason }))
    }

    fn look_into(&self, batch: &SharedBatch) -> Result<Readable, String> {
        if self.depth == Depth::Deep { readable(batch, self.limits) } else { Ok(Readable::Whole) }
    }
}

impl Verified {
    fn note(&mut self, batch: &SharedBatch, end: i64) {
        let header = &batch.header;
        if end >= 0 {
            self.holes.note(end, header.base_offset);
        }
        self.batches += 1;
        self.records += u64::try_from(header.records_count).unwrap_or(0);
        self.leader_epoch_max = self.leader_epoch_max.max(header.partition_leader_epoch);
        self.producer_id_max = self.producer_id_max.max(header.producer_id);
        self.transactions.meet(header);
    }
}
