//! Loading a directory: what is there, what of it is ours, and all of that opened in parallel.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pagewire_disk::checkpoint::{CLEANER_FILE, PARTITION_METADATA_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{CheckpointError, CleanMark, DamageCheckpoint, OffsetCheckpoint, PartitionMetadata};
use parking_lot::{Mutex, RwLock};

use super::checkpoints::Checkpoints;
use super::clean::{Cleaning, CleaningCell};
use super::delete::Doomed;
use super::errors::LogDirError;
use super::gone;
use super::judge::{Judgement, judge};
use super::locked::LockedDir;
use super::names::{DirName, partition_dir};
use super::notice::Notice;
use super::options::{LogDirOptions, PartitionSettings};
use super::stray::set_aside;
use super::sums::Sums;
use super::table::{Entry, Table};
use super::{LogDir, parallel, vouched};
use crate::health::Health;
use crate::home::Home;
use crate::producer_budget::ProducerBudget;
use crate::recovery;
use crate::rewritten;
use crate::scrub;
use crate::{Log, LogError, OpenOptions, RecoveryReport};

/// Every ext file system has this in its root.
pub(crate) const NOBODYS: &str = "lost+found";

/// Idempotent producers that all logs of a directory remember together: a quarter of a gigabyte of them.
const PRODUCERS_MAX: usize = 1 << 20;

/// How far loading has come. Said after each partition's directory.
#[derive(Debug)]
pub struct Progress<'a> {
    /// Directories done, this one included.
    pub done: usize,
    /// Directories found.
    pub total: usize,
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// What opening it found; `None` if it was not opened.
    pub report: Option<&'a RecoveryReport>,
}

/// What loading found.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// The last stop was clean.
    pub clean: bool,
    /// Logs opened, sorted by directory name.
    pub loaded: Vec<LoadedLog>,
    /// Logs that could not be opened, and those that had records and are gone. Their directories were not changed; they can
    /// be made again by [`LogDir::create`] once the cause is gone.
    pub failed: Vec<FailedLog>,
    /// Everything else worth telling.
    pub notices: Vec<Notice>,
}

/// A log that was opened.
#[derive(Debug)]
pub struct LoadedLog {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// What recovery did.
    pub report: RecoveryReport,
}

/// A log that was not.
#[derive(Debug)]
pub struct FailedLog {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// Why.
    pub error: LogError,
}

/// A directory named like a partition's.
struct Found {
    path: PathBuf,
    topic: String,
    partition: i32,
}

/// What became of it.
enum Outcome {
    Opened(Arc<Entry>, RecoveryReport),
    Failed(LogError),
    /// Nobody knows its topic.
    Left,
    /// Renamed: the root must be synced.
    SetAside,
}

impl Outcome {
    fn report(&self) -> Option<&RecoveryReport> {
        if let Self::Opened(_, report) = self { Some(report) } else { None }
    }
}

