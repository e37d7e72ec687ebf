//! Partitions that have no directory, though a checkpoint or the metadata knows them: what a start would say of them (`dir/gone`),
//! or the broker that serves the directory has to say.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::MetaProperties;
use pagewire_disk::checkpoint::{META_PROPERTIES_FILE, PARTITION_METADATA_FILE};
use uuid::Uuid;

use super::checkpoints::Checkpoints;
use super::finding::{Fate, Finding, Severity};
use super::job::{Again, Job, KnownTopic, Topics};
use crate::dir::{DirName, future_of, partition_dir, stray_in};

/// A file that only the first of several log directories has.
pub(super) const METADATA: &str = "metadata.redb";

/// Names those that had records, and those that the metadata places here.
pub(super) fn tell(
    job: &mut Job<'_>,
    dir: &Path,
    checkpoints: &Checkpoints,
    seen: &BTreeSet<(String, i32)>,
    clean: bool,
    live: bool,
) {
    let (here, known) = (Here::of(job, dir), job.options.topics.filter(|topics| !topics.is_empty()));
    let is_gone = |topic: &str, partition| !seen.contains(&(topic.to_owned(), partition));
    let reached = checkpoints.partitions();
    let lost = if job.is_kafkas { KAFKAS_LOST } else { LOST };
    let beside = Beside { job: &*job, here: &here, dir, again: OnceCell::new() };
    let mut findings = Vec::new();
    for (&(topic, partition), &reached) in
        reached.iter().filter(|((topic, partition), reached)| **reached > 0 && is_gone(topic, *partition))
    {
        let topic_known = known.map(|topics| topics.get(topic));
        let (severity, why) = match topic_known.map(|topic| here.places(topic, partition)) {
            Some(true) if live && beside.is_missing_still(topic, topic_known.flatten(), partition) => {
                (Severity::Damage, LIVE_LOST)
            }
            _ if live => (Severity::Doubt, "deleted or moved a moment ago, or lost"),
            Some(false) => (Severity::Note, "the metadata places no such partition here, so it was deleted"),
            Some(true) => (Severity::Damage, lost),
            // An orderly stop names what is there, and nothing else.
            None if clean => (Severity::Damage, lost),
            None => (Severity::Doubt, "deleted, or lost: there is no metadata here that could tell"),
        };
        let what =
            format!("there is no such directory, and the partition had reached offset {reached}: {why}");
        let path = dir.join(partition_dir(topic, partition));
        findings.push(Finding::new(severity, path, what, Fate::Stays).offset(reached));
    }
    let had_records =
        |topic: &str, partition| reached.get(&(topic, partition)).is_some_and(|offset| *offset > 0);
    for (topic, partition) in known.into_iter().flat_map(|topics| here.placed(topics)) {
        if is_gone(topic, partition) && !had_records(topic, partition) {
            let path = dir.join(partition_dir(topic, partition));
            let known = known.and_then(|topics| topics.get(topic));
            let is_unmade = known.is_some_and(|known| known.unmade);
            findings.push(match () {
                () if is_unmade => Finding::new(Severity::Note, path, YOUNG, Fate::Renewed),
                () if live && beside.is_missing_still(topic, known, partition) => {
                    let what = format!(
                        "the metadata places a partition here, and there is no such directory: {LIVE_LOST}"
                    );
                    Finding::new(Severity::Damage, path, what, Fate::Stays)
                }
                () if live => Finding::new(Severity::Doubt, path, MOVING, Fate::Stays),
                () => Finding::new(Severity::Damage, path, MISSED, Fate::Stays),
            });
        }
    }
    for mut finding in findings {
        if let Some(aside) = set_aside(job, &finding.path) {
            finding.what.push_str(&aside);
        }
        job.found(finding);
    }
}

/// What lies beside `path` under its name and `-stray`, with the way back.
fn set_aside(job: &Job<'_>, path: &Path) -> Option<String> {
    let (dir, name) = (path.parent()?, path.file_name()?.to_str()?);
    let DirName::Partition { topic, partition } = DirName::parse(name) else { return None };
    let stray = stray_in(&**job.disk, dir, (topic, partition))?;
    Some(format!(
        ". {} lies there, set aside as its {PARTITION_METADATA_FILE} names the id of another topic, or renamed by somebody: if its \
         records are this partition's, remove that file in it and give it its name back",
        stray.display()
    ))
}

