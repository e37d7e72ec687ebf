//! Copying one log, up to where it ended at the moment that was noted.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::PartitionMetadata;
use pagewire_disk::checkpoint::{EPOCH_CHECKPOINT_FILE, PARTITION_METADATA_FILE};

use super::moment::Moment;
use super::note::NotedLog;
use super::pin::{PinnedActive, look_at_all, pin, pin_active, taken_from_front};
use super::place::Placing;
use super::{ATTEMPTS_MAX, BackupError, CopiedFile, CopiedLog, CopyOptions, PINNED, PINNED_MAX, SegmentOf};
use crate::dir::Entry;
use crate::rewritten::{self, Rewritten};
use crate::segment::{Segment, names};
use crate::txns;
use crate::txns::witness::Witness;

/// Why an attempt came to nothing.
enum Broken {
    /// The log's segments were replaced meanwhile.
    Changed,
    /// It is no longer there.
    Deleted,
    /// There can be no copy.
    Failed(BackupError),
}

impl From<BackupError> for Broken {
    fn from(error: BackupError) -> Self {
        Self::Failed(error)
    }
}

impl NotedLog {
    /// Copies the log, up to its end of the moment, into `to`, which must not exist. `None`, and nothing there: the
    /// partition was deleted. After an error something may be there. Blocks, for as long as the bytes take.
    pub fn copy(mut self, to: &Path, options: &CopyOptions<'_>) -> Result<Option<CopiedLog>, BackupError> {
        let disk = Arc::clone(&self.entry.log.home.disk);
        let placing = Placing { disk: &*disk, to, options };
        let mut last = None;
        for tried in 0..ATTEMPTS_MAX {
            disk.create_dir_all(to).map_err(BackupError::at(to))?;
            let attempted = self.attempt(PINNED_MAX.min(PINNED << tried), &placing);
            if self.entry.log.is_given_up() {
                // Whatever was read, some of it may have been read since.
                return Err(BackupError::Reopened(self.entry.log.dir().to_path_buf()));
            }
            match attempted {
                Ok(log) => {
                    disk.sync_dir(to).map_err(BackupError::at(to))?;
                    return Ok(Some(log));
                }
                Err(Broken::Changed) => {
                    last = None;
                    disk.remove_dir_all(to).map_err(BackupError::at(to))?;
                }
                Err(Broken::Failed(error @ BackupError::Missing(_))) if last.is_none() => {
                    // Somebody may put it back, or take the whole log: looked at once more, before anything is copied.
                    last = Some(error);
                    disk.remove_dir_all(to).map_err(BackupError::at(to))?;
                }
                Err(Broken::Deleted) => {
                    disk.remove_dir_all(to).map_err(BackupError::at(to))?;
                    return Ok(None);
                }
                Err(Broken::Failed(error)) => return Err(error),
            }
        }
        Err(BackupError::Changing(self.entry.log.dir().to_path_buf()))
    }

    /// Has no more than so many closed segments open at a time.
    fn attempt(&mut self, pinned_max: usize, placing: &Placing<'_>) -> Result<CopiedLog, Broken> {
        let Self { entry, moment, .. } = self;
        if !entry.round(|log| moment.renew(log)).ok_or(Broken::Deleted)? {
            return Err(Broken::Changed);
        }
        entry.round(|log| look_at_all(log, &moment.segments)).transpose()?;
        let active = match entry.round(|log| pin_active(log, moment)).transpose()? {
            None => return Err(Broken::Deleted),
            Some(PinnedActive::Changed) => return Err(Broken::Changed),
            Some(PinnedActive::Taken) => None,
            Some(PinnedActive::Open(active)) => Some(active),
        };
        let Closed { first, mut logs, mut beside, .. } = closed(entry, moment, pinned_max, placing)?;
        moment.begin_at(&entry.log, first);
        match moment.segments.last().zip(active) {
            Some((segment, active)) => {
                logs.push(told(segment, placing.active(segment, &active.log, moment.end)?));
                if let Some(aborted) = &active.aborted {
                    let name = names::file(segment.base_offset, names::TXN_INDEX);
                    beside.push(placing.written(name, aborted)?);
                }
            }
            // A log without a record, which goes on at its end.
            None => logs.push(placing.written(names::file(moment.end, names::LOG), &[])?),
        }
        small_files(entry, moment, placing, &mut beside)?;
        logs.append(&mut beside);
        let first_base = moment.segments.first().map_or(moment.end, |first| first.base_offset);
        Ok(CopiedLog { log_start: moment.log_start, first_base, end: moment.end, files: logs })
    }
}

/// Copies the closed segments, but for those at the front that retention takes before they are opened.
fn closed(
    entry: &Entry,
    moment: &Moment,
    pinned_max: usize,
    placing: &Placing<'_>,
) -> Result<Closed, Broken> {
    let (mut files, all) = (Closed::default(), moment.closed().len());
    while files.next < all {
        let count = pinned_max.min(all - files.next);
        let pinned = entry.round(|log| pin(log, &moment.segments, files.next, count)).transpose()?;
        let Some(pinned) = pinned.ok_or(Broken::Deleted)? else {
            let gone = entry.round(|log| taken_from_front(log, &moment.segments)).flatten();
            let gone = gone.filter(|gone| *gone > files.next).ok_or(Broken::Changed)?;
            files.begin_at(gone, placing)?;
            continue;
        };
        for one in &pinned {
            let (topic_id, partition) = (entry.topic_id, entry.log.partition());
            let of = SegmentOf { topic_id, partition, base_offset: one.base_offset };
            files.logs.push(told(&one.segment, placing.closed(one, of)?));
            for file in &one.beside {
                files.beside.push(placing.beside(file)?);
            }
        }
        files.next += pinned.len();
    }
    Ok(files)
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

/// What the backup found damaged is known to readers from now on.
fn told(segment: &Segment, copied: CopiedFile) -> CopiedFile {
    for stretch in &copied.damage {
        segment.tell_damage(*stretch);
    }
    copied
}

/// What is written anew, as of the moment.
pub(super) fn small_files(
    entry: &Entry,
    moment: &Moment,
    placing: &Placing<'_>,
    files: &mut Vec<CopiedFile>,
) -> Result<(), BackupError> {
    if let Some(aborted) = Witness::of(moment.closed().iter().map(|one| &**one)).bytes() {
        files.push(placing.written(txns::witness::FILE.to_owned(), &aborted)?);
    }
    if let Some(undecided) = entry.log.undecided.bytes() {
        files.push(placing.written(txns::undecided::FILE.to_owned(), &undecided)?);
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
