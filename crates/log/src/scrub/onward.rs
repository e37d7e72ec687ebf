//! Where the log surely goes on behind a batch whose header is no help: nothing says how long it is, and its records may hold whole
//! batches (`evidence`).
//!
//! 1. Where its records end, if they are not compressed and none of them is damaged (`records`).
//! 2. Where the index says that one of the next batches begins.
//! 3. Further on than a batch is long, where a walk from whole batch to whole batch comes to. Only one who wrote all batches from
//!    here to there, and knew their offsets, times and leader epochs before they had them, could have laid another way.
//!
//! Else nothing is: what cannot be told from what a record holds is refused with what is damaged. Every batch behind one that
//! is longer than `index.interval.bytes` has an entry, which is on the disk before a checkpoint calls the batch stable, so that is
//! about as much as those bytes, unless the index is gone.

use std::io;
use std::ops::RangeInclusive;

use pagewire_record::BatchHeader;

use super::evidence::Evidence;
use super::records::end_of_records;
use crate::files::{BATCH_LEN_MAX, BatchWalk};

/// A batch, and where it begins.
type Placed = (u64, BatchHeader);

/// What is known of what comes.
pub(super) struct Onward<'e> {
    pub(super) evidence: Evidence<'e>,
    /// The base offsets that it may have; it ends below the last one, or with it.
    pub(super) believed: RangeInclusive<i64>,
}

impl Onward<'_> {
    /// The first batch behind the one at `from` that is shown to be one of the log's own.
    pub(super) fn behind(&self, walk: &mut BatchWalk<'_>, from: u64) -> io::Result<Option<Placed>> {
        if let Some(found) = self.behind_its_records(walk, from)? {
            return Ok(Some(found));
        }
        match self.at_an_entry(walk, from)? {
            None => self.far_from(walk, from),
            found => Ok(found),
        }
    }

    fn behind_its_records(&self, walk: &mut BatchWalk<'_>, from: u64) -> io::Result<Option<Placed>> {
        let end = end_of_records(walk, from)?;
        let least = self.believed.start().saturating_sub(1).saturating_add(end.offsets);
        let found = self.whole_at(walk, end.position)?;
        Ok(found.filter(|header| header.base_offset >= least).map(|header| (end.position, header)))
    }

    fn at_an_entry(&self, walk: &mut BatchWalk<'_>, from: u64) -> io::Result<Option<Placed>> {
        let mut next = self.evidence.entry_from(from + 1);
        while let Some((at, last_offset)) = next.filter(|(at, _)| *at < walk.end()) {
            if let Some(header) =
                self.whole_at(walk, at)?.filter(|header| header.last_offset() == last_offset)
            {
                return Ok(Some((at, header)));
            }
            next = self.evidence.entry_from(at + 1);
        }
        Ok(None)
    }

    fn far_from(&self, walk: &mut BatchWalk<'_>, from: u64) -> io::Result<Option<Placed>> {
        let (far, mut at) = (from.saturating_add(BATCH_LEN_MAX), from + 1);
        while far < walk.end()
            && let Some(first) = walk.find_batch(at, &self.believed)?
        {
            let (mut place, mut expected) = (first, i64::MIN);
            while let Some(header) = self.whole_at(walk, place)?.filter(|next| next.base_offset >= expected) {
                if place >= far {
                    return Ok(Some((place, header)));
                }
                (place, expected) = (place + header.size_in_bytes(), header.next_offset());
            }
            at = place.max(first + 1);
        }
        Ok(None)
    }

    /// The batch at `position`, if it is whole and may be there.
    fn whole_at(&self, walk: &mut BatchWalk<'_>, position: u64) -> io::Result<Option<BatchHeader>> {
        let end = self.believed.end().saturating_add(1);
        let may_be = |header: &BatchHeader| self.believed.contains(&header.base_offset) && fits(header, end);
        Ok(walk.whole_at(position)?.filter(may_be))
    }
}

/// Whether a batch ends below `end`, and begins before it does.
pub(super) fn fits(header: &BatchHeader, end: i64) -> bool {
    header.last_offset_delta >= 0 && header.next_offset() <= end
}
