//! Taking away what a log does not hold: the torn end of its last segment, and segments that cannot follow.
//!
//! A torn tail is cut and forgotten. Where good batches lie behind the first bad one, they may be all that is left of
//! records that somebody was promised, since the recovery point on the disk is behind what was synced: they are told by
//! their offsets, and set aside in a file that nothing reads, `<first offset>.cut`. What was written past the recovery
//! point may go if there is no room for that; what may have been stable may not. A segment that goes as a whole takes
//! no more room by another name, `<base offset>.log.cut`; of what has to be copied there is a bound, and what it keeps out is told.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use pagewire_disk::{DiskFile, OpenMode};

use crate::answers::RecoveryReport;
use crate::cuts::Cut;
use crate::errors::LogError;
use crate::home::Home;
use crate::open::depth::Depth;
use crate::open::good::good_in;
use crate::open::listing::Listing;
use crate::open::recovery::{log_size, remove_derived, remove_segment};
use crate::segment::unshare::copy;
use crate::segment::{End, Segment, names};

/// Bytes set aside in a directory to which no more are copied. With so many somebody should have looked.
const COPIED_BESIDE_MAX: u64 = 1 << 30;
/// Names that begin at one offset.
const NAMES_MAX: u32 = 10_000;

/// What is set aside.
#[derive(Debug, Clone, Copy)]
enum What {
    /// The end of a segment.
    End,
    /// All of one.
    Whole,
}

impl What {
    /// Stands between its first offset and `.cut`.
    fn infix(self) -> &'static str {
        match self {
            Self::End => "",
            Self::Whole => names::LOG,
        }
    }
}

/// Cuts for good: what is appended from now on could be followed by what was cut, should the power go before the next
/// sync.
pub(crate) fn cut_tail(
    segment: &Segment,
    end: End,
    size: u64,
    reason: String,
    depth: &Depth,
    report: &mut RecoveryReport,
) -> Result<(), LogError> {
    let failed = || LogError::at(segment.path());
    let (home, file) = (&segment.home, segment.file().map_err(failed())?);
    let good = good_in(&*file, end.size, size, end.next_offset).map_err(failed())?;
    let set_aside = match good {
        None => None,
        Some(_) => kept(home, depth, report, || copy_aside(home, &*file, end, size, depth))?,
    };
    segment.unshare(end.size).map_err(failed())?;
    let file = segment.file().and_then(|file| file.set_len(end.size).map(|()| file));
    file.and_then(|file| file.sync_data()).map_err(failed())?;
    segment.flow.synced.store(0, Ordering::Relaxed);
    segment.flow.written_back.store(end.size, Ordering::Relaxed);
    let (file, offset, position) = (segment.path(), end.next_offset, end.size);
    let bytes = size.saturating_sub(end.size);
    report.cuts.push(Cut { file, offset, position, bytes, reason, good, set_aside });
    Ok(())
}

/// Takes away all segments from `first` on, for good: the log may soon have grown up to where they begin.
pub(crate) fn remove_from(
    home: &Home,
    listing: &Listing,
    first: usize,
    reason: &str,
    depth: &Depth,
    report: &mut RecoveryReport,
) -> Result<(), LogError> {
    for &base in listing.bases.iter().skip(first) {
        let (file, bytes) = (home.path(base, names::LOG), log_size(home, base)?);
        let opened = home.open(base, names::LOG, OpenMode::Read);
        let good = opened.and_then(|log| good_in(&*log, 0, bytes, base)).map_err(LogError::at(&file))?;
        remove_derived(home, base)?;
        let set_aside = match good {
            None => None,
            Some(_) => kept(home, depth, report, || rename_aside(home, base))?,
        };
        remove_segment(home, base)?;
        let reason = reason.to_owned();
        report.cuts.push(Cut { file, offset: base, position: 0, bytes, reason, good, set_aside });
    }
    if first < listing.bases.len() {
        home.disk.sync_dir(&home.dir).map_err(LogError::at(&home.dir))?;
    }
    Ok(())
}

