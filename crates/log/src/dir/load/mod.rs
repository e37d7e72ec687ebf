//! Loading a directory: what is there, what of it is ours, and all of that opened in parallel.
//!
//! ```text
//!   known: its own files ─┐
//!   scan: the names ──────┴─▶ the mark goes ─▶ judge and open each ─▶ sorted: open, failed, left, stray ─▶ LogDir
//! ```
//!
//! Nothing is written before the identity was checked, and nothing of a log before the mark of the last stop is gone.

mod known;
mod report;
mod scan;
mod sorted;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::{Mutex, RwLock};

use known::Known;
pub use report::{FailedLog, LoadReport, LoadedLog, Progress};
use scan::Found;
pub(crate) use scan::{NOBODYS, PROBE_FILE};
use sorted::{Outcome, Sorted};

use super::changing::Changing;
use super::clean::CleaningCell;
use super::errors::LogDirError;
use super::evidence::Evidence;
use super::gone;
use super::locked::LockedDir;
use super::notice::Notice;
use super::opening::{Opened, Opening};
use super::options::{LogDirOptions, SettingsOf};
use super::stray::Stray;
use super::{LogDir, parallel};
use crate::LogError;
use crate::health::Health;
use crate::open::recovery;
use crate::producers::budget::ProducerBudget;

/// Idempotent producers that all logs of a directory remember together: a quarter of a gigabyte of them.
const PRODUCERS_MAX: usize = 1 << 20;

impl LockedDir {
    /// Opens every partition the owner knows. See [`LogDir::open`].
    ///
    /// Fails only before anything is opened; a log that cannot be opened is in the report.
    pub fn load(
        self,
        options: &LogDirOptions,
        settings: &SettingsOf<'_>,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<(LogDir, LoadReport), LogDirError> {
        let meter = Arc::clone(self.meter());
        meter.at_it(|| self.load_all(options, settings, progress))
    }

    fn load_all(
        mut self,
        options: &LogDirOptions,
        settings: &SettingsOf<'_>,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Result<(LogDir, LoadReport), LogDirError> {
        self.check(options)?;
        let mut report = LoadReport::default();
        let (disk, path) = (Arc::clone(&self.disk), self.path.clone());
        let mut known = Known::read(disk.as_ref(), &path, &mut report.notices)?;
        let (found, doomed) = self.scan(options.now_ms, &mut report.notices)?;
        known.take_over(disk.as_ref(), &path, &found, options.threads, &mut report.notices)?;
        report.clean = known.evidence.clean;
        report.unmarked = known.unmarked(disk.as_ref(), &path);
        let meta = self.settle(options, &mut report.notices)?;
        known.make_up_for_lost(disk.as_ref(), &path, &found)?;

        let Known { evidence, cleaning, written, sums, notes_are_lost } = known;
        let (health, unnoted) = (Arc::new(Health::of(&path, &self.home)), Arc::default());
        let (producers, ahead) = (ProducerBudget::new(PRODUCERS_MAX), Arc::default());
        let opening = Opening {
            disk: &disk,
            directory: meta.directory_id,
            handles: &options.handles,
            health: &health,
            unnoted: &unnoted,
            producers: &producers,
            ahead: &ahead,
            evidence: &evidence,
            holes: &|topic, partition, point| cleaning.holes(topic, partition, point),
            checked: self.meter().checked(),
            now_ms: options.now_ms,
        };
        let outcomes = self.open_all(&found, &opening, options.threads, settings, progress);

        let names: HashSet<_> = found.iter().map(Found::name).collect();
        let absent = gone::absent(&evidence.checkpoints, &names, settings);
        let gone = gone::of_absent(&absent);
        let mut sorted = Sorted::default();
        sorted.miss(&absent, &*disk, (path.as_path(), self.home.as_path()), &evidence, &mut report);
        for (found, (outcome, notices)) in found.into_iter().zip(outcomes) {
            report.notices.extend(notices);
            sorted.add(found, outcome, &evidence, &mut report);
        }
        // A process that was killed may have made directories without making their names durable.
        if !report.clean {
            disk.sync_dir(&path).map_err(LogDirError::at(&path))?;
        }
        let Sorted { table, carried, unopened, strays } = sorted;
        let waiting = unopened.names().chain(absent.keys());
        let evidence = evidence.only(waiting, |topic, partition| table.get(topic, partition).is_some());
        let dir = LogDir {
            disk,
            path,
            home: self.home,
            meta,
            handles: Arc::clone(&options.handles),
            producers,
            ahead,
            threads: options.threads,
            lock: Mutex::new(Some(self.lock)),
            table: RwLock::new(table),
            changing: Changing::default(),
            doomed: Mutex::new(doomed),
            carried: Mutex::new(carried),
            evidence,
            unopened: Mutex::new(unopened),
            gone: Mutex::new(gone),
            copies: Mutex::default(),
            written: Mutex::new(written),
            sums: Mutex::new(sums),
            cleaning: CleaningCell::new(cleaning),
            scrubbing: Mutex::default(),
            health,
            unnoted,
            given_up: AtomicBool::default(),
            behind: AtomicBool::default(),
            looked: AtomicUsize::default(),
        };
        dir.write_what_was_found(&strays, notes_are_lost, &mut report)?;
        Ok((dir, report))
    }

