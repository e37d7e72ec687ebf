//! What the checkpoints of a log directory say of its partitions: as a start would take it, and held against what is there.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::checkpoint::{
    CLEAN_MARK_FILE, CLEANER_FILE, DAMAGE_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, RECOVERY_POINT_FILE,
};
use pagewire_disk::{CheckpointError, CleanMark, Damage, Disk, OffsetCheckpoint};

use super::finding::{Fate, Finding, Onward, Severity};
use super::job::Job;
use super::missed::is_same_topic;
use super::partition::{Compaction, Known};
use super::small_file_trouble;
use crate::dir::{
    Notice, Read, SUMS_FILE, Sums, Suspicion, VOUCHED_FILE, partition_dir, says_closed, vouched_for,
};
use crate::scrub::Noted;

/// Topics that every broker compacts.
const COMPACTED: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];

/// Readings of what a broker may be writing until two sums agree.
const READS_MAX: usize = 8;

/// The checkpoints, read before any log: what they say is then in the logs.
#[derive(Debug, Default)]
pub(super) struct Checkpoints {
    recovery: OffsetCheckpoint,
    log_start: OffsetCheckpoint,
    high_watermark: OffsetCheckpoint,
    cleaner: OffsetCheckpoint,
    /// Nobody knows which logs were compacted.
    cleaner_is_lost: bool,
    /// A log that the cleaner's does not name was never compacted.
    cleaner_names_all: bool,
    /// It is one of Kafka's, which was killed: a log that it does not name may have been compacted just then, and never before.
    cleaner_is_kafkas: bool,
    /// Somebody else may have compacted some.
    others_wrote: Option<Suspicion>,
    /// What is wrong with the mark of an orderly stop.
    damaged_mark: Option<Damage>,
    recovery_is_certain: bool,
    watermarks_are_certain: bool,
    starts_are_certain: bool,
    starts_are_lost: bool,
    /// Sums of what no other file shows to be right; `None` if the last stop left none.
    vouched: Option<OffsetCheckpoint>,
    /// Where logs were found damaged before.
    noted: Arc<Noted>,
}

impl Checkpoints {
    /// As a start would take them. What it would not is a finding, and counts as empty. While a broker serves the directory they
    /// change under the reader, their sums first: sums that are the same before and behind them are those of what was read.
    pub(super) fn read(disk: &dyn Disk, dir: &Path, live: bool, findings: &mut Vec<Finding>) -> Self {
        if !live {
            let mut notices = Vec::new();
            let peeked = Sums::read(disk, dir, &mut notices);
            let error = peeked.as_ref().err().map(ToString::to_string);
            tell((dir, SUMS_FILE), live, notices, error, findings);
            return Self::by(peeked.unwrap_or_default(), disk, dir, live, findings);
        }
        for _ in 0..READS_MAX {
            let (sums, mut found) = (Sums::beside(disk, dir), Vec::new());
            let read = Self::by(sums.clone(), disk, dir, live, &mut found);
            if Sums::beside(disk, dir) == sums {
                findings.extend(found);
                return read;
            }
        }
        // What is legible is believed.
        Self::by(Sums::default(), disk, dir, live, findings)
    }

