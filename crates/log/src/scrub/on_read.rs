//! A check on the way of a read, where one is due.
//!
//! A segment that was taken over at the start without being read (it lies below the recovery point) may have gone bad while
//! nobody looked, and the scrub may take days to come to it. A read of it that has to wait for the disk anyway, on a thread
//! that may, has its batches' checksums compared first: the bytes come from the disk either way, and the sending that
//! follows finds them in the page cache. A read that finds what it needs in the cache is answered without a check.

use std::io;
use std::sync::atomic::Ordering;

use super::damage::Stretch;
use crate::files::{BatchWalk, Step};
use crate::segment::Segment;

impl Segment {
    /// Verifies the batches that begin among `len` bytes from `position`, where one of base offset `offset` begins. What is
    /// damaged is known to readers afterwards.
    pub(crate) fn check_if_due(&self, position: u64, len: u64, offset: i64) -> io::Result<()> {
        if !self.check_due.load(Ordering::Relaxed) || !self.is_closed() {
            return Ok(());
        }
        let (file, end) = (self.file()?, self.end());
        let mut walk = BatchWalk::new(&*file, position, end.size);
        let (mut expected, until) = (offset, position + len);
        while walk.position() < until {
            let (from, stated) = match walk.step()? {
                None => break,
                Some(Step::Batch(batch)) if batch.is_whole() => {
                    expected = batch.header.next_offset();
                    continue;
                }
                Some(Step::Batch(batch)) => (batch.position, Some(batch.end())),
                Some(Step::Bad(bad)) => (bad.position, bad.next),
            };
            let next = walk.next_behind(from, stated, &(expected..=end.next_offset - 1))?;
            let to = next.unwrap_or(end.size);
            walk.resume_at(to);
            let next_offset = match walk.step()? {
                Some(Step::Batch(batch)) => batch.header.base_offset,
                _ => end.next_offset,
            };
            walk.resume_at(to);
            self.tell_damage(Stretch { from, to, offset: expected, next_offset });
            expected = next_offset;
        }
        Ok(())
    }

    /// Damage was found: said once, and known to readers from here on.
    pub(crate) fn tell_damage(&self, stretch: Stretch) {
        let Stretch { from, to, offset, next_offset } = stretch;
        if !self.damage.add(stretch) {
            return;
        }
        tracing::error!(
            file = %self.path().display(),
            position = from,
            bytes = to - from,
            offset,
            next_offset,
            "records are damaged: reads of these offsets are refused, those around them are served"
        );
    }
}
