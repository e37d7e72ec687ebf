//! A whole log directory: its own small files, every partition, and the two beside each other.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::checkpoint::format_id;
use pagewire_disk::checkpoint::{
    CLEAN_MARK_FILE, CLEANER_FILE, DAMAGE_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, META_PROPERTIES_FILE,
    PARTITION_METADATA_FILE, RECOVERY_POINT_FILE,
};
use pagewire_disk::{CleanMark, DamageCheckpoint, Disk, LOCK_FILE, MetaProperties, PartitionMetadata};

use super::checkpoints::{Checkpoints, meaning};
use super::finding::{Fate, Finding, Severity};
use super::gone::{self, METADATA};
use super::job::Job;
use super::missed::is_same_topic;
use super::partition::{self, Known};
use super::small_file_trouble;
use crate::dir::{DirName, NOBODYS, SUMS_FILE, VOUCHED_FILE, is_one_bit_off};
use crate::files::read_text;
use crate::scrub::FILE as SCRUB_FILE;

/// Other files that a broker, Kafka's or this one, keeps there.
const FILES: [&str; 10] = [
    SUMS_FILE,
    VOUCHED_FILE,
    META_PROPERTIES_FILE,
    RECOVERY_POINT_FILE,
    LOG_START_FILE,
    HIGH_WATERMARK_FILE,
    CLEANER_FILE,
    CLEAN_MARK_FILE,
    LOCK_FILE,
    BOOTSTRAP,
];
/// Beginnings of names that only this broker uses.
const OURS: [&str; 4] = [METADATA, "transfer-thresholds", "pagewire", "control"];

/// What a backup has.
const MANIFEST: &str = "backup.json";

/// What only Kafka keeps: in the first of its log directories, and in each.
const KAFKAS: [&str; 2] = ["__cluster_metadata-0", BOOTSTRAP];
/// What Kafka formats a directory with.
const BOOTSTRAP: &str = "bootstrap.checkpoint";

/// Checks the directory. `live`: a broker is serving it.
pub(super) fn verify(job: &mut Job<'_>, dir: &Path, live: bool) -> io::Result<()> {
    meta_properties(job, dir);
    let (disk, mut findings) = (Arc::clone(job.disk), Vec::new());
    let checkpoints = Checkpoints::read(&*disk, dir, live, &mut findings);
    let clean = checkpoints.is_clean(&*disk, dir)?;
    for finding in checkpoints.mark(dir).into_iter().chain(findings) {
        job.found(finding);
    }
    damaged_places(job, dir);
    let mut seen = BTreeSet::new();
    for entry in job.disk.read_dir(dir)? {
        let path = dir.join(&entry.name);
        if !entry.is_dir {
            let what = match &*entry.name {
                name if is_known(name) => {
                    own_numbers(job, &path, name);
                    continue;
                }
                MANIFEST => {
                    "a backup, which no start serves: pagewire backup verify says whether it is as it was written"
                }
                _ => "no file of a log directory",
            };
            job.found(Finding::new(Severity::Note, path, what, Fate::Stays));
            continue;
        }
        match DirName::parse(&entry.name) {
            _ if entry.name == NOBODYS => {}
            DirName::Partition { topic, partition } => {
                seen.insert((topic.to_owned(), partition));
                identity(job, &path, topic, live);
                let known = checkpoints.known((topic, partition), setting(job, topic), clean, live);
                match partition::verify(job, &path, &known) {
                    Ok(Some(log_end)) => checkpoints.compare(job, dir, (topic, partition), log_end, live),
                    Ok(None) => {}
                    Err(error) if live && error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => {
                        let what = format!("it cannot be read: {error}");
                        job.found(Finding::new(Severity::Damage, &path, what, Fate::Stays));
                    }
                }
            }
            DirName::Delete => {
                job.found(Finding::new(Severity::Note, path, "a deleted partition", Fate::Removed));
            }
            DirName::Future | DirName::Stray => {
                job.found(Finding::new(Severity::Note, path, "set aside earlier", Fate::Stays));
            }
            DirName::Other => {
                job.found(Finding::new(Severity::Note, path, "no partition's directory", Fate::Stays));
            }
        }
    }
    gone::tell(job, dir, &checkpoints, &seen, clean, live);
    Ok(())
}

/// What the log directory `dir` knows of the partition in its directory `name`. Says nothing of what is wrong with `dir`.
pub(super) fn known(job: &Job<'_>, dir: &Path, name: &str, live: bool) -> Known {
    let DirName::Partition { topic, partition } = DirName::parse(name) else {
        return Known { live, ..Known::default() };
    };
    let checkpoints = Checkpoints::read(&**job.disk, dir, live, &mut Vec::new());
    let clean = checkpoints.is_clean(&**job.disk, dir).unwrap_or(false);
    checkpoints.known((topic, partition), setting(job, topic), clean, live)
}

/// Whether the topic's settings let it be compacted, if somebody has told.
fn setting(job: &Job<'_>, topic: &str) -> Option<bool> {
    job.options.topics.and_then(|topics| topics.get(topic))?.compacted
}