impl LockedDir {
    /// Opens every partition the owner knows. See [`LogDir::open`].
    ///
    /// Fails only before anything is opened; a log that cannot be opened is in the report.
    pub fn load(
        mut self,
        options: &LogDirOptions,
        settings: &(dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<(LogDir, LoadReport), LogDirError> {
        self.check(options)?;
        let mut report = LoadReport::default();
        let (disk, path) = (Arc::clone(&self.disk), self.path.clone());
        let kafka_was_here = CleanMark::is_anothers(disk.as_ref(), &path).map_err(LogDirError::at(&path))?;
        let mut sums = Sums::read(disk.as_ref(), &path, kafka_was_here, &mut report.notices)?;
        let (checkpoints, written) = Checkpoints::read(disk.as_ref(), &path, &mut sums, &mut report.notices)?;
        let mut cleaning = Cleaning::read(disk.as_ref(), &path, &mut sums, &mut report.notices)?;
        let vouched = vouched::read(disk.as_ref(), &path, &mut report.notices)?;
        let noted = scrub::read_notes(disk.as_ref(), &path);
        if sums.others_wrote() {
            rewritten::forget_all(disk.as_ref(), &path).map_err(LogDirError::at(&path))?;
        }
        report.clean = CleanMark::take(disk.as_ref(), &path).map_err(LogDirError::at(&path))?;
        let meta = self.settle(options, &mut report.notices)?;
        let (found, doomed) = self.scan(options.now_ms, &mut report.notices)?;

        if found.is_empty() {
            // From now on they are missing only where they were lost.
            for (file, missing) in
                [(RECOVERY_POINT_FILE, !checkpoints.legible), (CLEANER_FILE, cleaning.is_lost())]
            {
                if missing {
                    let path = path.join(file);
                    OffsetCheckpoint::new().write(disk.as_ref(), &path).map_err(LogDirError::at(&path))?;
                }
            }
        } else if cleaning.is_lost() {
            cleaning.doubt(found.iter().map(|found| (found.topic.as_str(), found.partition)));
        }
        let total = found.len();
        let meter = Arc::clone(self.meter());
        let estimates = self.estimate(&found, &checkpoints, report.clean, options.threads);
        meter.begin(total, estimates.iter().sum());
        let (health, producers) = (Arc::default(), ProducerBudget::new(PRODUCERS_MAX));
        let one = One {
            dir: &self,
            options,
            checkpoints: &checkpoints,
            cleaning: &cleaning,
            vouched: vouched.as_ref(),
            noted: &noted,
            clean: report.clean,
            settings,
            health: &health,
            producers: &producers,
        };
        let done = AtomicUsize::new(0);
        let ahead: Vec<(&Found, u64)> = found.iter().zip(estimates).collect();
        let outcomes = parallel::map(&ahead, options.threads, |(found, estimated)| {
            let mut notices = Vec::new();
            let outcome = one.load(found, &mut notices);
            meter.done(*estimated, outcome.report());
            progress(Progress {
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                total,
                topic: &found.topic,
                partition: found.partition,
                report: outcome.report(),
            });
            (outcome, notices)
        });

        let names: HashSet<_> = found.iter().map(|found| (found.topic.as_str(), found.partition)).collect();
        let gone = gone::find(&checkpoints, &names, settings);
        let (mut table, mut carried, mut set_aside) = (Table::default(), Checkpoints::default(), false);
        for (topic, partition) in &gone {
            carried.carry_gone(&checkpoints, topic, *partition, report.clean);
            let error = LogError::Gone { path: path.join(partition_dir(topic, *partition)) };
            report.failed.push(FailedLog { topic: topic.clone(), partition: *partition, error });
        }
        for (found, (outcome, notices)) in found.into_iter().zip(outcomes) {
            let Found { topic, partition, .. } = found;
            report.notices.extend(notices);
            match outcome {
                Outcome::Opened(entry, recovery) => {
                    table.insert(&topic, partition, entry);
                    report.loaded.push(LoadedLog { topic, partition, report: recovery });
                }
                Outcome::Failed(error) => {
                    carried.carry(&checkpoints, &topic, partition, false);
                    report.failed.push(FailedLog { topic, partition, error });
                }
                Outcome::Left => carried.carry(&checkpoints, &topic, partition, report.clean),
                Outcome::SetAside => set_aside = true,
            }
        }
        // A process that was killed may have made directories without making their names durable.
        if set_aside || !report.clean {
            disk.sync_dir(&path).map_err(LogDirError::at(&path))?;
        }
        let dir = LogDir {
            disk,
            path,
            meta,
            handles: Arc::clone(&options.handles),
            producers,
            threads: options.threads,
            lock: Mutex::new(Some(self.lock)),
            table: RwLock::new(table),
            changing: Mutex::new(()),
            doomed: Mutex::new(doomed),
            carried: Mutex::new(carried),
            gone: Mutex::new(gone),
            written: Mutex::new(written),
            sums: Mutex::new(sums),
            cleaning: CleaningCell::new(cleaning),
            scrubbing: Mutex::default(),
            health,
            given_up: AtomicBool::default(),
            behind: AtomicBool::default(),
        };
        dir.end_cleaning();
        dir.name_compacted();
        Ok((dir, report))
    }

    /// Bytes that will have to be checked, for each log that was found. One that cannot be looked at now has none.
    fn estimate(&self, found: &[Found], checkpoints: &Checkpoints, clean: bool, threads: usize) -> Vec<u64> {
        parallel::map(found, threads, |Found { path, topic, partition }| {
            if clean && checkpoints.name_as_closed(topic, *partition) {
                return 0;
            }
            let recovery_point = checkpoints.recovery.get(topic, *partition);
            recovery::bytes_past(&*self.disk, path, recovery_point.unwrap_or(0)).unwrap_or(0)
        })
    }

    /// Sorts the names in the directory.
    fn scan(&self, now_ms: i64, notices: &mut Vec<Notice>) -> Result<(Vec<Found>, Vec<Doomed>), LogDirError> {
        let (mut found, mut doomed) = (Vec::new(), Vec::new());
        for entry in self.disk.read_dir(&self.path).map_err(LogDirError::at(&self.path))? {
            if !entry.is_dir || entry.name == NOBODYS {
                continue;
            }
            let path = self.path.join(&entry.name);
            match DirName::parse(&entry.name) {
                DirName::Partition { topic, partition } => {
                    found.push(Found { path, topic: topic.to_owned(), partition });
                }
                DirName::Delete => {
                    notices.push(Notice::Leftover { path: path.clone() });
                    doomed.push(Doomed { path, due_ms: now_ms });
                }
                DirName::Future | DirName::Stray => notices.push(Notice::SetAside { path }),
                DirName::Other => notices.push(Notice::Unknown { path }),
            }
        }
        Ok((found, doomed))
    }
}

/// What loading one partition needs.
struct One<'a> {
    dir: &'a LockedDir,
    options: &'a LogDirOptions,
    checkpoints: &'a Checkpoints,
    cleaning: &'a Cleaning,
    vouched: Option<&'a OffsetCheckpoint>,
    /// Where logs were found damaged before.
    noted: &'a DamageCheckpoint,
    clean: bool,
    settings: &'a (dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
    health: &'a Arc<Health>,
    producers: &'a Arc<ProducerBudget>,
}

impl One<'_> {
    fn load(&self, found: &Found, notices: &mut Vec<Notice>) -> Outcome {
        self.try_load(found, notices).unwrap_or_else(Outcome::Failed)
    }

