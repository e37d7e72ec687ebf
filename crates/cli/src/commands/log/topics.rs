//! What the metadata that lies beside logs says of their topics: whether they are compacted, and where their partitions are.
//!
//! Read from a copy in memory, so nothing is locked or changed. Of a broker that is serving the copy may be of no one moment: then
//! it says nothing, like metadata that is damaged or lies elsewhere, and what is missing in a log is a doubt.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use pagewire_disk::{Disk, MemoryDisk, OpenMode, OsDisk, read_small};
use pagewire_log::verify::{KnownTopic, Topics};
use pagewire_metadata::model::ConfigScope;
use pagewire_metadata::{Catalog, EmbeddedStore, FILE_NAME, SystemClock};
use pagewire_takeover::cleanup_policies;

/// A larger store of metadata is left alone.
const STORE_MAX: u64 = 1 << 30;
/// A file's partition, and the log directory of that.
const ABOVE: usize = 3;

/// What is found beside any of `paths` and above it: several log directories have their metadata in one of them.
pub(super) async fn beside(paths: &[PathBuf]) -> Topics {
    let mut topics = Topics::new();
    for dir in paths.iter().flat_map(|path| path.ancestors().take(ABOVE)) {
        match of(dir).await {
            Ok(found) => topics.extend(found),
            Err(error) => {
                tracing::debug!(dir = %dir.display(), ?error, "its metadata says nothing of topics");
            }
        }
    }
    topics
}

/// What the log directory `dir` says, if it has metadata.
async fn of(dir: &Path) -> anyhow::Result<Topics> {
    let kafkas = cleanup_policies(dir)?.into_iter();
    // Where a partition of Kafka's is, its own directories say.
    let known = |policy: Option<String>| KnownTopic {
        compacted: policy.map(|policy| is_compacted(&policy)),
        homes: Vec::new(),
    };
    let mut topics: Topics = kafkas.map(|(name, policy)| (name, known(policy))).collect();
    if let Some(bytes) = read_small(&OsDisk::new(), &dir.join(FILE_NAME), STORE_MAX)? {
        topics.extend(ours(&bytes).await?);
    }
    Ok(topics)
}

/// What a store of these bytes says.
async fn ours(bytes: &[u8]) -> anyhow::Result<Topics> {
    let (disk, path) = (MemoryDisk::new(), Path::new("/").join(FILE_NAME));
    disk.open(&path, OpenMode::Create)?.write_at(0, bytes)?;
    let store = EmbeddedStore::open_on(Arc::new(disk), &path, Arc::new(SystemClock))?;
    let catalog = Catalog::new(Arc::new(store));
    let (topics, _) = catalog.topics().await.context("topics")?;
    let configs = catalog.configs().await.context("settings")?;
    let set = |scope: &ConfigScope| configs.get(scope)?.0.configs.get("log.cleanup.policy");
    let one_has_its_own =
        configs.keys().any(|scope| matches!(scope, ConfigScope::Broker(_)) && set(scope).is_some());
    let default = if one_has_its_own { None } else { set(&ConfigScope::BrokerDefault) };
    let known = topics.into_iter().map(|(topic, _)| {
        let policy = topic.configs.get("cleanup.policy").or(default);
        let homes = topic.partitions.iter().map(|partition| partition.directory).collect();
        (topic.name, KnownTopic { compacted: policy.map(|policy| is_compacted(policy)), homes })
    });
    Ok(known.collect())
}

fn is_compacted(policy: &str) -> bool {
    policy.split(',').any(|one| one.trim() == "compact")
}
