//! One log directory with all its logs: what Kafka calls a `log.dir`.
//!
//! ```text
//!   <dir>/.lock  meta.properties  .kafka_cleanshutdown
//!   <dir>/{recovery-point,log-start,replication}-offset-checkpoint  pagewire-vouched-checkpoint
//!   <dir>/<topic>-<partition>/            one log: partition.metadata and its segments
//!   <dir>/<topic>-<partition>.<id>-delete waits for its unlink
//!   <dir>/<topic>-<partition>.<id>-future a copy of a log that another directory serves, which is to be served from here
//!   <dir>/<topic>-<partition>.<id>-stray  another topic's data under a name that is taken: never touched
//!
//!   lock ──▶ LockedDir ──load: scan, judge (pure), open in parallel──▶ LogDir ──close_clean──▶ mark, lock released
//! ```
//!
//! Invariants
//! - A directory whose `partition.metadata` names another topic id is never served under the topic's name.
//! - The clean mark is gone before anything is written, and comes back only after every log was closed and synced.
//!   A log counts as cleanly closed only if the mark is there *and* the recovery checkpoint names it.
//! - After an error of a sick disk the whole directory takes no writes until it is opened again; reads go on. A full disk
//!   or a process out of descriptors is no such thing.
//! - Nothing unknown is deleted, and no partition that had records is made anew because its directory is gone.
//! - The checkpoints forget a partition before its directory loses its name.
//!
//! Every call blocks on the disk except [`LogDir::get`], [`LogDir::logs`] and [`LogDir::offline`]. Time is passed in;
//! the rounds ([`LogDir::retain`], [`LogDir::flush_due`], [`LogDir::close_files`], [`LogDir::unlink_due`],
//! [`LogDir::note_stable`], [`LogDir::write_checkpoints`]) are called by whoever owns the clock.
//!
//! Left to others: which topics exist and under which id (`metadata`), when rounds run (`broker`).

mod changing;
mod checkpoints;
mod claim;
mod clean;
mod close;
mod copies;
mod create;
mod delete;
mod describe;
mod errors;
mod evidence;
mod forget;
mod fresh;
mod future;
mod gone;
mod identity;
mod judge;
mod leave;
mod leftovers;
mod load;
mod locked;
mod making;
mod meter;
mod names;
mod notice;
mod offline;
mod opening;
mod options;
mod parallel;
mod records;
mod reopen;
mod restored;
mod rounds;
mod stray;
mod sums;
mod survey;
mod suspicion;
mod table;
#[cfg(test)]
mod tests;
mod vouched;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use pagewire_disk::{DirLock, Disk, MetaProperties};
use parking_lot::{Mutex, RwLock};
use uuid::Uuid;

pub(crate) use checkpoints::says_closed;
pub(crate) use claim::{Claim, Holder};
pub use clean::{CleaningReport, Dirty, Uncleanable};
pub use close::CloseReport;
pub use describe::{DirDescription, LogDescription, MissingLog};
pub use errors::{CreateError, LogDirError};
pub use future::FutureLog;
pub(crate) use future::is_within;
pub(crate) use identity::is_one_bit_off;
pub use identity::{Contradiction, KnownIdentity};
pub(crate) use leave::Unleft;
pub use load::{FailedLog, LoadReport, LoadedLog, Progress};
pub use locked::LockedDir;
pub(crate) use locked::{identity_of, must_be_bare, must_hold_something};
pub use meter::{LoadMeter, Loading};
pub use names::DirName;
pub(crate) use names::{future_of, partition_dir};
pub use notice::Notice;
pub use options::{LogDirOptions, PartitionSettings, SettingsOf};
pub use restored::{Unmarked, note_restored, note_start_stopped, was_left_in_order};
pub use rounds::{Flushed, RetainedAll};
pub(crate) use stray::stray_in;
pub use sums::{FILE as SUMS_FILE, is_marked_in_order};
pub(crate) use sums::{Read, Sums};
pub use survey::{MEASURED_MAX, Survey, survey};
pub use suspicion::Suspicion;
pub use vouched::FILE as VOUCHED_FILE;
pub(crate) use vouched::of as vouched_for;

pub(crate) use load::{NOBODYS, PROBE_FILE};

use crate::ahead::Ahead;
use crate::health::Health;
use crate::online::online;
use crate::producers::budget::ProducerBudget;
use crate::scrub::Scrubbing;
use crate::unnoted::Unnoted;
use crate::{Handles, Log, OnlineCommand};
use changing::Changing;
use checkpoints::{Checkpoints, Written};
use clean::CleaningCell;
use copies::Copies;
use delete::Doomed;
use evidence::{Evidence, Unopened};
use gone::Gone;
pub(crate) use table::Entry;
use table::Table;