/// Whether a file of this name is nowhere but in a log directory.
pub(super) fn is_its_file(name: &str) -> bool {
    FILES.contains(&name) || name == METADATA
}

fn is_known(name: &str) -> bool {
    FILES.contains(&name) || is_ours(name)
}

fn is_ours(name: &str) -> bool {
    OURS.iter().any(|beginning| name.starts_with(beginning))
}

/// Whether it is a log directory of Kafka's that this broker has never had, as far as something in it says so.
pub(super) fn is_kafkas(disk: &dyn Disk, dir: &Path) -> bool {
    let entries = disk.read_dir(dir).unwrap_or_default();
    let says_so = entries.iter().any(|entry| KAFKAS.contains(&&*entry.name));
    (says_so || CleanMark::is_anothers(disk, dir).unwrap_or(false))
        && !entries.iter().any(|entry| is_ours(&entry.name))
}

/// The same of a partition that is checked by itself. Where there is nothing to compare it with, it says that.
pub(super) fn identity_alone(job: &mut Job<'_>, dir: &Path, name: &str, live: bool) {
    let DirName::Partition { topic, .. } = DirName::parse(name) else { return };
    identity(job, dir, topic, live);
    let Some(topics) = job.options.topics.filter(|_| !job.is_kafkas) else { return };
    let why = match topics.get(topic) {
        Some(known) if known.id.is_some() => return,
        _ if topics.is_empty() => {
            "no metadata was found around it: name the log directory that has it as well"
        }
        _ => "the metadata that was found has no topic of this name",
    };
    let what = format!("whose records these are was not compared, for {why}");
    job.found(Finding::new(Severity::Note, dir.join(PARTITION_METADATA_FILE), what, Fate::Stays));
}

/// The topic's id beside the one that the metadata knows.
fn identity(job: &mut Job<'_>, dir: &Path, topic: &str, live: bool) {
    let known = job.options.topics.and_then(|topics| topics.get(topic)).and_then(|topic| topic.id);
    let path = dir.join(PARTITION_METADATA_FILE);
    let (Some(known), Ok(Some(named))) = (known, PartitionMetadata::read(&**job.disk, &path)) else { return };
    // It may have been deleted and made again meanwhile.
    if live && named.topic_id != known && !(is_same_topic(job, dir) && names_still(job, &path, named)) {
        return;
    }
    if is_one_bit_off(named.topic_id, known) {
        let what = format!(
            "it names the topic id {}, which is {} with a flipped bit, as the metadata knows the topic of this name",
            format_id(named.topic_id),
            format_id(known)
        );
        job.found(Finding::new(Severity::Damage, path, what, Fate::Renewed));
    } else if named.topic_id != known {
        let what = format!(
            "it names the topic id {}, and the metadata knows the topic of this name as {}: the next start sets the directory \
             aside as another topic's, and the partition is not served. If its records are this topic's, remove the file",
            format_id(named.topic_id),
            format_id(known)
        );
        job.found(Finding::new(Severity::Damage, path, what, Fate::Stays));
    }
}

fn names_still(job: &Job<'_>, path: &Path, named: PartitionMetadata) -> bool {
    matches!(PartitionMetadata::read(&**job.disk, path), Ok(Some(now)) if now == named)
}

/// The list of places that were found damaged.
fn damaged_places(job: &mut Job<'_>, dir: &Path) {
    if let Err(error) = DamageCheckpoint::read(&**job.disk, dir) {
        let what = format!("{}: {}", small_file_trouble(&error), meaning(DAMAGE_FILE));
        job.found(Finding::new(Severity::Damage, dir.join(DAMAGE_FILE), what, Fate::Renewed));
    }
}

/// Files of numbers that only this broker keeps, without which more is read.
fn own_numbers(job: &mut Job<'_>, path: &Path, name: &str) {
    let without = match name {
        VOUCHED_FILE => {
            "without it leader epochs and indexes of aborted transactions are compared with nothing"
        }
        SCRUB_FILE => "without it every log counts as never verified, and is read again in the background",
        _ => return,
    };
    if let Some(Err(error)) = read_text(&**job.disk, path, name) {
        let what = format!("{}: {without}", small_file_trouble(&error));
        job.found(Finding::new(Severity::Note, path, what, Fate::Renewed));
    }
}

fn meta_properties(job: &mut Job<'_>, dir: &Path) {
    let path = dir.join(META_PROPERTIES_FILE);
    let finding = match MetaProperties::read(&**job.disk, &path) {
        Ok(Some(meta)) if meta.directory_id.is_some() => return,
        Ok(Some(_)) => Finding::new(Severity::Note, path, "it names no directory id", Fate::Renewed),
        Ok(None) => {
            let what = "it is missing; the metadata says whose directory it is";
            Finding::new(Severity::Doubt, path, what, Fate::Renewed)
        }
        Err(error) => Finding::new(Severity::Damage, path, small_file_trouble(&error), Fate::Renewed),
    };
    job.found(finding);
}
