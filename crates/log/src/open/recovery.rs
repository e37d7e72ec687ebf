//! Finding out what a log really holds: from the recovery point on every batch is checked, a torn tail is cut, and
//! what is derived is rebuilt. After an orderly stop only the end of the active segment is looked at.
//!
//! ```text
//!   unclean   [ closed, below the recovery point: believed ][ ... recovery point ... checked to the end ]
//!   clean     [ closed: believed                           ][ active: last index entry ... checked      ]
//! ```
//!
//! Past the recovery point the first batch that cannot be believed ends the log: it and everything after it goes, and the
//! report says so. Below it nothing goes: what was stable once is kept as it is, known as damaged to readers, and the log
//! goes on behind it. Where that was its end, it goes on in a new segment at the offset that it is known to have reached, or
//! at the largest that the whole batches among those bytes have come to (`good`): no offset that was answered is given out again;
//! that the end before it is lost is written down first, where nothing else would tell it from a hole of compaction's.
//! If the recovery point is lost, only a torn end goes, which no whole batch follows, and others say how far the log had come
//! (`witnesses`).
//!
//! If the clean mark was a lie, the active segment is checked whole.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::Disk;

use crate::answers::{Hole, RecoveryReport};
use crate::errors::LogError;
use crate::home::Home;
use crate::open::checked::check;
use crate::open::cut::{cut_tail, remove_from};
use crate::open::depth::Depth;
use crate::open::good::{Unknown, last_end_in};
use crate::open::listing::Listing;
use crate::open::orphans;
use crate::open::witnesses::Ragged;
use crate::rewritten;
use crate::scan::derive::Sparse;
use crate::scan::walk::Reach;
use crate::scrub::{Harm, Stretch};
use crate::segment::writeback::RESERVE_FROM;
use crate::segment::{End, Segment, names};

/// The segments as far as they can be believed, and where filling the last one stands.
#[derive(Default)]
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) sparse: Sparse,
    /// Of those that were looked at, oldest first.
    pub(crate) looks: Vec<Look>,
    /// Largest timestamp of the last segment's first batch, if that was among them.
    pub(crate) first_timestamp: Option<i64>,
    /// The last one ends in bytes that were stable once and are no batches.
    ragged: Option<Ragged>,
    /// The offset that batches among those bytes have come to.
    last_end: Option<i64>,
}

/// What part of a segment was looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) base_offset: i64,
    /// From here on.
    pub(crate) from: i64,
    /// Its indexes are no help, or its end is damaged.
    pub(crate) in_doubt: bool,
}

/// Checks the segments of a listing.
pub(crate) fn recover(
    home: &Arc<Home>,
    listing: &Listing,
    depth: &Depth,
    report: &mut RecoveryReport,
) -> Result<Recovered, LogError> {
    let mut found = Recovered { segments: Vec::with_capacity(listing.bases.len()), ..Recovered::default() };
    for (at, &base) in listing.bases.iter().enumerate() {
        let next_base = listing.bases.get(at + 1).copied();
        let size = log_size(home, base)?;
        if let Some(next) = next_base.filter(|next| depth.believes_closed(*next)) {
            let lost = Hole { file: home.path(base, names::LOG), from: base, upto: next };
            if size == 0 && !depth.compacted && !report.holes.contains(&lost) {
                report.holes.push(lost);
            }
            let end = End { next_offset: next, size };
            found.segments.push(Arc::new(Segment::existing(Arc::clone(home), base, end, size, true)));
            continue;
        }
        let before = found.segments.last().filter(|before| !is_told(listing, before, base));
        if let Some(reason) = before.and_then(|before| misplaced(before, base, depth)) {
            remove_from(home, listing, at, &reason, depth, report)?;
            break;
        }
        found.close_last(base, depth.whole_from, report)?;
        if !found.check(home, listing, at, size, depth, report)? {
            break;
        }
    }
    if listing.lengths {
        rewritten::hear(home, &found.segments, report)?;
    }
    let lost = found.close_before_a_loss(listing, depth, report)?;
    rewritten::tell_losses(home, &found.segments)?;
    if let Some(base) = lost {
        orphans::make_stable(&*home.disk, &listing.orphans)?;
        found.go_on_at(home, base)?;
    }
    found.drop_orphans(home, listing, depth, report)?;
    if let Some(active) = found.segments.last() {
        active.unshare(active.end().size).map_err(LogError::at(active.path()))?;
    }
    Ok(found)
}

