//! Making a backup: the order of things. See the module above for what follows from it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::checkpoint::format_id;
use pagewire_disk::checkpoint::{
    CLEANER_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, META_PROPERTIES_FILE, RECOVERY_POINT_FILE,
};
use pagewire_disk::{Disk, MetaProperties, OffsetCheckpoint, OpenMode};
use pagewire_log::LogDir;
use pagewire_log::backup::{CopiedLog, CopyOptions, Noted, Refused, carry};
use pagewire_metadata::{Listing, model::TopicRecord};
use tokio::runtime::Handle;
use uuid::Uuid;

use super::base::Base;
use super::lacks::{Lacks, Untaken, why};
use super::manifest::{FileRecord, Head, LogRecord, MissingRecord, Writing};
use super::metadata;
use super::moment::{AtOnce, TryNote, has_left, moment_of_all};
use super::pacer::Pacer;
use super::target::{BACKUP_UNFINISHED, Target, refuse_inside};
use super::{BackupFailed, BackupOptions, BackupSummary, Limits, Progress};
use crate::clock::now_ms;

/// What a backup is made of.
pub(crate) struct Source<'a> {
    /// Where the logs are; at least one.
    pub(crate) log_dirs: &'a [Arc<LogDir>],
    pub(crate) cluster_id: String,
    pub(crate) node_id: i32,
    /// Notes where all logs end, and what the metadata are, at one moment.
    pub(crate) note: TryNote<'a>,
    /// All rows of the metadata as they are now, while no topic is half made or half gone.
    pub(crate) list: &'a dyn Fn() -> Result<Listing, BackupFailed>,
    /// Where the directory of this id is, or was served, and why it is not here: if anybody knows.
    pub(crate) away: &'a dyn Fn(Uuid) -> Option<(PathBuf, String)>,
    /// Where the copy of the metadata does what does not block.
    pub(crate) runtime: Handle,
}

/// Makes a backup. Blocks for as long as the bytes take; must not run on a thread of the runtime.
pub(crate) fn take(
    source: &Source<'_>,
    options: &BackupOptions,
    limits: &Limits,
    tell: &dyn Fn(&Progress),
) -> Result<BackupSummary, BackupFailed> {
    let dirs: Vec<PathBuf> = source.log_dirs.iter().map(|dir| dir.path().to_path_buf()).collect();
    refuse_inside(&options.to, &dirs)?;
    let Some(disk) = source.log_dirs.first().map(|dir| dir.disk().as_ref()) else {
        return Err(BackupFailed::NoData(PathBuf::new()));
    };
    let earlier =
        options.base.as_deref().map(|base| Base::open(disk, base, &source.cluster_id)).transpose()?;
    let target = Target::begin(disk, &options.to, BACKUP_UNFINISHED)?;
    let pacer = Pacer::new(limits, tell);
    let pace = |bytes| pacer.moved(bytes);
    let copy = CopyOptions {
        links: options.links,
        verify: options.verify,
        earlier: &|of| earlier.as_ref()?.get(of),
        pace: &pace,
        refused: Refused::default(),
    };
    match Taking::fill(source, options, (&target.path, disk), &pacer, &copy) {
        Ok(summary) => target.finish(disk).map(|()| summary),
        Err(error) => {
            // Whoever ends it may not want to wait for that: then it stays, marked as unfinished.
            if !error.is_stopped()
                && let Err(left) = target.abandon(disk)
            {
                let to = options.to.display();
                tracing::warn!(%to, error = %left, "what an unfinished backup made is left there: remove it");
            }
            Err(error)
        }
    }
}

/// The names of those topics that are left out, and those that are not.
fn wanted(topics: Vec<TopicRecord>, options: &BackupOptions) -> (Vec<String>, Vec<TopicRecord>) {
    let is_excluded = |topic: &TopicRecord| options.exclude.contains(&topic.name);
    let (excluded, wanted): (Vec<_>, Vec<_>) = topics.into_iter().partition(is_excluded);
    (excluded.into_iter().map(|topic| topic.name).collect(), wanted)
}

/// What became of a log.
enum Turn {
    Copied(LogRecord),
    Missing(MissingRecord),
    /// Its topic was deleted.
    Deleted,
}

/// A backup being made.
struct Taking<'a> {
    source: &'a Source<'a>,
    options: &'a BackupOptions,
    disk: &'a dyn Disk,
    to: &'a Path,
    pacer: &'a Pacer<'a>,
    copy: &'a CopyOptions<'a>,
    manifest: Writing<'a>,
    /// Those logs that had no turn yet.
    noted: Noted,
    /// Those in the backup so far.
    topics: Vec<TopicRecord>,
    /// The ends of their logs, and their starts where those are not their first segments'.
    ends: OffsetCheckpoint,
    starts: OffsetCheckpoint,
    /// Up to where those were cleaned that ever were.
    cleaned: OffsetCheckpoint,
    summary: BackupSummary,
}

