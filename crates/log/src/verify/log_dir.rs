//! A whole log directory: its own small files, every partition, and the two beside each other.

use std::io;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::checkpoint::{
    CLEAN_MARK_FILE, CLEANER_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, META_PROPERTIES_FILE,
    RECOVERY_POINT_FILE,
};
use pagewire_disk::{CleanMark, Disk, LOCK_FILE, MetaProperties, OffsetCheckpoint};

use super::finding::{Fate, Finding, Severity};
use super::job::Job;
use super::partition::{self, Compaction, Known};
use super::small_file_trouble;
use crate::dir::{DirName, NOBODYS, Notice, Read, SUMS_FILE, Sums, VOUCHED_FILE, vouched_for};

/// Topics that every broker compacts.
const COMPACTED: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];
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
    "bootstrap.checkpoint",
];
/// Beginnings of names that only this broker uses.
const OURS: [&str; 4] = ["metadata.redb", "transfer-thresholds", "pagewire", "control"];

/// The checkpoints, read before any log: what they say is then in the logs.
#[derive(Debug, Default)]
struct Checkpoints {
    recovery: OffsetCheckpoint,
    log_start: OffsetCheckpoint,
    high_watermark: OffsetCheckpoint,
    cleaner: OffsetCheckpoint,
    /// Nobody knows which logs were compacted.
    cleaner_is_lost: bool,
    /// Somebody else may have compacted some.
    others_wrote: bool,
    starts_are_certain: bool,
    starts_are_lost: bool,
    /// Sums of what no other file shows to be right; `None` if the last stop left none.
    vouched: Option<OffsetCheckpoint>,
}

