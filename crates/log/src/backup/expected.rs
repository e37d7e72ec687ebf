//! What the batches of a segment are held against.

use crate::Stretch;
use crate::scrub::Search;
use crate::segment::Segment;
use crate::segment::gaps::Gaps;

/// What is known of a segment before its bytes are read.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The least offset.
    pub(super) base_offset: i64,
    /// The first offset that no batch may reach.
    pub(super) bound: i64,
    /// Offsets may be missing between batches without a loss.
    pub(super) holes: bool,
    /// So may those before the bound.
    pub(super) early_end: bool,
    /// What is known to be damaged or lost, in rising order.
    pub(super) known: Vec<Stretch>,
}

impl Expected {
    /// Of a segment that begins at `base_offset`, holds nothing from `bound` on, and may lack offsets anywhere.
    pub fn new(base_offset: i64, bound: i64) -> Self {
        Self { base_offset, bound, holes: true, early_end: true, known: Vec::new() }
    }

    /// Of which this is known to be damaged or lost; in rising order.
    #[must_use]
    pub fn knowing(self, known: impl IntoIterator<Item = Stretch>) -> Self {
        Self { known: known.into_iter().collect(), ..self }
    }

    /// The same, and nothing of it damaged.
    pub(super) fn whole(&self) -> Self {
        Self { known: Vec::new(), ..*self }
    }

    /// Whether something of it is known to be damaged or lost.
    pub(super) fn has_damage(&self) -> bool {
        !self.known.is_empty()
    }

    /// Of a segment of an open log, up to `bound`.
    pub(super) fn of(segment: &Segment, bound: i64) -> Self {
        let (gaps, known) = (segment.gaps.get(), segment.damage.all());
        Self {
            base_offset: segment.base_offset,
            bound,
            holes: gaps != Gaps::None,
            early_end: gaps == Gaps::Anywhere,
            known,
        }
    }

    /// The first offset that no batch may reach.
    pub fn bound(&self) -> i64 {
        self.bound
    }

    /// What is known of the first `bytes`.
    pub fn known_within(&self, bytes: u64) -> impl Iterator<Item = Stretch> {
        self.known.iter().filter(move |stretch| stretch.end() <= bytes).copied()
    }

    /// The walk that finds out what of it is not so.
    pub(super) fn search(&self) -> Search {
        Search::new(self.base_offset).lacking(self.holes, self.early_end).knowing(self.known.iter().copied())
    }
}