impl<'a> Taking<'a> {
    /// Brings everything into the directory.
    fn fill(
        source: &'a Source<'a>,
        options: &'a BackupOptions,
        (to, disk): (&'a Path, &'a dyn Disk),
        pacer: &'a Pacer<'a>,
        copy: &'a CopyOptions<'a>,
    ) -> Result<BackupSummary, BackupFailed> {
        let lacking = |at_once: &AtOnce| {
            let (_, wanted) = wanted(metadata::topics(at_once.metadata.clone())?, options);
            Ok(wanted.iter().any(|topic| has_left(topic, source.log_dirs, &at_once.noted)))
        };
        let AtOnce { mut noted, metadata } = moment_of_all(source.note, pacer, lacking)?;
        let began_ms = now_ms();
        let (excluded, mut wanted) = wanted(metadata::topics(metadata.clone())?, options);
        let ids: HashSet<Uuid> = wanted.iter().map(|topic| topic.topic_id).collect();
        noted.keep(|id| ids.contains(&id));
        let left = noted.left();
        for (logs, bytes) in left.values() {
            pacer.expect(*logs, *bytes);
        }
        // What retention keeps small is gone soon, and waits for little that way.
        wanted.sort_by_key(|topic| left.get(&topic.topic_id).map_or(0, |(_, bytes)| *bytes));
        let lacks = Lacks { excluded: excluded.clone(), ..Lacks::default() };
        let head = Head::new(source.cluster_id.clone(), source.node_id, began_ms, options.verify);
        let mut taking = Self {
            source,
            options,
            disk,
            to,
            pacer,
            copy,
            manifest: Writing::begin(disk, to, head.without(excluded))?,
            noted,
            topics: Vec::new(),
            ends: OffsetCheckpoint::new(),
            starts: OffsetCheckpoint::new(),
            cleaned: OffsetCheckpoint::new(),
            summary: BackupSummary { verified: options.verify, lacks, ..BackupSummary::default() },
        };
        wanted.into_iter().try_for_each(|topic| taking.topic(topic))?;
        taking.everything_else(metadata)?;
        let Self { manifest, summary, .. } = taking;
        manifest.finish(now_ms())?;
        Ok(summary)
    }

    /// All logs of a topic, or none.
    fn topic(&mut self, topic: TopicRecord) -> Result<(), BackupFailed> {
        let kept = self.summary.clone();
        let (mut logs, mut missing) = (Vec::new(), Vec::new());
        for partition in (0_i32..).take(topic.partitions.len()) {
            match self.turn(&topic, partition)? {
                Turn::Copied(log) => logs.push(log),
                Turn::Missing(log) => missing.push(log),
                Turn::Deleted => {
                    for log in logs {
                        let dir = self.to.join(log.dir());
                        self.disk.remove_dir_all(&dir).map_err(BackupFailed::at(&dir))?;
                    }
                    self.summary = kept;
                    self.summary.add_deleted(topic.name);
                    return Ok(());
                }
            }
        }
        for log in missing {
            self.summary.lacks.note(&log);
            self.manifest.missing(log)?;
        }
        for log in logs {
            self.ends.set(&log.topic, log.partition, log.end);
            if log.log_start > log.first_base {
                self.starts.set(&log.topic, log.partition, log.log_start);
            }
            for file in &log.files {
                file.damage.iter().for_each(|found| self.summary.damage.note(&log, file, (*found).into()));
            }
            self.manifest.log(log)?;
        }
        self.summary.topics += 1;
        self.topics.push(topic);
        Ok(())
    }

    /// One log, or why it is missing, where it may be.
    fn turn(&mut self, topic: &TopicRecord, partition: i32) -> Result<Turn, BackupFailed> {
        let error = match self.log(topic, partition) {
            Ok(Some(log)) => return Ok(Turn::Copied(log)),
            Ok(None) => return Ok(Turn::Deleted),
            Err(Untaken::Failed(error)) => return Err(error),
            Err(Untaken::Unread(error)) => error,
        };
        let name = topic.name.clone();
        if !self.options.allow_missing {
            return Err(BackupFailed::Lacking { why: Box::new(error), topic: name });
        }
        let half = self.to.join(format!("{name}-{partition}"));
        if self.disk.exists(&half).map_err(BackupFailed::at(&half))? {
            self.disk.remove_dir_all(&half).map_err(BackupFailed::at(&half))?;
        }
        self.pacer.done();
        let why = why(&error);
        tracing::warn!(topic = name, partition, why, "not in the backup");
        Ok(Turn::Missing(MissingRecord { topic: name, topic_id: topic.topic_id, partition, why }))
    }

