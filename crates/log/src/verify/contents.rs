//! What lies in a partition's directory: its log's files, its small files, and what is neither.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use pagewire_disk::checkpoint::{EPOCH_CHECKPOINT_FILE, PARTITION_METADATA_FILE};
use pagewire_disk::{Disk, PartitionMetadata};

use super::finding::{Fate, Finding, Severity};
use super::job::{Job, Kept};
use crate::files::FileKind;
use crate::segment::names;
use crate::{rewritten, txns};

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

/// Names what is no file of a log in use.
pub(super) fn name_others(disk: &dyn Disk, dir: &Path, contents: &Contents, kept: &mut Kept) {
    let bases: BTreeSet<i64> = contents.bases.iter().copied().collect();
    for (kind, base) in &contents.indexes {
        if !bases.contains(base)
            && let Some((_, suffix)) = FileKind::ALL.iter().find(|(other, _)| other == kind)
        {
            let path = names::path(dir, *base, suffix);
            // At the log's end nothing else tells of a segment that no checkpoint has heard of; one that is being made has an
            // empty one first.
            let last = bases.last().is_none_or(|last| base > last);
            let (severity, what) = if last && disk.file_len(&path).is_ok_and(|len| len > 0) {
                (
                    Severity::Doubt,
                    "an index without a segment, behind the last one: that is gone, or was never there",
                )
            } else {
                (Severity::Note, "an index without a segment")
            };
            kept.push(Finding::new(severity, path, what, Fate::Removed));
        }
    }
    for name in &contents.others {
        let known = [
            EPOCH_CHECKPOINT_FILE,
            PARTITION_METADATA_FILE,
            txns::witness::FILE,
            rewritten::FILE,
            "quorum-state",
            "remote_log_snapshot",
        ];
        if known.contains(&name.as_str()) || name.ends_with(".checkpoint") {
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
