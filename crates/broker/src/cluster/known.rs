//! What the metadata knows of partitions, for whoever loads a log directory.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use pagewire_disk::{Disk, OsDisk};
use pagewire_log::{FutureLog, PartitionSettings};
pub(crate) use pagewire_metadata::model::known_path;
use pagewire_metadata::model::{LogDirsRecord, TopicRecord};
use uuid::Uuid;

use super::Cluster;
use crate::config::BrokerConfig;

/// As many links in a row lead somewhere, as in Linux (`path_resolution(7)`).
const LINKS_MAX: usize = 40;

/// For each topic: how many partitions it has, how their logs are opened, and where something may be behind some of them.
pub(crate) struct Known(HashMap<String, (i32, PartitionSettings, Behind)>);

/// Log directories by partitions.
type Behind = HashMap<i32, Vec<Uuid>>;

impl Known {
    pub(crate) fn of(topics: &[TopicRecord], config: &BrokerConfig) -> Self {
        let settings = |topic: &TopicRecord| {
            let partitions = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
            let behind = (0..).zip(&topic.partitions).filter(|(_, placed)| !placed.behind.is_empty());
            let behind = behind.map(|(index, placed)| (index, placed.behind.clone())).collect();
            (topic.name.clone(), (partitions, Cluster::partition_settings(topic, config), behind))
        };
        Self(topics.iter().map(settings).collect())
    }

    /// How the log of a partition is opened; none if there is no such partition.
    pub(crate) fn settings(&self, topic: &str, partition: i32) -> Option<PartitionSettings> {
        let (_, settings, behind) = self.0.get(topic).filter(|(partitions, ..)| partition < *partitions)?;
        let behind = behind.get(&partition).cloned().unwrap_or_default();
        Some(PartitionSettings { behind, ..settings.clone() })
    }
}

impl Known {
    /// How a log that moves is opened, and in which directory the topic's record has it; none if there is no such partition.
    pub(crate) fn placed(
        &self,
        topics: &[TopicRecord],
        future: &FutureLog,
    ) -> Option<(PartitionSettings, Option<Uuid>)> {
        let settings = self.settings(&future.topic, future.partition)?;
        let record = topics.iter().find(|topic| topic.topic_id == future.topic_id)?;
        let placed = record.partitions.get(usize::try_from(future.partition).ok()?)?;
        (settings.topic_id == future.topic_id).then_some((settings, placed.directory))
    }
}

/// The disk that log directories are on.
pub(crate) fn disk() -> Arc<dyn Disk> {
    Arc::new(OsDisk::with_writeback(pagewire_zcopy::start_writeback))
}

/// The id under which a log directory was served before, by this name or another that leads to the same place. Looks at
/// the file system.
pub(crate) fn known_id(served: &LogDirsRecord, dir: &Path) -> Option<Uuid> {
    served.id_at(&known_path(dir)).or_else(|| {
        let place = resolved(dir, LINKS_MAX);
        let known = served.iter().find(|(path, _)| resolved(Path::new(path), LINKS_MAX) == place);
        known.and_then(|(_, id)| id)
    })
}

/// Where a path leads, also to what is not there at present.
fn resolved(path: &Path, links_left: usize) -> PathBuf {
    if let Ok(place) = path.canonicalize() {
        return place;
    }
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let (Some(above), Some(name)) = (absolute.parent(), absolute.file_name()) else { return absolute };
    match std::fs::read_link(&absolute) {
        Ok(target) if links_left > 0 => resolved(&above.join(target), links_left - 1),
        _ => resolved(above, links_left).join(name),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const ID: Uuid = Uuid::from_u128(1);

    #[test]
    fn a_directory_is_known_however_its_path_is_written() {
        let mut served = LogDirsRecord::default();
        served.serve(&known_path(Path::new("/a/b/")), ID);
        for path in ["/a/b", "/a/b/", "/a//b/.", "/a/./b"] {
            assert_eq!(known_id(&served, Path::new(path)), Some(ID), "{path}");
        }
        assert_eq!(known_id(&served, Path::new("/a/c")), None);
        assert_eq!(known_id(&served, Path::new("/a")), None);
    }

    #[test]
    fn a_name_written_by_an_older_broker_is_understood() {
        let mut served = LogDirsRecord::default();
        served.serve("/nowhere/b/", ID);
        assert_eq!(known_id(&served, Path::new("/nowhere/b")), Some(ID));
    }

    #[test]
    fn a_link_leads_to_the_same_directory_also_when_that_is_gone() {
        let root = tempfile::tempdir().expect("a directory");
        let (mount, link, other) =
            (root.path().join("mount"), root.path().join("link"), root.path().join("other"));
        std::fs::create_dir_all(mount.join("data")).expect("made");
        symlink("mount/data", &link).expect("linked");
        symlink(&link, &other).expect("linked");
        let names = [&mount.join("data"), &link, &other];
        for there in [true, false] {
            if !there {
                std::fs::remove_dir(mount.join("data")).expect("unmounted");
            }
            for served_as in names {
                let mut served = LogDirsRecord::default();
                served.serve(&known_path(served_as), ID);
                for asked in names {
                    assert_eq!(known_id(&served, asked), Some(ID), "{served_as:?} {asked:?} {there}");
                }
            }
        }
    }

    #[test]
    fn links_in_a_circle_lead_nowhere_and_end() {
        let root = tempfile::tempdir().expect("a directory");
        let (one, two) = (root.path().join("one"), root.path().join("two"));
        symlink(&two, &one).and_then(|()| symlink(&one, &two)).expect("linked");
        assert_eq!(known_id(&LogDirsRecord::default(), &one), None);
    }
}
