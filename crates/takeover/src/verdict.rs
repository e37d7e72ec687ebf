//! What it means that a log ends before its end: a torn tail, or a loss.
//!
//! ```text
//!   on the disk for certain        │ perhaps
//!   [ ...                 stable ) │ [ ...        ] [ torn: an unfinished batch or zeros, in the last segment, with nothing
//!   anything bad here is a loss    │                  behind it that can be believed; else it is a loss
//! ```

use std::fs::File;

use crate::cut::{Cut, CutKind};
use crate::error::ImportError;
use crate::follows::Search;
use crate::source::{PartitionFiles, Segment};
use crate::verify::{Look, Unfit};

/// What Kafka knew of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    /// Everything below was on the disk when Kafka stopped.
    pub(crate) stable: i64,
    /// So far the log went on the disk for certain, as far as files say so; 0: they do not.
    pub(crate) synced_end: i64,
    /// So far it went when Kafka last noted that, on the disk or not.
    pub(crate) acknowledged: i64,
    /// So far Kafka's cleaner came; 0: it never did, or does not say.
    pub(crate) cleaned_to: i64,
}

/// Where a segment cannot be believed any more.
#[derive(Debug)]
pub(crate) struct Bad {
    pub(crate) position: u64,
    pub(crate) offset: i64,
    /// The file ends in a batch that is not whole, or in zeros.
    pub(crate) torn: bool,
    pub(crate) reason: String,
}

impl Look<'_> {
    /// A log that ends in `segment`, before `later` ones.
    pub(crate) fn judge(&self, bad: Bad, segment: &Segment, later: &[Segment]) -> Result<Cut, Unfit> {
        let tail = bad.torn && later.is_empty() && bad.offset >= self.marks.stable;
        let is_torn = tail && !self.follows(&bad, segment)?;
        let kind = if is_torn { CutKind::TornTail } else { CutKind::Damage };
        let known_end = later.last().map_or(0, |last| last.base).max(self.marks.acknowledged);
        self.allow(Cut {
            topic: self.topic.to_owned(),
            partition: self.index,
            kind,
            file: self.path(segment),
            position: bad.position,
            offset: bad.offset,
            known_end: known_end.max(self.marks.synced_end),
            bytes: segment.len - bad.position + later.iter().map(|later| later.len).sum::<u64>(),
            later_segments: later.len(),
            reason: bad.reason,
        })
    }

    /// A log that is whole up to `end`, but went on once.
    pub(crate) fn missing(&self, end: i64, files: &PartitionFiles) -> Result<Option<Cut>, Unfit> {
        let known_end = self.marks.synced_end;
        if end >= known_end {
            return Ok(None);
        }
        let last = files.segments.last();
        let cut = Cut {
            topic: self.topic.to_owned(),
            partition: self.index,
            kind: CutKind::Missing,
            file: last.map_or_else(|| self.dir.to_path_buf(), |last| self.path(last)),
            position: last.map_or(0, |last| last.len),
            offset: end,
            known_end,
            bytes: 0,
            later_segments: 0,
            reason: format!("Kafka had it on the disk up to {known_end}"),
        };
        self.allow(cut).map(Some)
    }

    fn allow(&self, cut: Cut) -> Result<Cut, Unfit> {
        if cut.kind == CutKind::TornTail || self.accept_damage {
            Ok(cut)
        } else {
            Err(Unfit::Refused(cut.refusal()))
        }
    }

    /// Whether something that can be believed lies behind what is bad.
    fn follows(&self, bad: &Bad, segment: &Segment) -> Result<bool, Unfit> {
        let path = self.path(segment);
        let found = File::open(&path).and_then(|file| {
            Search {
                file: &file,
                from: bad.position + 1,
                len: segment.len,
                lowest: bad.offset,
                highest: segment.base.saturating_add(i64::from(i32::MAX)),
            }
            .finds()
        });
        found.map_err(|error| Unfit::Failed(ImportError::at(&path)(error)))
    }
}

/// Why a segment from long ago is refused.
pub(crate) fn old_format(segment: &Segment, magic: i8) -> String {
    format!(
        "{} holds messages of format {magic}, from before Kafka 0.11: only version 2 is served. Let a Kafka before 4.0 \
         rewrite them, wait until retention takes them, or leave the topic out with --exclude",
        segment.log()
    )
}