/// Takes away a segment that is not the log's, for good, whatever it holds: its bytes stay beside the log.
pub(crate) fn set_aside_whole(
    home: &Home,
    base: i64,
    reason: String,
    report: &mut RecoveryReport,
) -> Result<(), LogError> {
    let (file, bytes) = (home.path(base, names::LOG), log_size(home, base)?);
    let opened = home.open(base, names::LOG, OpenMode::Read);
    let good = opened.and_then(|log| good_in(&*log, 0, bytes, base)).map_err(LogError::at(&file))?;
    remove_derived(home, base)?;
    let is_kept = bytes > 0 && !home.is_rehearsed();
    let set_aside = if is_kept { rename_aside(home, base).map_err(LogError::at(&file))? } else { None };
    remove_segment(home, base)?;
    home.disk.sync_dir(&home.dir).map_err(LogError::at(&home.dir))?;
    report.cuts.push(Cut { file, offset: base, position: 0, bytes, reason, good, set_aside });
    Ok(())
}

/// Where something was set aside. It must be where it may have been stable.
fn kept(
    home: &Home,
    depth: &Depth,
    report: &mut RecoveryReport,
    set_aside: impl FnOnce() -> io::Result<Option<PathBuf>>,
) -> Result<Option<PathBuf>, LogError> {
    if home.is_rehearsed() {
        return Ok(None);
    }
    match set_aside() {
        Ok(path) => Ok(path),
        Err(error) if depth.is_known() => {
            let dir = home.dir.display();
            report.note(format!("{dir}: what is cut off cannot be set aside: {error}"));
            Ok(None)
        }
        Err(error) => Err(LogError::at(&home.dir)(error)),
    }
}

/// A name for what is set aside that begins at `offset`: the end of a segment, or a whole one.
fn free_name(home: &Home, offset: i64, what: What) -> io::Result<PathBuf> {
    let there: BTreeSet<String> =
        home.disk.read_dir(&home.dir)?.into_iter().map(|entry| entry.name).collect();
    let first = what.infix();
    let numbered = (1..NAMES_MAX).map(|n| format!("{first}.{n}{}", names::CUT));
    let mut suffixes = std::iter::once(format!("{first}{}", names::CUT)).chain(numbered);
    let free = suffixes.find(|suffix| !there.contains(&names::file(offset, suffix)));
    free.map(|suffix| home.path(offset, &suffix)).ok_or_else(|| ErrorKind::AlreadyExists.into())
}

/// Bytes that were copied in the directory. A whole segment is where it was.
fn copied_before(home: &Home) -> io::Result<u64> {
    let there = home.disk.read_dir(&home.dir)?;
    let is_whole = |name: &str| name.contains(&format!("{}.", What::Whole.infix()));
    let cut = there.iter().filter(|entry| entry.name.ends_with(names::CUT) && !is_whole(&entry.name));
    cut.map(|entry| home.disk.file_len(&home.dir.join(&entry.name))).sum()
}

/// `None`: there is too much already, and this was never stable.
fn copy_aside(
    home: &Home,
    file: &dyn DiskFile,
    end: End,
    size: u64,
    depth: &Depth,
) -> io::Result<Option<PathBuf>> {
    if depth.is_known() && copied_before(home)? >= COPIED_BESIDE_MAX {
        return Ok(None);
    }
    let path = free_name(home, end.next_offset, What::End)?;
    let aside = home.disk.open(&path, OpenMode::CreateNew)?;
    let written = copy(file, &*aside, end.size..size).and_then(|()| aside.sync_data());
    match written.and_then(|()| home.disk.sync_dir(&home.dir)) {
        Ok(()) => Ok(Some(path)),
        Err(error) => {
            remove(home, &path)?;
            Err(error)
        }
    }
}

fn rename_aside(home: &Home, base: i64) -> io::Result<Option<PathBuf>> {
    let path = free_name(home, base, What::Whole)?;
    home.disk.rename(&home.path(base, names::LOG), &path)?;
    Ok(Some(path))
}

fn remove(home: &Home, path: &Path) -> io::Result<()> {
    match home.disk.remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
