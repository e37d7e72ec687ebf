//! The whole of an import, step by step.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use pagewire_metadata::model::ids;

use crate::catalog::{self, Identity};
use crate::cut::CutKind;
use crate::error::ImportError;
use crate::homes::{self, Homes};
use crate::kraft::{self, Image};
use crate::options::{Depth, How, Options, Progress, Settings};
use crate::place::check_link;
use crate::plan::{Plan, plan};
use crate::report::{Placed, Refusal, Report, TopicReport};
use crate::settle::{Common, Done, settle};
use crate::source::Source;
use crate::staging::{self, Begun};
use crate::take::Taken;
use crate::transactions::{self, Decisions, STATE_TOPIC};
use crate::unserved::Unserved;
use crate::work::work;

/// Whose log the metadata are.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// Makes a data directory, or several, out of Kafka's. Blocks: for as long as reading and copying takes.
///
/// `begun` says meanwhile what there would be of it if the process ended. `progress` is called from several threads. After an error there is no new directory; what a killed process leaves is
/// cleared by the next import to the same places.
pub fn import(
    options: &Options,
    settings: &dyn Settings,
    begun: &Begun,
    progress: &(dyn Fn(Progress<'_>) + Sync),
) -> Result<Report, ImportError> {
    if options.how == How::Link && options.verify != Depth::Deep {
        return Err(ImportError::LinkUnchecked);
    }
    let places: Vec<&Path> = homes::places(options).collect();
    if options.dry_run && staging::is_interrupted(&places) {
        return Err(ImportError::Unfinished(options.to.clone()));
    }
    if !options.dry_run
        && let Some(finished) = staging::finish_interrupted(&places)?
    {
        return Err(ImportError::Finished(finished));
    }
    homes::check(options)?;
    let sources = open(&options.from)?;
    let metadata = newest_metadata(&sources)?;
    let damage = metadata.cut.as_ref().filter(|cut| cut.kind != CutKind::TornTail);
    if let Some(damage) = damage.filter(|_| !options.accept_damage) {
        // What else half of the metadata would say is nothing to act on.
        let why = damage.refusal(&unknown(&sources, &metadata.image));
        return Err(ImportError::Refused(vec![of_metadata(why)]));
    }
    let plan = plan(options, &sources, &metadata.image, settings)?;
    if !plan.refused.is_empty() {
        let before = damage.map(|damage| of_metadata(damage.reminder()));
        return Err(ImportError::Refused(before.into_iter().chain(plan.refused).collect()));
    }
    if options.how == How::Link {
        for partition in &plan.partitions {
            check_link(&partition.dir, places.get(partition.home).unwrap_or(&options.to.as_path()))?;
        }
    }
    let mut report = begin_report(options, &sources, &metadata, &plan);
    let image = &metadata.image;
    let task = Task { options, sources: &sources, image, plan: &plan, settings, progress };
    if options.dry_run {
        let (taken, decisions) = task.look(None, &mut report)?;
        report.add_open(transactions::seen(&plan, &taken, &decisions, options.now_ms));
        return Ok(report);
    }
    let homes = Homes::begin(options, &sources, begun)?;
    match task.build(&homes, &mut report) {
        Ok(()) => homes.finish().map(|()| report),
        Err(error) => {
            homes.give_up();
            Err(error)
        }
    }
}

/// Opens the directories and sees that they belong together.
fn open(dirs: &[std::path::PathBuf]) -> Result<Vec<Source>, ImportError> {
    let mut seen = BTreeSet::new();
    let mut sources: Vec<Source> = Vec::new();
    for dir in dirs {
        let real = std::fs::canonicalize(dir).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ImportError::NotThere(dir.clone()),
            _ => ImportError::at(dir)(error),
        })?;
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
        let mut read = kraft::read(&source.dir.join(kraft::DIR))?;
        if let Some(cut) = read.cut.as_mut().filter(|_| source.clean) {
            cut.after_a_stop();
        }
        if newest.as_ref().is_none_or(|newest| newest.end < read.end) {
            newest = Some(read);
        }
    }
    newest.ok_or(ImportError::NoMetadata)
}

/// Topics that have directories here, by name, and that the metadata does not know.
fn unknown<'s>(sources: &'s [Source], image: &Image) -> Vec<&'s str> {
    let here: BTreeSet<&str> =
        sources.iter().flat_map(|one| &one.partitions).map(|dir| &*dir.topic).collect();
    here.into_iter().filter(|name| !image.topics.contains_key(*name)).collect()
}

/// Something that stands against the metadata log.
fn of_metadata(why: String) -> Refusal {
    Refusal { topic: METADATA_TOPIC.to_owned(), partition: Some(0), why }
}

