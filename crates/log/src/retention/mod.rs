//! Forgetting the oldest segments: decided purely (`surplus`), then done by rename, and by unlink after a while (`remove`).
//! What fails is tried again with the next round.
//!
//! Ranges that were handed out keep their file; readers with an older list of segments find the name gone and look
//! again. The log start moves first, so no reader skips a hole without noticing.

pub(crate) mod doomed;
pub(crate) mod remove;
pub(crate) mod surplus;

use std::io;
use std::sync::Arc;

use crate::answers::{Reason, Removed, Retained};
use crate::config::LogConfig;
use crate::errors::AppendError;
use crate::log::Log;
use crate::marks::Marks;
use crate::retention::surplus::{Candidate, Surplus, is_expired, limit, surplus};
use crate::segment::Segment;
use crate::sick::{is_full, is_sick};
use crate::writer::Writer;

impl Log {
    /// Applies `retention.ms`, `retention.bytes` and the log start. Whole segments go, oldest first: renamed to
    /// `.deleted` now, unlinked by [`Log::unlink_due`] later. If even the active one is too old, or nothing is to be kept, it is
    /// closed first.
    ///
    /// An error, of a segment that cannot be looked at or of a rename, is told after everything else was done.
    pub fn apply_retention(&self, now_ms: i64) -> Result<Retained, AppendError> {
        let mut placing = self.placing.lock();
        self.may_shrink()?;
        self.place(&mut placing).map_err(AppendError::Write)?;
        let config = self.config.load_full();
        let segments = self.segments.load_full();
        let marks = self.marks();
        let (going, looked) = going(&segments, &config, &marks, now_ms);
        let mut retained = Retained::default();
        if going.all() > 0 {
            self.make_stable(segments.get(..going.all()).unwrap_or(&segments))?;
            let due_ms = now_ms.saturating_add(config.file_delete_delay_ms);
            let gone = self.take_oldest(&segments, going.all(), marks.log_end, now_ms, due_ms)?;
            retained.segments = gone.len();
            retained.bytes = gone.iter().map(|segment| segment.end().size).sum();
            retained.removed = by_reason(&gone, going, &config);
            // Before they lose their names it is tried again.
            let _ = self.write_epochs();
        }
        self.rename_doomed().and(looked).map_err(AppendError::Write)?;
        Ok(Retained { log_start: self.marks().log_start, ..retained })
    }

    /// A segment that is off the list is synced no more, and has its name until it was renamed for good. A power cut that
    /// took its records would leave a hole before those that were synced meanwhile, and the log would end there.
    fn make_stable(&self, going: &[Arc<Segment>]) -> Result<(), AppendError> {
        // Offline, nothing is synced behind them either.
        if self.online().is_err() || !going.iter().any(|segment| segment.is_dirty()) {
            return Ok(());
        }
        match self.sync() {
            // Nothing else makes room.
            Err(error) if !is_full(error.kind()) => Err(AppendError::Write(error)),
            _ => Ok(()),
        }
    }

    /// Takes the oldest segments off the list and dooms them.
    fn take_oldest(
        &self,
        seen: &[Arc<Segment>],
        going: usize,
        decided_at: i64,
        now_ms: i64,
        due_ms: i64,
    ) -> Result<Vec<Arc<Segment>>, AppendError> {
        let mut writer = self.writer.lock();
        self.may_shrink()?;
        let mut going = going;
        if going >= seen.len() {
            // Records that came since the decision stay, and so do all where no new segment can be made.
            let rolled = self.marks().log_end == decided_at && self.roll_to_retire(&mut writer, now_ms);
            going = if rolled { going } else { seen.len().saturating_sub(1) };
        }
        let now = self.segments.load_full();
        let going = going.min(now.len().saturating_sub(1));
        let (gone, kept) = now.split_at(going);
        self.move_log_start(kept.first().map_or(0, |first| first.base_offset));
        // Doomed before they leave the list: whoever looks at both misses none.
        self.doomed.lock().add(gone.iter().map(|segment| segment.base_offset), due_ms);
        self.segments.store(Arc::new(kept.to_vec()));
        Ok(gone.to_vec())
    }

    /// Closes the active segment, of which nothing is to be kept; whether it could be done.
    fn roll_to_retire(&self, writer: &mut Writer, now_ms: i64) -> bool {
        let rolled = self.online().map_err(AppendError::from).and_then(|()| self.roll(writer, now_ms));
        if let Err(error) = &rolled {
            tracing::debug!(topic = %self.topic, partition = self.partition, %error, "the active segment stays");
        }
        rolled.is_ok()
    }
}

/// How many of the oldest segments retention takes, and what kept it from looking at more.
fn going(
    segments: &[Arc<Segment>],
    config: &LogConfig,
    marks: &Marks,
    now_ms: i64,
) -> (Surplus, io::Result<()>) {
    let candidates: Vec<Candidate> = segments.iter().map(|segment| candidate(segment)).collect();
    let mut going = surplus(&candidates, config, marks);
    let mut looked = Ok(());
    for (at, (segment, candidate)) in segments.iter().zip(&candidates).enumerate().skip(going.all()) {
        if candidate.next_offset > limit(marks) || candidate.size == 0 && candidate.active {
            break;
        }
        let is_old = |newest| is_expired(newest, config, now_ms);
        let goes = match segment.is_all(is_old) {
            Ok(goes) => goes,
            Err(error) if is_sick(&error) => {
                looked = looked.and(Err(error));
                match segment.modified_ms() {
                    // As old as the next one, as far as anybody can tell.
                    None if !candidate.active => continue,
                    modified => modified.is_some_and(is_old),
                }
            }
            Err(error) => return (going, Err(error)),
        };
        if !goes {
            break;
        }
        // What cannot be read keeps nothing newer from being forgotten, and goes with it.
        if let Err(error) = std::mem::replace(&mut looked, Ok(())) {
            tracing::warn!(segment = %segment.path().display(), %error, "cannot be read: its age is that of its file");
        }
        going.too_old += at + 1 - going.all();
    }
    (going, looked)
}

/// The segments that went, oldest first, by why they did.
fn by_reason(gone: &[Arc<Segment>], why: Surplus, config: &LogConfig) -> Vec<Removed> {
    let reasons = [
        (Reason::LogStart, why.below_start),
        (Reason::Size { retention_bytes: config.retention_bytes }, why.too_many),
        (Reason::Time { retention_ms: config.retention_ms }, why.too_old),
    ];
    let mut rest = gone;
    let mut removed = Vec::new();
    for (reason, count) in reasons {
        let (some, later) = rest.split_at(count.min(rest.len()));
        rest = later;
        if let (Some(first), Some(last)) = (some.first(), some.last()) {
            removed.push(Removed {
                reason,
                segments: some.len(),
                bytes: some.iter().map(|segment| segment.end().size).sum(),
                from: first.base_offset,
                upto: last.end().next_offset,
            });
        }
    }
    removed
}

fn candidate(segment: &Segment) -> Candidate {
    let end = segment.end();
    Candidate { next_offset: end.next_offset, size: end.size, active: !segment.is_closed() }
}
