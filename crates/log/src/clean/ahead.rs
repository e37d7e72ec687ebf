//! The aborted transactions that a walk over the log is about to meet, read from their indexes a bounded number at a time.
//!
//! An entry stands where its transaction ended, and the walk has to know of it where it began:
//!
//! ```text
//!   the segment walked                                       later ones
//!   [   walk ─▶  |  ● ● ● ● ● ●  |    ●        ●       ]     [  ●    ●          ]      ● entries, at their markers
//!                └ a window: so many, one after another         │
//!                ▲             ▲      └ of these and of those ──┘ the ones that began before the window's end: no more than
//!                └─ walked     └─ window's end                    transactions were open there
//! ```
//!
//! The search for those ends at an entry whose last stable offset has passed the window's end: nothing older was open any more.
//! Later segments are searched once for each segment that is walked. Each entry is told of once, and its marker
//! [was seen](super::markers).

use std::sync::Arc;

use super::error::CleanError;
use super::markers;
use super::work::Work;
use crate::patience::Patience;
use crate::segment::Segment;
use crate::txns::index::AbortedTxn;

/// Entries of the segment walked that are known at once, besides those of transactions that are open around one place. They are in
/// two lists that double, the one that is read and the heap of the walk: 32 bytes each, so no more than 4 MiB.
const AT_ONCE: usize = if cfg!(test) { 3 } else { 1 << 15 };

/// How far the walk knows of what was aborted.
#[derive(Debug)]
pub(super) struct Ahead {
    /// Nothing before it is walked: transactions that ended there are none of its. Whoever knew of one would never pass its
    /// marker, and take all that its producer wrote since for aborted.
    from: i64,
    /// Number of the segment walked.
    at: Option<usize>,
    /// Known are, in later segments, those that began below this.
    later: i64,
    /// The same in the segment walked: there, this is the window's end.
    below: i64,
}

impl Ahead {
    /// Of a walk that begins at `from`.
    pub(super) fn of(from: i64) -> Self {
        Self { from, at: None, later: i64::MIN, below: i64::MIN }
    }

    /// Of a walk that begins with segment number `first`: and those which began before it.
    pub(super) fn behind_others(
        work: &Work<'_>,
        first: usize,
    ) -> Result<(Self, Vec<AbortedTxn>), CleanError> {
        let mut begun = Vec::new();
        let rest = work.segments.get(first..).unwrap_or_default();
        let base = rest.first().map_or(i64::MIN, |segment| segment.base_offset);
        search(work, rest, base, i64::MIN..base, &mut begun)?;
        Ok((Self { later: base, ..Self::of(base) }, begun))
    }

    /// The walk has come to `offset` in segment number `at`: those that began up to there, and are not known yet, are shown.
    pub(super) fn reach(
        &mut self,
        work: &Work<'_>,
        at: usize,
        offset: i64,
        mut show: impl FnMut(&[AbortedTxn]),
    ) -> Result<(), CleanError> {
        let Some((segment, later)) = work.segments.get(at..).and_then(<[_]>::split_first) else {
            return Ok(());
        };
        let mut found = Vec::new();
        if self.at != Some(at) {
            let end = segment.end().next_offset;
            search(work, later, end, self.later..end, &mut found)?;
            // What began before this segment was found behind an earlier one.
            (self.at, self.below, self.later) = (Some(at), self.later, end);
            self.window(work, segment, &mut found)?;
        }
        while self.below <= offset {
            self.window(work, segment, &mut found)?;
        }
        show(&found);
        Ok(())
    }

    /// The next window.
    fn window(
        &mut self,
        work: &Work<'_>,
        segment: &Arc<Segment>,
        found: &mut Vec<AbortedTxn>,
    ) -> Result<(), CleanError> {
        let (begun, known, mut seen, mut end) = (found.len(), self.below, 0, None);
        let visit = |txn: AbortedTxn| {
            let is_behind = end.is_some_and(|end| txn.first_offset >= end);
            if txn.first_offset >= known && !is_behind {
                found.push(txn);
            }
            seen += 1;
            if seen == AT_ONCE {
                end = Some(txn.last_offset + 1);
            }
            end.is_some_and(|end| txn.last_stable_offset >= end)
        };
        let looked = segment.visit_aborted(self.from.max(known), Patience::Endless, visit);
        looked
            .map_err(CleanError::reading(segment.path()))
            .map_err(|error| work.overtaken(segment, error))?;
        see(work, segment, found.get(begun..).unwrap_or_default())?;
        self.below = end.unwrap_or(i64::MAX);
        Ok(())
    }
}

/// Those with entries in `segments` that began in `begun`; nothing that was open at `end` is missed.
fn search(
    work: &Work<'_>,
    segments: &[Arc<Segment>],
    end: i64,
    begun: std::ops::Range<i64>,
    found: &mut Vec<AbortedTxn>,
) -> Result<(), CleanError> {
    for segment in segments {
        let known = found.len();
        let visit = |txn: AbortedTxn| {
            if begun.contains(&txn.first_offset) {
                found.push(txn);
            }
            txn.last_stable_offset >= end
        };
        let looked = segment.visit_aborted(i64::MIN, Patience::Endless, visit);
        let looked = looked.map_err(CleanError::reading(segment.path()));
        let is_all = looked.map_err(|error| work.overtaken(segment, error))?;
        see(work, segment, found.get(known..).unwrap_or_default())?;
        if is_all {
            break;
        }
    }
    Ok(())
}

/// Each marker, or an error.
fn see(work: &Work<'_>, segment: &Arc<Segment>, txns: &[AbortedTxn]) -> Result<(), CleanError> {
    txns.iter().try_for_each(|txn| markers::see(segment, txn).map_err(|error| work.overtaken(segment, error)))
}

#[cfg(test)]
#[path = "ahead_tests.rs"]
mod tests;