    fn try_load(&self, found: &Found, notices: &mut Vec<Notice>) -> Result<Outcome, LogError> {
        let Found { path, topic, partition } = found;
        let Some(settings) = (self.settings)(topic, *partition) else {
            notices.push(Notice::UnknownTopic { path: path.clone() });
            return Ok(Outcome::Left);
        };
        let disk = self.dir.disk.as_ref();
        let file = path.join(PARTITION_METADATA_FILE);
        let named = match PartitionMetadata::read(disk, &file) {
            Ok(metadata) => metadata.map(|metadata| metadata.topic_id),
            Err(CheckpointError::Io { path, error }) => return Err(LogError::Io { path, error }),
            Err(damage) => {
                notices.push(Notice::Damaged(damage));
                None
            }
        };
        match judge(named, settings.topic_id) {
            Judgement::Open => {}
            Judgement::NameAndOpen => {
                let metadata = PartitionMetadata { topic_id: settings.topic_id };
                metadata.write(disk, &file).map_err(LogError::at(&file))?;
                notices.push(Notice::Named { path: path.clone(), topic_id: settings.topic_id });
            }
            Judgement::Stray { found } => {
                let path =
                    set_aside(disk, path, (topic, *partition), Some(found)).map_err(LogError::at(path))?;
                notices.push(Notice::Stray { path, found, expected: settings.topic_id });
                return Ok(Outcome::SetAside);
            }
        }
        self.open(found, &settings, notices)
    }

    fn open(
        &self,
        found: &Found,
        settings: &PartitionSettings,
        notices: &mut Vec<Notice>,
    ) -> Result<Outcome, LogError> {
        let Found { path, topic, partition } = found;
        let recovery_point = self.checkpoints.recovery.get(topic, *partition);
        let options = OpenOptions {
            config: settings.log.clone(),
            recovery_point: recovery_point.unwrap_or(0),
            log_start_offset: self.checkpoints.log_start.get(topic, *partition).unwrap_or(0),
            clean: self.clean && self.checkpoints.name_as_closed(topic, *partition),
            leader_epoch: settings.leader_epoch,
            now_ms: self.options.now_ms,
        };
        let (disk, handles) = (Arc::clone(&self.dir.disk), Arc::clone(&self.options.handles));
        let home = Home::new(disk, path.clone(), handles)
            .within(self.health, self.producers)
            .compacted(self.cleaning.was_cleaned(topic, *partition))
            .whole_since(recovery_point.map(|point| self.cleaning.whole_from(topic, *partition, point)))
            .witnessed(
                self.checkpoints.know(topic, *partition, self.clean),
                self.checkpoints.high_watermark.get(topic, *partition),
            )
            .metered(self.dir.meter().checked())
            .certain_start(self.checkpoints.starts_are_certain)
            .vouched(self.vouched.map(|sums| vouched::of(sums, topic, *partition)));
        let (log, mut report) = Log::open_at(home, topic, *partition, options)?;
        log.look_at(self.noted, &mut report);
        let (log_end, known_end) = (log.marks().log_end, self.checkpoints.known_end(topic, *partition));
        if log_end < known_end {
            notices.push(Notice::Lost { path: path.clone(), log_end, known_end });
        }
        Ok(Outcome::Opened(Arc::new(Entry::new(Arc::new(log), settings, self.options.now_ms)), report))
    }
}
