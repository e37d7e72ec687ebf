//! A check on the way of a read, where one is due.
//!
//! A segment that was taken over at the start without being read (it lies below the recovery point) may have gone bad while
//! nobody looked, and the scrub may take days to come to it. A read of it that has to wait for the disk anyway, on a thread
//! that may, has its batches' checksums compared first: the bytes come from the disk either way, and the sending that
//! follows finds them in the page cache. A read that finds what it needs in the cache is answered without a check.

use std::io;
use std::sync::atomic::Ordering;

use super::damage::Stretch;
use super::evidence::Evidence;
use super::extent::stretch_at;
use super::search::is_in_place;
use super::stretches::Added;
use crate::damaged::{Damaged, TOLD_MAX};
use crate::errors::ReadError;
use crate::files::{BatchWalk, Step};
use crate::scan::{Found, ScanError, Scanner};
use crate::segment::Segment;

impl Segment {
    /// Verifies the batches that begin among `len` bytes from `position`, where one of base offset `offset` begins. What is
    /// damaged is known to readers afterwards.
    pub(crate) fn check_if_due(&self, position: u64, len: u64, offset: i64) -> io::Result<()> {
        if !self.is_check_due(position) {
            return Ok(());
        }
        let (file, end) = (self.file()?, self.end());
        let mut walk = BatchWalk::new(&*file, position, end.size);
        let (mut expected, until, holes_below) = (offset, position + len, self.holes_below());
        while walk.position() < until {
            let from = match walk.step()? {
                None => break,
                Some(Step::Batch(batch)) if is_in_place(&batch, expected, holes_below, end) => {
                    expected = batch.header.next_offset();
                    continue;
                }
                Some(Step::Batch(batch)) => batch.position,
                Some(Step::Bad(bad)) => bad.position,
            };
            let stretch = self.learn_damage(from, expected)?;
            walk.resume_at(stretch.end());
            expected = stretch.next_offset;
        }
        Ok(())
    }

    /// A walk over headers came to something at `position` that is no batch. If the batch before is not whole, its length
    /// may have led there.
    pub(crate) fn learn_on_the_way(&self, scanner: &Scanner<'_>, position: u64) -> io::Result<Stretch> {
        let (file, end) = (self.file()?, self.end());
        if let Some((before, expected)) = scanner.last()
            && !matches!(BatchWalk::new(&*file, before, end.size).step()?, Some(Step::Batch(batch)) if batch.is_whole())
        {
            return self.learn_damage(before, expected);
        }
        self.learn_damage(position, scanner.expected())
    }

    /// The next good batch of a walk over headers. What is damaged is learned, and passed by.
    pub(crate) fn next_readable(&self, scanner: &mut Scanner<'_>) -> Result<Option<Found>, ReadError> {
        loop {
            let position = match scanner.next() {
                Ok(found) => return Ok(found),
                Err(ScanError::Io(error)) => return Err(error.into()),
                Err(ScanError::Bad { position, .. }) => position,
            };
            if self.unsettled.load(Ordering::Relaxed) {
                return Err(ReadError::Corrupt { file: self.path(), position });
            }
            self.suspected();
            let stretch = self.learn_on_the_way(scanner, position)?;
            scanner.resume(stretch.end(), stretch.next_offset);
        }
    }

    /// What begins at `from` is not what belongs there: readers know from here on how far that reaches.
    pub(crate) fn learn_damage(&self, from: u64, expected: i64) -> io::Result<Stretch> {
        let end = self.end();
        let anchors = self.anchors();
        let evidence = Evidence::of(Some(&anchors), self.damage.all().len());
        let stretch = stretch_at(&*self.file()?, from, end.size, expected..end.next_offset, evidence)?;
        self.tell_damage(stretch);
        Ok(stretch)
    }

    /// Damage was found: known to readers from here on, and said once as long as there is little of it. Whether it was news.
    pub(crate) fn tell_damage(&self, stretch: Stretch) -> bool {
        let (added, known) = self.damage.add(stretch);
        if added == Added::Known || self.home.is_rehearsed() {
            return false;
        }
        let Stretch { offset, next_offset, .. } = stretch;
        if known <= TOLD_MAX {
            tracing::error!(
                file = %self.path().display(),
                position = stretch.begin(),
                bytes = stretch.bytes(),
                offset,
                next_offset,
                "records are damaged: reads of these offsets are refused, those around them are served"
            );
        } else if known == TOLD_MAX + 1 && added == Added::New {
            tracing::error!(
                file = %self.path().display(),
                offset,
                "more of it is damaged: from here on its places are counted and not said one by one"
            );
        }
        true
    }

    /// All of the segment was looked at, and so much was damaged that it was not said one by one.
    pub(super) fn sum_damage_up(&self) {
        let damage: Vec<Damaged> =
            self.damage.all().into_iter().map(|stretch| stretch.of(self.path())).collect();
        if damage.len() > TOLD_MAX {
            Damaged::told(&damage).for_each(|told| tracing::error!("{told}: reads of those are refused"));
        }
    }
}
