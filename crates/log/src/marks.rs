//! The offsets everyone asks for, readable without a lock and moved by one checked setter.
//!
//! ```text
//!   log_start <= last_stable <= high_watermark <= log_end        recovery_point <= log_end
//! ```
//!
//! All of them only grow. The writer stores them from the right to the left, a reader loads them from the left to
//! the right; that alone keeps the order true in every [`Marks`] a reader sees.

use std::sync::atomic::{AtomicI64, Ordering};

/// The marks of one log at one moment. Offsets; the first record *not* covered, except `log_start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marks {
    /// First offset that can be read. Moved by retention and DeleteRecords, not batch-aligned.
    pub log_start: i64,
    /// Where `read_committed` readers stop. Equals the high watermark while no transaction is open.
    pub last_stable: i64,
    /// Where ordinary readers stop. Equals the log end on a single node.
    pub high_watermark: i64,
    /// The offset the next record gets.
    pub log_end: i64,
    /// Everything below is on stable storage; recovery starts here.
    pub recovery_point: i64,
}

/// A move that would break the order of the marks. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the marks {from:?} cannot move to {to:?}")]
pub(crate) struct MarkOrder {
    from: Marks,
    to: Marks,
}

/// The shared cells. Setters are serialised by the log's append lock.
#[derive(Debug)]
pub(crate) struct MarkCells {
    log_start: AtomicI64,
    last_stable: AtomicI64,
    high_watermark: AtomicI64,
    log_end: AtomicI64,
    recovery_point: AtomicI64,
}

impl Marks {
    fn ordered(&self) -> bool {
        0 <= self.log_start
            && self.log_start <= self.last_stable
            && self.last_stable <= self.high_watermark
            && self.high_watermark <= self.log_end
            && self.recovery_point <= self.log_end
    }

    fn grows_to(&self, to: &Marks) -> bool {
        self.log_start <= to.log_start
            && self.last_stable <= to.last_stable
            && self.high_watermark <= to.high_watermark
            && self.log_end <= to.log_end
    }
}

impl MarkCells {
    pub(crate) fn new(marks: Marks) -> Self {
        debug_assert!(marks.ordered(), "{marks:?}");
        Self {
            log_start: AtomicI64::new(marks.log_start),
            last_stable: AtomicI64::new(marks.last_stable),
            high_watermark: AtomicI64::new(marks.high_watermark),
            log_end: AtomicI64::new(marks.log_end),
            recovery_point: AtomicI64::new(marks.recovery_point),
        }
    }

    pub(crate) fn load(&self) -> Marks {
        Marks {
            recovery_point: self.recovery_point.load(Ordering::Acquire),
            log_start: self.log_start.load(Ordering::Acquire),
            last_stable: self.last_stable.load(Ordering::Acquire),
            high_watermark: self.high_watermark.load(Ordering::Acquire),
            log_end: self.log_end.load(Ordering::Acquire),
        }
    }

    /// The one setter, for all but the recovery point. The caller holds the append lock.
    pub(crate) fn advance(&self, change: impl FnOnce(&mut Marks)) -> Result<Marks, MarkOrder> {
        let from = self.load();
        let mut to = from;
        change(&mut to);
        if !to.ordered() || !from.grows_to(&to) {
            return Err(MarkOrder { from, to });
        }
        self.log_end.store(to.log_end, Ordering::Release);
        self.high_watermark.store(to.high_watermark, Ordering::Release);
        self.last_stable.store(to.last_stable, Ordering::Release);
        self.log_start.store(to.log_start, Ordering::Release);
        Ok(to)
    }

    /// Everything below `offset`, which was the log end once, is on stable storage. Needs no lock.
    pub(crate) fn synced_to(&self, offset: i64) {
        debug_assert!(offset <= self.load().log_end);
        self.recovery_point.fetch_max(offset, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Marks =
        Marks { log_start: 3, last_stable: 5, high_watermark: 5, log_end: 9, recovery_point: 4 };

    #[test]
    fn a_move_that_breaks_the_order_changes_nothing() {
        let cells = MarkCells::new(START);
        assert!(cells.advance(|marks| marks.log_start = 6).is_err());
        assert!(cells.advance(|marks| marks.high_watermark = 10).is_err());
        assert_eq!(cells.load(), START);
    }

    #[test]
    fn marks_never_go_back() {
        let cells = MarkCells::new(START);
        assert!(cells.advance(|marks| marks.log_end = 8).is_err());
        assert!(cells.advance(|marks| marks.log_start = 2).is_err());
        assert_eq!(cells.load(), START);
    }

    #[test]
    fn an_ordered_move_is_seen_whole() {
        let cells = MarkCells::new(START);
        let moved = cells.advance(|marks| {
            marks.log_end = 20;
            marks.high_watermark = 20;
            marks.last_stable = 20;
        });
        assert_eq!(moved.map(|marks| marks.last_stable), Ok(20));
        assert_eq!(cells.load().log_end, 20);
        cells.synced_to(15);
        cells.synced_to(12);
        assert_eq!(cells.load().recovery_point, 15);
    }
}
