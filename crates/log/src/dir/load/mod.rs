//! Loading a directory: what is there, what of it is ours, and all of that opened in parallel.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use pagewire_disk::checkpoint::{CLEAN_MARK_FILE, CLEANER_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{CleanMark, OffsetCheckpoint};
use parking_lot::{Mutex, RwLock};
use uuid::Uuid;

use super::checkpoints::Checkpoints;
use super::clean::{Cleaning, CleaningCell};
use super::delete::Doomed;
use super::errors::LogDirError;
use super::evidence::{Evidence, Unopened};
use super::gone;
use super::locked::LockedDir;
use super::names::{DirName, partition_dir};
use super::notice::Notice;
use super::opening::{Opened, Opening};
use super::options::{LogDirOptions, PartitionSettings};
use super::stray::Stray;
use super::sums::Sums;
use super::table::{Entry, Table};
use super::{LogDir, parallel, vouched};
use crate::open::recovery;
use crate::producers::budget::ProducerBudget;
use crate::scrub::Noted;
use crate::sick::is_full;
use crate::{LogError, RecoveryReport, rewritten};

/// How files begin that are written and removed to see whether a directory can be written.
pub(crate) const PROBE_FILE: &str = ".pagewire-probe-";
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
    /// It is its topic's, of this id, and cannot be opened.
    Failed(LogError, Uuid),
    /// Nobody knows its topic.
    Left,
    /// Another topic's, of this id.
    Stray(Stray),
}

impl Outcome {
    /// What was read was perhaps not read in the directory.
    fn doubted(self, error: LogError) -> Self {
        match self {
            Self::Opened(entry, _) => Self::Failed(error, entry.topic_id),
            other => other,
        }
    }

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
        let mut sums = Sums::read(disk.as_ref(), &path, &mut report.notices)?;
        if sums.lost_mark() {
            report.notices.push(Notice::MarkLost { path: path.join(CLEAN_MARK_FILE) });
        }
        let (checkpoints, written) = Checkpoints::read(disk.as_ref(), &path, &mut sums, &mut report.notices)?;
        let mut cleaning = Cleaning::read(disk.as_ref(), &path, &mut sums, &mut report.notices)?;
        let vouched = vouched::read(disk.as_ref(), &path, &mut report.notices)?;
        let noted = Noted::read(disk.as_ref(), &path);
        let (found, doomed) = self.scan(options.now_ms, &mut report.notices)?;
        if sums.others_wrote() {
            // Before the sums go that tell it.
            self.forget_compaction(&found, options.threads, &mut report.notices);
        }
        sums.settle(disk.as_ref(), &path)?;
        report.clean = CleanMark::take(disk.as_ref(), &path).map_err(LogDirError::at(&path))?;
        let others_wrote = sums.others_wrote();
        let evidence = Evidence { checkpoints, vouched, noted, clean: report.clean, others_wrote };
        let meta = self.settle(options, &mut report.notices)?;

