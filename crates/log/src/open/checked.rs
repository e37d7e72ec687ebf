//! One segment after a crash, or the end of the active one: its batches are checked from where they must be, and its indexes are
//! brought up to date with what was found.
//!
//! ```text
//!   an entry that is trusted ─▶ [ checked from there on ]      all good, or the bad end was never stable: the index goes on
//!   none, or the end is bad  ─▶ [ checked whole ]              a new index: beside the old one if that tells of what was stable,
//!                                                              over it where there is no room for both
//! ```

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_zcopy::{FileRange, drop_pages_blocking};

use crate::answers::RecoveryReport;
use crate::errors::LogError;
use crate::index::time::TimeEntry;
use crate::open::depth::Depth;
use crate::open::listing::Listing;
use crate::open::trust::trusted_start;
use crate::scan::walk::{Reach, Start, Walked, walk};
use crate::scrub::Places;
use crate::segment::{Segment, names};
use crate::sick::is_sick;

/// Checks one segment from where it must be checked, and brings its indexes up to date; whether all of it was in doubt.
pub(super) fn check(
    segment: &Segment,
    listing: &Listing,
    reach: Reach,
    depth: &Depth,
    report: &mut RecoveryReport,
) -> Result<(Walked, bool), LogError> {
    let failed = || LogError::at(segment.path());
    let (clean, size) = (depth.clean, reach.size);
    // Before it is cut, or written anew. After an orderly stop it is not, as long as all is well.
    let mut places = if clean { Places::default() } else { segment.index_places() };
    let walk_from = |start: Start, places: &Places, report: &mut RecoveryReport| {
        if !clean && !segment.home.is_rehearsed() {
            segment.forget_cached(start.position, size)?;
        }
        walk(segment, start, reach, depth, &|at| places.from(at), report)
    };
    let trusted = if clean { i64::MAX } else { depth.recovery_point - 1 };
    if let Some(trusted) = trusted_start(segment, listing, size, trusted, clean).map_err(failed())? {
        let walked = walk_from(trusted.start, &places, report).map_err(failed())?;
        // A bad end after an orderly stop, or one below the recovery point, throws doubt on all of it.
        if walked.damage.is_empty() && (walked.bad.is_none() || !clean) {
            segment.keep_closing(trusted.closing).map_err(failed())?;
            let lost = clean && !trusted.indexed && segment.index.len() > 0;
            if lost {
                report.rebuilt.extend(index_paths(segment));
            }
            return Ok((walked, lost));
        }
        report.note(format!("{}: its end is damaged, checking all of it", segment.path().display()));
    }
    if size > 0 {
        report.rebuilt.extend(index_paths(segment));
    }
    if clean {
        places = segment.index_places();
    }
    let start = Start { position: 0, offset: segment.base_offset };
    let stable = if clean || !depth.is_known() { i64::MAX } else { depth.recovery_point };
    let mut anew = |report: &mut RecoveryReport| walk_from(start, &places, report);
    // Of what was stable the entries stay until the new ones stand: should this start end here, the next one needs them.
    let old_count = !places.is_empty() && depth.was_stable(segment.base_offset);
    let beside = if old_count { written_beside(segment, stable, &mut anew, report) } else { Ok(None) };
    match beside.map_err(failed())? {
        Some(walked) => Ok((walked, true)),
        None => {
            written_over(segment, stable, &mut anew, report).map(|walked| (walked, true)).map_err(failed())
        }
    }
}

/// Walks over a segment whose indexes begin anew.
type Anew<'w> = &'w mut dyn FnMut(&mut RecoveryReport) -> io::Result<Walked>;

/// Brings indexes up to date beside those that there are, whose place they take with their entries below offset `stable` on the
/// disk. `None`: there is no room for both.
fn written_beside(
    segment: &Segment,
    stable: i64,
    anew: Anew<'_>,
    report: &mut RecoveryReport,
) -> io::Result<Option<Walked>> {
    if !or_no_room(segment.begin_indexes_beside())? {
        return Ok(None);
    }
    let before = report.scanned_bytes;
    let walked = anew(report)?;
    let place = || segment.make_entries_stable(stable).and_then(|()| segment.put_index_in_place());
    if !walked.lacks_entries && or_no_room(place())? {
        return Ok(Some(walked));
    }
    // What is checked once more counts once.
    let checked = report.scanned_bytes.saturating_sub(before);
    report.scanned_bytes = before;
    segment.home.checked.fetch_sub(checked, Ordering::Relaxed);
    Ok(None)
}

/// Brings indexes up to date in their own files, which are emptied first. A full disk must not keep a log from being opened.
fn written_over(
    segment: &Segment,
    stable: i64,
    anew: Anew<'_>,
    report: &mut RecoveryReport,
) -> io::Result<Walked> {
    segment.empty_indexes()?;
    let walked = anew(report)?;
    or_no_room(segment.make_entries_stable(stable))?;
    Ok(walked)
}

/// Whether it was written. What a sick disk says is for the caller of all.
fn or_no_room(written: io::Result<()>) -> io::Result<bool> {
    match written {
        Err(error) if is_sick(&error) => Err(error),
        written => Ok(written.is_ok()),
    }
}

fn index_paths(segment: &Segment) -> [PathBuf; 2] {
    [names::INDEX, names::TIME_INDEX].map(|suffix| segment.home.path(segment.base_offset, suffix))
}

impl Segment {
    /// The time index ends in an entry that is believed only if the log says the same; else it goes.
    fn keep_closing(&self, closing: Option<TimeEntry>) -> io::Result<()> {
        match closing {
            Some(entry) if !self.times.closes_with(entry) => {
                self.flow.times.note();
                self.time_file()?.set_len(self.times.len_in_file())
            }
            _ => Ok(()),
        }
    }

    /// Whoever wrote it died. Should a writeback have failed before, the page cache has bytes that the disk never got, and
    /// no sync would write them any more: what is read next comes from the disk, unless it is still to be written.
    fn forget_cached(&self, position: u64, size: u64) -> io::Result<()> {
        let file = self.file()?;
        let range = FileRange::new(Arc::clone(file.file()), position, size.saturating_sub(position));
        drop_pages_blocking(&range)
    }
}
