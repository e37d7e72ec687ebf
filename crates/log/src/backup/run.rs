//! Copying one log of a directory.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::PartitionMetadata;
use pagewire_disk::checkpoint::{EPOCH_CHECKPOINT_FILE, PARTITION_METADATA_FILE};
use uuid::Uuid;

use super::moment::Moment;
use super::pin::{pin, pin_active, taken_from_front};
use super::place::Placing;
use super::{ATTEMPTS_MAX, BackupError, CopiedFile, CopiedLog, CopyOptions, PINNED, PINNED_MAX, SegmentOf};
use crate::dir::{Entry, LogDir};
use crate::rewritten::{self, Rewritten};
use crate::segment::{Segment, names};
use crate::txns;
use crate::txns::witness::Witness;

/// How an attempt ended.
enum Attempt {
    Done(CopiedLog),
    /// Its segments were replaced meanwhile.
    Changed,
    /// It is no longer there.
    Deleted,
}

impl LogDir {
    /// Copies the log of a partition of the topic with this id into `to`, which must not exist. `None`, and nothing
    /// there: the partition was deleted. After an error something may be there. Blocks, for as long as the bytes take.
    pub fn back_up(
        &self,
        (topic, topic_id): (&str, Uuid),
        partition: i32,
        to: &Path,
        options: &CopyOptions<'_>,
    ) -> Result<Option<CopiedLog>, BackupError> {
        let Some(entry) = self.entry(topic, partition).filter(|entry| entry.topic_id == topic_id) else {
            return Ok(None);
        };
        let disk = self.disk().as_ref();
        for tried in 1..=ATTEMPTS_MAX {
            let patience = Patience {
                pinned_max: PINNED_MAX.min(PINNED << (tried - 1)),
                is_last: tried == ATTEMPTS_MAX,
            };
            disk.create_dir_all(to).map_err(BackupError::at(to))?;
            let placing = Placing { disk, to, options };
            match attempt(&entry, partition, patience, &placing)? {
                Attempt::Done(log) => {
                    disk.sync_dir(to).map_err(BackupError::at(to))?;
                    return Ok(Some(log));
                }
                Attempt::Changed => disk.remove_dir_all(to).map_err(BackupError::at(to))?,
                Attempt::Deleted => {
                    disk.remove_dir_all(to).map_err(BackupError::at(to))?;
                    return Ok(None);
                }
            }
        }
        Err(BackupError::Changing(entry.log.dir().to_path_buf()))
    }
}

/// How much an attempt puts up with.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Closed segments open at a time.
    pinned_max: usize,
    /// What retention takes before it was opened is left out, and what was copied before it: the copy begins later.
    is_last: bool,
}

/// The files of the closed segments so far.
#[derive(Default)]
struct Closed {
    /// The first segment in the copy, and the next one to come, by their places in the moment.
    first: usize,
    next: usize,
    logs: Vec<CopiedFile>,
    beside: Vec<CopiedFile>,
}

impl Closed {
    /// Gives up what was copied: the copy begins with the segment at this place.
    fn begin_at(&mut self, first: usize, placing: &Placing<'_>) -> Result<(), BackupError> {
        for file in self.logs.drain(..).chain(self.beside.drain(..)) {
            let path = placing.to.join(file.name);
            placing.disk.remove_file(&path).map_err(BackupError::at(&path))?;
        }
        (self.first, self.next) = (first, first);
        Ok(())
    }
}

fn attempt(
    entry: &Arc<Entry>,
    partition: i32,
    patience: Patience,
    placing: &Placing<'_>,
) -> Result<Attempt, BackupError> {
    let Some(moment) = entry.round(Moment::of) else { return Ok(Attempt::Deleted) };
    let Some(mut moment) = moment else { return Ok(Attempt::Changed) };
    let active = match entry.round(|log| pin_active(log, &moment)).transpose()? {
        None => return Ok(Attempt::Deleted),
        Some(None) => return Ok(Attempt::Changed),
        Some(Some(active)) => active,
    };
    let mut files = Closed::default();
    let all = moment.closed().len();
    while files.next < all {
        let count = patience.pinned_max.min(all - files.next);
        let pinned = entry.round(|log| pin(log, &moment.segments, files.next, count)).transpose()?;
        let Some(pinned) = pinned else { return Ok(Attempt::Deleted) };
        let Some(pinned) = pinned else {
            let gone = entry.round(|log| taken_from_front(log, &moment.segments)).flatten();
            match gone.filter(|gone| patience.is_last && *gone > files.next) {
                Some(gone) => files.begin_at(gone, placing)?,
                None => return Ok(Attempt::Changed),
            }
            continue;
        };
        for one in &pinned {
            let of = SegmentOf { topic_id: entry.topic_id, partition, base_offset: one.base_offset };
            files.logs.push(told(&one.segment, placing.closed(one, of)?));
            for file in &one.beside {
                files.beside.push(placing.beside(file)?);
            }
        }
        files.next += pinned.len();
    }
    moment.begin_at(files.first);
    let Closed { mut logs, mut beside, .. } = files;
    if let Some(segment) = moment.segments.last() {
        logs.push(told(segment, placing.active(segment, &active.log, moment.end)?));
        if let Some(aborted) = &active.aborted {
            let name = names::file(segment.base_offset, names::TXN_INDEX);
            beside.push(placing.written(name, aborted)?);
        }
    }
    small_files(entry, &moment, placing, &mut beside)?;
    logs.append(&mut beside);
    let first_base = moment.segments.first().map_or(moment.end, |first| first.base_offset);
    let Moment { log_start, end, .. } = moment;
    Ok(Attempt::Done(CopiedLog { log_start, first_base, end, files: logs }))
}

/// What the backup found damaged is known to readers from now on.
fn told(segment: &Segment, copied: CopiedFile) -> CopiedFile {
    for stretch in &copied.damage {
        segment.tell_damage(*stretch);
    }
    copied
}

/// What is written anew, as of the moment.
fn small_files(
    entry: &Entry,
    moment: &Moment,
    placing: &Placing<'_>,
    files: &mut Vec<CopiedFile>,
) -> Result<(), BackupError> {
    if let Some(aborted) = Witness::of(moment.closed().iter().map(|one| &**one)).bytes() {
        files.push(placing.written(txns::witness::FILE.to_owned(), &aborted)?);
    }
    let mut lengths = Rewritten::of(moment.closed().iter().map(|one| &**one));
    if let Some(active) = moment.segments.last() {
        lengths = lengths.growing(active);
    }
    if !lengths.is_empty() || entry.log.home.was_compacted() {
        files.push(placing.written(rewritten::FILE.to_owned(), &lengths.bytes())?);
    }
    if let Some(producers) = &moment.producers {
        files.push(placing.written(names::file(moment.end, names::SNAPSHOT), producers)?);
    }
    let epochs = moment.epochs.checkpoint().render();
    files.push(placing.written(EPOCH_CHECKPOINT_FILE.to_owned(), epochs.as_bytes())?);
    let metadata = PartitionMetadata { topic_id: entry.topic_id }.render();
    files.push(placing.written(PARTITION_METADATA_FILE.to_owned(), metadata.as_bytes())?);
    Ok(())
}