    /// By these sums.
    fn by(mut sums: Sums, disk: &dyn Disk, dir: &Path, live: bool, findings: &mut Vec<Finding>) -> Self {
        let there = |file| disk.exists(&dir.join(file)).unwrap_or(true);
        let mut read = |file| {
            let mut notices = Vec::new();
            let read = sums.checkpoint(disk, dir, file, &mut notices);
            let error = read.as_ref().err().map(ToString::to_string);
            tell((dir, file), live, notices, error, findings);
            read.unwrap_or(Read { content: None, certain: false, lost: true })
        };
        let starts = read(LOG_START_FILE);
        let (recovery, high_watermark) = (read(RECOVERY_POINT_FILE), read(HIGH_WATERMARK_FILE));
        let cleaner = read(CLEANER_FILE);
        // It is written before the first hole is made. Kafka's comes after, so a kill may come between.
        let kafka_stopped = !live && !cleaner.lost && CleanMark::is_anothers(disk, dir).unwrap_or(false);
        let vouched = there(VOUCHED_FILE).then(|| read(VOUCHED_FILE).content.unwrap_or_default());
        Self {
            recovery_is_certain: recovery.certain,
            recovery: recovery.content.unwrap_or_default(),
            starts_are_certain: starts.certain,
            starts_are_lost: starts.content.is_none(),
            log_start: starts.content.unwrap_or_default(),
            watermarks_are_certain: high_watermark.certain,
            high_watermark: high_watermark.content.unwrap_or_default(),
            cleaner_is_kafkas: !live && !cleaner.lost && !there(SUMS_FILE) && there(CLEANER_FILE),
            cleaner_is_lost: cleaner.lost,
            cleaner_names_all: cleaner.certain || kafka_stopped,
            cleaner: cleaner.content.unwrap_or_default(),
            // Who serves the directory asked that when it took it.
            others_wrote: sums.others_wrote().filter(|_| !live).cloned(),
            damaged_mark: sums.damaged_mark().cloned(),
            vouched,
            noted: if live { Arc::default() } else { Arc::new(Noted::read(disk, dir).0) },
        }
    }

    /// Whether the directory was left in order: there is a mark, and it is a good one.
    pub(super) fn is_clean(&self, disk: &dyn Disk, dir: &Path) -> io::Result<bool> {
        Ok(self.damaged_mark.is_none() && CleanMark::exists(disk, dir)?)
    }

    /// What is wrong with that mark.
    pub(super) fn mark(&self, dir: &Path) -> Option<Finding> {
        let damage = self.damaged_mark.as_ref()?;
        let what = format!(
            "{damage}: it does not vouch for an orderly stop, so the next start checks the logs as after a kill"
        );
        Some(Finding::new(Severity::Damage, dir.join(CLEAN_MARK_FILE), what, Fate::Removed))
    }

    /// What they say of one partition of a directory that was left in order, or was not. `setting`: whether its topic's settings
    /// let it be compacted.
    pub(super) fn known(
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
            has_recovery_point: recovery_point.is_some(),
            clean: clean && says_closed(recovery_point, high_watermark),
            recovery_is_certain: self.recovery_is_certain,
            watermark_is_certain: self.watermarks_are_certain,
            live,
            cleaned: clean_to.is_some(),
            compaction: match setting {
                _ if self.cleaner.get(topic, partition).is_some() => Compaction::Was,
                Some(true) => Compaction::Was,
                Some(false) if clean_to.is_none() => Compaction::Never,
                None if clean_to.is_none() && self.cleaner_names_all => Compaction::Never,
                None if clean_to.is_none() && self.cleaner_is_kafkas => Compaction::NotNoted,
                _ => Compaction::Unknown,
            },
            whole_from: recovery_point.map(|point| clean_to.map_or(point, |clean_to| point.max(clean_to))),
            vouched: self.vouched.as_ref().map(|sums| vouched_for(sums, topic, partition)),
            others_wrote: self.others_wrote.clone(),
            certain_start: self.starts_are_certain,
            certain_beginning: self.starts_are_certain || clean,
            start_is_lost: self.starts_are_lost,
            noted: Arc::clone(&self.noted),
        }
    }

    /// Each checkpoint's entry for a log must lie within it. Several that miss the same end miss one end.
    pub(super) fn compare(&self, job: &mut Job<'_>, dir: &Path, name: (&str, i32), log_end: i64, live: bool) {
        let (topic, partition) = name;
        let all = [
            (RECOVERY_POINT_FILE, &self.recovery, "was synced"),
            (HIGH_WATERMARK_FILE, &self.high_watermark, "was readable"),
            (LOG_START_FILE, &self.log_start, "was deleted"),
        ];
        let beyond = all.iter().filter_map(|(file, checkpoint, what)| {
            let offset = checkpoint.get(topic, partition).filter(|offset| *offset > log_end)?;
            Some((offset, *file, *what))
        });
        // Of equals the first.
        let Some((offset, file, what)) = beyond.rev().max_by_key(|(offset, ..)| *offset) else { return };
        // A topic may have been deleted and made again meanwhile, or a partition begun anew.
        let is_of_a_moment = || {
            let now = Self::read(&**job.disk, dir, live, &mut Vec::new());
            let says_so = [&now.recovery, &now.high_watermark, &now.log_start]
                .iter()
                .any(|checkpoint| checkpoint.get(topic, partition).is_some_and(|offset| offset > log_end));
            !says_so || !is_same_topic(job, &dir.join(partition_dir(topic, partition)))
        };
        let severity = if live && is_of_a_moment() { Severity::Doubt } else { Severity::Damage };
        let last = offset - 1;
        let what = format!(
            "it {what} up to offset {offset}, as {file} says, and ends at {log_end}: the offsets {log_end} to {last} are missing"
        );
        let path = dir.join(partition_dir(topic, partition));
        let fate = if job.is_kafkas { Fate::NotImported } else { Fate::Stays };
        job.found(Finding::new(severity, path, what, fate).offset(log_end).onward(Onward::Nowhere));
    }

    /// The partitions of which one of them says that they had reached an offset, with the highest that is said.
    pub(super) fn partitions(&self) -> BTreeMap<(&str, i32), i64> {
        let mut reached = BTreeMap::new();
        for (topic, partition, offset) in self.recovery.iter().chain(self.high_watermark.iter()) {
            let highest = reached.entry((topic, partition)).or_insert(offset);
            *highest = offset.max(*highest);
        }
        reached
    }
}

