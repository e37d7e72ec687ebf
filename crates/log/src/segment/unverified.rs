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

use std::ops::RangeInclusive;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Bytes of a part: 512 bytes of memory know all of a segment of 4 GiB.
pub(crate) const PART: u64 = if cfg!(test) { 256 } else { 1 << 20 };

/// All positions of a segment are below.
pub(crate) const POSITIONS: u64 = 1 << 32;

/// Where a batch begins, and the offset that is due there.
pub(crate) type Place = (u64, i64);

/// See the module.
#[derive(Debug)]
pub(crate) struct Unverified {
    below: AtomicU64,
    looked: OnceLock<Box<Looked>>,
}

/// What was verified.
#[derive(Debug)]
struct Looked {
    parts: Vec<AtomicU64>,
    ended: Mutex<Option<Place>>,
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
            *looked.ended.lock() = None;
            looked.parts.iter().for_each(|part| part.store(0, Ordering::Release));
        }
        self.below.store(position, Ordering::Release);
    }

    /// The first among `len` bytes from `position` that is due.
    pub(crate) fn first_due(&self, position: u64, len: u64) -> Option<u64> {
        let below = self.below();
        if position >= below || len == 0 {
            return None;
        }
        let end = position.saturating_add(len).min(below);
        let looked = self.looked.get();
        let is_due = |part: &u64| looked.is_none_or(|looked| !looked.has(*part));
        let part = (position / PART..=(end - 1) / PART).find(is_due)?;
        Some(position.max(part * PART))
    }

    /// The place where the last walk ended, if it is no later than `position`, or in its part and all before was verified.
    pub(crate) fn ended_before(&self, position: u64) -> Option<Place> {
        let (looked, part) = (self.looked.get()?, position / PART);
        let whole_before = part.checked_sub(1).is_some_and(|before| looked.has(before));
        looked.ended.lock().filter(|(at, _)| *at <= part * PART || *at / PART == part && whole_before)
    }

    /// These parts of a segment that never has more than `bytes` were verified by a walk that ended at that place.
    pub(crate) fn verified(&self, parts: RangeInclusive<u64>, ended: Option<Place>, bytes: u64) {
        let looked = self.looked.get_or_init(|| {
            let words = (bytes.min(POSITIONS) / PART + 1).div_ceil(64);
            let parts = (0..words).map(|_| AtomicU64::new(0)).collect();
            Box::new(Looked { parts, ended: Mutex::default() })
        });
        for part in parts {
            if let Some(word) = looked.parts.get((part / 64) as usize) {
                word.fetch_or(1 << (part % 64), Ordering::Release);
            }
        }
        *looked.ended.lock() = ended;
    }
}

impl Looked {
    fn has(&self, part: u64) -> bool {
        let word = self.parts.get((part / 64) as usize);
        word.is_some_and(|word| word.load(Ordering::Acquire) >> (part % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_below_is_due_until_it_was_verified() {
        let unverified = Unverified::new(10 * PART + 1);
        assert_eq!(unverified.first_due(3 * PART + 7, 1), Some(3 * PART + 7));
        unverified.verified(3..=4, Some((5 * PART + 9, 70)), POSITIONS);
        assert_eq!(unverified.first_due(3 * PART + 7, 2 * PART - 7), None);
        assert_eq!(unverified.first_due(3 * PART + 7, 2 * PART), Some(5 * PART));
        assert_eq!(unverified.first_due(2 * PART, 5 * PART), Some(2 * PART));
        assert_eq!(unverified.first_due(10 * PART, 9), Some(10 * PART));
        assert_eq!(unverified.first_due(10 * PART + 1, 9), None, "this process wrote it");
        assert_eq!(unverified.first_due(0, 0), None);
        unverified.set_below(0);
        assert_eq!(unverified.first_due(0, u64::MAX), None);
        unverified.set_below(u64::MAX);
        assert_eq!(unverified.first_due(3 * PART, 1), Some(3 * PART), "all is due again");
    }

    #[test]
    fn a_walk_goes_on_where_the_last_one_ended_if_nothing_between_is_left_out() {
        let unverified = Unverified::new(u64::MAX);
        assert_eq!(unverified.ended_before(9 * PART), None);
        let ended = (5 * PART + 9, 70);
        unverified.verified(3..=4, Some(ended), POSITIONS);
        assert_eq!(unverified.ended_before(5 * PART + 3), Some(ended));
        assert_eq!(unverified.ended_before(8 * PART), Some(ended));
        assert_eq!(unverified.ended_before(4 * PART), None);
        unverified.verified(7..=7, Some((9 * PART, 99)), POSITIONS);
        assert_eq!(unverified.ended_before(9 * PART + 1), Some((9 * PART, 99)));
        assert_eq!(unverified.ended_before(7 * PART), None);
    }

    #[test]
    fn what_lies_past_a_segment_takes_no_memory_and_stays_due() {
        let unverified = Unverified::new(u64::MAX);
        unverified.verified(0..=u64::from(u16::MAX), None, 3 * PART);
        assert_eq!(unverified.first_due(0, 3 * PART), None);
        assert_eq!(unverified.first_due(64 * PART, 1), Some(64 * PART));
    }
}