impl Recovered {
    /// A segment follows the last one, from `base` on: what that lacks before, from offset `whole_from` on, is missing.
    fn close_last(&self, base: i64, whole_from: i64, report: &mut RecoveryReport) -> Result<(), LogError> {
        let Some(before) = self.segments.last().filter(|before| !before.is_closed()) else { return Ok(()) };
        before.write_indexes().map_err(LogError::at(before.path()))?;
        before.close();
        let End { next_offset, size } = before.end();
        before.set_end(End { next_offset: base, size });
        if self.ragged.is_none()
            && next_offset >= whole_from
            && let Some(lost) = Stretch::missing(size, next_offset..base)
        {
            know(before, lost, report);
        }
        Ok(())
    }

    /// Checks the segment at `at` in the listing and adds it; whether the log goes on behind it.
    fn check(
        &mut self,
        home: &Arc<Home>,
        listing: &Listing,
        at: usize,
        size: u64,
        depth: &Depth,
        report: &mut RecoveryReport,
    ) -> Result<bool, LogError> {
        let Some(&base) = listing.bases.get(at) else { return Ok(false) };
        let next_base = listing.bases.get(at + 1).copied();
        let synced = if depth.clean { size } else { 0 };
        let segment =
            Segment::existing(Arc::clone(home), base, End { next_offset: base, size }, synced, false);
        let reach = Reach { size, upto: next_base.unwrap_or(depth.limit(base)), last: next_base.is_none() };
        if !depth.clean {
            segment.flow.note_indexes_young();
        }
        segment.unsettled.store(true, Ordering::Relaxed);
        let (walked, in_doubt) = check(&segment, listing, reach, depth, report)?;
        segment.unsettled.store(false, Ordering::Relaxed);
        self.looks.push(Look { base_offset: base, from: walked.from, in_doubt });
        self.sparse = walked.sparse;
        self.first_timestamp = walked.first_timestamp;
        segment.set_end(walked.end);
        let read_before = home.whole_to(base) >= walked.position;
        segment.unverified_below(if read_before { 0 } else { walked.position });
        let mut goes_on = true;
        if let Some(reason) = walked.bad {
            // Behind the last batch that belongs here nothing is missing.
            goes_on = next_base.is_some_and(|next| walked.end.next_offset == next);
            if !goes_on {
                remove_from(home, listing, at + 1, "follows a cut segment", depth, report)?;
            }
            cut_tail(&segment, walked.end, size, reason, depth, report)?;
        } else if !depth.clean && size >= RESERVE_FROM {
            // Whoever stopped without closing may have left blocks reserved past the end.
            segment.file().and_then(|file| file.set_len(size)).map_err(LogError::at(segment.path()))?;
        }
        let ragged = walked
            .damage
            .last()
            .filter(|last| matches!(last.harm, Harm::Damaged { to, .. } if to == size))
            .map(|last| Ragged { offset: last.offset, bytes: size - last.begin() });
        if ragged.is_some() {
            // Its readers stop before that; nothing is written behind it.
            segment.set_end(End { size, ..walked.end });
        }
        self.last_end = match walked.damage.last() {
            Some(last) if ragged.is_some() && reach.last => {
                let (from, offset, reached) = (last.begin(), last.offset, depth.reached(ragged));
                let unknown = Unknown { from, size, offset, reached, upto: reach.upto };
                let read = segment.file().and_then(|file| last_end_in(&*file, unknown));
                read.map_err(LogError::at(segment.path()))?
            }
            _ => None,
        };
        let reached = depth.reached(ragged).max(self.last_end.unwrap_or(0));
        for stretch in walked.damage.into_vec() {
            // Whatever follows, the last segment's damage ends where it goes on.
            let upto = if stretch.end() == size && reach.last { reached } else { i64::MAX };
            let next_offset = stretch.next_offset.min(upto.max(stretch.offset));
            know(&segment, Stretch { next_offset, ..stretch }, report);
        }
        self.segments.push(Arc::new(segment));
        self.ragged = ragged;
        Ok(goes_on)
    }