    /// One log; none if its topic was deleted.
    fn log(&mut self, topic: &TopicRecord, partition: i32) -> Result<Option<LogRecord>, Untaken> {
        let (name, topic_id) = (&topic.name, topic.topic_id);
        let Some(noted) = self.noted.take(topic_id, partition) else {
            let missing = self.is_there(topic)?.then(|| self.missing(topic, partition));
            return missing.map_or(Ok(None), |missing| Err(Untaken::Unread(missing)));
        };
        let dir = self.source.log_dirs.iter().find(|dir| dir.topic_id(name, partition) == Some(topic_id));
        let cleaned_to = || dir.and_then(|dir| dir.cleaned_to(name, partition));
        let to = self.to.join(format!("{name}-{partition}"));
        self.pacer.begin(&format!("{name}-{partition}"));
        let cleaned_before = cleaned_to();
        // Also where there are no bytes to wait for.
        self.pacer.moved(0).map_err(|_| BackupFailed::Stopped)?;
        let copied = noted.copy(&to, self.copy);
        let Some(copied) = copied.map_err(|error| Untaken::of(error, self.to))? else {
            return Ok(None);
        };
        if cleaned_to().is_some() {
            // A clean that went on meanwhile may be in the copy, or not: what it cleaned counts as dirty.
            self.cleaned.set(name, partition, cleaned_before.unwrap_or(copied.log_start));
        }
        self.pacer.done();
        self.summary.logs += 1;
        copied.files.iter().for_each(|file| self.summary.add(file));
        let CopiedLog { log_start, first_base, end, files } = copied;
        Ok(Some(LogRecord {
            topic: name.clone(),
            topic_id,
            partition,
            log_start,
            first_base,
            end,
            files: files.iter().map(FileRecord::from).collect(),
        }))
    }

    /// Whether a topic of which there is no log is not deleted.
    fn is_there(&self, topic: &TopicRecord) -> Result<bool, BackupFailed> {
        let now = metadata::topics((self.source.list)()?)?;
        Ok(now.iter().any(|other| other.topic_id == topic.topic_id))
    }

    /// Why a partition has no log.
    fn missing(&self, topic: &TopicRecord, partition: i32) -> BackupFailed {
        let of = usize::try_from(partition).ok().and_then(|at| topic.partitions.get(at));
        let topic = topic.name.clone();
        match of.and_then(|of| of.directory) {
            Some(id) if !self.source.log_dirs.iter().any(|dir| dir.directory_id() == Some(id)) => {
                match (self.source.away)(id) {
                    Some((path, why)) => BackupFailed::Unserved { topic, partition, path, why },
                    None => BackupFailed::Elsewhere { topic, partition, directory: format_id(id) },
                }
            }
            _ => BackupFailed::Offline { topic, partition },
        }
    }

    /// Checkpoints, identity and metadata: those of the moment name producer ids above all those that the logs have, since an id
    /// is given out only after that is written down.
    fn everything_else(&mut self, noted: Listing) -> Result<(), BackupFailed> {
        self.checkpoints()?;
        let (cluster_id, node_id) = (self.source.cluster_id.clone(), self.source.node_id);
        let meta = MetaProperties { cluster_id, node_id, directory_id: None };
        let path = self.to.join(META_PROPERTIES_FILE);
        meta.write(self.disk, &path).map_err(BackupFailed::at(&path))?;
        self.file(META_PROPERTIES_FILE)?;
        let rows = metadata::rows(std::mem::take(&mut self.topics), noted)?;
        for row in &rows {
            self.manifest.row(metadata::told(row)?)?;
        }
        let path = self.to.join(pagewire_metadata::FILE_NAME);
        self.source.runtime.block_on(metadata::write(&path, rows))?;
        self.file(pagewire_metadata::FILE_NAME)
    }

    /// Everything in the backup is synced: whoever opens it need not check it from its beginning.
    fn checkpoints(&mut self) -> Result<(), BackupFailed> {
        let (ends, starts) = (std::mem::take(&mut self.ends), std::mem::take(&mut self.starts));
        let cleaned = std::mem::take(&mut self.cleaned);
        let of = [
            (RECOVERY_POINT_FILE, &ends),
            (HIGH_WATERMARK_FILE, &ends),
            (LOG_START_FILE, &starts),
            (CLEANER_FILE, &cleaned),
        ];
        for (name, checkpoint) in of {
            let path = self.to.join(name);
            checkpoint.write(self.disk, &path).map_err(BackupFailed::at(&path))?;
            self.file(name)?;
        }
        Ok(())
    }

    /// Takes down a file beside the logs.
    fn file(&mut self, name: &str) -> Result<(), BackupFailed> {
        let path = self.to.join(name);
        let file = self.disk.open(&path, OpenMode::Read).map_err(BackupFailed::at(&path))?;
        let bytes = file.len().map_err(BackupFailed::at(&path))?;
        let crc32c = Some(carry((&path, &*file), bytes, None, None, &|_| Ok(()))?);
        self.summary.files += 1;
        self.summary.bytes += bytes;
        self.summary.copied_bytes += bytes;
        self.manifest.file(FileRecord {
            name: name.to_owned(),
            bytes,
            crc32c,
            source: None,
            source_changed: None,
            damage: Vec::new(),
        })
    }
}