/// A second look beside a broker that serves the directory, and makes and deletes topics meanwhile. The metadata has a topic before
/// its logs are made, with a note until they are, and has it no more before they are deleted: so a partition of a topic that was
/// made when the check began, that is the same topic still once its directory was missed, is missed by its broker as well.
struct Beside<'b, 'j> {
    job: &'b Job<'j>,
    here: &'b Here,
    dir: &'b Path,
    /// The metadata as it is by now.
    again: OnceCell<Arc<Topics>>,
}

impl Beside<'_, '_> {
    fn is_missing_still(&self, topic: &str, known: Option<&KnownTopic>, partition: i32) -> bool {
        let (Some(known), Some(Again(again))) =
            (known.filter(|known| known.id.is_some()), self.job.options.again)
        else {
            return false;
        };
        if known.unmade || !self.is_away((topic, partition)) {
            return false;
        }
        let now = self.again.get_or_init(again).get(topic);
        let is_same = now.is_some_and(|now| now.id == known.id && !now.unmade);
        is_same && self.here.places(now, partition) && self.is_away((topic, partition))
    }

    /// Whether neither the partition's directory is here, nor one that is about to get its name: the metadata place a partition that
    /// moves here before that. Looked for twice, as a listing may miss both while one becomes the other.
    fn is_away(&self, name: (&str, i32)) -> bool {
        let own = partition_dir(name.0, name.1);
        let is_it = |entry: &str| {
            entry == own || future_of(entry).is_some_and(|(topic, partition, _)| (topic, partition) == name)
        };
        let lacks = || {
            let entries = self.job.disk.read_dir(self.dir);
            entries.is_ok_and(|entries| !entries.iter().any(|entry| is_it(&entry.name)))
        };
        lacks() && lacks()
    }
}

const LOST: &str = "its records are lost unless the directory is put back; it is not served before that, or before \
                    its broker is told that it may begin anew (pagewire log online --empty DIR --data-dir FIRST_DIR)";
const LIVE_LOST: &str = "its records are lost unless the directory is put back (then: pagewire log online DIR --data-dir FIRST_DIR); \
                         the broker that serves the directories counts it as its own still, and has no more of it than it holds \
                         open, before that or before it is told that it may begin anew (pagewire log online --empty DIR \
                         --data-dir FIRST_DIR)";
const KAFKAS_LOST: &str = "its records are lost unless the directory is put back, or another of log.dirs has it; pagewire import \
                           refuses the topic without it, and does without it with --allow-missing";
const YOUNG: &str = "the metadata places a partition here, and the process that made its topic ended before it had made the \
                     directory: an empty one is made";
const MOVING: &str = "the metadata places a partition here, and there is no such directory: made or deleted a moment ago, or lost";
const MISSED: &str = "the metadata places a partition here that was made, and there is no such directory: unless another log \
                      directory has it, what records it had are lost until the directory is put back; it is not served before \
                      that, or before its broker is told that it may begin anew (pagewire log online --empty DIR \
                      --data-dir FIRST_DIR)";

/// Which of several log directories it is.
struct Here {
    /// The one that partitions without a home are in.
    is_first: bool,
    id: Option<Uuid>,
}

impl Here {
    fn of(job: &Job<'_>, dir: &Path) -> Self {
        let meta = MetaProperties::read(&**job.disk, &dir.join(META_PROPERTIES_FILE)).ok().flatten();
        Self {
            is_first: job.disk.exists(&dir.join(METADATA)).unwrap_or(false),
            id: meta.and_then(|meta| meta.directory_id),
        }
    }

    fn is_home(&self, home: Option<Uuid>) -> bool {
        home.map_or(self.is_first, |home| self.id == Some(home))
    }

    /// Whether the metadata has a partition here, or may have: Kafka's does not say where.
    fn places(&self, topic: Option<&KnownTopic>, partition: i32) -> bool {
        let Some(KnownTopic { homes, .. }) = topic else { return false };
        let home = usize::try_from(partition).ok().and_then(|at| homes.get(at));
        // A directory that has lost its identity may be anyone's.
        homes.is_empty() || home.is_some_and(|home| self.is_home(*home) || self.id.is_none())
    }

    /// All that it has here.
    fn placed<'t>(&self, topics: &'t Topics) -> impl Iterator<Item = (&'t str, i32)> {
        topics.iter().flat_map(move |(name, topic)| {
            let homes = topic.homes.iter().zip(0_i32..).filter(move |(home, _)| self.is_home(**home));
            homes.map(move |(_, partition)| (name.as_str(), partition))
        })
    }
}
