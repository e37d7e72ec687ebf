//! Finding out what a log really holds: from the recovery point on every batch is checked, a torn tail is cut, and
//! what is derived is rebuilt. After an orderly stop only the end of the active segment is looked at.
//!
//! ```text
//!   unclean   [ closed, below the recovery point: believed ][ ... recovery point ... checked to the end ]
//!   clean     [ closed: believed                           ][ active: last index entry ... checked      ]
//! ```
//!
//! The first batch that cannot be believed ends the log: it and everything after it goes, and the report says so.
//! If the clean mark was a lie, the active segment is checked whole.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::{Disk, OpenMode};

use crate::answers::{Cut, Hole, RecoveryReport};
use crate::derive::Sparse;
use crate::errors::LogError;
use crate::home::Home;
use crate::listing::Listing;
use crate::names;
use crate::segment::{End, Segment};
use crate::trust::trusted_start;
use crate::walk::{Start, Walked, walk};
use crate::writeback::RESERVE_FROM;

/// The segments as far as they can be believed, and where filling the last one stands.
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) sparse: Sparse,
    /// Of those that were looked at, oldest first.
    pub(crate) looks: Vec<Look>,
}

/// What part of a segment was looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) base_offset: i64,
    /// From here on.
    pub(crate) from: i64,
}

/// How much must be looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Depth {
    /// Everything below was synced.
    pub(crate) recovery_point: i64,
    /// The log was closed in order.
    pub(crate) clean: bool,
    /// The log is or was compacted: offsets may be missing rightly.
    pub(crate) compacted: bool,
    /// From here on none is, compacted or not.
    pub(crate) whole_from: i64,
}

/// Checks the segments of a listing.
pub(crate) fn recover(
    home: &Arc<Home>,
    listing: &Listing,
    depth: Depth,
    report: &mut RecoveryReport,
) -> Result<Recovered, LogError> {
    let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(listing.bases.len());
    let (mut sparse, mut looks) = (Sparse::default(), Vec::new());
    let Depth { recovery_point, clean, .. } = depth;
    for (at, &base) in listing.bases.iter().enumerate() {
        let next_base = listing.bases.get(at + 1).copied();
        let size = log_size(home, base)?;
        // One that ends at the recovery point may have been closed since: its records are stable, its indexes need not be.
        let believed = next_base.is_some_and(|next| clean || next < recovery_point);
        if let (Some(next), true) = (next_base, believed) {
            if size == 0 && !depth.compacted {
                report.holes.push(Hole { file: home.path(base, names::LOG), from: base, upto: next });
            }
            let end = End { next_offset: next, size };
            segments.push(Arc::new(Segment::existing(Arc::clone(home), base, end, size, true)));
            continue;
        }
        let synced = if clean { size } else { 0 };
        let segment =
            Segment::existing(Arc::clone(home), base, End { next_offset: base, size }, synced, false);
        if let Some(reason) =
            segments.last().and_then(|before| misplaced(before.end().next_offset, base, &depth))
        {
            remove_from(home, listing, at, &reason, report)?;
            break;
        }
        if let Some(before) = segments.last().filter(|before| !before.is_closed()) {
            before.write_indexes().map_err(LogError::at(before.path()))?;
            before.close();
        }
        let walked = check(&segment, listing, size, &depth, report)?;
        segment.set_end(walked.end);
        looks.push(Look { base_offset: base, from: walked.from });
        let cut = walked.bad.is_some();
        if let Some(reason) = walked.bad {
            remove_from(home, listing, at + 1, "follows a cut segment", report)?;
            cut_tail(&segment, walked.end, size, reason, report)?;
        } else if !clean && size >= RESERVE_FROM {
            // Whoever stopped without closing may have left blocks reserved past the end.
            segment.file().and_then(|file| file.set_len(size)).map_err(LogError::at(segment.path()))?;
        }
        sparse = walked.sparse;
        segments.push(Arc::new(segment));
        if cut {
            break;
        }
    }
    if let Some(active) = segments.last() {
        active.unshare(active.end().size).map_err(LogError::at(active.path()))?;
    }
    Ok(Recovered { segments, sparse, looks })
}

/// Why a segment cannot follow one that ends at `end`. Past the recovery point a hole is a loss: what lies behind it
/// was never stable, and a log is a prefix of what was written. Only compaction makes holes of its own, below a recovery
/// point that was written down before.
fn misplaced(end: i64, base: i64, depth: &Depth) -> Option<String> {
    if end > base {
        return Some(format!("begins below the end of the segment before it, {end}"));
    }
    let lost = end < base && end >= depth.recovery_point.max(depth.whole_from);
    lost.then(|| format!("offsets {end} to {} before it are missing", base - 1))
}

