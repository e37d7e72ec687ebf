//! Partitions in log directories that the metadata knows and `log.dirs` does not name: most likely it was forgotten.

use std::collections::BTreeMap;
use std::fmt;

use pagewire_disk::checkpoint::format_id;
use pagewire_log::LogDirs;
use pagewire_metadata::model::{LogDirsRecord, TopicRecord, known_path};
use uuid::Uuid;

use crate::plural::counted_are;

/// A log directory that is missed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unnamed {
    directory: Uuid,
    /// Where it was served, if that is known: the path it had last may be any of these.
    paths: Vec<String>,
    partitions: usize,
    /// One of them.
    first: (String, usize),
}

/// Those with partitions of `topics` in them, which are in no directory that is here.
pub(super) fn among(topics: &[TopicRecord], served: &LogDirsRecord, log_dirs: &LogDirs) -> Vec<Unnamed> {
    let away: Vec<String> = log_dirs.away().iter().map(|(path, _)| known_path(path)).collect();
    let is_named = |id: Uuid| {
        log_dirs.here().any(|dir| dir.directory_id() == Some(id))
            || served.paths_of(id).any(|path| away.iter().any(|away| away == path))
    };
    missed(topics, served, is_named)
}

fn missed(topics: &[TopicRecord], served: &LogDirsRecord, is_named: impl Fn(Uuid) -> bool) -> Vec<Unnamed> {
    let mut missed: BTreeMap<Uuid, Unnamed> = BTreeMap::new();
    for topic in topics {
        for (index, placed) in topic.partitions.iter().enumerate() {
            let Some(directory) = placed.directory.filter(|id| !is_named(*id)) else { continue };
            let one = missed.entry(directory).or_insert_with(|| Unnamed {
                directory,
                paths: served.paths_of(directory).map(str::to_owned).collect(),
                partitions: 0,
                first: (topic.name.clone(), index),
            });
            one.partitions += 1;
        }
    }
    missed.into_values().collect()
}

impl fmt::Display for Unnamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (topic, index) = &self.first;
        let what = counted_are(self.partitions as u64, "partition");
        let id = format_id(self.directory);
        match self.paths.join(" or ") {
            path if path.is_empty() => write!(
                f,
                "{what} in the log directory with directory.id={id} in its meta.properties, which log.dirs does not name \
                 ({topic}-{index} first): add it to log.dirs and start again"
            ),
            path => write!(
                f,
                "{what} in the log directory {path}, which was served before and log.dirs does not name ({topic}-{index} \
                 first): add it to log.dirs and start again"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use pagewire_metadata::model::PartitionRecord;

    use super::*;

    const HERE: Uuid = Uuid::from_u128(1);
    const FORGOTTEN: Uuid = Uuid::from_u128(2);

    fn topic(directories: &[Option<Uuid>]) -> TopicRecord {
        let placed = |directory: &Option<Uuid>| PartitionRecord {
            replicas: vec![1],
            ..PartitionRecord::on(1, *directory)
        };
        TopicRecord {
            name: "t".to_owned(),
            topic_id: Uuid::from_u128(9),
            partitions: directories.iter().map(placed).collect(),
            configs: BTreeMap::new(),
            created_ms: 0,
        }
    }

    #[test]
    fn a_log_directory_that_was_forgotten_is_named_with_what_is_in_it() {
        let mut served = LogDirsRecord::default();
        served.serve("/a", HERE);
        served.serve("/b", FORGOTTEN);
        let topics = [topic(&[None, Some(HERE), Some(FORGOTTEN), Some(FORGOTTEN)])];
        let found = missed(&topics, &served, |id| id == HERE);
        let [one] = &found[..] else { panic!("{found:?}") };
        assert_eq!(
            one.to_string(),
            "2 partitions are in the log directory /b, which was served before and log.dirs does not name (t-2 first): add \
             it to log.dirs and start again"
        );
        let unknown = missed(&topics, &LogDirsRecord::default(), |id| id == HERE);
        assert!(unknown[0].to_string().contains("directory.id=AAAAAAAAAAAAAAAAAAAAAg"), "{}", unknown[0]);
        assert!(missed(&topics, &served, |_| true).is_empty());
    }
}
