//! Logs that could not be opened or were not there, of a directory with which nothing else is wrong: they are opened where they
//! are, and what is served from beside them goes on. None is made.

use std::path::Path;
use std::sync::Arc;

use super::LogDirs;
use crate::dir::partition_dir;
use crate::scrub::Noted;
use crate::{FailedLog, LoadReport, LoadedLog, LogDir, LogError, PartitionSettings};

impl LogDirs {
    /// How many logs of the directory at `path` could not be opened, copies that are to be logs included, if the directory and
    /// all its other logs take writes.
    pub fn closed_in(&self, path: &Path) -> usize {
        let takes_writes =
            |dir: &LogDir| dir.offline().is_none() && dir.logs().iter().all(|log| log.offline().is_none());
        let closed = |dir: Arc<LogDir>| dir.unopened().len() + dir.copies_to_open().len();
        self.at(path).filter(|dir| takes_writes(dir)).map_or(0, closed)
    }

    /// Tries those again, and those that are gone, one by one, each by what was known of it at the start. The report has what was
    /// opened, and what is there and still cannot be.
    ///
    /// Topics come and go meanwhile: whoever orders that has to look afterwards whether one that was opened still has a topic.
    pub fn reopen(
        &self,
        path: &Path,
        settings: &dyn Fn(&str, i32) -> Option<PartitionSettings>,
        now_ms: i64,
    ) -> LoadReport {
        let mut report = LoadReport { clean: true, ..LoadReport::default() };
        let Some(dir) = self.at(path) else { return report };
        for copy in dir.copies_to_open() {
            let (topic, partition) = (copy.topic.clone(), copy.partition);
            let served = self.topic_id(&topic, partition).is_some();
            let known = settings(&topic, partition).filter(|known| known.topic_id == copy.topic_id);
            let Some(settings) = known.filter(|_| !served) else { continue };
            match dir.adopt(&copy, &Noted::default(), &settings, now_ms) {
                Ok(opened) => report.loaded.extend(opened),
                Err(error) => {
                    let error = LogError::of(error, &dir.path().join(partition_dir(&topic, partition)));
                    report.failed.push(FailedLog { topic, partition, error });
                }
            }
        }
        for (topic, partition) in dir.unopened().into_iter().chain(dir.gone_names()) {
            let served = self.topic_id(&topic, partition).is_some();
            // What is behind is set aside, wherever its log is.
            let is_due = |known: &PartitionSettings| !served || known.is_behind(dir.directory_id());
            let Some(settings) = settings(&topic, partition).filter(is_due) else { continue };
            match self.reopen_one(&dir, &topic, partition, &settings, now_ms) {
                Ok(opened) => report.loaded.extend(opened),
                // It waits as before.
                Err(LogError::Gone { .. }) => {}
                Err(error) => report.failed.push(FailedLog { topic, partition, error }),
            }
        }
        report
    }

    fn reopen_one(
        &self,
        dir: &LogDir,
        topic: &str,
        partition: i32,
        settings: &PartitionSettings,
        now_ms: i64,
    ) -> Result<Option<LoadedLog>, LogError> {
        if let Some(error) = self.torn(topic, partition, settings.topic_id) {
            return Err(error);
        }
        let opened = dir.open_again(topic, partition, settings, now_ms);
        opened.map_err(|error| LogError::of(error, &dir.path().join(partition_dir(topic, partition))))
    }
}
