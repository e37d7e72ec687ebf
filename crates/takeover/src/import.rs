//! The whole of an import, step by step.

use std::collections::BTreeSet;
use std::path::Path;

use pagewire_disk::checkpoint::META_PROPERTIES_FILE;
use pagewire_disk::{Disk, OsDisk};
use pagewire_metadata::model::ids;

use crate::catalog::{self, Identity};
use crate::error::ImportError;
use crate::kraft;
use crate::options::{Depth, How, Options, Progress, Settings};
use crate::place::{Way, check_link};
use crate::plan::{Plan, plan};
use crate::report::{Placed, Report, TopicReport};
use crate::settle::{Done, settle};
use crate::source::Source;
use crate::staging::{self, Staging};
use crate::take::Taken;
use crate::work::work;

/// Makes a data directory out of Kafka's. Blocks: for as long as reading and copying takes.
///
/// `progress` is called from several threads. After an error there is no new directory; what a killed process leaves is
/// cleared by the next import to the same place.
pub fn import(
    options: &Options,
    settings: &dyn Settings,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Report, ImportError> {
    if options.how == How::Link && options.verify != Depth::Deep {
        return Err(ImportError::LinkUnchecked);
    }
    staging::check_target(&options.to)?;
    let sources = open(&options.from)?;
    let metadata = newest_metadata(&sources)?;
    let plan = plan(options, &sources, &metadata.image, settings)?;
    if !plan.refused.is_empty() {
        return Err(ImportError::Refused(plan.refused));
    }
    if options.how == How::Link {
        for partition in &plan.partitions {
            check_link(&partition.dir, &options.to)?;
        }
    }
    let mut report = begin_report(options, &sources, &metadata, &plan);
    let at_least = metadata.image.next_producer_id;
    if options.dry_run {
        let taken = work(options, &plan, &sources, None, progress)?;
        report.add(&plan, &taken);
        report.above(&plan, &taken, at_least)?;
        return Ok(report);
    }
    let staging = Staging::begin(&options.to)?;
    match build(&staging, options, &sources, &plan, settings, progress, &mut report, at_least) {
        Ok(()) => staging.finish().map(|()| report),
        Err(error) => {
            // What went wrong is what counts; what stays is cleared by the next import.
            let _ = staging.give_up();
            Err(error)
        }
    }
}

/// Opens the directories and sees that they belong together.
fn open(dirs: &[std::path::PathBuf]) -> Result<Vec<Source>, ImportError> {
    let mut seen = BTreeSet::new();
    let mut sources: Vec<Source> = Vec::new();
    for dir in dirs {
        let real = std::fs::canonicalize(dir).map_err(ImportError::at(dir))?;
        if !seen.insert(real.clone()) {
            return Err(ImportError::Twice(dir.clone()));
        }
        let source = Source::open(&real)?;
        if let Some(first) = sources.first().filter(|first| first.meta.cluster_id != source.meta.cluster_id) {
            return Err(ImportError::OtherCluster {
                dir: dir.clone(),
                found: source.meta.cluster_id,
                first: first.dir.clone(),
                expected: first.meta.cluster_id.clone(),
            });
        }
        sources.push(source);
    }
    Ok(sources)
}

/// Several brokers' directories hold a copy of the metadata each: the one that goes furthest counts.
fn newest_metadata(sources: &[Source]) -> Result<kraft::Read, ImportError> {
    let mut newest: Option<kraft::Read> = None;
    for source in sources.iter().filter(|source| source.has_metadata()) {
        let read = kraft::read(&source.dir.join(kraft::DIR))?;
        if newest.as_ref().is_none_or(|newest| newest.end < read.end) {
            newest = Some(read);
        }
    }
    newest.ok_or(ImportError::NoMetadata)
}

fn begin_report(options: &Options, sources: &[Source], metadata: &kraft::Read, plan: &Plan) -> Report {
    let first = sources.first().map(|source| &source.meta);
    let mut notes: Vec<String> = sources.iter().flat_map(|source| source.notes.iter().cloned()).collect();
    notes.extend(metadata.cut.clone());
    Report {
        cluster_id: first.map(|meta| meta.cluster_id.clone()).unwrap_or_default(),
        node_id: first.map_or(0, |meta| meta.node_id),
        to: options.to.clone(),
        dry_run: options.dry_run,
        settings_left: plan.settings_left.clone(),
        left: plan.left.clone(),
        incomplete: plan.incomplete.clone(),
        not_carried: metadata.image.not_carried(),
        notes,
        ..Report::default()
    }
}

/// Puts the new directory together.
#[expect(clippy::too_many_arguments, reason = "one step of the import, split off for its length")]
fn build(
    staging: &Staging,
    options: &Options,
    sources: &[Source],
    plan: &Plan,
    settings: &dyn Settings,
    progress: &(dyn Fn(Progress<'_>) + Sync),
    report: &mut Report,
    at_least: i64,
) -> Result<(), ImportError> {
    let dir = staging.path();
    let ways = sources
        .iter()
        .map(|source| Way::find(options.how, &source.dir.join(META_PROPERTIES_FILE), dir))
        .collect::<Result<Vec<_>, _>>()?;
    check_space(dir, plan, &ways)?;
    let taken = work(options, plan, sources, Some((dir, &ways)), progress)?;
    report.add(plan, &taken);
    report.above(plan, &taken, at_least)?;
    let done: Vec<Done<'_>> = plan.partitions.iter().zip(&taken).collect();
    let identity = (report.cluster_id.as_str(), report.node_id);
    let settled = settle(dir, options, identity, plan, sources, &done, settings)?;
    report.notes.extend(settled.notes);
    report.raise(settled.leader_epoch_max, settled.producer_id_max)?;
    let identity = Identity {
        cluster_id: report.cluster_id.clone(),
        node_id: report.node_id,
        leader_epoch: report.leader_epoch,
        next_producer_id: report.next_producer_id,
        now_ms: options.now_ms,
    };
    catalog::write(dir, &identity, plan)
}

/// Refuses to begin what cannot end.
fn check_space(dir: &Path, plan: &Plan, ways: &[Way]) -> Result<(), ImportError> {
    let takes = |partition: &crate::plan::PlannedPartition| {
        let files = &partition.files;
        let closed: u64 = files.segments.iter().rev().skip(1).map(|segment| segment.len).sum();
        match ways.get(partition.source) {
            Some(Way::Reflink) => 0,
            Some(Way::Link) => files.bytes() - closed,
            _ => files.bytes(),
        }
    };
    let needed: u64 = plan.partitions.iter().map(takes).sum();
    let free = OsDisk::new().free_bytes(dir).map_err(ImportError::at(dir))?;
    if needed > free {
        return Err(ImportError::NoSpace { dir: dir.to_path_buf(), needed, free });
    }
    Ok(())
}

impl Report {
    /// Adds what the partitions came to.
    fn add(&mut self, plan: &Plan, taken: &[Taken]) {
        self.topics = plan
            .topics
            .iter()
            .map(|topic| TopicReport {
                name: topic.name.clone(),
                id: ids::to_text(topic.id),
                partitions: topic.partitions,
                ..TopicReport::default()
            })
            .collect();
        let mut placed = Placed::default();
        for (partition, taken) in plan.partitions.iter().zip(taken) {
            placed.add(taken.placed);
            self.cuts.extend(taken.verified.cut.clone());
            self.notes.extend(taken.lost(plan, partition));
            if let Some(topic) = self.topics.get_mut(partition.topic) {
                topic.segments += taken.verified.keep.len();
                topic.bytes += taken.verified.keep.iter().sum::<u64>();
                topic.batches += taken.verified.batches;
                topic.records += taken.verified.records;
            }
        }
        self.placed = placed;
        self.cuts.sort_by(|one, other| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)));
    }

    /// Goes above everything that Kafka gave out and that the records name.
    fn above(&mut self, plan: &Plan, taken: &[Taken], next_producer_id: i64) -> Result<(), ImportError> {
        self.next_producer_id = next_producer_id.max(0);
        self.raise(plan.leader_epoch_max, -1)?;
        for taken in taken {
            self.raise(taken.verified.leader_epoch_max, taken.verified.producer_id_max)?;
        }
        Ok(())
    }

    fn raise(&mut self, leader_epoch: i32, producer_id: i64) -> Result<(), ImportError> {
        let above = leader_epoch.checked_add(1).ok_or(ImportError::Epochs(leader_epoch))?;
        self.leader_epoch = self.leader_epoch.max(above);
        self.next_producer_id = self.next_producer_id.max(producer_id.saturating_add(1));
        Ok(())
    }
}
