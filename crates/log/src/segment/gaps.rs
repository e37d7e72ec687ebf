//! Where a segment may lack offsets that are no losses.
//!
//! What was appended lacks none. Compaction leaves holes between batches and behind the last one: there nothing but the
//! length of the file tells a segment that is whole from one that was cut between two batches (`rewritten`).

use std::sync::atomic::{AtomicU64, Ordering};

use crate::segment::Segment;

/// Where offsets may be missing rightly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gaps {
    /// Nowhere: compaction did not write it.
    None,
    /// Anywhere.
    Anywhere,
    /// Between batches. The file is shorter than the one that was written, so what is missing at the end is lost.
    NotAtEnd {
        /// How long that was, in bytes.
        written: u32,
    },
}

/// The same, shared: 0 none, 1 anywhere, else 2 + the length.
#[derive(Debug, Default)]
pub(crate) struct GapsCell(AtomicU64);

impl GapsCell {
    pub(crate) fn get(&self) -> Gaps {
        match self.0.load(Ordering::Relaxed) {
            0 => Gaps::None,
            1 => Gaps::Anywhere,
            longer => Gaps::NotAtEnd { written: u32::try_from(longer - 2).unwrap_or(u32::MAX) },
        }
    }

    pub(crate) fn set(&self, gaps: Gaps) {
        let number = match gaps {
            Gaps::None => 0,
            Gaps::Anywhere => 1,
            Gaps::NotAtEnd { written } => 2 + u64::from(written),
        };
        self.0.store(number, Ordering::Relaxed);
    }
}

impl Segment {
    /// Below which offset a hole between two batches is no loss.
    pub(crate) fn holes_below(&self) -> i64 {
        if self.gaps.get() == Gaps::None { i64::MIN } else { i64::MAX }
    }

    /// Whether its last batch may end before the next segment begins.
    pub(crate) fn may_end_early(&self) -> bool {
        self.gaps.get() == Gaps::Anywhere
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_holds_what_it_was_set_to() {
        let cell = GapsCell::default();
        assert_eq!(cell.get(), Gaps::None);
        let short = [0, 1, u32::MAX].map(|written| Gaps::NotAtEnd { written });
        for gaps in [Gaps::Anywhere, Gaps::None].into_iter().chain(short) {
            cell.set(gaps);
            assert_eq!(cell.get(), gaps);
        }
    }
}
