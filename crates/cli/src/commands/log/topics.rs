//! What the metadata that lies beside logs says of their topics: whether they are compacted, and where their partitions are.
//!
//! Read from a copy in memory, so nothing is locked or changed. Of a broker that is serving the copy may be of no one moment: then
//! it says nothing, like metadata that lies elsewhere, and what is missing in a log is a doubt. Metadata that no start takes is a
//! finding of its own, and so is a log directory that it knows and that is [away].

use std::cell::RefCell;
use std::collections::{BTreeSet, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use pagewire_disk::checkpoint::META_PROPERTIES_FILE;
use pagewire_disk::{Disk, LockLook, MemoryDisk, OpenMode, OsDisk, look_at_lock, read_small};
use pagewire_log::verify::{Fate, Finding, KnownTopic, Severity, Topics};
use pagewire_metadata::model::ConfigScope;
use pagewire_metadata::{Catalog, EmbeddedStore, FILE_NAME, OpenError, SystemClock};
use pagewire_takeover::cleanup_policies;
use tokio::runtime::Handle;

use super::away;
use super::whose::Known;

/// A larger store of metadata is left alone.
const STORE_MAX: u64 = 1 << 30;
/// Copies that are taken for one that can be read.
const LOOKS_MAX: usize = 8;
/// A file's partition, and the log directory of that.
const ABOVE: usize = 3;

/// What was found of the metadata.
pub(super) struct Beside {
    pub(super) topics: Topics,
    /// What is wrong with it.
    pub(super) findings: Vec<Finding>,
}

/// What is found beside any of `paths` and above it: several log directories have their metadata in one of them.
pub(super) async fn beside(paths: &[PathBuf]) -> Beside {
    let mut beside = Beside { topics: Topics::new(), findings: Vec::new() };
    let mut is_anywhere = false;
    for dir in around(paths) {
        match of(dir).await {
            Ok(found) => {
                is_anywhere |= found.is_some();
                let Some(Found { topics, whose }) = found else { continue };
                // Who names a partition asks of nothing else.
                if let Some(whose) = whose.filter(|_| paths.iter().any(|path| path == dir)) {
                    beside.findings.extend(away::findings(&topics, &whose, paths));
                    beside.findings.extend(identities(&whose, dir, paths));
                }
                beside.topics.extend(topics);
            }
            Err(error) => {
                is_anywhere = true;
                tracing::debug!(dir = %dir.display(), ?error, "its metadata says nothing of topics");
                beside.findings.extend(refused(dir, &error));
            }
        }
    }
    if !is_anywhere {
        let of_a_broker = paths.iter().filter(|path| path.join(META_PROPERTIES_FILE).exists());
        beside.findings.extend(of_a_broker.map(|dir| finding(Severity::Doubt, dir, NOWHERE)));
    }
    beside
}

/// The topics once more, for whoever asks beside a broker, and asks often: read anew only if that may say something else.
pub(super) struct Again<'p> {
    paths: &'p [PathBuf],
    last: RefCell<Option<(Stamp, Arc<Topics>)>>,
}

/// Which files of metadata there were before they were read, and when each was written last.
type Stamp = Vec<(u64, u64, SystemTime)>;

impl<'p> Again<'p> {
    pub(super) fn of(paths: &'p [PathBuf]) -> Self {
        Self { paths, last: RefCell::default() }
    }

    /// The topics as they are by now, beside a broker that may be writing them: a copy that is of no one moment is taken anew. Blocks.
    pub(super) fn topics(&self) -> Arc<Topics> {
        let look = || tokio::task::block_in_place(|| Handle::current().block_on(beside(self.paths))).topics;
        self.unless_known(|| (0..LOOKS_MAX).map(|_| look()).find(|topics| !topics.is_empty()))
    }

    fn unless_known(&self, read: impl FnOnce() -> Option<Topics>) -> Arc<Topics> {
        let (now, begun) = (stamp(self.paths), SystemTime::now());
        if let Some((_, topics)) = self.last.borrow().as_ref().filter(|(stamp, _)| *stamp == now) {
            return Arc::clone(topics);
        }
        let topics = read();
        // What is written so soon after what was read may have the same time.
        let is_settled = now
            .iter()
            .all(|(.., written)| begun.duration_since(*written).is_ok_and(|ago| ago > WRITTEN_APART));
        let is_known = is_settled && topics.is_some();
        let topics = Arc::new(topics.unwrap_or_default());
        self.last.replace(is_known.then(|| (now, Arc::clone(&topics))));
        topics
    }
}

/// No clock of a file system counts in longer steps.
const WRITTEN_APART: Duration = Duration::from_secs(2);

fn stamp(paths: &[PathBuf]) -> Stamp {
    let stores = around(paths).into_iter().filter_map(|dir| std::fs::metadata(dir.join(FILE_NAME)).ok());
    stores.filter_map(|found| Some((found.dev(), found.ino(), found.modified().ok()?))).collect()
}

/// Where the metadata of what lies at `paths` may be: in them and above.
fn around(paths: &[PathBuf]) -> BTreeSet<&Path> {
    paths.iter().flat_map(|path| path.ancestors().take(ABOVE)).collect()
}

const NOWHERE: &str = "it is not here, nor is Kafka's, nor beside it: right in all log directories of a broker but the first, which is \
                       to be named as well; without it the first is not served";

