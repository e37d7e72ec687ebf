//! A log at one moment: what its copy shall be.

use std::io;
use std::sync::Arc;

use pagewire_disk::{DiskFile, OpenMode};

use super::BackupError;
use crate::epochs::Epochs;
use crate::errors::ReadError;
use crate::log::Log;
use crate::marks::Marks;
use crate::names;
use crate::patience::Patience;
use crate::segment::{End, Segment};
use crate::snapshot;
use crate::txn_index::ENTRY_LEN;

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

/// Retention and compaction may take what was the active segment while it is looked at. Then there is another moment.
const LOOKS_MAX: usize = 8;

/// What is of one moment because the append lock was held: memory alone.
struct Held {
    segments: Arc<Vec<Arc<Segment>>>,
    active: Arc<Segment>,
    /// Where that ended.
    active_end: End,
    marks: Marks,
    epochs: Epochs,
    /// Transactions in the active segment's index of aborted ones.
    aborted: u32,
    producers: Option<Vec<u8>>,
}

impl Moment {
    pub(super) fn of(log: &Log) -> Result<Self, BackupError> {
        let mut looks = 0;
        loop {
            looks += 1;
            let held = Held::of(log)?;
            let path = held.active.path();
            match held.looked_at() {
                Err(error) if error.kind() == io::ErrorKind::NotFound && looks < LOOKS_MAX => {}
                looked => return looked.map_err(BackupError::at(&path)),
            }
        }
    }

    /// Those that are not written to any more.
    pub(super) fn closed(&self) -> &[Arc<Segment>] {
        self.segments.split_last().map_or(&[], |(_, closed)| closed)
    }
}

impl Held {
    fn of(log: &Log) -> Result<Self, BackupError> {
        let writer = log.writer.lock();
        let (segments, marks) = (log.segments.load_full(), log.marks());
        let none = || io::Error::other("the log has no segment");
        let active = segments.last().map(Arc::clone);
        let active = active.ok_or_else(none).map_err(BackupError::at(&log.home.dir))?;
        let mut epochs = log.epochs.read().clone();
        epochs.truncate_end(marks.high_watermark);
        epochs.truncate_start(marks.log_start);
        // What lies behind the high watermark is not copied, and its producers are not known apart.
        let whole = marks.high_watermark == marks.log_end;
        let producers = whole.then(|| writer.producers.with(|known| snapshot::encode(known)));
        let active_end = active.end();
        Ok(Self { aborted: active.txns.len(), active_end, segments, active, marks, epochs, producers })
    }

    /// Nothing that counted at the moment changes afterwards, so the files are looked at without the lock.
    fn looked_at(self) -> io::Result<Moment> {
        let Self { segments, active, active_end, marks, epochs, aborted, producers } = self;
        let end = marks.high_watermark;
        let file = active.file()?;
        Ok(Moment {
            active_bytes: bytes_below(&active, end, active_end)?,
            aborted: aborted_txns(&active, aborted)?,
            active: file,
            log_start: marks.log_start,
            end,
            epochs,
            producers,
            segments,
        })
    }
}
/// The first `count` of the aborted transactions in a segment's index, as they lie in its file.
fn aborted_txns(active: &Segment, count: u32) -> io::Result<Option<Vec<u8>>> {
    if count == 0 {
        return Ok(None);
    }
    let file = active.open(names::TXN_INDEX, OpenMode::Read)?;
    let mut bytes = vec![0; count as usize * ENTRY_LEN];
    file.read_exact_at(0, &mut bytes)?;
    Ok(Some(bytes))
}

/// Bytes of the active segment's batches below `end`.
fn bytes_below(active: &Segment, end: i64, at_most: End) -> io::Result<u64> {
    if end >= at_most.next_offset {
        return Ok(at_most.size);
    }
    let found = match active.locate(end, Patience::Endless) {
        Err(ReadError::Io(error)) => return Err(error),
        found => found.map_err(io::Error::other)?,
    };
    Ok(found.map_or(at_most.size, |batch| batch.position))
}
