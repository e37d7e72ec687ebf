//! Where checking a segment may begin: what its indexes are believed for.

use std::io;
use std::sync::Arc;

use pagewire_disk::OpenMode;

use crate::index::offset::Entry;
use crate::index::time::{self, Loaded, TimeEntry};
use crate::open::listing::Listing;
use crate::patience::Patience;
use crate::scan::walk::Start;
use crate::scan::{ScanError, Scanner, WINDOW_WALK};
use crate::segment::{End, Segment, names};

/// After an orderly stop no more than so many bytes are looked at for a time that the index lacks: where times do not
/// rise its last entry may lie far back.
const LOOKED_AT_MAX: u64 = 1 << 20;

/// Where checking may begin.
#[derive(Debug)]
pub(crate) struct Trusted {
    pub(crate) start: Start,
    /// The offset index has entries.
    pub(crate) indexed: bool,
    /// The last entry of the time index, if it is one that an orderly stop leaves: what follows `start` has to agree.
    pub(crate) closing: Option<TimeEntry>,
}

/// Where to begin so that nothing above offset `trusted` goes unchecked: at the last index entry below it, if both
/// indexes can be believed up to there (they are cut back to it). `None`: begin at the start, with empty indexes.
pub(crate) fn trusted_start(
    segment: &Segment,
    listing: &Listing,
    size: u64,
    trusted: i64,
    clean: bool,
) -> io::Result<Option<Trusted>> {
    let base = segment.base_offset;
    if !listing.indexed.contains(&base) || !listing.timed.contains(&base) || trusted < base {
        return Ok(None);
    }
    let relative = (trusted - base).min(i64::from(i32::MAX)) as u32;
    let Some(Believed { last: entry }) = last_entry(segment, relative, size)? else { return Ok(None) };
    let upto = entry.map_or(0, |entry| u64::from(entry.relative) + 1);
    let Some(times) = times_upto(segment, upto, clean)? else { return Ok(None) };
    let (closing, last_time) = (times.behind.filter(|_| clean), times.last);
    let Some(entry) = entry else {
        // None was due yet, of a batch however long or of a few short ones; or they are lost. After an orderly stop the
        // walk tells.
        let whole = clean || segment.seen_behind(0, None, size)?.no_entry_is_due;
        let start = Start { position: 0, offset: base };
        return Ok(whole.then_some(Trusted { start, indexed: false, closing }));
    };
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
    let start = Start { position: batch.position, offset: batch.header.base_offset };
    Ok(Some(Trusted { start, indexed: true, closing }))
}

/// An offset index that can be believed.
struct Believed {
    /// `None`: it has no entry.
    last: Option<Entry>,
}

/// The last entry of the offset index at or below `relative`, to which it is cut back; `None` if it cannot be believed.
fn last_entry(segment: &Segment, relative: u32, size: u64) -> io::Result<Option<Believed>> {
    if segment.len_of(names::INDEX)? == 0 {
        segment.index.start_empty();
        return Ok(Some(Believed { last: None }));
    }
    let file = segment.index_file()?;
    if !segment.index.load(&*file, size)? || !segment.index.cut_after(&*file, relative, size)? {
        return Ok(None);
    }
    let last = segment.index.floor(u32::MAX, Patience::Endless, || Ok(Arc::clone(&file)))?;
    Ok(Some(Believed { last }))
}

/// The entries of the time index below `upto`, to which it is cut back unless the one behind may stay; `None` if it
/// cannot be believed.
fn times_upto(segment: &Segment, upto: u64, clean: bool) -> io::Result<Option<Loaded>> {
    let file = segment.open(names::TIME_INDEX, OpenMode::Read)?;
    let Some(loaded) = time::load(&*file, upto)? else { return Ok(None) };
    if loaded.is_longer && !(clean && loaded.behind.is_some()) {
        segment.flow.times.note();
        segment.time_file()?.set_len(loaded.len())?;
    }
    segment.times.start_after(loaded.entries, loaded.last, loaded.last);
    Ok(Some(loaded))
}

/// Where the batch of a time entry begins.
fn position_of(segment: &Segment, entry: Option<TimeEntry>) -> io::Result<u64> {
    entry.map_or(Ok(0), |entry| segment.position_of(segment.base_offset + i64::from(entry.relative)))
}

/// Learns the largest time of the batches from that of the last time entry, at `since`, to `until`, where the walk
/// begins. They are below the recovery point, so their headers are believed; `false` if one is none.
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
