//! Logs that could not be opened, of a directory with which nothing else is wrong: they are opened where they are, and what is
//! served from beside them goes on.

use std::path::Path;

use super::LogDirs;
use crate::dir::partition_dir;
use crate::{FailedLog, LoadReport, LogDir, LogError, PartitionSettings};

impl LogDirs {
    /// How many logs of the directory at `path` could not be opened, if the directory and all its other logs take writes.
    pub fn closed_in(&self, path: &Path) -> usize {
        let takes_writes =
            |dir: &LogDir| dir.offline().is_none() && dir.logs().iter().all(|log| log.offline().is_none());
        self.at(path).filter(|dir| takes_writes(dir)).map_or(0, |dir| dir.unopened().len())
    }

    /// Tries those again, one by one, each by what was known of it at the start. The report has what still cannot be opened.
    pub fn open_closed(
        &self,
        path: &Path,
        settings: &dyn Fn(&str, i32) -> Option<PartitionSettings>,
        now_ms: i64,
    ) -> LoadReport {
        let mut report = LoadReport { clean: true, ..LoadReport::default() };
        let Some(dir) = self.at(path) else { return report };
        for (topic, partition) in dir.unopened() {
            let served = self.topic_id(&topic, partition).is_some();
            let Some(settings) = settings(&topic, partition).filter(|_| !served) else { continue };
            let opened = match self.torn(&topic, partition, settings.topic_id) {
                Some(error) => Err(error),
                None => dir
                    .create_all(&topic, &[partition], &settings, now_ms)
                    .map_err(|error| LogError::of(error, &path.join(partition_dir(&topic, partition)))),
            };
            if let Err(error) = opened {
                report.failed.push(FailedLog { topic, partition, error });
            }
        }
        report
    }
}