/// Of metadata that cannot be read and nobody is writing.
fn refused(dir: &Path, error: &anyhow::Error) -> Option<Finding> {
    let is_served = matches!(look_at_lock(dir), Ok(LockLook::Held { .. }));
    let is_ours = dir.join(FILE_NAME).exists();
    let why = match error.downcast_ref() {
        Some(OpenError::Damaged { detail, .. }) => detail.clone(),
        _ => format!("{error:#}"),
    };
    let what =
        format!("{why}: a start refuses the directory until it is put right; each backup has a copy of it");
    (is_ours && !is_served).then(|| finding(Severity::Damage, dir, &what))
}

fn finding(severity: Severity, dir: &Path, what: &str) -> Finding {
    Finding::new(severity, dir.join(FILE_NAME), what, Fate::Stays)
}

/// What metadata says.
struct Found {
    topics: Topics,
    /// Whose log directories it knows; not of Kafka's.
    whose: Option<Known>,
}

/// What is wrong with whose directories these are, by the metadata in `home`. Those with metadata of their own are for that.
fn identities(whose: &Known, home: &Path, paths: &[PathBuf]) -> Vec<Finding> {
    let is_for_it = |path: &&PathBuf| *path == home || !path.join(FILE_NAME).exists();
    paths.iter().filter(is_for_it).filter_map(|path| whose.finding(path, path == home)).collect()
}

/// What the log directory `dir` says, if it has metadata.
async fn of(dir: &Path) -> anyhow::Result<Option<Found>> {
    let kafkas = cleanup_policies(dir)?;
    let ours_is_here = stored(&dir.join(FILE_NAME))?;
    if kafkas.is_empty() && ours_is_here.is_none() {
        return Ok(None);
    }
    // Where a partition of Kafka's is, its own directories say.
    let known = |policy: Option<String>| KnownTopic {
        id: None,
        compacted: policy.map(|policy| is_compacted(&policy)),
        homes: Vec::new(),
        unmade: false,
    };
    let mut topics: Topics = kafkas.into_iter().map(|(name, policy)| (name, known(policy))).collect();
    let mut whose = None;
    if let Some(bytes) = ours_is_here {
        let catalog = opened(&bytes)?;
        topics.extend(ours(&catalog).await?);
        whose = Some(known_by(&catalog).await?);
    }
    Ok(Some(Found { topics, whose }))
}

async fn known_by(catalog: &Catalog) -> anyhow::Result<Known> {
    // In memory: where there is none yet, a start makes one up as this does.
    let cluster_id = catalog.cluster(0).await.context("cluster")?.cluster_id;
    Ok(Known { cluster_id, served: catalog.all_log_dirs().await.context("log directories")? })
}

/// The bytes of the store at `path`, if there is one.
pub(super) fn stored(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    read_small(&OsDisk::new(), path, STORE_MAX)
}

/// A store of these bytes.
pub(super) fn opened(bytes: &[u8]) -> anyhow::Result<Catalog> {
    let (disk, path) = (MemoryDisk::new(), Path::new("/").join(FILE_NAME));
    disk.open(&path, OpenMode::Create)?.write_at(0, bytes)?;
    let store = EmbeddedStore::open_on(Arc::new(disk), &path, Arc::new(SystemClock))?;
    Ok(Catalog::new(Arc::new(store)))
}

/// What a store of ours says.
async fn ours(catalog: &Catalog) -> anyhow::Result<Topics> {
    let (topics, _) = catalog.topics().await.context("topics")?;
    let configs = catalog.configs().await.context("settings")?;
    let set = |scope: &ConfigScope| configs.get(scope)?.0.configs.get("log.cleanup.policy");
    let one_has_its_own =
        configs.keys().any(|scope| matches!(scope, ConfigScope::Broker(_)) && set(scope).is_some());
    let default = if one_has_its_own { None } else { set(&ConfigScope::BrokerDefault) };
    let unmade = catalog.unmade_topics().await.context("topics whose logs are to be made")?;
    let unmade: HashSet<_> = unmade.into_iter().map(|topic| topic.topic_id).collect();
    let known = topics.into_iter().map(|(topic, _)| {
        let policy = topic.configs.get("cleanup.policy").or(default);
        let homes = topic.partitions.iter().map(|partition| partition.directory).collect();
        let (compacted, unmade) =
            (policy.map(|policy| is_compacted(policy)), unmade.contains(&topic.topic_id));
        (topic.name, KnownTopic { id: Some(topic.topic_id), compacted, homes, unmade })
    });
    Ok(known.collect())
}

fn is_compacted(policy: &str) -> bool {
    policy.split(',').any(|one| one.trim() == "compact")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_that_were_not_written_since_are_not_read_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = std::fs::File::create(dir.path().join(FILE_NAME)).expect("made");
        let (paths, readings) = ([dir.path().join("t-0")], std::cell::Cell::new(0));
        let again = Again::of(&paths);
        let asked = || {
            again.unless_known(|| {
                readings.set(readings.get() + 1);
                Some(Topics::from([(readings.get().to_string(), KnownTopic::default())]))
            });
            readings.get()
        };
        assert_eq!((asked(), asked()), (1, 2), "it was written a moment ago");
        let ago = |seconds| SystemTime::now() - Duration::from_secs(seconds);
        file.set_modified(ago(100)).expect("set");
        assert_eq!((asked(), asked(), asked()), (3, 3, 3));
        file.set_modified(ago(50)).expect("set");
        assert_eq!((asked(), asked()), (4, 4));
    }
}