fn begin_report(options: &Options, sources: &[Source], metadata: &kraft::Read, plan: &Plan) -> Report {
    let first = sources.first().map(|source| &source.meta);
    let mut notes: Vec<String> = sources.iter().flat_map(|source| source.notes.iter().cloned()).collect();
    let lost = metadata.cut.as_ref().and_then(|cut| cut.lost(&unknown(sources, &metadata.image)));
    notes.extend(lost);
    notes.extend(metadata.image.lowered_features().into_iter().map(|(name, level)| {
        format!("{name} is at level {level}, as in Kafka: kafka-features.sh upgrade --feature {name}=LEVEL raises it")
    }));
    Report {
        cluster_id: first.map(|meta| meta.cluster_id.clone()).unwrap_or_default(),
        node_id: first.map_or(0, |meta| meta.node_id),
        to: options.to.clone(),
        others: options.others.clone(),
        dry_run: options.dry_run,
        end_transactions: options.end_transactions,
        settings_left: plan.settings_left.clone(),
        left: plan.left.clone(),
        incomplete: plan.incomplete.clone(),
        metadata_cut: metadata.cut.clone(),
        not_carried: metadata.image.not_carried(),
        notes,
        ..Report::default()
    }
}

/// An import whose plan is made.
struct Task<'a> {
    options: &'a Options,
    sources: &'a [Source],
    image: &'a Image,
    plan: &'a Plan,
    settings: &'a dyn Settings,
    progress: &'a (dyn Fn(Progress<'_>) + Sync),
}

impl Task<'_> {
    /// Looks at all partitions, and brings them into the new directories, if there are any.
    fn look(
        &self,
        into: Option<&Homes>,
        report: &mut Report,
    ) -> Result<(Vec<Taken>, Decisions), ImportError> {
        let taken = work(self.options, self.plan, self.sources, into, self.progress)?;
        report.add(self.plan, &taken);
        report.above(self.plan, &taken, self.image.next_producer_id)?;
        report.notes.extend(Unserved::read(self.plan, &taken)?.lines());
        let decisions = Decisions::read(self.plan, &taken, self.image.topics.contains_key(STATE_TOPIC))?;
        report.raise(self.plan.leader_epoch_max, decisions.producer_id_max().unwrap_or(-1))?;
        Ok((taken, decisions))
    }

    /// Puts the new directories together.
    fn build(&self, homes: &Homes, report: &mut Report) -> Result<(), ImportError> {
        let Self { options, sources, plan, settings, .. } = *self;
        homes.check_space(plan)?;
        let (taken, decisions) = self.look(Some(homes), report)?;
        let (cluster_id, node_id) = (report.cluster_id.clone(), report.node_id);
        let decisions = &decisions;
        let common = Common { options, plan, sources, settings, decisions, cluster_id: &cluster_id, node_id };
        let mut directories = Vec::new();
        for ((at, dir), place) in homes.dirs().enumerate().zip(homes::places(options)) {
            let done = plan.partitions.iter().zip(&taken).filter(|(partition, _)| partition.home == at);
            let settled = settle(dir, common, &done.collect::<Vec<Done<'_>>>())?;
            directories.push((place, settled.directory_id));
            report.notes.extend(settled.notes);
            report.add_open(settled.open);
            report.raise(settled.leader_epoch_max, settled.producer_id_max)?;
        }
        let identity = Identity {
            cluster_id: cluster_id.clone(),
            node_id,
            leader_epoch: report.leader_epoch,
            next_producer_id: report.next_producer_id,
            features: self.image.lowered_features(),
            now_ms: options.now_ms,
        };
        homes.dirs().take(1).try_for_each(|first| catalog::write(first, &identity, plan, &directories))
    }
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
            self.uncleanable.extend(taken.uncleanable(plan, partition));
            if let Some(topic) = self.topics.get_mut(partition.topic) {
                topic.segments += taken.verified.keep.len();
                topic.bytes += taken.verified.keep.iter().sum::<u64>();
                topic.batches += taken.verified.batches;
                topic.records += taken.verified.records;
            }
        }
        self.placed = placed;
        self.cuts.sort_by(|one, other| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)));
        self.uncleanable
            .sort_by(|one, other| (&one.topic, one.partition).cmp(&(&other.topic, other.partition)));
    }

    fn add_open(&mut self, open: Vec<transactions::OpenTransaction>) {
        self.open_transactions.extend(open);
        self.open_transactions.sort_by(|one, other| {
            (&one.topic, one.partition, one.first_offset).cmp(&(
                &other.topic,
                other.partition,
                other.first_offset,
            ))
        });
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
