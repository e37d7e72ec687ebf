//! The logs of a directory by what became of them, each in the place where the open directory has it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::Disk;
use uuid::Uuid;

use super::report::{FailedLog, LoadReport, LoadedLog};
use super::scan::Found;
use crate::dir::checkpoints::Checkpoints;
use crate::dir::evidence::{Evidence, Unopened};
use crate::dir::gone;
use crate::dir::names::partition_dir;
use crate::dir::stray::{Stray, stray_of};
use crate::dir::table::{Entry, Table};
use crate::{LogError, RecoveryReport};

/// What became of a directory that was found.
pub(super) enum Outcome {
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
    pub(super) fn doubted(self, error: LogError) -> Self {
        match self {
            Self::Opened(entry, _) => Self::Failed(error, entry.topic_id),
            other => other,
        }
    }

    pub(super) fn report(&self) -> Option<&RecoveryReport> {
        if let Self::Opened(_, report) = self { Some(report) } else { None }
    }
}

/// All of them. What is said of those that are not open is carried, to be written back as it was.
#[derive(Default)]
pub(super) struct Sorted {
    pub(super) table: Table,
    pub(super) carried: Checkpoints,
    pub(super) unopened: Unopened,
    pub(super) strays: Vec<Stray>,
}

impl Sorted {
    /// One that was found.
    pub(super) fn add(&mut self, found: Found, outcome: Outcome, known: &Evidence, report: &mut LoadReport) {
        let Found { topic, partition, .. } = found;
        let (said, clean) = (&known.checkpoints, known.clean);
        match outcome {
            Outcome::Opened(entry, recovery) => {
                self.table.insert(&topic, partition, entry);
                report.loaded.push(LoadedLog { topic, partition, report: recovery });
            }
            Outcome::Failed(error, topic_id) => {
                self.carried.carry(said, &topic, partition, false);
                self.unopened.add(&topic, partition, topic_id);
                report.failed.push(FailedLog { topic, partition, error });
            }
            Outcome::Left => self.carried.carry(said, &topic, partition, clean),
            Outcome::Stray(stray) => self.strays.push(stray),
        }
    }

    /// Those that were not, and should have been in `dir`, of a broker whose first directory is `home`. Of one that had no stable
    /// record this is kept too: its owner may miss it only later, and what is written meanwhile shall not forget that.
    pub(super) fn miss(
        &mut self,
        absent: &BTreeMap<(String, i32), i64>,
        disk: &dyn Disk,
        (dir, home): (&Path, &Path),
        known: &Evidence,
        report: &mut LoadReport,
    ) {
        for (topic, partition) in absent.keys() {
            self.carried.carry_gone(&known.checkpoints, topic, *partition, known.clean);
        }
        let gone = gone::of_absent(absent);
        let entries = if gone.is_empty() { Vec::new() } else { disk.read_dir(dir).unwrap_or_default() };
        for (topic, partition) in gone.keys() {
            let path = dir.join(partition_dir(topic, *partition));
            // What a start sets aside the checkpoints forget: this was renamed by somebody.
            let stray = stray_of(dir, entries.iter().map(|entry| entry.name.as_str()), (topic, *partition));
            let error = LogError::Gone { path, home: home.to_path_buf(), stray };
            report.failed.push(FailedLog { topic: topic.clone(), partition: *partition, error });
        }
    }
}