/// Checks the directory. `live`: a broker is serving it.
pub(super) fn verify(job: &mut Job<'_>, dir: &Path, live: bool) -> io::Result<()> {
    meta_properties(job, dir);
    let clean = CleanMark::exists(&**job.disk, dir)?;
    let (disk, mut findings) = (Arc::clone(job.disk), Vec::new());
    let checkpoints = Checkpoints::read(&*disk, dir, live, &mut findings);
    for finding in findings {
        job.found(finding);
    }
    for entry in job.disk.read_dir(dir)? {
        let path = dir.join(&entry.name);
        if !entry.is_dir {
            if !is_known(&entry.name) {
                job.found(Finding::new(Severity::Note, path, "no file of a log directory", Fate::Stays));
            }
            continue;
        }
        match DirName::parse(&entry.name) {
            _ if entry.name == NOBODYS => {}
            DirName::Partition { topic, partition } => {
                let known = checkpoints.known((topic, partition), setting(job, topic), clean, live);
                match partition::verify(job, &path, known) {
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
    Ok(())
}

/// What the log directory `dir` knows of the partition in its directory `name`. Says nothing of what is wrong with `dir`.
pub(super) fn known(job: &Job<'_>, dir: &Path, name: &str, live: bool) -> Known {
    let DirName::Partition { topic, partition } = DirName::parse(name) else {
        return Known { live, ..Known::default() };
    };
    let checkpoints = Checkpoints::read(&**job.disk, dir, live, &mut Vec::new());
    let clean = CleanMark::exists(&**job.disk, dir).unwrap_or(false);
    checkpoints.known((topic, partition), setting(job, topic), clean, live)
}

/// Whether the topic's settings let it be compacted, if somebody has told.
fn setting(job: &Job<'_>, topic: &str) -> Option<bool> {
    job.options.topics.and_then(|topics| topics.get(topic)).copied()
}

fn is_known(name: &str) -> bool {
    FILES.contains(&name) || OURS.iter().any(|beginning| name.starts_with(beginning))
}

fn meta_properties(job: &mut Job<'_>, dir: &Path) {
    let path = dir.join(META_PROPERTIES_FILE);
    let finding = match MetaProperties::read(&**job.disk, &path) {
        Ok(Some(meta)) if meta.directory_id.is_some() => return,
        Ok(Some(_)) => Finding::new(Severity::Note, path, "it names no directory id", Fate::Renewed),
        Ok(None) => Finding::new(Severity::Doubt, path, "it is missing", Fate::Renewed),
        Err(error) => Finding::new(Severity::Damage, path, small_file_trouble(&error), Fate::Renewed),
    };
    job.found(finding);
}

impl Checkpoints {
    /// As a start would take them. What it would not is a finding, and counts as empty. While a broker serves the
    /// directory the checkpoints and their sums change under the reader, who believes what is legible.
    fn read(disk: &dyn Disk, dir: &Path, live: bool, findings: &mut Vec<Finding>) -> Self {
        let mut told = |file: &str, notices: Vec<Notice>, error: Option<String>| {
            let damaged = notices.into_iter().filter_map(|notice| match notice {
                Notice::Damaged(damage) => Some(small_file_trouble(&damage)),
                _ => None,
            });
            for what in damaged.chain(error) {
                findings.push(Finding::new(Severity::Damage, dir.join(file), what, Fate::Renewed));
            }
        };
        let mut sums = Sums::default();
        if !live {
            let mut notices = Vec::new();
            let peeked = Sums::read(disk, dir, &mut notices);
            told(SUMS_FILE, notices, peeked.as_ref().err().map(ToString::to_string));
            sums = peeked.unwrap_or_default();
        }
        let mut read = |file| {
            let mut notices = Vec::new();
            let read = sums.checkpoint(disk, dir, file, &mut notices);
            told(file, notices, read.as_ref().err().map(ToString::to_string));
            read.unwrap_or(Read { content: None, certain: false, lost: true })
        };
        let starts = read(LOG_START_FILE);
        let (recovery, high_watermark) = (read(RECOVERY_POINT_FILE), read(HIGH_WATERMARK_FILE));
        let cleaner = read(CLEANER_FILE);
        let there = disk.exists(&dir.join(VOUCHED_FILE)).unwrap_or(true);
        let vouched = there.then(|| read(VOUCHED_FILE).content.unwrap_or_default());
        Self {
            recovery: recovery.content.unwrap_or_default(),
            starts_are_certain: starts.certain,
            starts_are_lost: starts.content.is_none(),
            log_start: starts.content.unwrap_or_default(),
            high_watermark: high_watermark.content.unwrap_or_default(),
            cleaner_is_lost: cleaner.lost,
            cleaner: cleaner.content.unwrap_or_default(),
            others_wrote: sums.others_wrote(),
            vouched,
        }
    }

    /// What they say of one partition of a directory that was left in order, or was not. `setting`: whether its topic's settings
    /// let it be compacted.
    fn known(
        &self,
        (topic, partition): (&str, i32),
        setting: Option<bool>,
        clean: bool,
        live: bool,
    ) -> Known {
        let recovery_point = self.recovery.get(topic, partition);
        let high_watermark = self.high_watermark.get(topic, partition);
        let lost = || self.cleaner_is_lost.then_some(0);
        let clean_to = self.cleaner.get(topic, partition).or_else(lost);
        let setting = if COMPACTED.contains(&topic) { Some(true) } else { setting };
        Known {
            recovery_point,
            log_start: self.log_start.get(topic, partition),
            high_watermark,
            recovery_is_certain: recovery_point.is_some() || !clean && !self.recovery.is_empty(),
            clean: clean && recovery_point.is_some() && high_watermark.is_some(),
            live,
            cleaned: clean_to.is_some(),
            compaction: match setting {
                _ if self.cleaner.get(topic, partition).is_some() => Compaction::Was,
                Some(true) => Compaction::Was,
                Some(false) if clean_to.is_none() => Compaction::Never,
                _ => Compaction::Unknown,
            },
            whole_from: recovery_point.map(|point| clean_to.map_or(point, |clean_to| point.max(clean_to))),
            vouched: self.vouched.as_ref().map(|sums| vouched_for(sums, topic, partition)),
            others_wrote: self.others_wrote,
            certain_start: self.starts_are_certain,
            start_is_lost: self.starts_are_lost,
        }
    }

    /// Each checkpoint's entry for a log must lie within it.
    fn compare(&self, job: &mut Job<'_>, dir: &Path, name: (&str, i32), log_end: i64, live: bool) {
        let (topic, partition) = name;
        let all = [
            (RECOVERY_POINT_FILE, &self.recovery, "was synced"),
            (HIGH_WATERMARK_FILE, &self.high_watermark, "was readable"),
            (LOG_START_FILE, &self.log_start, "was deleted"),
        ];
        for (file, checkpoint, what) in all {
            let Some(offset) = checkpoint.get(topic, partition).filter(|offset| *offset > log_end) else {
                continue;
            };
            // A topic may have been deleted and made again meanwhile.
            let severity = if live { Severity::Doubt } else { Severity::Damage };
            let missing = offset - log_end;
            let what = format!(
                "{topic}-{partition} {what} up to offset {offset} and ends at {log_end}: {missing} records are missing"
            );
            job.found(Finding::new(severity, dir.join(file), what, Fate::Stays).offset(log_end));
        }
    }
}
