//! What an import would do, found out before anything is written: which topics, which copy of each partition, which
//! settings, and what stands against it.

mod aside;
mod choose;
mod ends;
mod settings;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use pagewire_log::Spread;
use pagewire_metadata::model::ConfigScope;
use pagewire_record::DecompressLimits;
use uuid::Uuid;

use crate::error::ImportError;
use crate::kraft::{self, Image, Owner, Placement, Topic};
use crate::options::{Dynamic, Options, Settings};
use crate::report::{Left, Refusal, SettingLeft};
use crate::source::{PartitionDir, PartitionFiles, Source};
use choose::{Choice, Copy, choose};
use ends::log_end;
pub(crate) use settings::Own;

/// A topic that comes along.
#[derive(Debug)]
pub(crate) struct PlannedTopic {
    pub(crate) name: String,
    pub(crate) id: Uuid,
    pub(crate) created_ms: i64,
    pub(crate) configs: Own,
    /// How many it has, here or not.
    pub(crate) partitions: usize,
    /// Its own settings let it be compacted, or those of brokers where it has none.
    is_compacted: bool,
    /// How far its batches are decompressed.
    decompress: DecompressLimits,
}

/// A partition whose records come along.
#[derive(Debug)]
pub(crate) struct PlannedPartition {
    /// Its topic, in [`Plan::topics`].
    pub(crate) topic: usize,
    pub(crate) index: i32,
    /// Where it is: which of the sources, and its directory.
    pub(crate) source: usize,
    pub(crate) dir: PathBuf,
    pub(crate) files: PartitionFiles,
    /// Where it goes: which of the new directories.
    pub(crate) home: usize,
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// By name.
    pub(crate) topics: Vec<PlannedTopic>,
    /// The largest first, so that threads end together.
    pub(crate) partitions: Vec<PlannedPartition>,
    pub(crate) configs: BTreeMap<ConfigScope, Own>,
    /// Those of them that topics without their own take over.
    pub(crate) dynamic: Dynamic,
    /// The highest that any partition was led by; -1 for none.
    pub(crate) leader_epoch_max: i32,
    pub(crate) settings_left: Vec<SettingLeft>,
    pub(crate) left: Vec<Left>,
    pub(crate) incomplete: Vec<Refusal>,
    pub(crate) refused: Vec<Refusal>,
}

impl Plan {
    /// The name of a partition's topic.
    pub(crate) fn name_of(&self, partition: &PlannedPartition) -> &str {
        self.topics.get(partition.topic).map_or("", |topic| &topic.name)
    }

    /// Whether a partition's topic is compacted.
    pub(crate) fn is_compacted(&self, partition: &PlannedPartition) -> bool {
        self.topics.get(partition.topic).is_some_and(|topic| topic.is_compacted)
    }

    /// How far the batches of a partition's topic are decompressed, by compaction too.
    pub(crate) fn decompress(&self, partition: &PlannedPartition) -> DecompressLimits {
        self.topics.get(partition.topic).map_or_else(DecompressLimits::default, |topic| topic.decompress)
    }
}

