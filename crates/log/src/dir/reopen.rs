//! Opening a log later than the others of its directory: one that could not be opened when the directory was loaded or was not
//! there then, or that is only being made.

use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::errors::CreateError;
use super::evidence::Evidence;
use super::notice::Notice;
use super::opening::{Opened, Opening};
use super::options::PartitionSettings;
use super::stray::Stray;
use super::table::Entry;
use super::{LoadReport, LogDir};
use crate::{Damaged, Hole, LogError, RecoveryReport};

impl LogDir {
    /// Opens a log that could not be opened when the directory was loaded, or was not there then, by all that was known of it
    /// then and as a start would. What keeps it closed is its own trouble: the directory goes on. `None` if it is none of these,
    /// or there is nothing of this topic.
    pub(super) fn open_after_all(
        &self,
        topic: &str,
        partition: i32,
        dir: &Path,
        settings: &PartitionSettings,
        now_ms: i64,
    ) -> Result<Option<(Arc<Entry>, RecoveryReport)>, CreateError> {
        if !self.is_awaited(topic, partition, settings.topic_id) {
            return Ok(None);
        }
        if !self.disk.exists(dir).map_err(CreateError::at(dir))? {
            self.lose(topic, partition);
            return Ok(None);
        }
        let opened = self.opening(&self.evidence, now_ms, |opening, notices| {
            opening.open(dir, topic, partition, settings, notices)
        })?;
        match opened {
            // It waits until it is served: what was known of it is known to the next attempt, whatever comes between.
            Opened::Log(entry, report) => Ok(Some((entry, *report))),
            Opened::Stray(_) => {
                self.unopened.lock().remove(topic, partition);
                Ok(None)
            }
            Opened::Behind => Err(self.set_behind_aside(topic, partition, settings.topic_id)),
        }
    }

    /// Sets aside what is behind. There is nothing of the partition here then, which is the error; until it can be renamed, it
    /// waits as before.
    fn set_behind_aside(&self, topic: &str, partition: i32, topic_id: Uuid) -> CreateError {
        let mut report = LoadReport::default();
        if let Err(error) = self.set_strays_aside(&[Stray::behind(topic, partition, topic_id)], &mut report) {
            return CreateError::at(&self.path)(error);
        }
        if let Some(failed) = report.failed.pop() {
            return failed.error.into();
        }
        report.notices.iter().for_each(|notice| tracing::warn!("{notice}"));
        self.unopened.lock().remove(topic, partition);
        self.no_longer_gone(topic, partition);
        self.gone_error(topic, partition).into()
    }

    /// Does something with what opens logs by `evidence`; says what people should know of it.
    pub(super) fn opening<R>(
        &self,
        evidence: &Evidence,
        now_ms: i64,
        work: impl FnOnce(&Opening<'_>, &mut Vec<Notice>) -> Result<R, LogError>,
    ) -> Result<R, LogError> {
        let opening = Opening {
            disk: &self.disk,
            directory: self.directory_id(),
            handles: &self.handles,
            health: &self.health,
            unnoted: &self.unnoted,
            producers: &self.producers,
            ahead: &self.ahead,
            evidence,
            holes: &|topic, partition, point| self.cleaning.lock().holes(topic, partition, point),
            checked: &Arc::default(),
            now_ms,
        };
        let mut notices = Vec::new();
        let done = work(&opening, &mut notices);
        for notice in notices {
            tracing::warn!("{notice}");
        }
        done
    }
}

/// What opening a log found that people should know.
pub(super) fn tell(report: &RecoveryReport) {
    for cut in &report.cuts {
        tracing::warn!("{cut}");
    }
    for hole in Hole::told(&report.holes) {
        tracing::error!("{hole}");
    }
    for damage in Damaged::summed(&report.damage) {
        tracing::error!("{damage}: reads of them are refused, what lies around them is served");
    }
}
