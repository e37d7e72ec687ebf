//! A log at one moment: what its copy shall be, and what is left of it later.

use std::sync::Arc;

use crate::epochs::Epochs;
use crate::log::Log;
use crate::producers::snapshot;
use crate::segment::{End, Segment};
use crate::writer::Writer;

/// Everything that is copied, taken at once. Whoever appends waits meanwhile, so no disk is asked for anything.
#[derive(Debug)]
pub(super) struct Moment {
    /// Oldest first; the last one was active. Empty once retention has taken all of it.
    pub(super) segments: Arc<Vec<Arc<Segment>>>,
    /// Where the active one ended.
    pub(super) active: End,
    /// Entries in its index of aborted transactions. Transactions are ended under the append lock.
    pub(super) aborted: u32,
    pub(super) log_start: i64,
    /// What a transaction that was open then does not decide.
    last_stable: i64,
    /// The offset after the last record that counts: the high watermark.
    pub(super) end: i64,
    /// Cut at that end.
    pub(super) epochs: Epochs,
    /// The producers as of the end, as a snapshot's bytes. `None` where the log goes on behind the end: then the
    /// producers are found by whoever opens the copy.
    pub(super) producers: Option<Vec<u8>>,
}

impl Moment {
    /// Of a log whose append lock is held. `None`: it has no segment any more.
    pub(super) fn of(log: &Log, writer: &Writer) -> Option<Self> {
        let (segments, marks) = (log.segments.load_full(), log.marks());
        let (active, aborted) = segments.last().map(|active| (active.end(), active.txns.len()))?;
        let end = marks.high_watermark;
        let mut epochs = log.epochs.read().clone();
        epochs.truncate_end(end);
        epochs.truncate_start(marks.log_start);
        let encoded = || writer.producers.with(|known| snapshot::encode(known));
        let producers = (end == marks.log_end).then(encoded);
        let (log_start, last_stable) = (marks.log_start, marks.last_stable);
        Some(Self { segments, active, aborted, log_start, last_stable, end, epochs, producers })
    }

    /// Nothing at or past this may be cleaned until the copy is made.
    pub(super) fn held_at(&self) -> i64 {
        self.segments.last().map_or(0, |active| active.base_offset).min(self.last_stable)
    }

    /// Takes what compaction and retention have made since of the segments that there were, up to the one that was
    /// active then. `false`: that one is gone and others are there that may be older.
    pub(super) fn renew(&mut self, log: &Log) -> bool {
        let _placing = log.placing.lock();
        let now = log.segments.load_full();
        let Some(active) = self.segments.last() else { return true };
        if let Some(at) = now.iter().position(|one| Arc::ptr_eq(one, active)) {
            let kept = now.iter().take(at + 1).map(Arc::clone).collect();
            self.begin_with(log, kept);
            return true;
        }
        let is_taken = now.first().is_some_and(|first| first.base_offset > active.base_offset);
        if is_taken {
            self.begin_with(log, Vec::new());
        }
        is_taken
    }

    /// Leaves out the segments before the one at this place, which retention has taken.
    pub(super) fn begin_at(&mut self, log: &Log, first: usize) {
        if let Some(kept) = self.segments.get(first..).filter(|_| first > 0) {
            self.begin_with(log, kept.to_vec());
        }
    }

    /// The log start that retention or somebody's wish has moved comes with what is left of the segments.
    fn begin_with(&mut self, log: &Log, kept: Vec<Arc<Segment>>) {
        let first_base = kept.first().map_or(self.end, |first| first.base_offset);
        if self.segments.first().is_some_and(|first| first.base_offset < first_base) {
            self.log_start = log.marks().log_start.max(first_base).min(self.end).max(self.log_start);
            self.epochs.truncate_start(self.log_start);
        }
        self.segments = Arc::new(kept);
    }

    /// Those that are not written to any more.
    pub(super) fn closed(&self) -> &[Arc<Segment>] {
        self.segments.split_last().map_or(&[], |(_, closed)| closed)
    }
}
