//! How far the bytes of a segment got on their way to stable storage, and what brings them there.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use pagewire_disk::DiskFile;

use crate::ahead::Part;
use crate::segment::Segment;
use crate::segment::youth::Youth;

/// Why records did not become stable.
#[derive(Debug)]
pub(crate) enum SyncError {
    /// The file could not be opened. Nothing is lost by that, and another attempt may succeed.
    NotBegun(io::Error),
    /// fdatasync failed: pages may have been dropped, and calling it again proves nothing.
    Failed(io::Error),
}

/// How far they got. Positions.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// Everything below is on stable storage.
    pub(crate) synced: AtomicU64,
    /// The kernel was asked to write everything below.
    pub(crate) written_back: AtomicU64,
    /// Pacing was asked for when the segment was this long.
    asked: AtomicU64,
    /// Bytes behind the end were cut off, and what cut them off is not on stable storage.
    pub(crate) cut_back: AtomicBool,
    /// Blocks are reserved up to here.
    pub(crate) reserved: AtomicU64,
    /// What of that lies ahead of the writer.
    pub(crate) ahead: Part,
    /// How long the segment was when somebody looked whether it is still written to.
    pub(crate) seen: AtomicU64,
    /// As many names had the file at the last sync after which its own was certain to be one of them, or not fewer.
    pub(crate) names: AtomicU64,
    /// Closed, indexes synced, reservation released.
    pub(crate) settled: AtomicBool,
    /// The `.index`.
    pub(crate) entries: Youth,
    /// The `.timeindex`.
    pub(crate) times: Youth,
}

impl Flow {
    /// Of files that were `synced` up to that size. Closed ones that were synced whole have nothing left to do.
    pub(crate) fn of_existing(size: u64, synced: u64, closed: bool) -> Self {
        let settled = (closed && synced >= size).into();
        Self { synced: synced.into(), written_back: size.into(), settled, ..Self::default() }
    }

    /// Both index files are changed, or will be in a moment.
    pub(crate) fn note_indexes_young(&self) {
        self.entries.note();
        self.times.note();
    }

    /// All `size` bytes are on stable storage, and the indexes too.
    pub(crate) fn settle_at(&self, size: u64) {
        self.synced.store(size, Ordering::Release);
        self.written_back.store(size, Ordering::Release);
        self.settled.store(true, Ordering::Release);
    }

    /// Whether so many bytes have piled up since the kernel, or whoever paces, was last asked.
    pub(crate) fn behind(&self, size: u64, pace_bytes: u64) -> bool {
        let last = self.written_back.load(Ordering::Relaxed).max(self.asked.load(Ordering::Relaxed));
        let behind = size.saturating_sub(last) >= pace_bytes;
        if behind {
            self.asked.store(size, Ordering::Relaxed);
        }
        behind
    }
}

impl Segment {
    /// Whether a sync has anything to do.
    pub(crate) fn is_dirty(&self) -> bool {
        !self.is_synced()
            || self.flow.cut_back.load(Ordering::Acquire)
            || (self.is_closed() && !self.flow.settled.load(Ordering::Acquire))
    }

    /// Whether all of its records are on stable storage.
    pub(crate) fn is_synced(&self) -> bool {
        self.flow.synced.load(Ordering::Acquire) >= self.end().size
    }

    /// Whether it was closed, and its indexes are on stable storage with it.
    pub(crate) fn is_settled(&self) -> bool {
        self.flow.settled.load(Ordering::Acquire)
    }

    /// fdatasync of the records that are not stable, and of the index without which they would be misread. A file that is
    /// returned has lost its name: nothing in it is stable. Whoever removes segments knows whether it was he.
    pub(crate) fn sync(&self) -> Result<Option<Arc<dyn DiskFile>>, SyncError> {
        let aborted = self.sync_aborted()?;
        let size = self.end().size;
        // A marker is written before its entry counts, and counts itself only after that.
        let cut_back = self.flow.cut_back.load(Ordering::Acquire);
        if self.flow.synced.load(Ordering::Acquire) < size || cut_back || !self.txns.has_stable(aborted) {
            let file = self.file().map_err(SyncError::NotBegun)?;
            // What is cut back from now on is for the next sync; where this one fails there is none.
            self.flow.cut_back.store(false, Ordering::Release);
            let writes = self.log_slot.writes();
            file.sync_data().map_err(SyncError::Failed)?;
            if self.has_lost_its_name(&*file).map_err(SyncError::Failed)? {
                return Ok(Some(file));
            }
            self.log_slot.note_sync(writes);
            self.flow.synced.store(size, Ordering::Release);
            self.txns.note_stable(aborted);
        }
        Ok(None)
    }

    /// fdatasync of the index files, of those that have changed.
    pub(crate) fn sync_indexes(&self) -> io::Result<()> {
        self.sync_entries()?;
        self.flow.times.sync(|| self.time_file())
    }

    /// fdatasync of the `.index`, if it has changed.
    pub(crate) fn sync_entries(&self) -> io::Result<()> {
        self.flow.entries.sync(|| self.index_file())
    }

    /// Of a closed segment: its reservation is released and its indexes are synced, those that are there.
    pub(crate) fn settle(&self) -> io::Result<()> {
        if !self.is_closed() || self.flow.settled.load(Ordering::Acquire) {
            return Ok(());
        }
        self.trim()?;
        for (youth, index) in [(&self.flow.entries, self.index_file()), (&self.flow.times, self.time_file())]
        {
            match index {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                file => youth.sync_whatever(&*file?)?,
            }
        }
        self.flow.settled.store(true, Ordering::Release);
        Ok(())
    }

    /// Gives reserved blocks back. For closed segments, or under the append lock. Of a file that somebody has cut meanwhile they
    /// stay: with its length it would get zeros.
    pub(crate) fn trim(&self) -> io::Result<()> {
        let size = self.end().size;
        self.flow.ahead.keep(0);
        if self.flow.reserved.swap(0, Ordering::AcqRel) > size {
            let file = self.file()?;
            if file.len()? >= size {
                file.set_len(size)?;
            }
        }
        Ok(())
    }
}
