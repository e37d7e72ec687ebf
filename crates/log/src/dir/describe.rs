//! What DescribeLogDirs asks.

use std::path::PathBuf;
use std::sync::Arc;

use pagewire_disk::Space;
use uuid::Uuid;

use super::table::Entry;
use super::{Loading, LogDir};
use crate::{Offline, ScrubCounts};

/// A log directory as it is now.
#[derive(Debug, Clone)]
pub struct DirDescription {
    /// The directory.
    pub path: PathBuf,
    /// Nothing of it is served: it could not be read at the start, or whoever tried to open it anew failed.
    pub away: bool,
    /// How far its opening is, while it is being taken in.
    pub opening: Option<Loading>,
    /// Why it takes no writes, if so.
    pub offline: Option<Offline>,
    /// Something did not fit on its disk, and there is no room yet.
    pub full: bool,
    /// Size and free bytes of its file system; `None` if the disk does not say.
    pub space: Option<Space>,
    /// Its logs, sorted by topic and partition.
    pub logs: Vec<LogDescription>,
    /// Logs that are not served from it and should be.
    pub missing: Vec<MissingLog>,
    /// What the scrub did.
    pub scrub: ScrubCounts,
}

/// A log that a directory should have, and that is not served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingLog {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Why, and what to do.
    pub reason: String,
}

/// One log in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDescription {
    /// The topic.
    pub topic: Arc<str>,
    /// Its id.
    pub topic_id: Uuid,
    /// The partition.
    pub partition: i32,
    /// Bytes of its segments' records.
    pub size_bytes: u64,
    /// Stretches of them that are known to be damaged, and are refused to readers.
    pub damaged: usize,
    /// Offsets that readers of committed records do not get, because a transaction is open.
    pub held_back: i64,
    /// Why this log takes no writes although its directory does, if so.
    pub offline: Option<Offline>,
}

impl LogDir {
    /// Sizes of the directory and everything open in it.
    pub fn describe(&self) -> DirDescription {
        DirDescription {
            space: self.disk.space(&self.path).ok(),
            missing: self.missing_logs(),
            scrub: self.scrub_counts(),
            ..self.outline()
        }
    }

    /// The same without what may wait for the disk.
    pub(crate) fn outline(&self) -> DirDescription {
        let is_sick = self.is_sick();
        let describe = |entry: &Arc<Entry>| LogDescription {
            topic: Arc::clone(entry.log.topic()),
            topic_id: entry.topic_id,
            partition: entry.log.partition(),
            size_bytes: entry.log.size_bytes(),
            damaged: entry.log.known_damage(),
            held_back: entry.log.held_back(),
            offline: entry.log.offline_alone().filter(|_| !is_sick),
        };
        DirDescription {
            path: self.path.clone(),
            away: false,
            opening: None,
            offline: self.offline(),
            full: self.is_full(),
            space: None,
            logs: self.entries().iter().map(describe).collect(),
            missing: Vec::new(),
            scrub: ScrubCounts::default(),
        }
    }

    /// Those that are gone, and those that could not be opened.
    fn missing_logs(&self) -> Vec<MissingLog> {
        let gone = self.gone_names().into_iter().map(|(topic, partition)| {
            let reason = self.gone_error(&topic, partition).to_string();
            MissingLog { topic, partition, reason }
        });
        let closed = self.unopened().into_iter().map(|(topic, partition)| {
            let reason =
                format!("it cannot be opened, and the broker's log says why; {} tries again", self.online());
            MissingLog { topic, partition, reason }
        });
        gone.chain(closed).collect()
    }
}