/// Bytes of segments in `dir` that are not believed after a crash.
pub(crate) fn bytes_past(disk: &dyn Disk, dir: &Path, recovery_point: i64) -> io::Result<u64> {
    let names = disk.read_dir(dir)?;
    let mut bases: Vec<i64> =
        names.iter().filter_map(|entry| names::offset(&entry.name, names::LOG)).collect();
    bases.sort_unstable();
    let believed = bases.iter().skip(1).take_while(|next| **next < recovery_point).count();
    bases.iter().skip(believed).try_fold(0, |bytes, base| {
        Ok(bytes + disk.open(&names::path(dir, *base, names::LOG), OpenMode::Read)?.len()?)
    })
}

fn log_size(home: &Home, base: i64) -> Result<u64, LogError> {
    let open = home.open(base, names::LOG, OpenMode::Read);
    open.and_then(|file| file.len()).map_err(LogError::at(home.path(base, names::LOG)))
}

/// Checks one segment from where it must be checked, and brings its indexes up to date.
fn check(
    segment: &Segment,
    listing: &Listing,
    size: u64,
    depth: &Depth,
    report: &mut RecoveryReport,
) -> Result<Walked, LogError> {
    let Depth { recovery_point, clean, .. } = *depth;
    let failed = || LogError::at(segment.path());
    let trusted = if clean { i64::MAX } else { recovery_point - 1 };
    if let Some(start) = trusted_start(segment, listing, size, trusted, clean).map_err(failed())? {
        let walked = walk(segment, start, size, depth, report).map_err(failed())?;
        // A bad end after an orderly stop, or one below the recovery point, throws doubt on all of it.
        if walked.bad.is_none() || !clean && walked.end.next_offset >= recovery_point {
            return Ok(walked);
        }
        report.notes.push(format!("{}: its end is damaged, checking all of it", segment.path().display()));
    }
    if size > 0 {
        for suffix in [names::INDEX, names::TIME_INDEX] {
            report.rebuilt.push(segment.home.path(segment.base_offset, suffix));
        }
    }
    segment.reset_indexes().map_err(failed())?;
    walk(segment, Start { position: 0, offset: segment.base_offset }, size, depth, report).map_err(failed())
}

/// Cuts for good: what is appended from now on could be followed by what was cut, should the power go before the next
/// sync.
fn cut_tail(
    segment: &Segment,
    end: End,
    size: u64,
    reason: String,
    report: &mut RecoveryReport,
) -> Result<(), LogError> {
    let io = LogError::at(segment.path());
    segment.unshare(end.size).map_err(LogError::at(segment.path()))?;
    let file = segment.file().and_then(|file| file.set_len(end.size).map(|()| file));
    file.and_then(|file| file.sync_data()).map_err(io)?;
    segment.flow.synced.store(0, Ordering::Relaxed);
    segment.flow.written_back.store(end.size, Ordering::Relaxed);
    let (file, offset, position) = (segment.path(), end.next_offset, end.size);
    report.cuts.push(Cut { file, offset, position, bytes: size.saturating_sub(end.size), reason });
    Ok(())
}

/// Removes all segments from `first` on, for good: the log may soon have grown up to where they begin.
fn remove_from(
    home: &Home,
    listing: &Listing,
    first: usize,
    reason: &str,
    report: &mut RecoveryReport,
) -> Result<(), LogError> {
    for &base in listing.bases.iter().skip(first) {
        let bytes = log_size(home, base)?;
        remove_segment(home, base)?;
        let (file, reason) = (home.path(base, names::LOG), reason.to_owned());
        report.cuts.push(Cut { file, offset: base, position: 0, bytes, reason });
    }
    if first < listing.bases.len() {
        home.disk.sync_dir(&home.dir).map_err(LogError::at(&home.dir))?;
    }
    Ok(())
}

/// Removes the files of a segment, whichever exist.
pub(crate) fn remove_segment(home: &Home, base: i64) -> Result<(), LogError> {
    for suffix in [names::LOG, names::INDEX, names::TIME_INDEX, names::TXN_INDEX] {
        let path = home.path(base, suffix);
        match home.disk.remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(LogError::at(path)(error)),
            _ => {}
        }
    }
    Ok(())
}
