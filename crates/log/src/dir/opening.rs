//! Opening a log that is there, at a start or later: the one way.
//!
//! What its directory says of itself is compared with the metadata, and what is known of the log decides how much of it is
//! checked. An error changes nothing that the next attempt would miss.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use pagewire_disk::checkpoint::PARTITION_METADATA_FILE;
use pagewire_disk::{CheckpointError, Disk, PartitionMetadata};
use uuid::Uuid;

use super::clean::Holes;
use super::evidence::Evidence;
use super::judge::{Judgement, judge};
use super::notice::Notice;
use super::options::PartitionSettings;
use super::table::Entry;
use crate::ahead::Ahead;
use crate::health::Health;
use crate::home::Home;
use crate::producers::budget::ProducerBudget;
use crate::unnoted::Unnoted;
use crate::{Handles, Log, LogError, OpenOptions, RecoveryReport, rewritten};

/// What opening one log needs.
pub(super) struct Opening<'a> {
    pub(super) disk: &'a Arc<dyn Disk>,
    /// The id of the log directory.
    pub(super) directory: Option<Uuid>,
    pub(super) handles: &'a Arc<Handles>,
    pub(super) health: &'a Arc<Health>,
    pub(super) unnoted: &'a Arc<Unnoted>,
    pub(super) producers: &'a Arc<ProducerBudget>,
    pub(super) ahead: &'a Arc<Ahead>,
    pub(super) evidence: &'a Evidence,
    /// Where compaction may have made holes in a log, by its recovery point.
    pub(super) holes: &'a (dyn Fn(&str, i32, Option<i64>) -> Holes + Sync),
    /// Counts the bytes that were checked.
    pub(super) checked: &'a Arc<AtomicU64>,
    pub(super) now_ms: i64,
}

/// What became of a directory.
pub(super) enum Opened {
    Log(Arc<Entry>, Box<RecoveryReport>),
    /// Another topic's, of this id. It has to be [set aside](super::stray).
    Stray(Uuid),
    /// The topic's, and behind its log, which is in another log directory. It has to be set aside, and never opened.
    Behind,
}

/// Writes the topic's id into a partition's directory.
fn name(disk: &dyn Disk, file: &Path, topic_id: Uuid) -> Result<(), LogError> {
    PartitionMetadata { topic_id }.write(disk, file).map_err(LogError::at(file))
}

impl Opening<'_> {
    /// Opens the log in `path`, unless it is another topic's or behind.
    pub(super) fn open(
        &self,
        path: &Path,
        topic: &str,
        partition: i32,
        settings: &PartitionSettings,
        notices: &mut Vec<Notice>,
    ) -> Result<Opened, LogError> {
        let disk = self.disk.as_ref();
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
            Judgement::Stray { found } => return Ok(Opened::Stray(found)),
            _ if settings.is_behind(self.directory) => return Ok(Opened::Behind),
            Judgement::Open => {}
            Judgement::NameAndOpen => {
                name(disk, &file, settings.topic_id)?;
                notices.push(Notice::Named { path: path.to_path_buf(), topic_id: settings.topic_id });
            }
            Judgement::MendAndOpen { found } => {
                name(disk, &file, settings.topic_id)?;
                notices.push(Notice::Misnamed { path: file, found, topic_id: settings.topic_id });
            }
        }
        let (entry, report) = self.recover(path, topic, partition, settings, notices)?;
        Ok(Opened::Log(entry, Box::new(report)))
    }

    /// Opens the log in `path`, which is its topic's.
    pub(super) fn recover(
        &self,
        path: &Path,
        topic: &str,
        partition: i32,
        settings: &PartitionSettings,
        notices: &mut Vec<Notice>,
    ) -> Result<(Arc<Entry>, RecoveryReport), LogError> {
        let Evidence { checkpoints, noted, others_wrote, .. } = self.evidence;
        if *others_wrote {
            // It could not be forgotten with the others.
            rewritten::forget(self.disk.as_ref(), path)?;
        }
        let recovery_point = checkpoints.recovery.get(topic, partition);
        let options = OpenOptions {
            config: settings.log.clone(),
            recovery_point: recovery_point.unwrap_or(0),
            log_start_offset: checkpoints.log_start.get(topic, partition).unwrap_or(0),
            clean: self.evidence.says_closed(topic, partition),
            leader_epoch: settings.leader_epoch,
            now_ms: self.now_ms,
        };
        let Holes { compacted, whole_from } = (self.holes)(topic, partition, recovery_point);
        let home = Home::new(Arc::clone(self.disk), path.to_path_buf(), Arc::clone(self.handles))
            .within(self.health, self.producers, self.ahead)
            .noted_with(self.unnoted)
            .compacted(compacted)
            .whole_since(whole_from)
            .witnessed(checkpoints.know(topic, partition), checkpoints.high_watermark.get(topic, partition))
            .certain_recovery(checkpoints.recovery_is_certain)
            .certain_watermark(checkpoints.watermarks_are_certain)
            .metered(self.checked)
            .certain_start(checkpoints.starts_are_certain)
            .vouched(self.evidence.vouched(topic, partition));
        let (log, report) = Log::open_at(home, topic, partition, options, noted)?;
        let said = report.lost_end.as_ref().map_or(0, |lost| lost.upto);
        let (log_end, known_end) = (log.marks().log_end, checkpoints.known_end(topic, partition).max(said));
        if log_end < known_end {
            notices.push(Notice::Lost { path: path.to_path_buf(), log_end, known_end });
        }
        Ok((Arc::new(Entry::new(Arc::new(log), settings, self.now_ms)), report))
    }
}
