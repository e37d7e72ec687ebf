//! What became of a partition's files behind the log's back.

use std::collections::BTreeSet;
use std::ops::Range;

/// Records that were stable once and are not in the file any more as they were written.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    /// Their offsets.
    pub(crate) offsets: Range<i64>,
    /// The offsets between the records before and those behind; more than `offsets` only where compaction left holes.
    pub(crate) around: Range<i64>,
    /// What lay below had its entries in the indexes when it was hit, and nobody has touched those since.
    pub(crate) evident: i64,
    /// All was verified since.
    pub(crate) is_found: bool,
    /// It was found, and everything was written down since.
    pub(crate) is_noted: bool,
}

/// All of it in one partition.
#[derive(Debug, Clone, Default)]
pub(crate) struct Harm {
    pub(crate) hits: Vec<Hit>,
    /// Records behind a hit that were never stable, and torn by how the process ended: the log may keep what is left of
    /// them, because it does not cut behind damage, and refuses what is not whole.
    pub(crate) torn: Vec<Range<i64>>,
    /// Segments that something happened to. To each of them once: what it holds is known from its bytes.
    pub(crate) segments: BTreeSet<i64>,
    /// Where the log may have begun, at most, before its first segment was lost.
    pub(crate) start_before: Option<i64>,
}

impl Harm {
    pub(crate) fn is_none(&self) -> bool {
        self.segments.is_empty()
    }

    /// The log ends there: what lay behind is cut, and its offsets are given out again.
    pub(crate) fn end_at(&mut self, end: i64) {
        self.hits.retain(|hit| hit.offsets.start < end);
        for hit in &mut self.hits {
            (hit.offsets.end, hit.around.end) = (hit.offsets.end.min(end), hit.around.end.min(end));
        }
        self.torn.iter_mut().for_each(|torn| torn.end = torn.end.min(end));
    }

    /// The log goes on behind these, and says so.
    pub(crate) fn lose(&mut self, offsets: Range<i64>) {
        self.segments.insert(offsets.start);
        let around = offsets.clone();
        self.hits.push(Hit { around, offsets, evident: 0, is_found: true, is_noted: false });
    }

    /// Some of it nobody can have found yet.
    pub(crate) fn is_hidden(&self) -> bool {
        self.hits.iter().any(|hit| !hit.is_found)
    }

    /// Whether a log goes on so far behind what was written that only a lie of an index can have said so: no byte of a log stands
    /// for more than 64 offsets.
    pub(crate) fn reaches_far(&self) -> bool {
        self.hits.iter().any(|hit| hit.offsets.end - hit.offsets.start > 64 << 16)
    }

    /// No index can be relied on any more.
    pub(crate) fn forget_entries(&mut self) {
        self.hits.iter_mut().for_each(|hit| hit.evident = 0);
    }

    /// Below which offset the indexes have their entries that show where the log goes on behind damage at `offset`.
    pub(crate) fn evident_behind(&self, offset: i64) -> i64 {
        let there = self.hits.iter().filter(|hit| hit.around.contains(&offset));
        there.map(|hit| hit.evident).min().unwrap_or(0)
    }

    pub(crate) fn find(&mut self) {
        self.hits.iter_mut().for_each(|hit| hit.is_found = true);
    }

    /// What was found is written down, but for what lies in the active segment, which begins at `active`.
    pub(crate) fn note(&mut self, active: i64) {
        self.hits.iter_mut().for_each(|hit| hit.is_noted |= hit.is_found && hit.offsets.end <= active);
    }

    /// Whether an offset is of records that were hit.
    pub(crate) fn hits(&self, offset: i64) -> bool {
        self.hits.iter().any(|hit| hit.offsets.contains(&offset))
    }

    /// Whether an offset may be refused.
    pub(crate) fn is_near(&self, offset: i64) -> bool {
        let mut near = self.hits.iter().map(|hit| &hit.around).chain(&self.torn);
        near.any(|offsets| offsets.contains(&offset))
    }
}
