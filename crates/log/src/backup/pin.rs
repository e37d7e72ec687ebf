//! Opening segments, if the log is still the one whose copy was begun.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::{DiskFile, OpenMode};

use super::moment::Moment;
use super::{BackupError, PINNED_MAX};
use crate::log::Log;
use crate::patience::Patience;
use crate::segment::{Segment, names};
use crate::txns::index::ENTRY_LEN;

/// What goes with a closed segment's `.log`, if it is there.
const BESIDE: [&str; 3] = [names::INDEX, names::TIME_INDEX, names::TXN_INDEX];

/// A closed segment with its files open: whatever becomes of their names, they are what is copied.
pub(super) struct Pinned {
    pub(super) segment: Arc<Segment>,
    pub(super) base_offset: i64,
    /// First offset of the next segment.
    pub(super) bound: i64,
    pub(super) log: Named,
    pub(super) beside: Vec<Named>,
}

/// An open file and the name it had.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) bytes: u64,
}

/// The segment that was active at the moment, as far as it went then. It may be closed by now, and written to.
pub(super) struct Active {
    pub(super) log: Named,
    /// Its index of aborted transactions, if it had entries.
    pub(super) aborted: Option<Vec<u8>>,
}

/// What became of the segment that was active.
pub(super) enum PinnedActive {
    Open(Active),
    /// Retention has taken it, with all before it, and that is known.
    Taken,
    /// It has been removed since.
    Changed,
}

/// Opens the segment that was active.
pub(super) fn pin_active(log: &Log, moment: &Moment) -> Result<PinnedActive, BackupError> {
    let _placing = log.placing.lock();
    let Some(active) = moment.segments.last() else { return Ok(PinnedActive::Taken) };
    if !log.segments.load().iter().any(|segment| Arc::ptr_eq(segment, active)) {
        return Ok(PinnedActive::Changed);
    }
    let Some(named) = open(active, names::LOG)? else {
        return if log.has_left() { Ok(PinnedActive::Changed) } else { Err(missing(active)) };
    };
    let aborted = aborted(active, moment.aborted)?;
    let bytes = bytes_below(active, moment)?;
    Ok(PinnedActive::Open(Active { log: Named { bytes, ..named }, aborted }))
}

/// The first `count` entries; they are in the file before they count.
fn aborted(active: &Segment, count: u32) -> Result<Option<Vec<u8>>, BackupError> {
    let file = if count == 0 { None } else { open(active, names::TXN_INDEX)? };
    let Some(Named { path, file, .. }) = file else { return Ok(None) };
    let mut bytes = vec![0; ENTRY_LEN * count as usize];
    file.read_exact_at(0, &mut bytes).map_err(BackupError::at(&path))?;
    Ok(Some(bytes))
}

/// Bytes of the active segment's batches below the end of the copy.
fn bytes_below(active: &Segment, moment: &Moment) -> Result<u64, BackupError> {
    let all = moment.active;
    if moment.end >= all.next_offset {
        return Ok(all.size);
    }
    let found = active.locate(moment.end, Patience::Endless);
    let found = found.map_err(io::Error::other).map_err(BackupError::at(&active.path()))?;
    Ok(found.map_or(all.size, |batch| batch.position))
}

/// An error if the file of one of `seen` that the log counts as its own is not there.
pub(super) fn look_at_all(log: &Log, seen: &[Arc<Segment>]) -> Result<(), BackupError> {
    for some in seen.chunks(PINNED_MAX) {
        // No name changes meanwhile.
        let _placing = log.placing.lock();
        let now = log.segments.load();
        let is_listed = |one: &&Arc<Segment>| {
            let found = now.binary_search_by_key(&one.base_offset, |listed| listed.base_offset);
            found.ok().and_then(|at| now.get(at)).is_some_and(|listed| Arc::ptr_eq(listed, one))
        };
        for segment in some.iter().filter(is_listed) {
            if !is_there(segment)? && !log.has_left() {
                return Err(missing(segment));
            }
        }
    }
    Ok(())
}

fn is_there(segment: &Segment) -> Result<bool, BackupError> {
    let own = segment.path();
    let now = segment.home.path(segment.base_offset, &segment.stage.get().file(names::LOG));
    let exists = |path: &Path| segment.home.disk.exists(path).map_err(BackupError::at(path));
    Ok(exists(&now)? || (now != own && exists(&own)?))
}

