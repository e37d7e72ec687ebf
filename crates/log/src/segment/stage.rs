//! Under which names the files of a segment are found. Only compaction changes that.
//!
//! ```text
//!   Cleaned ──▶ Swap ──▶ Named            a segment that takes the place of others: <base>.log.cleaned, .log.swap, .log
//!                          Named ──▶ Replaced        one whose place was taken: nothing is opened by name any more
//! ```
//!
//! Whoever has a file open goes on reading it, whatever becomes of its name.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::segment::names;

/// Under which names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Their own.
    Named,
    /// Being written by compaction.
    Cleaned,
    /// Finished, and about to take the place of others. A file that is not found so has its own name already.
    Swap,
    /// None.
    Replaced,
}

impl Stage {
    /// All, by their number in the cell.
    const ALL: [Self; 4] = [Self::Named, Self::Cleaned, Self::Swap, Self::Replaced];

    /// A file's suffix at this stage.
    pub(crate) fn file(self, suffix: &str) -> Cow<'_, str> {
        match self {
            Self::Named | Self::Replaced => suffix.into(),
            Self::Cleaned => format!("{suffix}{}", names::CLEANED).into(),
            Self::Swap => format!("{suffix}{}", names::SWAP).into(),
        }
    }
}

/// The stage, shared.
#[derive(Debug, Default)]
pub(crate) struct StageCell(AtomicU8);

impl StageCell {
    pub(crate) fn get(&self) -> Stage {
        let number = usize::from(self.0.load(Ordering::Acquire));
        Stage::ALL.get(number).copied().unwrap_or(Stage::Replaced)
    }

    pub(crate) fn set(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_is_what_it_was_set_to() {
        let cell = StageCell::default();
        assert_eq!(cell.get(), Stage::Named);
        for stage in Stage::ALL {
            cell.set(stage);
            assert_eq!(cell.get(), stage);
        }
    }

    #[test]
    fn names_follow_the_stage() {
        assert_eq!(Stage::Named.file(names::LOG), ".log");
        assert_eq!(Stage::Cleaned.file(names::LOG), ".log.cleaned");
        assert_eq!(Stage::Swap.file(names::TXN_INDEX), ".txnindex.swap");
    }
}
