//! Opening a log later than the others of its directory: one that could not be opened when the directory was loaded or was not
//! there then, or that is only being made.

use std::path::Path;
use std::sync::Arc;

use super::LogDir;
use super::errors::CreateError;
use super::evidence::Evidence;
use super::notice::Notice;
use super::opening::{Opened, Opening};
use super::options::PartitionSettings;
use super::table::Entry;
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
        }
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