/// Opens `count` closed segments of `seen` from `copied` on. `None`: the log's segments are no longer those that were
/// seen.
pub(super) fn pin(
    log: &Log,
    seen: &[Arc<Segment>],
    copied: usize,
    count: usize,
) -> Result<Option<Vec<Pinned>>, BackupError> {
    // No name changes meanwhile, so that files and list are of one moment.
    let _placing = log.placing.lock();
    if !is_intact(seen, copied, &log.segments.load(), Arc::ptr_eq) {
        return Ok(None);
    }
    let mut pinned = Vec::with_capacity(count);
    for (segment, next) in seen.iter().zip(seen.iter().skip(1)).skip(copied).take(count) {
        match pin_one(segment, next.base_offset) {
            Ok(Some(one)) => pinned.push(one),
            Ok(None) => return Ok(None),
            Err(BackupError::Missing(_)) if log.has_left() => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(pinned))
}

/// How many of `seen` retention has taken from the front since, if nothing else has become of them. The last one, which
/// was active, is open and never counts as taken.
pub(super) fn taken_from_front(log: &Log, seen: &[Arc<Segment>]) -> Option<usize> {
    let _placing = log.placing.lock();
    let now = log.segments.load();
    let (first, (active, closed)) = (now.first()?, seen.split_last()?);
    if first.base_offset > active.base_offset {
        return Some(closed.len());
    }
    let taken = seen.iter().position(|one| Arc::ptr_eq(one, first))?;
    is_intact(seen, taken, &now, Arc::ptr_eq).then_some(taken)
}

fn pin_one(segment: &Arc<Segment>, bound: i64) -> Result<Option<Pinned>, BackupError> {
    let log = open(segment, names::LOG)?.ok_or_else(|| missing(segment))?;
    if log.bytes != segment.end().size {
        // Another file has the name by now; if the log itself were so, reading it would say what is wrong.
        return Ok(None);
    }
    let mut beside = Vec::new();
    for suffix in BESIDE {
        beside.extend(open(segment, suffix)?);
    }
    Ok(Some(Pinned { segment: Arc::clone(segment), base_offset: segment.base_offset, bound, log, beside }))
}

/// Of a segment that is listed while no name changes.
fn missing(segment: &Segment) -> BackupError {
    BackupError::Missing(segment.path())
}

fn open(segment: &Segment, suffix: &str) -> Result<Option<Named>, BackupError> {
    // Of a segment that compaction has put in others' place a moment ago, the files may not have their names yet.
    let path = segment.home.path(segment.base_offset, &segment.stage.get().file(suffix));
    let opened = segment.open(suffix, OpenMode::Read);
    match opened.and_then(|file| Ok((file.len()?, file))) {
        Ok((bytes, file)) => {
            Ok(Some(Named { name: names::file(segment.base_offset, suffix), path, file, bytes }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(BackupError::at(&path)(error)),
    }
}

/// Whether those of `seen` that are to come are all `now` there, one after the other, and those before them are what
/// was copied, but for some that retention took from the front. More may follow at the end.
fn is_intact<T>(seen: &[T], copied: usize, now: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    let (done, rest) = seen.split_at(copied.min(seen.len()));
    let Some(next) = rest.first() else { return true };
    let Some(at) = now.iter().position(|one| same(one, next)) else { return false };
    let (before, after) = now.split_at(at);
    let Some(kept) = done.len().checked_sub(before.len()) else { return false };
    let all = |one: &[T], other: &[T]| one.iter().zip(other).all(|(one, other)| same(one, other));
    all(before, done.get(kept..).unwrap_or_default()) && after.len() >= rest.len() && all(rest, after)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intact(copied: usize, now: &[u32]) -> bool {
        is_intact(&[1, 2, 3, 4], copied, now, |one, other| one == other)
    }

    #[test]
    fn rolls_and_retention_of_what_was_copied_disturb_nothing() {
        assert!(intact(0, &[1, 2, 3, 4]));
        assert!(intact(2, &[1, 2, 3, 4, 5, 6]), "rolled");
        assert!(intact(2, &[2, 3, 4]) && intact(2, &[3, 4]), "retention");
        assert!(intact(4, &[9]), "nothing is to come");
    }

    #[test]
    fn a_segment_that_was_replaced_or_went_before_it_was_copied_does() {
        assert!(!intact(0, &[2, 3, 4]), "retention was faster");
        assert!(!intact(2, &[4]));
        assert!(!intact(2, &[9, 3, 4]), "what was copied has been cleaned");
        assert!(!intact(2, &[1, 2, 9, 4]) && !intact(2, &[1, 2, 3, 9]), "what is to come has been cleaned");
        assert!(!intact(2, &[0, 1, 2, 3, 4]));
        assert!(!intact(2, &[]));
    }
}