/// Copies of partitions by topic and index.
type Copies<'s> = HashMap<(&'s str, i32), Vec<(usize, &'s PartitionDir)>>;

/// Makes the plan.
pub(crate) fn plan(
    options: &Options,
    sources: &[Source],
    image: &Image,
    settings: &dyn Settings,
) -> Result<Plan, ImportError> {
    if let Some(unknown) = options.topics.iter().find(|name| !image.topics.contains_key(*name)) {
        return Err(ImportError::NoSuchTopic(unknown.clone()));
    }
    let mut plan = Plan { leader_epoch_max: -1, ..Plan::default() };
    plan.settings_of_others(image, settings);
    plan.dynamic = plan.dynamic_of(sources.first().map_or(-1, |source| source.meta.node_id));
    let mut copies = sort_copies(sources, image, &mut plan.left);
    let wanted = |name: &str| {
        (options.topics.is_empty() || options.topics.iter().any(|wanted| wanted == name))
            && !options.exclude.iter().any(|excluded| excluded == name)
    };
    for (name, topic) in image.topics.iter().filter(|(name, _)| wanted(name)) {
        plan.topic(name, topic, image, settings);
        let at = plan.topics.len() - 1;
        for (index, placement) in &topic.partitions {
            plan.leader_epoch_max = plan.leader_epoch_max.max(placement.leader_epoch);
            let mut copies = copies.remove(&(name.as_str(), *index)).unwrap_or_default();
            if copies.is_empty() {
                copies.extend(aside::unfinished(sources, (name, topic.id, *index), placement));
            }
            plan.partition(at, *index, placement, &copies, sources)?;
        }
    }
    if !options.allow_missing {
        plan.refused.append(&mut plan.incomplete);
    }
    plan.refused.sort();
    plan.partitions.sort_by_key(|partition| std::cmp::Reverse(partition.files.bytes()));
    let mut spread = Spread::over(1 + options.others.len());
    for partition in &mut plan.partitions {
        partition.home = spread.place(partition.files.bytes());
    }
    Ok(plan)
}

/// Finds the copies of each partition, without those of other topics of the same name.
fn sort_copies<'s>(sources: &'s [Source], image: &Image, left: &mut Vec<Left>) -> Copies<'s> {
    let mut copies = Copies::new();
    for (at, source) in sources.iter().enumerate() {
        left.extend(source.left.iter().cloned());
        for dir in &source.partitions {
            let topic = image.topics.get(&dir.topic);
            let why = match (topic, dir.topic_id) {
                (None, _) => "its topic is not in Kafka's metadata (any more)",
                (Some(topic), Some(id)) if topic.id != id => "of an earlier topic of the same name",
                (Some(topic), _) if !topic.partitions.contains_key(&dir.index) => {
                    "its topic has fewer partitions"
                }
                (Some(_), _) => {
                    copies.entry((dir.topic.as_str(), dir.index)).or_default().push((at, dir));
                    continue;
                }
            };
            left.push(Left { path: dir.path.clone(), why: why.to_owned() });
        }
    }
    copies
}

impl Plan {
    /// All but the topics' own.
    fn settings_of_others(&mut self, image: &Image, settings: &dyn Settings) {
        for (owner, own) in image.configs.iter().filter(|(owner, _)| !matches!(owner, Owner::Topic(_))) {
            let kept = settings::sort(owner, own, settings, &mut self.settings_left);
            if let Some(scope) = settings::scope(owner).filter(|_| !kept.is_empty()) {
                self.configs.insert(scope, kept);
            }
        }
    }

    fn dynamic_of(&self, node: i32) -> Dynamic {
        let of = |scope| self.configs.get(&scope).cloned().unwrap_or_default();
        Dynamic { all_brokers: of(ConfigScope::BrokerDefault), this_broker: of(ConfigScope::Broker(node)) }
    }

    fn topic(&mut self, name: &str, topic: &Topic, image: &Image, settings: &dyn Settings) {
        let owner = Owner::Topic(name.to_owned());
        let nothing = Own::new();
        let own = image.configs.get(&owner).unwrap_or(&nothing);
        if settings::is_tiered(own) {
            let why = "it is tiered, and its older records lie in remote storage: turn remote.storage.enable off in Kafka \
                       first, or leave the topic out with --exclude";
            self.refuse(name, None, why.to_owned());
        }
        let numbers = topic.partitions.keys().copied().collect::<BTreeSet<_>>();
        let count = i32::try_from(numbers.len()).unwrap_or(i32::MAX);
        if count == 0 || numbers.last() != Some(&(count - 1)) {
            self.refuse(
                name,
                None,
                "its partitions are not numbered without gaps in Kafka's metadata".to_owned(),
            );
        }
        let configs = settings::sort(&owner, own, settings, &mut self.settings_left);
        let log = settings.log(&configs, &self.dynamic);
        self.topics.push(PlannedTopic {
            name: name.to_owned(),
            id: topic.id,
            created_ms: topic.created_ms,
            is_compacted: log.cleanup_compact,
            decompress: log.decompress,
            configs,
            partitions: numbers.len(),
        });
    }

