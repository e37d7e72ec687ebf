//! Where compaction and retention have to stop, by the files of a partition and the times of what was appended.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

/// A batch that was appended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Appended {
    pub(super) base_offset: i64,
    pub(super) max_timestamp: i64,
}

/// A segment nobody has compacted yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) base: i64,
    pub(super) largest_ms: i64,
}

/// The base offsets of a partition's segments, in order.
pub(in crate::parts) fn bases(folder: &Path) -> Result<Vec<i64>> {
    let mut bases = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if let Some(base) = name.to_str().and_then(|name| name.strip_suffix(".log")) {
            bases.push(base.parse()?);
        }
    }
    bases.sort_unstable();
    Ok(bases)
}

/// The first segment without anything in it.
pub(super) fn first_empty(folder: &Path) -> Result<Option<i64>> {
    for base in bases(folder)? {
        if fs::metadata(folder.join(format!("{base:020}.log")))?.len() == 0 {
            return Ok(Some(base));
        }
    }
    Ok(None)
}

/// What was appended to the segments that begin at `bases`, the active one left out.
pub(super) fn closed(bases: &[i64], appended: &[Appended]) -> Result<Vec<Segment>> {
    let mut closed = Vec::new();
    for pair in bases.windows(2) {
        let [base, next] = *pair else { continue };
        let within = |batch: &&Appended| (base..next).contains(&batch.base_offset);
        let largest = appended.iter().filter(within).map(|batch| batch.max_timestamp).max();
        closed.push(Segment { base, largest_ms: largest.context("an empty segment")? });
    }
    Ok(closed)
}

/// A time that splits segments in two halves, as far from the times around it as can be.
pub(super) fn halves(closed: &[Segment]) -> Option<i64> {
    let middle = closed.len() / 2;
    let (before, after) = (closed.get(middle.checked_sub(1)?)?, closed.get(middle)?);
    Some(i64::midpoint(before.largest_ms, after.largest_ms))
}
