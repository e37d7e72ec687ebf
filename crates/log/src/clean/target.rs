//! The segment that takes the place of others, while it is written: `.log.cleaned` with its indexes.
//!
//! Written through one buffer; complete and on stable storage once [`Target::finish`] is through.

use std::fs::FileTimes;
use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use pagewire_disk::DiskFile;
use pagewire_record::BatchHeader;

use super::error::CleanError;
use super::stats::CleanStats;
use super::work::Work;
use crate::scan::derive::Sparse;
use crate::segment::stage::Stage;
use crate::segment::{End, Segment, names};
use crate::txns::index::AbortedTxn;

/// A segment being written.
pub(super) struct Target {
    segment: Segment,
    file: Arc<dyn DiskFile>,
    sparse: Sparse,
    /// Bytes in the file.
    written: u64,
    /// The newest time of a batch of which only the header stayed.
    bare: Option<i64>,
    /// Bytes that are to follow.
    pub(super) buffer: Vec<u8>,
    /// Where in the buffer the last batch begins.
    begun: usize,
}

impl Target {
    /// Makes the files. `buffer` is used again.
    pub(super) fn create(work: &Work<'_>, base_offset: i64, mut buffer: Vec<u8>) -> Result<Self, CleanError> {
        buffer.clear();
        let home = &work.log.home;
        let made = work.log.in_place(|| Segment::create_cleaned(Arc::clone(home), base_offset))?;
        let made = made.and_then(|segment| segment.file().map(|file| (segment, file)));
        let (segment, file) = made.map_err(|error| {
            work.log.discard(base_offset);
            CleanError::at(home.path(base_offset, &Stage::Cleaned.file(names::LOG)))(error)
        })?;
        Ok(Self { segment, file, sparse: Sparse::default(), written: 0, bare: None, buffer, begun: 0 })
    }

    /// Bytes so far.
    pub(super) fn size(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    fn path(&self) -> PathBuf {
        self.segment.path()
    }

    /// A batch with this header was added to the buffer. `false`: it does not fit a segment file.
    pub(super) fn note_batch(
        &mut self,
        work: &Work<'_>,
        header: &BatchHeader,
        entry: Option<AbortedTxn>,
    ) -> Result<bool, CleanError> {
        if header.records_count == 0 {
            self.bare = self.bare.max(Some(header.max_timestamp));
        }
        let position = self.written + self.begun as u64;
        self.begun = self.buffer.len();
        if self.size() > i32::MAX as u64 {
            return Ok(false);
        }
        let due = self.sparse.next(work.config.index_interval_bytes, header.size_in_bytes());
        self.noted(header, position, due, entry).map_err(CleanError::at(self.path()))?;
        if self.buffer.len() >= work.chunk {
            self.flush(work)?;
        }
        Ok(true)
    }

    fn noted(
        &self,
        header: &BatchHeader,
        position: u64,
        due: bool,
        entry: Option<AbortedTxn>,
    ) -> io::Result<()> {
        self.segment.note_batch(header, position, due)?;
        if let Some(entry) = entry {
            self.segment.write_aborted(entry)?;
            self.segment.publish_aborted();
        }
        Ok(())
    }

    fn flush(&mut self, work: &Work<'_>) -> Result<(), CleanError> {
        let written = self.file.write_all_at(self.written, &[IoSlice::new(&self.buffer)]);
        written.map_err(CleanError::at(self.path()))?;
        let bytes = self.buffer.len() as u64;
        self.written += bytes;
        self.buffer.clear();
        self.buffer.shrink_to(2 * work.chunk);
        self.begun = 0;
        work.spend(bytes);
        Ok(())
    }

    /// Everything on stable storage. The segment ends where the next one begins, and is as old as what it replaces.
    pub(super) fn finish(
        &mut self,
        work: &Work<'_>,
        next_offset: i64,
        modified: Option<SystemTime>,
    ) -> Result<(), CleanError> {
        self.flush(work)?;
        self.segment.set_end(End { next_offset, size: self.written });
        self.segment.ages.note_bare(self.bare);
        self.synced(modified).map_err(CleanError::at(self.path()))
    }

    fn synced(&self, modified: Option<SystemTime>) -> io::Result<()> {
        let segment = &self.segment;
        segment.write_indexes()?;
        segment.close();
        for index in [segment.index_file()?, segment.time_file()?] {
            index.sync_data()?;
        }
        segment.open(names::TXN_INDEX, pagewire_disk::OpenMode::ReadWrite)?.sync_data()?;
        if let Some(modified) = modified
            && let Err(error) = self.file.file().set_times(FileTimes::new().set_modified(modified))
        {
            tracing::debug!(segment = %segment.path().display(), %error, "its time is that of the compaction");
        }
        self.file.sync_all()
    }

    /// The finished segment, and the buffer for the next one.
    pub(super) fn into_segment(self, stats: &mut CleanStats) -> (Arc<Segment>, Vec<u8>) {
        stats.bytes_written += self.written;
        stats.segments_written += 1;
        self.segment.flow.settle_at(self.written);
        self.segment.txns.settle();
        (Arc::new(self.segment), self.buffer)
    }

    /// Removes the files of a segment that will not be.
    pub(super) fn discard(self, work: &Work<'_>) -> Vec<u8> {
        work.log.discard(self.segment.base_offset);
        self.buffer
    }
}