    fn partition(
        &mut self,
        topic: usize,
        index: i32,
        placement: &Placement,
        copies: &[(usize, &PartitionDir)],
        sources: &[Source],
    ) -> Result<(), ImportError> {
        let node_of = |source: usize| sources.get(source).map_or(-1, |source| source.meta.node_id);
        let name = self.topics.get(topic).map(|topic| topic.name.clone()).unwrap_or_default();
        let taken = match choose(placement, &compared(placement, copies, sources)?) {
            Choice::Whole(at) => copies.get(at),
            Choice::Part(at) => {
                let why = format!("not whole here: {}", whose(placement));
                self.incomplete.push(Refusal { topic: name.clone(), partition: Some(index), why });
                copies.get(at)
            }
            Choice::Missing => {
                let id = self.topics.get(topic).map_or(Uuid::nil(), |topic| topic.id);
                let aside = aside::told(sources, (&name, id, index));
                let why = format!("not here: {}{aside}", whose(placement));
                self.incomplete.push(Refusal { topic: name.clone(), partition: Some(index), why });
                None
            }
        };
        let Some((source, dir)) = taken else { return Ok(()) };
        self.left.retain(|left| left.path != dir.path);
        for (at, other) in copies {
            if node_of(*at) == node_of(*source) && other.path != dir.path {
                let why = format!("the same broker has the partition twice: {} is taken", dir.path.display());
                self.left.push(Left { path: other.path.clone(), why });
            }
        }
        let files = PartitionFiles::read(&dir.path)?;
        if files.has_swaps {
            let why = "Kafka was stopped in the middle of a compaction: start it once, and stop it in order";
            self.refuse(&name, Some(index), why.to_owned());
        }
        self.partitions.push(PlannedPartition {
            topic,
            index,
            source: *source,
            dir: dir.path.clone(),
            files,
            home: 0,
        });
        Ok(())
    }

    fn refuse(&mut self, topic: &str, partition: Option<i32>, why: String) {
        self.refused.push(Refusal { topic: topic.to_owned(), partition, why });
    }
}

/// What tells the copies of a partition apart. How far they go is looked up only if there are several.
fn compared(
    placement: &Placement,
    copies: &[(usize, &PartitionDir)],
    sources: &[Source],
) -> Result<Vec<Copy>, ImportError> {
    let one = |(source, dir): &(usize, &PartitionDir)| {
        let meta = sources.get(*source).map(|source| &source.meta);
        let node = meta.map_or(-1, |meta| meta.node_id);
        let directory = meta.and_then(|meta| meta.directory_id);
        let is_assigned = directory.is_some() && directory == placement.directory_of(node);
        let end = if copies.len() > 1 { log_end(&dir.path)? } else { 0 };
        Ok(Copy { node, is_assigned, end })
    };
    copies.iter().map(one).collect()
}

/// Where the whole of a partition is.
fn whose(placement: &Placement) -> String {
    let list = |nodes: &[i32]| nodes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let owner = match (placement.leader, placement.isr.as_slice(), placement.eligible.as_slice()) {
        (kraft::NO_LEADER, [], []) => format!("one of the brokers {} has it", list(&placement.replicas)),
        (kraft::NO_LEADER, [], nodes) | (kraft::NO_LEADER, nodes, _) => {
            format!("broker {} has it", list(nodes))
        }
        (leader, ..) => format!("broker {leader} leads it"),
    };
    format!("{owner}: name all its log.dirs with --from, or take what is here with --allow-missing")
}
