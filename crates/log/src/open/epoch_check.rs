//! The leader epochs of a log beside its batches. Epochs only rise from batch to batch, so a list of them is right if
//! it agrees with the batches on both sides of each of its boundaries, and with the last one.
//!
//! At most [`BOUNDARIES_MAX`] boundaries are looked at, the newest: two lookups each. No checksum covers the epoch in a
//! batch header either, so where the list is made anew from the batches, one batch that is above the next is not
//! believed.

use std::sync::Arc;

use pagewire_record::BatchHeader;

use crate::answers::RecoveryReport;
use crate::epochs::Epochs;
use crate::errors::{LogError, ReadError};
use crate::patience::Patience;
use crate::scan::headers::walk_headers;
use crate::scan::{Found, ScanError, Scanner, WINDOW_LOOKUP};
use crate::segment::Segment;

const BOUNDARIES_MAX: usize = 64;
/// The newest epoch there may be, where nobody knows.
const ANY: i32 = i32::MAX;

/// The newest epoch that may be in a log that is opened in `leader_epoch`; negative if nobody leads it.
pub(crate) fn newest_under(leader_epoch: i32) -> i32 {
    if leader_epoch < 0 { ANY } else { leader_epoch }
}

/// What the batches of `segments`, which hold the offsets from `log_start` to `log_end`, say against the list; `None`
/// if nothing.
pub(crate) fn contradiction(
    epochs: &Epochs,
    segments: &[Arc<Segment>],
    (log_start, log_end): (i64, i64),
    newest: i32,
) -> Result<Option<String>, LogError> {
    let Some(first) = epochs.entries().first() else { return Ok(None) };
    let says_other = |header: &BatchHeader| {
        let (base, found) = (header.base_offset, header.partition_leader_epoch);
        let said = epochs.at(base.max(first.start_offset));
        (found >= 0 && said != Some(found))
            .then(|| format!("the batch at {base} is of epoch {found}, not {}", said.unwrap_or(-1)))
    };
    let written = epochs.entries().iter().rev().filter(|entry| entry.start_offset < log_end);
    let boundaries = written.take(BOUNDARIES_MAX).map(|entry| entry.start_offset.max(log_start));
    for start in boundaries {
        let Some(after) = batch_at(segments, start)? else { continue };
        if after.base_offset < start && start > log_start {
            return Ok(Some(format!("an epoch begins at {start}, within a batch")));
        }
        let before = if start > log_start { batch_at(segments, start - 1)? } else { None };
        // What was before it may have been compacted away.
        let before = before.filter(|before| before.base_offset < start);
        if let Some(what) = before.iter().chain([&after]).find_map(says_other) {
            return Ok(Some(what));
        }
    }
    let last = batch_at(segments, log_end - 1)?;
    // The one who opens the log leads it: an epoch above is a lie of this batch alone.
    Ok(last.as_ref().filter(|last| last.partition_leader_epoch <= newest).and_then(says_other))
}

/// The first batch that ends at or above `offset`; `None` where the log is damaged there, too.
fn batch_at(segments: &[Arc<Segment>], offset: i64) -> Result<Option<BatchHeader>, LogError> {
    for segment in segments.iter().filter(|segment| segment.end().next_offset > offset) {
        let found = if offset > segment.base_offset {
            segment.locate(offset, Patience::Endless)
        } else {
            first_batch(segment)
        };
        match found {
            Ok(Some(found)) => return Ok(Some(found.header)),
            // Behind it there may be more.
            Ok(None) => {}
            Err(ReadError::Io(error)) => return Err(LogError::at(segment.path())(error)),
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}

/// No index is needed for it.
fn first_batch(segment: &Segment) -> Result<Option<Found>, ReadError> {
    let (file, size) = (segment.file()?, segment.end().size);
    match Scanner::new(&*file, 0, size, segment.base_offset, WINDOW_LOOKUP).next() {
        Ok(found) => Ok(found),
        Err(ScanError::Io(error)) => Err(error.into()),
        Err(ScanError::Bad { position, .. }) => Err(ReadError::Corrupt { file: segment.path(), position }),
    }
}

/// The epochs that the batches show. A segment that begins with the same epoch as the next one has no other in it.
pub(crate) fn of_batches(segments: &[Arc<Segment>], report: &mut RecoveryReport) -> Result<Epochs, LogError> {
    let mut firsts = Vec::with_capacity(segments.len());
    for segment in segments {
        let mut first = None;
        walk_headers(segment, segment.base_offset, report, |header| {
            first.get_or_insert((header.partition_leader_epoch, header.base_offset));
            false
        })?;
        firsts.push(first);
    }
    let mut rising = Rising::behind(Epochs::default(), ANY);
    for (at, segment) in segments.iter().enumerate() {
        let Some((epoch, start_offset)) = firsts.get(at).copied().flatten() else { continue };
        rising.meet(epoch, start_offset);
        let next = firsts.get(at + 1).copied().flatten();
        if next.is_none_or(|(next, _)| next != epoch) {
            walk_headers(segment, segment.base_offset, report, |header| {
                rising.meet(header.partition_leader_epoch, header.base_offset);
                true
            })?;
        }
    }
    Ok(rising.end().0)
}

/// Epochs as batches show them, one batch late: one that is above the next was never in force, and neither was one that
/// no leader of this log has reached.
#[derive(Debug)]
pub(crate) struct Rising {
    epochs: Epochs,
    /// None above it is believed.
    newest: i32,
    /// Epoch and offset of the batch met last.
    last: Option<(i32, i64)>,
    rose: bool,
}

impl Rising {
    /// Goes on behind `epochs`; nobody has led in a later one than `newest`.
    pub(crate) fn behind(epochs: Epochs, newest: i32) -> Self {
        Self { epochs, newest, last: None, rose: false }
    }

    pub(crate) fn meet(&mut self, epoch: i32, offset: i64) {
        if epoch > self.newest {
            return;
        }
        if let Some((last, offset)) = self.last.replace((epoch, offset))
            && last <= epoch
        {
            self.rose |= self.epochs.assign(last, offset);
        }
    }

    /// The epochs, and whether there are more than there were.
    pub(crate) fn end(mut self) -> (Epochs, bool) {
        if let Some((last, offset)) = self.last {
            self.rose |= self.epochs.assign(last, offset);
        }
        (self.epochs, self.rose)
    }
}

#[cfg(test)]
mod tests {
    use pagewire_disk::EpochEntry;

    use super::*;

    #[test]
    fn a_batch_that_is_above_the_next_one_is_not_believed() {
        let epochs = |met: &[i32]| {
            let mut rising = Rising::behind(Epochs::default(), 4);
            (0..).zip(met).for_each(|(offset, epoch)| rising.meet(*epoch, offset));
            rising.end().0.entries().iter().map(|EpochEntry { epoch, .. }| *epoch).collect::<Vec<_>>()
        };
        assert_eq!(epochs(&[0, 0, 1, 3]), [0, 1, 3]);
        assert_eq!(epochs(&[0, 70_000, 1, 1, 2]), [0, 1, 2]);
        assert_eq!(epochs(&[1, 1, 0, 1]), [1]);
        assert_eq!(epochs(&[1, 2, 70_000]), [1, 2]);
        assert_eq!(epochs(&[]), [0; 0]);
    }
}
