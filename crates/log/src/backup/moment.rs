//! A log at one moment: what its copy shall be.

use std::sync::Arc;

use crate::epochs::Epochs;
use crate::log::Log;
use crate::producers::snapshot;
use crate::segment::{End, Segment};

/// Everything that is copied, taken at once. Whoever appends waits meanwhile, so no disk is asked for anything.
pub(super) struct Moment {
    /// Oldest first, and at least one; the last one was active.
    pub(super) segments: Arc<Vec<Arc<Segment>>>,
    /// Where that one ended.
    pub(super) active: End,
    /// Entries in its index of aborted transactions. Transactions are ended under the append lock.
    pub(super) aborted: u32,
    pub(super) log_start: i64,
    /// The offset after the last record that counts: the high watermark.
    pub(super) end: i64,
    /// Cut at that end.
    pub(super) epochs: Epochs,
    /// The producers as of the end, as a snapshot's bytes. `None` where the log goes on behind the end: then the
    /// producers are found by whoever opens the copy.
    pub(super) producers: Option<Vec<u8>>,
}

impl Moment {
    /// `None`: the log has no segment any more.
    pub(super) fn of(log: &Log) -> Option<Self> {
        let writer = log.writer.lock();
        let (segments, marks) = (log.segments.load_full(), log.marks());
        let (active, aborted) = segments.last().map(|active| (active.end(), active.txns.len()))?;
        let end = marks.high_watermark;
        let mut epochs = log.epochs.read().clone();
        epochs.truncate_end(end);
        epochs.truncate_start(marks.log_start);
        let producers =
            (end == marks.log_end).then(|| writer.producers.with(|known| snapshot::encode(known)));
        Some(Self { segments, active, aborted, log_start: marks.log_start, end, epochs, producers })
    }

    /// Leaves out the segments before the one at this place.
    pub(super) fn begin_at(&mut self, first: usize) {
        let Some(kept) = self.segments.get(first..).filter(|_| first > 0) else { return };
        let kept = Arc::new(kept.to_vec());
        self.log_start = kept.first().map_or(self.log_start, |first| self.log_start.max(first.base_offset));
        self.epochs.truncate_start(self.log_start);
        self.segments = kept;
    }

    /// Those that are not written to any more.
    pub(super) fn closed(&self) -> &[Arc<Segment>] {
        self.segments.split_last().map_or(&[], |(_, closed)| closed)
    }
}
