//! Where checking a segment may begin: what its indexes are believed for.

use std::io;
use std::sync::Arc;

use crate::index::time::{self, TimeEntry};
use crate::listing::Listing;
use crate::patience::Patience;
use crate::scan::{ScanError, Scanner, WINDOW_WALK};
use crate::segment::{End, Segment};
use crate::walk::Start;

/// After an orderly stop no more than so many bytes are looked at for a time that the index lacks: where times do not rise
/// its last entry may lie far back.
const LOOKED_AT_MAX: u64 = 1 << 20;

/// Where to begin so that nothing above offset `trusted` goes unchecked: at the last index entry below it, if both
/// indexes can be believed up to there (they are cut back to it). `None`: begin at the start, with empty indexes.
pub(crate) fn trusted_start(
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
        // None was due yet, of a batch however long or of a few short ones; or they are lost.
        let whole = segment.seen_behind(0, size)?.no_entry_is_due;
        segment.reset_indexes()?;
        return Ok(whole.then_some(Start { position: 0, offset: base }));
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
    let since = position_of(segment, last_time)?;
    let near = batch.position.saturating_sub(since) <= LOOKED_AT_MAX;
    if (!clean || near) && !observe(segment, since, batch.position)? {
        return Ok(None);
    }
    segment.observe(&batch.header);
    // An offset entry comes with one for the largest time so far, if that rose: without it the file is not whole.
    if segment.times.max().is_ok_and(|max| max.is_some_and(|max| max.timestamp > newest)) {
        return Ok(None);
    }
    // The walk passes the entry's own batch once more; it has its entry already and gets no second one.
    Ok(Some(Start { position: batch.position, offset: batch.header.base_offset }))
}

/// Where the batch of a time entry begins.
fn position_of(segment: &Segment, entry: Option<TimeEntry>) -> io::Result<u64> {
    entry.map_or(Ok(0), |entry| segment.position_of(segment.base_offset + i64::from(entry.relative)))
}

/// Learns the largest time of the batches from that of the last time entry, at `since`, to `until`, where the walk begins.
/// They are below the recovery point, so their headers are believed; `false` if one is none.
fn observe(segment: &Segment, since: u64, until: u64) -> io::Result<bool> {
    let file = segment.file()?;
    let mut scanner = Scanner::new(&*file, since, until, segment.base_offset, WINDOW_WALK);
    loop {
        match scanner.next() {
            Ok(Some(found)) => segment.observe(&found.header),
            Ok(None) => return Ok(true),
            Err(ScanError::Io(error)) => return Err(error),
            Err(ScanError::Bad { .. }) => return Ok(false),
        }
    }
}
