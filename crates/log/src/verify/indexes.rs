//! The three indexes of a segment, side by side along the walk over its log.

use std::io;
use std::path::{Path, PathBuf};

use super::aborts::AbortsCheck;
use super::finding::{Fate, Finding, Severity};
use super::job::Kept;
use super::offsets::OffsetsCheck;
use super::pending::{Judged, Pending};
use super::place::{Files, OpenFile, Place};
use super::times::TimesCheck;
use crate::files::{Entry, OffsetEntry, TimeStamped, TxnEntry, WalkedBatch};
use crate::segment::names;

/// Where the index files of a segment are.
pub(super) struct Paths {
    offsets: PathBuf,
    times: PathBuf,
    aborts: PathBuf,
}

impl Paths {
    /// Of the segment at `place`.
    pub(super) fn of(place: &Place<'_>) -> Self {
        let path = |suffix| place.path(suffix);
        Self { offsets: path(names::INDEX), times: path(names::TIME_INDEX), aborts: path(names::TXN_INDEX) }
    }
}

/// Those of the indexes that there are.
pub(super) struct Indexes<'f> {
    offsets: Option<OffsetsCheck<'f>>,
    times: Option<TimesCheck<'f>>,
    aborts: Option<AbortsCheck<'f>>,
}

impl<'f> Indexes<'f> {
    /// Begins with all of them.
    pub(super) fn new(
        place: &Place<'_>,
        files: &'f Files,
        paths: &'f Paths,
        kept: &mut Kept,
    ) -> io::Result<Self> {
        let missing = (files.size() > 0).then_some(Severity::Note);
        judge::<OffsetEntry>(files.index.as_ref(), &paths.offsets, place.live, missing, kept);
        judge::<TimeStamped>(files.times.as_ref(), &paths.times, place.live, missing, kept);
        // Only segments with aborted transactions have it.
        judge::<TxnEntry>(files.aborts.as_ref(), &paths.aborts, place.live, None, kept);
        let (base, grows) = (place.base, place.next_base.is_none());
        Ok(Self {
            offsets: pending(files.index.as_ref(), base, (&paths.offsets, grows), kept)?
                .map(OffsetsCheck::new),
            times: pending(files.times.as_ref(), base, (&paths.times, grows), kept)?.map(TimesCheck::new),
            aborts: pending(files.aborts.as_ref(), base, (&paths.aborts, grows), kept)?.map(AbortsCheck::new),
        })
    }

    /// The walk came to a batch. `skipped`: what lies before it was damaged.
    pub(super) fn meet(&mut self, batch: &WalkedBatch<'_>, skipped: bool, kept: &mut Kept) -> io::Result<()> {
        if skipped {
            self.forgive(batch, kept)?;
        }
        self.offsets.as_mut().map_or(Ok(()), |offsets| offsets.meet(batch, kept))?;
        self.times.as_mut().map_or(Ok(()), |times| times.meet(batch, kept))?;
        self.aborts.as_mut().map_or(Ok(()), |aborts| aborts.meet(batch, kept))
    }

    fn forgive(&mut self, behind: &WalkedBatch<'_>, kept: &mut Kept) -> io::Result<()> {
        let offset = behind.header.base_offset;
        self.offsets.as_mut().map_or(Ok(()), |offsets| offsets.forgive(behind.position, kept))?;
        self.times.as_mut().map_or(Ok(()), |times| times.forgive(offset, kept))?;
        self.aborts.as_mut().map_or(Ok(()), |aborts| aborts.forgive(offset, kept))
    }

    /// The walk came to its end.
    pub(super) fn end(self, end: &End, kept: &mut Kept) {
        if let Some(offsets) = self.offsets {
            offsets.end(end.size, end.lenient, end.batches, kept);
        }
        if let Some(times) = self.times {
            times.end(end.growing, end.lenient, kept);
        }
        if let Some(aborts) = self.aborts {
            aborts.end(end.next_offset, end.lenient, kept);
        }
    }
}

/// The end of the walk over a segment.
pub(super) struct End {
    /// Bytes of the log.
    pub(super) size: u64,
    /// Batches in it.
    pub(super) batches: u64,
    /// The offset after the last one.
    pub(super) next_offset: i64,
    /// More may come, or was not read: an index need not have all.
    pub(super) growing: bool,
    /// Entries of what was not seen are no damage: the log may have grown since, or its end was not read.
    pub(super) lenient: bool,
}

/// A missing index file, and one that ends inside an entry.
fn judge<E: Entry>(
    file: Option<&OpenFile>,
    path: &Path,
    live: bool,
    missing: Option<Severity>,
    kept: &mut Kept,
) {
    let finding = match file {
        Some((_, len)) if len % E::LEN as u64 != 0 && !live => {
            let what = format!("{len} bytes are no whole number of entries of {}", E::LEN);
            Some((Severity::Damage, what))
        }
        Some(_) => None,
        None => missing.map(|severity| (severity, "it is missing".to_owned())),
    };
    if let Some((severity, what)) = finding {
        kept.push(Finding::new(severity, path, what, Fate::Rebuilt));
    }
}

fn pending<'f, E: Judged>(
    file: Option<&'f OpenFile>,
    base: i64,
    (path, grows): (&'f Path, bool),
    kept: &mut Kept,
) -> io::Result<Option<Pending<'f, E>>> {
    file.map(|(file, len)| Pending::new(&**file, *len, base, (path, grows), kept)).transpose()
}
