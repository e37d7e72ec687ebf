//! Segments that left a log's list, on their way off the disk.
//!
//! ```text
//!   add ──▶ named: a restart would find them ──renamed, for good──▶ unlinked when their time has come
//! ```
//!
//! Decides nothing and touches no file; a step that fails leaves them where they are.

use std::collections::VecDeque;

/// Segments of one log, taken off its list.
#[derive(Debug, Default)]
pub(crate) struct Doomed {
    /// Oldest first.
    named: VecDeque<Unlink>,
    renamed: Vec<Unlink>,
}

/// A segment to be unlinked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unlink {
    pub(crate) base_offset: i64,
    due_ms: i64,
}

impl Doomed {
    /// These left the list, oldest first, and may be unlinked at `due_ms`.
    pub(crate) fn add(&mut self, base_offsets: impl Iterator<Item = i64>, due_ms: i64) {
        self.named.extend(base_offsets.map(|base_offset| Unlink { base_offset, due_ms }));
    }

    /// The oldest that a restart might find under its own name.
    pub(crate) fn oldest(&self) -> Option<i64> {
        self.named.front().map(|oldest| oldest.base_offset)
    }

    /// All of those, oldest first.
    pub(crate) fn named(&self) -> Vec<i64> {
        self.named.iter().map(|one| one.base_offset).collect()
    }

    /// This one, the oldest, has its last name, and the disk will remember that.
    pub(crate) fn renamed(&mut self, base_offset: i64) {
        if self.oldest() == Some(base_offset) {
            self.renamed.extend(self.named.pop_front());
        }
    }

    /// These have their last names already.
    pub(crate) fn add_renamed(&mut self, base_offsets: impl Iterator<Item = i64>, due_ms: i64) {
        self.renamed.extend(base_offsets.map(|base_offset| Unlink { base_offset, due_ms }));
    }

    /// Those whose time has come.
    pub(crate) fn take_due(&mut self, now_ms: i64) -> Vec<Unlink> {
        self.renamed.extract_if(.., |one| one.due_ms <= now_ms).collect()
    }

    /// This one could not be unlinked.
    pub(crate) fn put_back(&mut self, one: Unlink) {
        self.renamed.push(one);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_unlinked_after_its_rename_and_its_delay() {
        let mut doomed = Doomed::default();
        doomed.add([0, 10].into_iter(), 50);
        assert_eq!((doomed.oldest(), doomed.take_due(100)), (Some(0), vec![]));
        doomed.renamed(0);
        assert_eq!((doomed.oldest(), doomed.take_due(49)), (Some(10), vec![]));
        let due = doomed.take_due(50);
        assert_eq!(due, [Unlink { base_offset: 0, due_ms: 50 }]);
        doomed.put_back(due[0]);
        assert_eq!(doomed.take_due(51), due);
    }

    #[test]
    fn only_the_oldest_can_have_been_renamed() {
        let mut doomed = Doomed::default();
        doomed.add([0, 10].into_iter(), 50);
        doomed.renamed(10);
        assert_eq!(doomed.oldest(), Some(0));
    }
}
