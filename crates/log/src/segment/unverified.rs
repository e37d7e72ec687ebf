//! What of a segment nobody has verified since this process took it over: below which position, and which parts of that
//! were verified since, each once.
//!
//! ```text
//!   [ part ][ part ][ part ][ part ] ... below ... written by this process
//!      ok      due     ok ─ the last walk ended here: a batch begins there for certain
//! ```
//!
//! A part is verified if every batch that begins in it is: it has the checksum that it states and the offset that is due, or
//! is known as damaged. What is known takes a bit for each part, and nothing for a segment that nobody reads.

use std::ops::{Range, RangeInclusive};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Bytes of a part: what is verified is what is served, rounded to this, and 16 KiB of memory know all of a segment of 4 GiB.
pub(crate) const PART: u64 = if cfg!(test) { 256 } else { 32 << 10 };

/// All positions of a segment are below.
pub(crate) const POSITIONS: u64 = 1 << 32;

/// Where a batch begins, and the offset that is due there.
pub(crate) type Place = (u64, i64);

/// See the module.
#[derive(Debug)]
pub(crate) struct Unverified {
    below: AtomicU64,
    looked: OnceLock<Box<Mutex<Looked>>>,
}

/// What was verified: a bit for each part, up to the last that was.
#[derive(Debug, Default)]
struct Looked {
    parts: Vec<u64>,
    ended: Option<Place>,
}

impl Unverified {
    /// Nobody has looked at what begins below this position.
    pub(crate) fn new(below: u64) -> Self {
        Self { below: below.into(), looked: OnceLock::new() }
    }

    pub(crate) fn below(&self) -> u64 {
        self.below.load(Ordering::Acquire)
    }

    /// What is below is due, whatever was verified before.
    pub(crate) fn set_below(&self, position: u64) {
        if let Some(looked) = self.looked.get() {
            *looked.lock() = Looked::default();
        }
        self.below.store(position, Ordering::Release);
    }

    /// The first among `len` bytes from `position` that is due, and where the part ends up to which all others are, too.
    pub(crate) fn due(&self, position: u64, len: u64) -> Option<Range<u64>> {
        let end = position.saturating_add(len).min(self.below()).min(POSITIONS);
        if position >= end {
            return None;
        }
        let looked = self.looked.get().map(|looked| looked.lock());
        let is_due = |part: &u64| looked.as_ref().is_none_or(|looked| !looked.has(*part));
        let parts = position / PART..end.div_ceil(PART);
        let first = parts.clone().find(is_due)?;
        let behind = (first..parts.end).find(|part| !is_due(part)).unwrap_or(parts.end);
        Some(position.max(first * PART)..behind * PART)
    }

    /// The place where the last walk ended, if it is no later than `position`, or in its part and all before was verified.
    pub(crate) fn ended_before(&self, position: u64) -> Option<Place> {
        let (looked, part) = (self.looked.get()?.lock(), position / PART);
        let whole_before = part.checked_sub(1).is_some_and(|before| looked.has(before));
        looked.ended.filter(|(at, _)| *at <= part * PART || *at / PART == part && whole_before)
    }

    /// These parts were verified by a walk that ended at that place.
    pub(crate) fn verified(&self, parts: RangeInclusive<u64>, ended: Option<Place>) {
        let mut looked = self.looked.get_or_init(Box::default).lock();
        let words = (parts.end() / 64 + 1).min(POSITIONS / PART / 64) as usize;
        if looked.parts.len() < words {
            looked.parts.resize(words, 0);
        }
        for part in parts {
            if let Some(word) = looked.parts.get_mut((part / 64) as usize) {
                *word |= 1 << (part % 64);
            }
        }
        looked.ended = ended;
    }
}

impl Looked {
    fn has(&self, part: u64) -> bool {
        let word = self.parts.get((part / 64) as usize);
        word.is_some_and(|word| word >> (part % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first_due(unverified: &Unverified, position: u64, len: u64) -> Option<u64> {
        unverified.due(position, len).map(|due| due.start)
    }

    #[test]
    fn each_part_below_is_due_until_it_was_verified() {
        let unverified = Unverified::new(10 * PART + 1);
        assert_eq!(first_due(&unverified, 3 * PART + 7, 1), Some(3 * PART + 7));
        unverified.verified(3..=4, Some((5 * PART + 9, 70)));
        assert_eq!(first_due(&unverified, 3 * PART + 7, 2 * PART - 7), None);
        assert_eq!(first_due(&unverified, 3 * PART + 7, 2 * PART), Some(5 * PART));
        assert_eq!(first_due(&unverified, 2 * PART, 5 * PART), Some(2 * PART));
        assert_eq!(first_due(&unverified, 10 * PART, 9), Some(10 * PART));
        assert_eq!(first_due(&unverified, 10 * PART + 1, 9), None, "this process wrote it");
        assert_eq!(first_due(&unverified, 0, 0), None);
        unverified.set_below(0);
        assert_eq!(first_due(&unverified, 0, u64::MAX), None);
        unverified.set_below(u64::MAX);
        assert_eq!(first_due(&unverified, 3 * PART, 1), Some(3 * PART), "all is due again");
    }

    #[test]
    fn what_is_due_ends_with_its_part_or_before_one_that_was_verified() {
        let unverified = Unverified::new(u64::MAX);
        unverified.verified(3..=3, None);
        assert_eq!(unverified.due(PART + 7, 1), Some(PART + 7..2 * PART));
        assert_eq!(unverified.due(PART + 7, 5 * PART), Some(PART + 7..3 * PART));
        assert_eq!(unverified.due(3 * PART + 7, PART), Some(4 * PART..5 * PART));
    }

    #[test]
    fn a_walk_goes_on_where_the_last_one_ended_if_nothing_between_is_left_out() {
        let unverified = Unverified::new(u64::MAX);
        assert_eq!(unverified.ended_before(9 * PART), None);
        let ended = (5 * PART + 9, 70);
        unverified.verified(3..=4, Some(ended));
        assert_eq!(unverified.ended_before(5 * PART + 3), Some(ended));
        assert_eq!(unverified.ended_before(8 * PART), Some(ended));
        assert_eq!(unverified.ended_before(4 * PART), None);
        unverified.verified(7..=7, Some((9 * PART, 99)));
        assert_eq!(unverified.ended_before(9 * PART + 1), Some((9 * PART, 99)));
        assert_eq!(unverified.ended_before(7 * PART), None);
    }

    #[test]
    fn what_is_known_takes_memory_up_to_the_last_part_that_was_verified() {
        let unverified = Unverified::new(u64::MAX);
        let words = || unverified.looked.get().map_or(0, |looked| looked.lock().parts.len());
        assert_eq!(words(), 0);
        unverified.verified(70..=70, None);
        assert_eq!((words(), first_due(&unverified, 69 * PART, 2 * PART)), (2, Some(69 * PART)));
        unverified.verified(0..=POSITIONS / PART + 9, None);
        assert_eq!(words() as u64, POSITIONS / PART / 64);
        assert_eq!(first_due(&unverified, 0, u64::MAX), None);
    }
}
