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
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::answers::{Cut, RecoveryReport};
use crate::derive::Sparse;
use crate::errors::LogError;
use crate::home::Home;
use crate::index::time::{self, TimeEntry};
use crate::listing::Listing;
use crate::names;
use crate::patience::Patience;
use crate::scan::{ScanError, Scanner, WINDOW_WALK};
use crate::segment::{End, Segment};
use crate::sick::is_sick;
use crate::writeback::RESERVE_FROM;

/// The segments as far as they can be believed, and where filling the last one stands.
pub(crate) struct Recovered {
    pub(crate) segments: Vec<Arc<Segment>>,
    pub(crate) sparse: Sparse,
}

/// How much must be looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Depth {
    /// Everything below was synced.
    pub(crate) recovery_point: i64,
    /// The log was closed in order.
    pub(crate) clean: bool,
    /// The log is or was compacted: offsets between segments may be missing rightly.
    pub(crate) compacted: bool,
}

/// Where a walk may begin.
#[derive(Debug, Clone, Copy)]
struct Start {
    position: u64,
    offset: i64,
}

/// How far a walk came.
struct Walked {
    end: End,
    sparse: Sparse,
    bad: Option<String>,
}

/// Checks the segments of a listing.
pub(crate) fn recover(
    home: &Arc<Home>,
    listing: &Listing,
    depth: Depth,
    report: &mut RecoveryReport,
) -> Result<Recovered, LogError> {
    let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(listing.bases.len());
    let mut sparse = Sparse::default();
    let Depth { recovery_point, clean, .. } = depth;
    for (at, &base) in listing.bases.iter().enumerate() {
        let next_base = listing.bases.get(at + 1).copied();
        let size = log_size(home, base)?;
        let believed = next_base.is_some_and(|next| clean || next <= recovery_point);
        if let (Some(next), true) = (next_base, believed) {
            if size == 0 && !depth.compacted {
                report
                    .notes
                    .push(format!("{}: empty, though not the last", home.path(base, names::LOG).display()));
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
        let walked = check(&segment, listing, size, &depth, report)?;
        segment.set_end(walked.end);
        let cut = walked.bad.is_some();
        if let Some(reason) = walked.bad {
            cut_tail(&segment, walked.end, size, reason, report)?;
            remove_from(home, listing, at + 1, "follows a cut segment", report)?;
        } else if !clean && size >= RESERVE_FROM {
            // Whoever stopped without closing may have left blocks reserved past the end.
            segment.file().and_then(|file| file.set_len(size)).map_err(LogError::at(segment.path()))?;
        }
        if !cut && next_base.is_some() {
            segment.write_indexes().map_err(LogError::at(segment.path()))?;
            segment.close();
        }
        sparse = walked.sparse;
        segments.push(Arc::new(segment));
        if cut {
            break;
        }
    }
    Ok(Recovered { segments, sparse })
}

/// Why a segment cannot follow one that ends at `end`. Past the recovery point a hole is a loss: what lies behind it
/// was never stable, and a log is a prefix of what was written. Only compaction makes holes of its own.
fn misplaced(end: i64, base: i64, depth: &Depth) -> Option<String> {
    if end > base {
        return Some(format!("begins below the end of the segment before it, {end}"));
    }
    let lost = end < base && end >= depth.recovery_point && !depth.compacted;
    lost.then(|| format!("offsets {end} to {} before it are missing", base - 1))
}

fn log_size(home: &Home, base: i64) -> Result<u64, LogError> {
    let open = home.open(base, names::LOG, pagewire_disk::OpenMode::Read);
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

/// Where to begin so that nothing above offset `trusted` goes unchecked: at the last index entry below it, if both
/// indexes can be believed up to there (they are cut back to it). `None`: begin at the start, with empty indexes.
fn trusted_start(
    segment: &Segment,
    listing: &Listing,
    size: u64,
    trusted: i64,
    clean: bool,
) -> io::Result<Option<Start>> {
    let base = segment.base_offset;
    if !listing.indexed.contains(&base) || !listing.timed.contains(&base) || trusted < base {
        return Ok(None);
    }
    let (index_file, time_file) = (segment.index_file()?, segment.time_file()?);
    let relative = (trusted - base).min(i64::from(i32::MAX)) as u32;
    if !segment.index.load(&*index_file, size)? || !segment.index.cut_after(&*index_file, relative, size)? {
        return Ok(None);
    }
    let Some(entry) = segment.index.floor(u32::MAX, Patience::Endless, || Ok(Arc::clone(&index_file)))?
    else {
        // A short segment has no entry yet, and little to walk over.
        let short = size <= 2 * u64::from(segment.home.index_interval());
        segment.reset_indexes()?;
        return Ok(short.then_some(Start { position: 0, offset: base }));
    };
    let Some((times, last_time)) = time::load(&*time_file, entry.relative)? else { return Ok(None) };
    time_file.set_len(u64::from(times) * time::ENTRY_LEN as u64)?;
    segment.times.start_after(times, last_time, last_time);
    let last_offset = base + i64::from(entry.relative);
    segment.set_end(End { next_offset: last_offset + 1, size });
    let Ok(Some(batch)) = segment.locate(last_offset, Patience::Endless) else { return Ok(None) };
    let newest = last_time.map_or(-1, |last| last.timestamp);
    let time_holds = match last_time {
        Some(last) => segment.time_entry_holds(last).unwrap_or(false),
        None => true,
    };
    if batch.position != u64::from(entry.position) || !time_holds {
        return Ok(None);
    }
    // An orderly stop writes the largest time last; a kill may have left it in memory, whatever the offset index has.
    if clean && batch.header.max_timestamp > newest {
        return Ok(None);
    }
    if !clean && !observe_since(segment, last_time, batch.position)? {
        return Ok(None);
    }
    // The walk passes the entry's own batch once more; it has its entry already and gets no second one.
    Ok(Some(Start { position: batch.position, offset: batch.header.base_offset }))
}

/// Learns the largest time of the batches from that of the last time entry to `until`, where the walk begins. They are
/// below the recovery point, so their headers are believed; `false` if one is none.
fn observe_since(segment: &Segment, last: Option<TimeEntry>, until: u64) -> io::Result<bool> {
    let position = match last {
        Some(last) => segment.position_of(segment.base_offset + i64::from(last.relative))?,
        None => 0,
    };
    let file = segment.file()?;
    let mut scanner = Scanner::new(&*file, position, until, segment.base_offset, WINDOW_WALK);
    loop {
        match scanner.next() {
            Ok(Some(found)) => segment.observe(&found.header),
            Ok(None) => return Ok(true),
            Err(ScanError::Io(error)) => return Err(error),
            Err(ScanError::Bad { .. }) => return Ok(false),
        }
    }
}

/// Checks every batch from `start` to the end of the file and notes it in the indexes.
fn walk(
    segment: &Segment,
    start: Start,
    size: u64,
    depth: &Depth,
    report: &mut RecoveryReport,
) -> io::Result<Walked> {
    let interval = segment.home.index_interval();
    let (mut sparse, mut next_offset) = (Sparse::default(), start.offset);
    let file = segment.file()?;
    let scanner = Scanner::new(&*file, start.position, size, start.offset, WINDOW_WALK);
    let mut scanner = scanner.verifying().contiguous(!depth.compacted);
    let bad = loop {
        match scanner.next() {
            Ok(None) => break None,
            Ok(Some(found)) if found.header.last_offset() - segment.base_offset > i64::from(i32::MAX) => {
                break Some((found.position, "an offset too far above the segment's base".to_owned()));
            }
            Ok(Some(found)) => {
                let due = sparse.next(interval, found.header.size_in_bytes());
                // Entries may be missing; a full disk must not keep a log from being opened.
                if let Err(error) = segment.note_batch(&found.header, found.position, due)
                    && is_sick(&error)
                {
                    return Err(error);
                }
                next_offset = found.header.next_offset();
            }
            Err(ScanError::Io(error)) => return Err(error),
            Err(ScanError::Bad { position, reason }) => break Some((position, reason)),
        }
    };
    let position = bad.as_ref().map_or(scanner.position(), |(position, _)| *position);
    report.scanned_bytes += position.saturating_sub(start.position);
    Ok(Walked { end: End { next_offset, size: position }, sparse, bad: bad.map(|(_, reason)| reason) })
}

fn cut_tail(
    segment: &Segment,
    end: End,
    size: u64,
    reason: String,
    report: &mut RecoveryReport,
) -> Result<(), LogError> {
    let io = LogError::at(segment.path());
    segment.file().and_then(|file| file.set_len(end.size)).map_err(io)?;
    segment.flow.synced.store(0, Ordering::Relaxed);
    segment.flow.written_back.store(end.size, Ordering::Relaxed);
    let (file, offset, position) = (segment.path(), end.next_offset, end.size);
    report.cuts.push(Cut { file, offset, position, bytes: size.saturating_sub(end.size), reason });
    Ok(())
}

/// Removes all segments from `first` on.
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