/// What is wrong with a file.
fn tell(
    (dir, file): (&Path, &str),
    live: bool,
    notices: Vec<Notice>,
    error: Option<String>,
    findings: &mut Vec<Finding>,
) {
    let damaged = notices.into_iter().filter_map(|notice| match notice {
        Notice::Damaged(damage) => Some((severity(&damage, live), small_file_trouble(&damage))),
        _ => None,
    });
    for (severity, what) in damaged.chain(error.map(|error| (Severity::Damage, error))) {
        let what = format!("{what}: {}", meaning(file));
        findings.push(Finding::new(severity, dir.join(file), what, Fate::Renewed));
    }
}

/// A checkpoint that is gone is put right by the next start; one that says what nobody wrote cannot be right. A broker that
/// serves the directory writes it again before that.
fn severity(error: &CheckpointError, live: bool) -> Severity {
    match error {
        CheckpointError::Damaged { damage: Damage::Altered, .. } if live => Severity::Doubt,
        CheckpointError::Damaged { damage: Damage::Missing, .. } => Severity::Doubt,
        _ => Severity::Damage,
    }
}

/// What a start does without a checkpoint.
pub(super) fn meaning(file: &str) -> &'static str {
    match file {
        RECOVERY_POINT_FILE => {
            "up to where the logs were synced is not known, so the next start checks all of each log, which may take long"
        }
        HIGH_WATERMARK_FILE => {
            "how far readers had come is not known, so the next start checks the logs as after a kill; an end that is lost \
             may not be noticed"
        }
        LOG_START_FILE => {
            "where the logs begin is not known, so the next start takes the first offset that is there; records that were \
             deleted by request may be readable again"
        }
        CLEANER_FILE => {
            "which offsets compaction took is not known, so missing ones are not told from those until the next clean"
        }
        DAMAGE_FILE => {
            "where records were found damaged before is not known, so they are refused again once a read or the scrub has come \
             to them"
        }
        VOUCHED_FILE => "the next start reads what it vouched for again from the logs",
        _ => "the next start believes the checkpoints as they are",
    }
}
