//! A segment's bytes on their way to the disk before anybody waits for them: paced writeback, and blocks reserved
//! ahead.

use std::io;
use std::sync::atomic::Ordering;

use crate::segment::Segment;

/// Granularity of writeback: the page that is still being filled is left alone.
const PAGE: u64 = 4096;
/// Segments smaller than this reserve no blocks: most partitions never grow past it.
pub(crate) const RESERVE_FROM: u64 = 1 << 20;
/// Most bytes reserved ahead of the writer.
const RESERVE_MAX: u64 = 16 << 20;
/// And no more than such a share of what is free: others write to the same disk.
const RESERVE_OF_FREE: u64 = 64;
/// So many times as much as was appended meanwhile is handed to the kernel at once, of what is far behind.
const CATCH_UP: u64 = 2;

impl Segment {
    /// Asks the kernel to write whole dirty pages; how many bytes. Of the active segment only while much is dirty on this
    /// machine: what is on its way to the disk holds up who appends to the same file, as the file system finds blocks for it.
    pub(crate) fn write_back(&self, pace_bytes: u64) -> io::Result<u64> {
        let size = self.end().size;
        let from =
            self.flow.written_back.load(Ordering::Acquire).max(self.flow.synced.load(Ordering::Acquire));
        let until = if self.is_closed() {
            size
        } else if self.home.disk.is_writeback_due() {
            (size - size % PAGE).min(from.saturating_add(CATCH_UP.saturating_mul(pace_bytes)))
        } else {
            return Ok(0);
        };
        if until <= from {
            return Ok(0);
        }
        self.file()?.start_writeback(from, until - from)?;
        self.flow.written_back.fetch_max(until, Ordering::AcqRel);
        Ok(until - from)
    }

    /// Asks the kernel to write all that is dirty, of a segment that nobody appends to any more.
    pub(crate) fn write_back_end(&self) -> io::Result<()> {
        let (size, synced) = (self.end().size, self.flow.synced.load(Ordering::Acquire));
        if synced < size {
            let from = self.flow.written_back.load(Ordering::Acquire).min(size);
            self.file()?.start_writeback(from, size - from)?;
        }
        if self.flow.entries.is_young() {
            let index = self.index_file()?;
            index.start_writeback(0, index.len()?)?;
        }
        if self.flow.times.is_young() {
            let times = self.time_file()?;
            times.start_writeback(0, times.len()?)?;
        }
        Ok(())
    }

    /// Reserves blocks ahead of the writer, of a segment that is long enough. Advice; failures do not matter. Writeback then has
    /// none to find, which costs more one by one.
    pub(crate) fn reserve(&self, segment_bytes: u64, eager: bool) {
        let size = self.end().size;
        if size < RESERVE_FROM {
            return;
        }
        let free = self.home.disk.free_bytes(&self.home.dir).unwrap_or(0);
        let ahead = ahead_of(size, eager, free);
        let from = self.flow.reserved.load(Ordering::Acquire).max(size);
        self.flow.ahead.keep(from - size);
        let wanted = (size + ahead).min(segment_bytes).saturating_sub(from);
        if from - size >= ahead / 2 || wanted == 0 {
            return;
        }
        let until = from + self.flow.ahead.take(&self.home.ahead, wanted, free);
        if until == from {
            return;
        }
        // Told first: a trim after this sees it and gives back whatever was reserved.
        self.flow.reserved.fetch_max(until, Ordering::AcqRel);
        if let Ok(file) = self.file()
            && let Err(error) = file.preallocate(from, until - from)
        {
            tracing::debug!(segment = %self.path().display(), %error, "no blocks reserved");
        }
        if self.is_closed() {
            self.flow.reserved.fetch_max(until, Ordering::AcqRel);
            if let Err(error) = self.trim() {
                tracing::debug!(segment = %self.path().display(), %error, "reserved blocks stay");
            }
        }
    }
}

/// A quarter of what is there, or as much again if `eager`, within bounds.
fn ahead_of(size: u64, eager: bool, free: u64) -> u64 {
    let share = if eager { size } else { size / 4 };
    share.min(RESERVE_MAX).min(free / RESERVE_OF_FREE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_segment_reserves_its_share_within_bounds() {
        let plenty = 100 << 30;
        assert_eq!(ahead_of(8 * MIB, false, plenty), 2 * MIB);
        assert_eq!(ahead_of(8 * MIB, true, plenty), 8 * MIB);
        assert_eq!(ahead_of(1 << 30, false, plenty), RESERVE_MAX);
        assert_eq!(ahead_of(1 << 30, true, plenty), RESERVE_MAX);
    }

    #[test]
    fn on_a_disk_that_is_nearly_full_little_or_nothing_is_reserved() {
        assert_eq!(ahead_of(1 << 30, true, 64 * MIB), MIB);
        assert_eq!(ahead_of(1 << 30, true, 0), 0);
    }
}