    /// What became of each directory that was found, and what is worth telling of it.
    fn open_all(
        &self,
        found: &[Found],
        opening: &Opening<'_>,
        threads: usize,
        settings: &SettingsOf<'_>,
        progress: &(dyn Fn(Progress<'_>) + Sync),
    ) -> Vec<(Outcome, Vec<Notice>)> {
        let estimates = self.estimate(found, opening.evidence, threads);
        let meter = self.meter();
        meter.begin(found.len(), estimates.iter().sum());
        let done = AtomicUsize::new(0);
        let ahead: Vec<(&Found, u64)> = found.iter().zip(estimates).collect();
        let _reading = self.anchor.reading();
        parallel::map(&ahead, threads, |(one, estimated)| {
            let mut notices = Vec::new();
            let mut outcome = opening.load(one, settings, &mut notices);
            if let Err(error) = self.anchor.check() {
                outcome = outcome.doubted(LogError::at(&one.path)(error));
            }
            meter.done(*estimated, outcome.report());
            progress(Progress {
                done: done.fetch_add(1, Ordering::Relaxed) + 1,
                total: found.len(),
                topic: &one.topic,
                partition: one.partition,
                report: outcome.report(),
            });
            (outcome, notices)
        })
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
}

impl Opening<'_> {
    /// Opens one of the directories that were found.
    fn load(&self, found: &Found, settings: &SettingsOf<'_>, notices: &mut Vec<Notice>) -> Outcome {
        let Found { path, topic, partition } = found;
        let Some(settings) = settings(topic, *partition) else {
            notices.push(Notice::UnknownTopic { path: path.clone() });
            return Outcome::Left;
        };
        match self.open(path, topic, *partition, &settings, notices) {
            Ok(Opened::Log(entry, report)) => Outcome::Opened(entry, *report),
            Ok(Opened::Stray(found)) => {
                Outcome::Stray(Stray::new(topic, *partition, found, settings.topic_id))
            }
            Ok(Opened::Behind) => Outcome::Stray(Stray::behind(topic, *partition, settings.topic_id)),
            Err(error) => Outcome::Failed(error, settings.topic_id),
        }
    }
}

impl LogDir {
    /// What loading has to change in a directory that is open now.
    fn write_what_was_found(
        &self,
        strays: &[Stray],
        notes_are_lost: bool,
        report: &mut LoadReport,
    ) -> Result<(), LogDirError> {
        self.set_strays_aside(strays, report).map_err(LogDirError::at(&self.path))?;
        self.name_all();
        self.end_cleaning();
        if notes_are_lost || report.loaded.iter().any(|loaded| !loaded.report.damage.is_empty()) {
            self.note_damage();
            // Where a log goes on behind what it lost, nothing else may tell. Where it cannot be written, it waits for the next
            // checkpoint.
            let _ = self.write_checkpoints();
        }
        Ok(())
    }
}