/// One log directory with all its logs. `Send + Sync`; every call takes `&self`.
#[derive(Debug)]
pub struct LogDir {
    pub(crate) disk: Arc<dyn Disk>,
    path: PathBuf,
    /// The first of the broker's directories, by which messages name it.
    home: PathBuf,
    meta: MetaProperties,
    handles: Arc<Handles>,
    producers: Arc<ProducerBudget>,
    /// What its logs have reserved ahead of their writers.
    ahead: Arc<Ahead>,
    threads: usize,
    lock: Mutex<Option<DirLock>>,
    table: RwLock<Table>,
    /// Held while a partition's directory comes or goes.
    changing: Changing,
    doomed: Mutex<Vec<Doomed>>,
    /// Checkpoint entries of directories that were not loaded: they are written back as they were.
    carried: Mutex<Checkpoints>,
    /// Logs that are here and could not be opened.
    unopened: Mutex<Unopened>,
    /// What was known when the directory was loaded of those, and of what was gone.
    evidence: Evidence,
    /// Partitions that had records and have no directory.
    gone: Mutex<Gone>,
    /// Copies of logs that have left their directories and are to be logs here.
    copies: Mutex<Copies>,
    /// What the checkpoint files hold.
    written: Mutex<Written>,
    /// Checksums of the checkpoints.
    sums: Mutex<Sums>,
    /// Which logs are clean up to where, and who is at it.
    cleaning: CleaningCell,
    /// Shared with all its logs: an error of one ends writes in all.
    health: Arc<Health>,
    /// Filled by its logs: those of which the recovery point is to be written soon.
    unnoted: Arc<Unnoted>,
    /// Where the scrub stands.
    pub(crate) scrubbing: Mutex<Scrubbing>,
    /// What is open of it is not to change its files any more: somebody opens it anew.
    given_up: AtomicBool,
    /// A file of its own could not be written, and that was said.
    behind: AtomicBool,
    /// How many of its logs the looks for closed segments have come to.
    looked: AtomicUsize,
}

impl LogDir {
    /// Locks and loads a directory in one step, for callers that know their identity beforehand.
    ///
    /// `settings` answers for each partition found whether it is known, and how it is to be opened; it is called from
    /// several threads. `progress` hears of each log that was opened.
    pub fn open(
        disk: Arc<dyn Disk>,
        path: &Path,
        options: &LogDirOptions,
        settings: &SettingsOf<'_>,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<(Self, LoadReport), LogDirError> {
        LockedDir::lock(disk, path)?.load(options, settings, progress)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The command that opens it again while the broker serves.
    pub fn online(&self) -> OnlineCommand<'_> {
        online(&self.path, &self.home)
    }

    /// Its own id, stable over restarts.
    pub fn directory_id(&self) -> Option<Uuid> {
        self.meta.directory_id
    }

    pub(crate) fn handles(&self) -> &Arc<Handles> {
        &self.handles
    }

    /// What `meta.properties` says.
    pub fn meta(&self) -> &MetaProperties {
        &self.meta
    }

    /// The log of a partition.
    pub fn get(&self, topic: &str, partition: i32) -> Option<Arc<Log>> {
        self.table.read().get(topic, partition).map(|entry| Arc::clone(&entry.log))
    }

    /// The id of the topic a partition's log belongs to.
    pub fn topic_id(&self, topic: &str, partition: i32) -> Option<Uuid> {
        self.table.read().get(topic, partition).map(|entry| entry.topic_id)
    }

    /// Whether any log of a topic is open.
    pub fn has_topic(&self, topic: &str) -> bool {
        self.table.read().of_topic(topic).next().is_some()
    }

    /// All logs, sorted by topic and partition.
    pub fn logs(&self) -> Vec<Arc<Log>> {
        self.table.read().entries().map(|entry| Arc::clone(&entry.log)).collect()
    }

    /// How many those are.
    pub fn log_count(&self) -> usize {
        self.table.read().entries().count()
    }

    /// Logs that are here and could not be opened, by topic and partition.
    pub fn unopened(&self) -> Vec<(String, i32)> {
        self.unopened.lock().names().cloned().collect()
    }

    /// The file system it is on.
    pub fn disk(&self) -> &Arc<dyn Disk> {
        &self.disk
    }

    pub(crate) fn entry(&self, topic: &str, partition: i32) -> Option<Arc<Entry>> {
        self.table.read().get(topic, partition).map(Arc::clone)
    }

    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        self.table.read().entries().map(Arc::clone).collect()
    }

    /// New settings for all partitions of a topic. One that is compacted from now on is named in the checkpoints first.
    pub fn set_settings(&self, topic: &str, settings: &PartitionSettings) {
        let of_topic: Vec<Arc<Entry>> = self.table.read().of_topic(topic).map(Arc::clone).collect();
        if settings.log.cleanup_compact && of_topic.iter().any(|entry| self.is_unnamed(entry)) {
            // Where it cannot be written, it waits for the next checkpoint.
            let _ = self.write_checkpoints();
        }
        if settings.log.cleanup_compact {
            // Where it cannot be written, holes are read over after a restart.
            parallel::map(&of_topic, self.threads, |entry| entry.round(Log::tell_whole));
        }
        for entry in &of_topic {
            entry.set(settings);
        }
    }
}
