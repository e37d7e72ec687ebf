//! What lies in a partition's directory: its log's files, its small files, and what is neither.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use pagewire_disk::checkpoint::{EPOCH_CHECKPOINT_FILE, PARTITION_METADATA_FILE};
use pagewire_disk::{Disk, PartitionMetadata};

use super::finding::{Fate, Finding, Severity};
use super::job::{Job, Kept};
use crate::files::{FileKind, is_noted, read_noted};
use crate::open::orphans::Orphan;
use crate::segment::names;
use crate::txns::witness::FILE as ABORTED_FILE;

/// The names in it.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) bases: Vec<i64>,
    pub(super) snapshots: Vec<i64>,
    indexes: Vec<(FileKind, i64)>,
    others: Vec<String>,
}

/// Lists the directory.
pub(super) fn contents(job: &Job<'_>, dir: &Path) -> io::Result<Contents> {
    let mut contents = Contents::default();
    for entry in job.disk.read_dir(dir)? {
        match FileKind::parse(&entry.name).filter(|_| !entry.is_dir) {
            Some((FileKind::Log, base)) => contents.bases.push(base),
            Some((FileKind::Snapshot, offset)) => contents.snapshots.push(offset),
            Some(index) => contents.indexes.push(index),
            None => contents.others.push(entry.name),
        }
    }
    contents.bases.sort_unstable();
    Ok(contents)
}

impl Contents {
    /// What the offset indexes say of their segments, of which none is left.
    pub(super) fn orphans(&self, disk: &dyn Disk, dir: &Path) -> Vec<Orphan> {
        let indexes = self.indexes.iter().filter(|(kind, _)| *kind == FileKind::OffsetIndex);
        let read = indexes.map(|(_, base)| Orphan::read(disk, names::path(dir, *base, names::INDEX), *base));
        read.filter_map(Result::ok).collect()
    }
}

/// Names what is no file of a log in use.
///
/// `given_out`: what the log had come to, by all that lies beside its segments but for their indexes.
pub(super) fn name_others(
    disk: &dyn Disk,
    dir: &Path,
    contents: &Contents,
    (given_out, passes): (&dyn Fn() -> i64, &dyn Fn(i64) -> bool),
    kept: &mut Kept,
) {
    let bases: BTreeSet<i64> = contents.bases.iter().copied().collect();
    for (kind, base) in &contents.indexes {
        if !bases.contains(base)
            && let Some((_, suffix)) = FileKind::ALL.iter().find(|(other, _)| other == kind)
        {
            let path = names::path(dir, *base, suffix);
            let others = Others { bases: &bases, given_out, passes };
            kept.push(without_a_segment(disk, path, (*base, *suffix), others));
        }
    }
    for name in &contents.others {
        let known = [EPOCH_CHECKPOINT_FILE, PARTITION_METADATA_FILE, "quorum-state", "remote_log_snapshot"];
        if name == ABORTED_FILE && read_noted(disk, &dir.join(name)).is_err_and(|error| is_damage(&error)) {
            let what = "it is damaged: without it a lost index of aborted transactions looks like none";
            kept.push(Finding::new(Severity::Note, dir.join(name), what, Fate::Renewed));
        }
        if known.contains(&name.as_str()) || is_noted(name) || name.ends_with(".checkpoint") {
            continue;
        }
        let (what, fate) = if name.ends_with(names::SWAP) {
            ("a replacement that was finished and not put in place", Fate::Finished)
        } else if [names::DELETED, names::CLEANED, names::TEMPORARY]
            .iter()
            .any(|suffix| name.ends_with(suffix))
        {
            ("left over", Fate::Removed)
        } else if name.ends_with(names::CUT) {
            ("cut off at a start, and set aside", Fate::Stays)
        } else {
            ("no file of a log", Fate::Stays)
        };
        kept.push(Finding::new(Severity::Note, dir.join(name), what, fate));
    }
}

fn is_damage(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// What is known around an index that has no segment.
struct Others<'o> {
    /// Where segments begin.
    bases: &'o BTreeSet<i64>,
    given_out: &'o dyn Fn() -> i64,
    /// Whether a broker may be at the segment of this base offset.
    passes: &'o dyn Fn(i64) -> bool,
}

/// What is said of an index that has no segment. At the log's end nothing else tells of one that no checkpoint has heard of; one
/// that is being made has an empty index first.
fn without_a_segment(
    disk: &dyn Disk,
    path: PathBuf,
    (base, suffix): (i64, &str),
    Others { bases, given_out, passes }: Others<'_>,
) -> Finding {
    let last = bases.last().is_none_or(|last| base > *last);
    let is_offsets = suffix == names::INDEX;
    let said = if is_offsets && last { Orphan::read(disk, path.clone(), base).ok() } else { None };
    let said = said.filter(Orphan::tells).map(|said| said.upto);
    let given_out = if said.is_none() && is_offsets && last { given_out() } else { base };
    if given_out > base {
        let what = format!(
            "an empty index without a segment, behind the last one, of a log that had come to offset {}: the segment is gone, \
             or a power cut took what was not on stable storage",
            given_out - 1
        );
        return Finding::new(Severity::Doubt, path, what, Fate::Removed).offset(base);
    }
    if said.is_none() && (!last || disk.file_len(&path).is_ok_and(|len| len == 0)) {
        return Finding::new(Severity::Note, path, "an index without a segment", Fate::Removed);
    }
    let Some(upto) = said else {
        let what = "an index without a segment, behind the last one: that is gone, or was never there";
        return Finding::new(Severity::Doubt, path, what, Fate::Removed);
    };
    let severity = if passes(base) { Severity::Doubt } else { Severity::Damage };
    let end = upto - 1;
    let what = format!(
        "an index without a segment, behind the last one: that is gone, and had records up to offset {end}"
    );
    let fate = if bases.is_empty() { Fate::Renewed } else { Fate::Stays };
    Finding::new(severity, path, what, fate).offset(base)
}

/// Whether the directory says legibly whose it is.
pub(super) fn metadata(job: &Job<'_>, dir: &Path, kept: &mut Kept) {
    let path = dir.join(PARTITION_METADATA_FILE);
    match PartitionMetadata::read(&**job.disk, &path) {
        Ok(Some(_)) => {}
        Ok(None) => {
            let what = "it is missing: only the directory's name says which topic's the records are";
            kept.push(Finding::new(Severity::Doubt, &path, what, Fate::Renewed));
        }
        Err(error) => {
            let what = super::small_file_trouble(&error);
            kept.push(Finding::new(Severity::Damage, &path, what, Fate::Renewed));
        }
    }
}