        if found.is_empty() {
            // From now on they are missing only where they were lost.
            let needed =
                [(RECOVERY_POINT_FILE, !evidence.checkpoints.legible), (CLEANER_FILE, cleaning.is_lost())];
            let empty = OffsetCheckpoint::new();
            let missing: Vec<_> =
                needed.iter().filter(|(_, missing)| *missing).map(|(file, _)| (*file, &empty)).collect();
            match sums.write(disk.as_ref(), &path, &missing) {
                // There is no log yet of which they would not speak; whoever makes one needs room as well.
                Err((_, error)) if !is_full(error.kind()) => return Err(LogDirError::at(&path)(error)),
                _ => {}
            }
        } else if cleaning.is_lost() {
            cleaning.doubt(found.iter().map(|found| (found.topic.as_str(), found.partition)));
        }
        let total = found.len();
        let meter = Arc::clone(self.meter());
        let estimates = self.estimate(&found, &evidence, options.threads);
        meter.begin(total, estimates.iter().sum());
        let (health, producers) = (Arc::default(), ProducerBudget::new(PRODUCERS_MAX));
        let holes = |topic: &str, partition, point| cleaning.holes(topic, partition, point);
        let opening = Opening {
            disk: &disk,
            handles: &options.handles,
            health: &health,
            producers: &producers,
            evidence: &evidence,
            holes: &holes,
            checked: meter.checked(),
            now_ms: options.now_ms,
        };
        let done = AtomicUsize::new(0);
        let ahead: Vec<(&Found, u64)> = found.iter().zip(estimates).collect();
        let reading = self.anchor.reading();
        let outcomes = parallel::map(&ahead, options.threads, |(found, estimated)| {
            let mut notices = Vec::new();
            let mut outcome = opening.load(found, settings, &mut notices);
            if let Err(error) = self.anchor.check() {
                outcome = outcome.doubted(LogError::at(&found.path)(error));
            }
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
        drop(reading);

        let names: HashSet<_> = found.iter().map(|found| (found.topic.as_str(), found.partition)).collect();
        let gone = gone::find(&evidence.checkpoints, &names, settings);
        let (mut table, mut carried, mut strays) = (Table::default(), Checkpoints::default(), Vec::new());
        let (mut unopened, mut closed) = (Unopened::default(), Vec::new());
        for (topic, partition) in gone.keys() {
            carried.carry_gone(&evidence.checkpoints, topic, *partition, report.clean);
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
                Outcome::Failed(error, topic_id) => {
                    carried.carry(&evidence.checkpoints, &topic, partition, false);
                    unopened.add(&topic, partition, topic_id);
                    closed.push((topic.clone(), partition));
                    report.failed.push(FailedLog { topic, partition, error });
                }
                Outcome::Left => carried.carry(&evidence.checkpoints, &topic, partition, report.clean),
                Outcome::Stray(stray) => strays.push(stray),
            }
        }
        // A process that was killed may have made directories without making their names durable.
        if !report.clean {
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
            unopened: Mutex::new(unopened),
            evidence: evidence.only(closed.iter()),
            gone: Mutex::new(gone),
            written: Mutex::new(written),
            sums: Mutex::new(sums),
            cleaning: CleaningCell::new(cleaning),
            scrubbing: Mutex::default(),
            health,
            given_up: AtomicBool::default(),
            behind: AtomicBool::default(),
        };
        dir.set_strays_aside(&strays, &mut report).map_err(LogDirError::at(&dir.path))?;
        dir.name_compacted();
        dir.end_cleaning();
        if report.loaded.iter().any(|loaded| !loaded.report.damage.is_empty()) {
            dir.note_damage();
        }
        Ok((dir, report))
    }

    /// Bytes that will have to be checked, for each log that was found. One that cannot be looked at now has none.
    fn estimate(&self, found: &[Found], evidence: &Evidence, threads: usize) -> Vec<u64> {
        parallel::map(found, threads, |Found { path, topic, partition }| {
            if evidence.says_closed(topic, *partition) {
                return 0;
            }
            let recovery_point = evidence.checkpoints.recovery.get(topic, *partition);
            recovery::bytes_past(&*self.disk, path, recovery_point.unwrap_or(0)).unwrap_or(0)
        })
    }

    /// Somebody else may have compacted the logs: what is known of that goes. Where it cannot, that is said by the attempt to
    /// open the log.
    fn forget_compaction(&self, found: &[Found], threads: usize, notices: &mut Vec<Notice>) {
        let forgotten = parallel::map(found, threads, |Found { path, .. }| {
            rewritten::forget(&*self.disk, path).unwrap_or(false).then(|| path.clone())
        });
        let dirs: Vec<PathBuf> = forgotten.into_iter().flatten().collect();
        if !dirs.is_empty() {
            notices.push(Notice::Forgotten { dirs });
        }
    }

    /// Sorts the names in the directory.
    fn scan(&self, now_ms: i64, notices: &mut Vec<Notice>) -> Result<(Vec<Found>, Vec<Doomed>), LogDirError> {
        let (mut found, mut doomed) = (Vec::new(), Vec::new());
        for entry in self.disk.read_dir(&self.path).map_err(LogDirError::at(&self.path))? {
            let path = self.path.join(&entry.name);
            if !entry.is_dir && entry.name.starts_with(PROBE_FILE) {
                // An opening was killed before it removed it. Whether this succeeds changes nothing.
                let _ = self.disk.remove_file(&path);
            }
            if !entry.is_dir || entry.name == NOBODYS {
                continue;
            }
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

impl Opening<'_> {
    /// Opens one of the directories that were found.
    fn load(
        &self,
        found: &Found,
        settings: &(dyn Fn(&str, i32) -> Option<PartitionSettings> + Sync),
        notices: &mut Vec<Notice>,
    ) -> Outcome {
        let Found { path, topic, partition } = found;
        let Some(settings) = settings(topic, *partition) else {
            notices.push(Notice::UnknownTopic { path: path.clone() });
            return Outcome::Left;
        };
        match self.open(path, topic, *partition, &settings, notices) {
            Ok(Opened::Log(entry, report)) => Outcome::Opened(entry, report),
            Ok(Opened::Stray(found)) => Outcome::Stray(Stray {
                topic: topic.clone(),
                partition: *partition,
                found,
                expected: settings.topic_id,
            }),
            Err(error) => Outcome::Failed(error, settings.topic_id),
        }
    }
}
