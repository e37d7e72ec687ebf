//! Stretches of a segment that are known to be damaged, and what a read makes of them.
//!
//! ```text
//!   positions  ───── good ─────[from      to)───── good ─────
//!   offsets             ...... [offset    next_offset) ......
//! ```
//!
//! A read ends before such a stretch, a read in it is an error, a read behind it goes on. A segment without damage
//! costs its readers one look at a null pointer.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::stretches::{Added, Stretches};
use crate::damaged::Damaged;

/// Offsets of a segment that have no good batches, and what is there instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// What is there.
    pub harm: Harm,
    /// The first offset that may lie in it.
    pub offset: i64,
    /// The first offset behind it.
    pub next_offset: i64,
}

/// What is where good batches should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Bytes that are no batches with a right CRC; one at least.
    Damaged {
        /// Position of the first.
        from: u64,
        /// Position behind the last.
        to: u64,
    },
    /// Nothing: what lies on both sides of this position is good.
    Missing {
        /// The position.
        at: u64,
    },
}

impl Stretch {
    /// Offsets that have these bytes, or none where there are no bytes.
    pub fn new(bytes: Range<u64>, offsets: Range<i64>) -> Self {
        let harm = match bytes {
            Range { start: from, end: to } if from < to => Harm::Damaged { from, to },
            Range { start: at, .. } => Harm::Missing { at },
        };
        Self { harm, offset: offsets.start, next_offset: offsets.end }
    }

    /// Offsets that no batch has at `position`; `None` without any.
    pub fn missing(position: u64, offsets: Range<i64>) -> Option<Self> {
        (!offsets.is_empty()).then(|| Self::new(position..position, offsets))
    }

    /// The position at which it begins.
    pub fn begin(&self) -> u64 {
        match self.harm {
            Harm::Damaged { from, .. } => from,
            Harm::Missing { at } => at,
        }
    }

    /// The position behind it.
    pub fn end(&self) -> u64 {
        match self.harm {
            Harm::Damaged { to, .. } => to,
            Harm::Missing { at } => at,
        }
    }

    /// How many bytes of the segment it takes.
    pub fn bytes(&self) -> u64 {
        self.end().saturating_sub(self.begin())
    }

    /// Nothing is there.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self.harm, Harm::Missing { .. })
    }

    /// Nothing is there, at `position`.
    pub(crate) fn is_missing_at(&self, position: u64) -> bool {
        self.harm == Harm::Missing { at: position }
    }

    /// Whether some of the offsets of `hole`, which no batch has at `position`, are these.
    pub(crate) fn tells_loss(&self, position: u64, hole: &Range<i64>) -> bool {
        let both = self.offset.max(hole.start)..self.next_offset.min(hole.end);
        self.is_missing_at(position) && !both.is_empty()
    }

    /// The same to tell others.
    pub(crate) fn of(self, file: PathBuf) -> Damaged {
        let (position, bytes) = (self.begin(), self.bytes());
        Damaged { file, position, bytes, from: self.offset, upto: self.next_offset }
    }
}

/// Of one segment.
#[derive(Debug, Default)]
pub(crate) struct KnownDamage(ArcSwapOption<Stretches>);

impl KnownDamage {
    /// Adds what was found. What that was to those who knew the others, and how many there are now.
    pub(crate) fn add(&self, stretch: Stretch) -> (Added, usize) {
        if let Some(known) = self.shared()
            && known.cover(&stretch)
        {
            return (Added::Known, known.len());
        }
        let mut added = (Added::Known, 0);
        self.0.rcu(|known| {
            let mut all = known.as_ref().map_or_else(Stretches::default, |known| Stretches::clone(known));
            added = (all.add(stretch), all.len());
            Some(Arc::new(all))
        });
        added
    }

