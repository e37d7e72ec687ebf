//! How Kafka's metadata says that topics are cleaned, for whoever looks at a directory where it lies.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cut::CutKind;
use crate::kraft::{self, MetadataError, Owner};

/// A topic's own setting.
const OF_TOPIC: &str = "cleanup.policy";
/// A broker's, for topics without.
const OF_BROKER: &str = "log.cleanup.policy";

/// The `cleanup.policy` of each topic in the cluster that the log directory `dir` has the metadata of. None for a topic
/// that says nothing, where the metadata says nothing of all brokers either: then a file of properties does. No topics
/// at all: the directory has no metadata.
///
/// # Errors
/// The metadata cannot be read.
pub fn cleanup_policies(dir: &Path) -> Result<BTreeMap<String, Option<String>>, MetadataError> {
    let log = dir.join(kraft::DIR);
    if !log.is_dir() {
        return Ok(BTreeMap::new());
    }
    let kraft::Read { image: kraft::Image { topics, configs, .. }, cut, .. } = kraft::read(&log)?;
    if let Some(cut) = cut.filter(|cut| cut.kind != CutKind::TornTail) {
        return Err(MetadataError::Damaged { path: cut.file, offset: cut.offset, reason: cut.reason });
    }
    let set = |owner: &Owner, name| configs.get(owner).and_then(|own| own.get(name));
    let one_has_its_own =
        configs.iter().any(|(owner, own)| matches!(owner, Owner::Broker(_)) && own.contains_key(OF_BROKER));
    let default = if one_has_its_own { None } else { set(&Owner::Brokers, OF_BROKER) };
    let policy = |name: &String| set(&Owner::Topic(name.clone()), OF_TOPIC).or(default).cloned();
    Ok(topics.keys().map(|name| (name.clone(), policy(name))).collect())
}
