//! Whether what the walk missed is missing still. A broker that serves the log rolls, cleans and deletes meanwhile, so a hole that
//! was met may be one of that moment.
//!
//! A look lists the directory, then reads what compaction wrote down, then asks whether the segment before the hole is still the
//! file that was walked. In this order, because of the order in which a broker changes them:
//!
//! ```text
//!   compaction   written down ─▶ .swap made ─▶ old segments renamed, the first of them first ─▶ the new one gets its name
//!   retention    segments renamed, the oldest first
//! ```
//!
//! - The segment before the hole is there, so none behind it was taken by retention when the directory was listed.
//! - It is the file that was walked, so compaction has not put another in its place; and if compaction wrote that file, this was
//!   written down before the look.
//! - A segment in between that compaction is replacing has a `.swap`, which counts as well, or its name again. A listing may miss
//!   both while one becomes the other. Two that agree do not.
//!
//! What was lost stays so: it is seen twice. What is never seen twice is not known.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use pagewire_disk::{Disk, DiskFile, OpenMode};

use crate::rewritten::Rewritten;
use crate::segment::names;
use crate::segment::stage::Stage;

/// Looks until two agree.
const LOOKS_MAX: usize = 8;

/// A file under whatever name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    /// Of an open file; `None` if nobody says.
    pub(super) fn of(file: &dyn DiskFile) -> Option<Self> {
        let meta = file.file().metadata().ok()?;
        Some(Self { device: meta.dev(), inode: meta.ino() })
    }

    /// Of the file at `path`; `None` if there is none by now.
    pub(super) fn at(disk: &dyn Disk, path: &Path) -> Option<Self> {
        Self::of(&*disk.open(path, OpenMode::Read).ok()?)
    }
}

/// A segment as it was walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) base: i64,
    pub(super) file: Option<FileId>,
    pub(super) size: u64,
    /// Another follows, so it does not grow.
    pub(super) closed: bool,
}

/// How a segment stands, and what is behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// As it was walked.
    Stands(Look),
    /// Not as it was walked: the broker was at it.
    Changed,
    /// No two looks agree.
    Unclear,
}

/// What one look saw of a segment that stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// The segment behind it.
    pub(super) next: Option<i64>,
    /// What compaction wrote down by now, if anything.
    pub(super) lengths: Option<Rewritten>,
}

/// Looks how `segment` of the log in `dir` stands. `next`: the segment that was behind it, if it matters.
pub(super) fn look(disk: &dyn Disk, dir: &Path, segment: &Segment, next: Option<i64>) -> Standing {
    let mut before = None;
    for _ in 0..LOOKS_MAX {
        let seen = match once(disk, dir, segment) {
            Ok(Some(seen)) => seen,
            Ok(None) => return Standing::Changed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Standing::Changed,
            Err(_) => return Standing::Unclear,
        };
        if next.is_some() && next != seen.next {
            return Standing::Changed;
        }
        if before.as_ref() == Some(&seen) {
            return Standing::Stands(seen);
        }
        before = Some(seen);
    }
    Standing::Unclear
}

/// Whether the log in `dir` has still nothing before the segment at `first`: one that compaction is replacing is a `.swap` for a
/// moment, which a listing may miss once.
pub(super) fn still_begins(disk: &dyn Disk, dir: &Path, first: i64) -> bool {
    let is_before = |name: &str| base_of(name).is_some_and(|base| base < first);
    (0..2).all(|_| disk.read_dir(dir).is_ok_and(|names| !names.iter().any(|entry| is_before(&entry.name))))
}

/// Whether the log in `dir` has no segment at `base`, or none at all if that is `None`; twice, as one that compaction is replacing.
pub(super) fn lacks(disk: &dyn Disk, dir: &Path, base: Option<i64>) -> bool {
    let is_it = |name: &str| base_of(name).is_some_and(|found| base.is_none_or(|base| base == found));
    (0..2).all(|_| disk.read_dir(dir).is_ok_and(|names| !names.iter().any(|entry| is_it(&entry.name))))
}

/// `None`: the segment is another by now, or gone.
fn once(disk: &dyn Disk, dir: &Path, segment: &Segment) -> io::Result<Option<Look>> {
    let (base, names) = (segment.base, disk.read_dir(dir)?);
    let next = names.iter().filter_map(|entry| base_of(&entry.name)).filter(|other| *other > base).min();
    let lengths = match Rewritten::read(disk, dir) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
        read => read?,
    };
    let path = names::path(dir, base, names::LOG);
    let is_same = segment.file.is_some() && FileId::at(disk, &path) == segment.file;
    if !is_same || segment.closed && disk.file_len(&path)? != segment.size {
        return Ok(None);
    }
    Ok(Some(Look { next, lengths }))
}

/// Where the segment begins whose log has this name, or will have its name.
fn base_of(name: &str) -> Option<i64> {
    names::offset(name, names::LOG).or_else(|| names::offset(name, &Stage::Swap.file(names::LOG)))
}