    /// The whole segment was looked at, and this is all that there is, besides what others came to since it was `before`:
    /// they may have read what went bad behind whoever looked. Whether it was news.
    pub(crate) fn set(&self, found: &Stretches, before: Option<&Stretches>) -> bool {
        let known = self.0.rcu(|known| {
            let since = known.iter().flat_map(|known| known.iter());
            let since = since.filter(|one| !before.is_some_and(|before| before.contains(one)));
            let mut all = found.clone();
            for one in since {
                all.add(*one);
            }
            (!all.is_empty()).then(|| Arc::new(all))
        });
        known.map_or_else(Vec::new, |known| known.to_vec()) != self.all()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All there are.
    pub(crate) fn all(&self) -> Vec<Stretch> {
        self.0.load().as_ref().map_or_else(Vec::new, |known| known.to_vec())
    }

    /// The same, as it is at this moment.
    pub(crate) fn shared(&self) -> Option<Arc<Stretches>> {
        self.0.load_full()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.load().as_ref().map_or(0, |known| known.len())
    }

    /// The one in which `offset` may lie.
    pub(crate) fn holding(&self, offset: i64) -> Option<Stretch> {
        let known = self.0.load();
        let known = known.as_ref()?;
        known.iter().find(|stretch| (stretch.offset..stretch.next_offset).contains(&offset)).copied()
    }

    /// The one that has the byte at `position`.
    pub(crate) fn at(&self, position: u64) -> Option<Stretch> {
        let known = self.0.load();
        let next = known.as_ref()?.ending_behind(position)?;
        (next.begin() <= position).then_some(next)
    }

    /// Whether some of the offsets of `hole`, which no batch has at `position`, are known to be lost.
    pub(crate) fn lacks(&self, position: u64, hole: &Range<i64>) -> bool {
        let known = self.0.load();
        known.as_ref().is_some_and(|known| known.iter().any(|stretch| stretch.tells_loss(position, hole)))
    }

    /// Whether any of it lies at or above `offset`.
    pub(crate) fn reaches_past(&self, offset: i64) -> bool {
        self.0.load().as_ref().is_some_and(|known| known.iter().any(|stretch| stretch.next_offset > offset))
    }

    /// The last one that lies below `offset`: a walk towards it begins behind.
    pub(crate) fn below(&self, offset: i64) -> Option<Stretch> {
        let known = self.0.load();
        known.as_ref()?.iter().rfind(|stretch| stretch.next_offset <= offset).copied()
    }

    /// How many of `len` bytes from `position` come before the next one; the one that `position` is in.
    pub(crate) fn clip(&self, position: u64, len: u64) -> Result<u64, Stretch> {
        let known = self.0.load();
        let Some(next) = known.as_ref().and_then(|known| known.ending_behind(position)) else {
            return Ok(len);
        };
        match next.begin().checked_sub(position) {
            None | Some(0) => Err(next),
            Some(before) => Ok(len.min(before)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> KnownDamage {
        let known = KnownDamage::default();
        known.add(Stretch::new(300..350, 30..35));
        known.add(Stretch::new(100..150, 10..15));
        known
    }

    #[test]
    fn a_read_ends_before_damage_and_is_refused_in_it() {
        let known = known();
        assert_eq!(known.clip(0, 1000), Ok(100));
        assert_eq!(known.clip(0, 50), Ok(50));
        assert_eq!(known.clip(150, 1000), Ok(150));
        assert_eq!(known.clip(350, 1000), Ok(1000));
        for position in [100, 120, 149] {
            assert_eq!(known.clip(position, 10).map_err(|stretch| stretch.begin()), Err(100), "{position}");
        }
        assert_eq!(KnownDamage::default().clip(0, 9), Ok(9));
    }

    #[test]
    fn offsets_find_their_stretch_and_the_one_before_them() {
        let known = known();
        assert_eq!(known.holding(14).map(|stretch| stretch.begin()), Some(100));
        assert_eq!((known.holding(9), known.holding(15)), (None, None));
        assert_eq!(known.below(15).map(|stretch| stretch.end()), Some(150));
        assert_eq!(known.below(40).map(|stretch| stretch.end()), Some(350));
        assert_eq!(known.below(12), None);
    }

    #[test]
    fn what_is_found_again_takes_the_place_of_what_was_known() {
        let known = known();
        known.add(Stretch::new(90..160, 9..16));
        assert_eq!((known.len(), known.clip(0, 1000)), (2, Ok(90)));
        known.set(&Stretches::default(), known.shared().as_deref());
        assert_eq!((known.len(), known.clip(0, 1000)), (0, Ok(1000)));
    }

    #[test]
    fn what_was_found_while_somebody_looked_at_all_stays_known() {
        let known = known();
        let before = known.shared();
        known.add(Stretch::new(500..550, 50..55));
        let found: Stretches = [Stretch::new(300..350, 30..35)].into_iter().collect();
        assert!(known.set(&found, before.as_deref()), "one of them is put right");
        let places = known.all().iter().map(Stretch::begin).collect::<Vec<_>>();
        assert_eq!(places, [300, 500]);
        assert_eq!((known.at(320).map(|one| one.begin()), known.at(350)), (Some(300), None));
    }
}
