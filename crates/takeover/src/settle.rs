//! Makes a data directory of the files that were placed: the checkpoints are written, the directory is opened as a
//! broker opens it, and closed as a broker closes it. What opening finds wrong is found now.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::checkpoint::{CLEANER_FILE, HIGH_WATERMARK_FILE, LOG_START_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{CleanMark, OffsetCheckpoint, OsDisk};
use pagewire_log::{Damaged, Handles, Hole, Log, LogDir, LogDirOptions, PartitionSettings};
use uuid::Uuid;

use crate::error::ImportError;
use crate::options::{Depth, Options, Settings};
use crate::plan::{Plan, PlannedPartition};
use crate::source::{Checkpoints, Source};
use crate::take::Taken;
use crate::transactions::{self, Decisions, OpenTransaction};

/// Files that the logs have open at once.
const OPEN_FILES_MAX: usize = 256;

/// What the opened logs know.
#[derive(Debug)]
pub(crate) struct Settled {
    /// The highest epoch in any of them, -1 for none.
    pub(crate) leader_epoch_max: i32,
    /// The highest producer in any of them, -1 for none.
    pub(crate) producer_id_max: i64,
    /// The directory's own id.
    pub(crate) directory_id: Option<Uuid>,
    /// What people should know.
    pub(crate) notes: Vec<String>,
    /// Transactions that nobody had ended.
    pub(crate) open: Vec<OpenTransaction>,
}

/// What all new directories have in common.
#[derive(Clone, Copy)]
pub(crate) struct Common<'a> {
    pub(crate) options: &'a Options,
    pub(crate) plan: &'a Plan,
    pub(crate) sources: &'a [Source],
    pub(crate) settings: &'a dyn Settings,
    pub(crate) decisions: &'a Decisions,
    /// The cluster's id.
    pub(crate) cluster_id: &'a str,
    pub(crate) node_id: i32,
}

/// A partition with what it came to.
pub(crate) type Done<'p> = (&'p PlannedPartition, &'p Taken);

/// Settles the new directory `dir`, to which what is `done` went.
pub(crate) fn settle(dir: &Path, common: Common<'_>, done: &[Done<'_>]) -> Result<Settled, ImportError> {
    let Common { options, plan, sources, settings, decisions, cluster_id, node_id } = common;
    write_checkpoints(dir, options.verify, plan, sources, done)?;
    // What was read to its end is known to be good; else Kafka's word counts, if it had stopped in order.
    if options.verify == Depth::Deep || sources.iter().all(|source| source.clean) {
        CleanMark::write(&OsDisk::new(), dir).map_err(ImportError::at(dir))?;
    }
    let of_topic: HashMap<&str, PartitionSettings> = plan
        .topics
        .iter()
        .map(|topic| {
            let log = settings.log(&topic.configs, &plan.dynamic);
            let settings = PartitionSettings {
                topic_id: topic.id,
                leader_epoch: 0,
                log,
                flush_ms: None,
                behind: Vec::new(),
            };
            (topic.name.as_str(), settings)
        })
        .collect();
    let how = LogDirOptions {
        cluster_id: cluster_id.to_owned(),
        node_id,
        threads: options.threads,
        handles: Handles::new(OPEN_FILES_MAX),
        now_ms: options.now_ms,
    };
    let settings_of = |topic: &str, _partition: i32| of_topic.get(topic).cloned();
    let (logs, report) = LogDir::open(Arc::new(OsDisk::new()), dir, &how, &settings_of, &|_| ())?;
    let directory_id = logs.directory_id();
    let mut settled = Settled {
        leader_epoch_max: -1,
        producer_id_max: -1,
        directory_id,
        notes: Vec::new(),
        open: Vec::new(),
    };
    if let Some(failed) = report.failed.into_iter().next() {
        let path = dir.join(format!("{}-{}", failed.topic, failed.partition));
        return Err(ImportError::Wrong { path, reason: failed.error.to_string() });
    }
    settled.notes.extend(report.notices.iter().map(ToString::to_string));
    for log in &report.loaded {
        settled.notes.extend(log.report.cuts.iter().map(ToString::to_string));
        settled.notes.extend(Damaged::told(&log.report.damage));
        settled.notes.extend(Hole::told(&log.report.holes));
    }
    for (partition, taken) in done {
        let log = check(plan, partition, taken, &logs, &mut settled)?;
        let (end, now_ms) = (options.end_transactions, options.now_ms);
        settled.open.extend(transactions::settle(&log, decisions, end, now_ms)?);
    }
    let closed = logs.close_clean(options.now_ms);
    if let Some((path, error)) = closed.failed.into_iter().next() {
        return Err(ImportError::Io { path, error });
    }
    Ok(settled)
}

/// Holds an opened log against what was seen of it.
fn check(
    plan: &Plan,
    partition: &PlannedPartition,
    taken: &Taken,
    logs: &LogDir,
    settled: &mut Settled,
) -> Result<Arc<Log>, ImportError> {
    let topic = plan.name_of(partition);
    let wrong = |reason: String| ImportError::Wrong { path: partition.dir.clone(), reason };
    let log = logs.get(topic, partition.index).ok_or_else(|| wrong("it did not open".to_owned()))?;
    let (found, seen) = (log.marks().log_end, taken.verified.log_end);
    if seen.is_some_and(|seen| found < seen && log.marks().log_start < seen) {
        return Err(wrong(format!("it opens with its end at {found}, but was seen to end at {seen:?}")));
    }
    settled.leader_epoch_max = settled.leader_epoch_max.max(log.leader_epoch().unwrap_or(-1));
    let producers = log.producers();
    let producer_id_max = producers.iter().map(|producer| producer.producer_id).max();
    settled.producer_id_max = settled.producer_id_max.max(producer_id_max.unwrap_or(-1));
    Ok(log)
}

fn write_checkpoints(
    dir: &Path,
    depth: Depth,
    plan: &Plan,
    sources: &[Source],
    done: &[Done<'_>],
) -> Result<(), ImportError> {
    let mut new = Checkpoints::default();
    for (partition, taken) in done {
        let Some(old) = sources.get(partition.source).map(|source| &source.checkpoints) else { continue };
        let (topic, index) = (plan.name_of(partition), partition.index);
        let set = |to: &mut OffsetCheckpoint, offset: Option<i64>| {
            if let Some(offset) = offset {
                to.set(topic, index, offset);
            }
        };
        let end = taken.verified.log_end;
        // Headers say where a log ends, not that the bytes between them are good.
        let known_good = end.filter(|_| depth == Depth::Deep);
        let was_good = || old.recovery.get(topic, index).map(|was| end.map_or(was, |end| was.min(end)));
        set(&mut new.recovery, known_good.or_else(was_good));
        set(&mut new.log_start, old.log_start.get(topic, index));
        set(&mut new.high_watermark, end.or_else(|| old.high_watermark.get(topic, index)));
        // A log that lacks offsets, which people are told, is read over them: it is taken for one that was compacted
        // once.
        let start = || partition.files.segments.first().map_or(0, |first| first.base);
        let was_compacted = || taken.may_lack_offsets(plan, partition).then(start);
        set(&mut new.cleaner, old.cleaner.get(topic, index).or_else(was_compacted));
    }
    for (file, checkpoint) in [
        (RECOVERY_POINT_FILE, new.recovery),
        (LOG_START_FILE, new.log_start),
        (HIGH_WATERMARK_FILE, new.high_watermark),
        (CLEANER_FILE, new.cleaner),
    ] {
        let path = dir.join(file);
        checkpoint.write(&OsDisk::new(), &path).map_err(ImportError::at(&path))?;
    }
    Ok(())
}
