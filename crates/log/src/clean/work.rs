//! What every step of a clean has at hand: the log as it was when the clean began, its settings, and the word to go on.

use std::io::ErrorKind;
use std::sync::Arc;

use pagewire_disk::DiskFile;

use super::error::CleanError;
use super::group::Piece;
use super::throttle::Throttle;
use crate::config::LogConfig;
use crate::log::Log;
use crate::segment::{End, Segment, names};

/// One clean under way.
pub(super) struct Work<'w> {
    pub(super) log: &'w Log,
    pub(super) config: Arc<LogConfig>,
    pub(super) throttle: &'w Throttle,
    /// All segments, the active one last. Those before the place where the clean stands may be replaced by now.
    pub(super) segments: Arc<Vec<Arc<Segment>>>,
    /// Bytes read or written at once.
    pub(super) chunk: usize,
    pub(super) now_ms: i64,
    /// As it was when the log was looked at, and for good.
    pub(super) log_start: i64,
}

impl Work<'_> {
    /// All but the active one.
    pub(super) fn closed(&self) -> &[Arc<Segment>] {
        self.segments.split_last().map_or(&[], |(_, closed)| closed)
    }

    /// How many of the oldest segments are left alone: they lie below the log start, and retention is about to take
    /// them.
    pub(super) fn skipped(&self) -> usize {
        let log_start = self.log_start;
        self.closed().partition_point(|segment| segment.end().next_offset <= log_start)
    }

    /// The segments after those that begin below `end`.
    pub(super) fn pieces(&self, end: i64) -> Vec<Piece> {
        let closed = self.closed().iter().skip(self.skipped());
        closed.take_while(|segment| segment.base_offset < end).map(|segment| piece(segment)).collect()
    }

    /// Asked between any two batches: the clean may have lost its reason.
    pub(super) fn go_on(&self) -> Result<(), CleanError> {
        if self.throttle.is_stopped() {
            return Err(CleanError::GivenUp("told to stop"));
        }
        if self.log.has_left() {
            return Err(CleanError::GivenUp("the partition was deleted"));
        }
        if !self.log.config.load().cleanup_compact {
            return Err(CleanError::GivenUp("the topic is compacted no more"));
        }
        Ok(self.log.online()?)
    }

    /// The segment's `.log`.
    pub(super) fn file(&self, segment: &Arc<Segment>) -> Result<Arc<dyn DiskFile>, CleanError> {
        segment
            .file()
            .map_err(CleanError::reading(segment.path()))
            .map_err(|error| self.overtaken(segment, error))
    }

    /// What it means that a segment's file is not there: retention may have taken it.
    pub(super) fn overtaken(&self, segment: &Arc<Segment>, error: CleanError) -> CleanError {
        let gone = || !self.log.segments.load().iter().any(|listed| Arc::ptr_eq(listed, segment));
        match error {
            CleanError::Unreadable { error, .. } if error.kind() == ErrorKind::NotFound && gone() => {
                CleanError::GivenUp("retention was faster")
            }
            error => error,
        }
    }

    /// So many bytes were read or written.
    pub(super) fn spend(&self, bytes: u64) {
        self.throttle.spend(bytes);
    }
}

fn piece(segment: &Segment) -> Piece {
    let End { next_offset, size } = segment.end();
    // Of one that is missing, and made anew by the first who needs it, nothing is known.
    let len_of = |suffix| segment.len_of(suffix).unwrap_or(0);
    let (offset_index, time_index) = (len_of(names::INDEX), len_of(names::TIME_INDEX));
    Piece { base_offset: segment.base_offset, next_offset, size, offset_index, time_index }
}
