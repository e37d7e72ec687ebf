//! What an import is asked to do.

use std::collections::BTreeMap;
use std::path::PathBuf;

use pagewire_log::LogConfig;

use crate::kraft::Owner;

/// How the bytes of closed segments get to their place. Segments that are still written to are never shared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum How {
    /// Blocks are shared where the file system can (a reflink), else copied.
    #[default]
    Auto,
    /// Copied.
    Copy,
    /// Blocks are shared, or it is an error.
    Reflink,
    /// The same file in both directories.
    Link,
}

/// How much is looked at before it is taken over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Depth {
    /// Every batch: its CRC, and every record in it.
    #[default]
    Deep,
    /// Every batch's header: that offsets rise and nothing lies between batches.
    Headers,
    /// The first header of each segment.
    None,
}

/// An import.
#[derive(Debug, Clone)]
pub struct Options {
    /// Kafka's directories: all that `log.dirs` names, and `metadata.log.dir` where that is another.
    pub from: Vec<PathBuf>,
    /// The new data directory, with the metadata: not there yet, or empty.
    pub to: PathBuf,
    /// More of these, over which partitions are spread.
    pub others: Vec<PathBuf>,
    /// How bytes get to their place.
    pub how: How,
    /// How much is looked at.
    pub verify: Depth,
    /// The topics to take; all if there are none.
    pub topics: Vec<String>,
    /// The topics to leave.
    pub exclude: Vec<String>,
    /// Take what is there of partitions that are not whole here.
    pub allow_missing: bool,
    /// Take what is there of logs that are damaged, up to the damage.
    pub accept_damage: bool,
    /// End the transactions that nobody had ended, in the new directory: as Kafka had decided, else by aborting them.
    pub end_transactions: bool,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Threads that read and copy. At least 1.
    pub threads: usize,
    /// Now.
    pub now_ms: i64,
}

/// What whoever serves the directory knows of settings.
pub trait Settings: Sync {
    /// Why `value` is nothing that `name` of `owner` can be set to; none if it is.
    fn refuse(&self, owner: &Owner, name: &str, value: &str) -> Option<String>;

    /// Why the settings of `owner`, each of which is fine, do not fit together.
    fn refuse_together(&self, owner: &Owner, own: &BTreeMap<String, String>) -> Option<String>;

    /// How the logs of a topic with these settings of its own are kept, under what brokers were set to.
    fn log(&self, own: &BTreeMap<String, String>, above: &Dynamic) -> LogConfig;
}

/// Settings of brokers that were changed while Kafka ran, and come along.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dynamic {
    /// For all brokers.
    pub all_brokers: BTreeMap<String, String>,
    /// For the one that is taken over.
    pub this_broker: BTreeMap<String, String>,
}

/// How far it is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Bytes done.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
    /// The partition's directory that is at work.
    pub what: &'a str,
}
