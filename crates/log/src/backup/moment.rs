//! A log at one moment: what its copy shall be.

use std::io;
use std::sync::Arc;

use pagewire_disk::{DiskFile, OpenMode};

use super::BackupError;
use crate::epochs::Epochs;
use crate::log::Log;
use crate::names;
use crate::patience::Patience;
use crate::segment::Segment;
use crate::snapshot;

/// Everything that is copied, taken at once.
pub(super) struct Moment {
    /// Oldest first; the last one was active.
    pub(super) segments: Arc<Vec<Arc<Segment>>>,
    /// The active segment's `.log`, which may be rolled, cleaned or removed from now on.
    pub(super) active: Arc<dyn DiskFile>,
    /// How much of that counts.
    pub(super) active_bytes: u64,
    pub(super) log_start: i64,
    /// The offset after the last record that counts: the high watermark.
    pub(super) end: i64,
    /// Cut at that end.
    pub(super) epochs: Epochs,
    /// The active segment's index of aborted transactions, if it has one.
    pub(super) aborted: Option<Vec<u8>>,
    /// The producers as of the end, as a snapshot's bytes. `None` where the log goes on behind the end: then the
    /// producers are found by whoever opens the copy.
    pub(super) producers: Option<Vec<u8>>,
}

impl Moment {
    pub(super) fn of(log: &Log) -> Result<Self, BackupError> {
        let writer = log.writer.lock();
        let (segments, marks) = (log.segments.load_full(), log.marks());
        let failed = || BackupError::at(&log.home.dir);
        let active = segments.last().ok_or_else(|| failed()(io::Error::other("the log has no segment")))?;
        let end = marks.high_watermark;
        let mut epochs = log.epochs.read().clone();
        epochs.truncate_end(end);
        epochs.truncate_start(marks.log_start);
        Ok(Self {
            aborted: aborted(active).map_err(failed())?,
            active: active.file().map_err(BackupError::at(&active.path()))?,
            active_bytes: bytes_below(active, end).map_err(failed())?,
            log_start: marks.log_start,
            end,
            epochs,
            producers: (end == marks.log_end).then(|| writer.producers.with(|known| snapshot::encode(known))),
            segments: Arc::clone(&segments),
        })
    }

    /// Those that are not written to any more.
    pub(super) fn closed(&self) -> &[Arc<Segment>] {
        self.segments.split_last().map_or(&[], |(_, closed)| closed)
    }
}

/// Transactions are ended under the append lock: the index is of the same moment.
fn aborted(active: &Segment) -> io::Result<Option<Vec<u8>>> {
    let file = match active.open(names::TXN_INDEX, OpenMode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
    file.read_exact_at(0, &mut bytes)?;
    Ok(Some(bytes))
}

/// Bytes of the active segment's batches below `end`.
fn bytes_below(active: &Segment, end: i64) -> io::Result<u64> {
    let all = active.end();
    if end >= all.next_offset {
        return Ok(all.size);
    }
    let found = active.locate(end, Patience::Endless).map_err(io::Error::other)?;
    Ok(found.map_or(all.size, |batch| batch.position))
}