    /// Where the log is known to have held more than it does, that was stable and is lost: the offset at which it goes on.
    /// Those before are not given out again: somebody may have read them, and committed the ones behind.
    fn close_before_a_loss(
        &self,
        listing: &Listing,
        depth: &Depth,
        report: &mut RecoveryReport,
    ) -> Result<Option<i64>, LogError> {
        let end = self.segments.last().map(|last| last.end().next_offset);
        let gone = end.and_then(|end| orphans::upto(&listing.orphans, end, i64::MAX));
        let base = depth.reached(self.ragged).max(self.last_end.unwrap_or(0)).max(gone.unwrap_or(0));
        if end.is_none_or(|end| end >= base) {
            return Ok(None);
        }
        // Compaction takes nothing from a log's end.
        self.close_last(base, i64::MIN, report)?;
        Ok(Some(base))
    }

    /// Indexes without a segment go, but for those that tell of a hole past a recovery point that is known.
    fn drop_orphans(
        &self,
        home: &Home,
        listing: &Listing,
        depth: &Depth,
        report: &mut RecoveryReport,
    ) -> Result<(), LogError> {
        // What begins where one did has its name, and the file is its own by now.
        let began_there = |base: i64| self.segments.iter().any(|segment| segment.base_offset == base);
        for orphan in listing.orphans.iter().filter(|orphan| !began_there(orphan.base)) {
            let goes_on = self.segments.last().is_some_and(|last| last.base_offset >= orphan.upto);
            let is_told = depth.is_known() && depth.was_stable(orphan.base);
            if is_told || !goes_on || !orphan.tells() {
                let removed = home.remove_leftover(&orphan.path);
                report.leftovers.add(removed.map_err(LogError::at(&orphan.path))?);
            }
        }
        Ok(())
    }

    fn go_on_at(&mut self, home: &Arc<Home>, base: i64) -> Result<(), LogError> {
        let next =
            Segment::create(Arc::clone(home), base).map_err(LogError::at(home.path(base, names::LOG)))?;
        home.disk.sync_dir(&home.dir).map_err(LogError::at(&home.dir))?;
        self.segments.push(Arc::new(next));
        self.sparse = Sparse::default();
        self.first_timestamp = None;
        Ok(())
    }
}

fn know(segment: &Segment, stretch: Stretch, report: &mut RecoveryReport) {
    segment.tell_damage(stretch);
    report.damage.push(stretch.of(segment.path()));
}

/// Whether it is known that what lay between these two is lost.
fn is_told(listing: &Listing, before: &Segment, base: i64) -> bool {
    listing.given_out == Some(base)
        || orphans::upto(&listing.orphans, before.end().next_offset, base) == Some(base)
}

/// Why a segment cannot follow the one before it. Past the recovery point a hole is a loss: what lies behind it
/// was never stable, and a log is a prefix of what was written. Only compaction makes holes of its own, below a recovery
/// point that was written down before.
fn misplaced(before: &Segment, base: i64, depth: &Depth) -> Option<String> {
    let end = before.end().next_offset;
    let lost = end < base && !depth.was_stable(end) && end >= depth.whole_from;
    lost.then(|| format!("offsets {end} to {} before it are missing", base - 1))
}

/// Bytes of segments in `dir` that are not believed after a crash.
pub(crate) fn bytes_past(disk: &dyn Disk, dir: &Path, recovery_point: i64) -> io::Result<u64> {
    let names = disk.read_dir(dir)?;
    let mut bases: Vec<i64> =
        names.iter().filter_map(|entry| names::offset(&entry.name, names::LOG)).collect();
    bases.sort_unstable();
    let believed = bases.iter().skip(1).take_while(|next| **next < recovery_point).count();
    bases
        .iter()
        .skip(believed)
        .try_fold(0, |bytes, base| Ok(bytes + disk.file_len(&names::path(dir, *base, names::LOG))?))
}

pub(crate) fn log_size(home: &Home, base: i64) -> Result<u64, LogError> {
    let path = home.path(base, names::LOG);
    home.disk.file_len(&path).map_err(LogError::at(path))
}

/// Removes the files of a segment, whichever exist.
pub(crate) fn remove_segment(home: &Home, base: i64) -> Result<(), LogError> {
    remove_derived(home, base)?;
    remove(home, base, names::LOG)
}

/// Removes what is derived from its records, which has to go before they do: an index alone tells of records that are lost.
pub(crate) fn remove_derived(home: &Home, base: i64) -> Result<(), LogError> {
    [names::INDEX, names::TIME_INDEX, names::TXN_INDEX]
        .iter()
        .try_for_each(|suffix| remove(home, base, suffix))
}

fn remove(home: &Home, base: i64, suffix: &str) -> Result<(), LogError> {
    let path = home.path(base, suffix);
    match home.disk.remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LogError::at(path)(error)),
        _ => Ok(()),
    }
}
