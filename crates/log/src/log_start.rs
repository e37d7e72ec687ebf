//! Where a log begins: moved by DeleteRecords and by retention, never back.

use std::io;
use std::sync::atomic::Ordering;

use crate::epochs;
use crate::errors::DeleteRecordsError;
use crate::log::Log;
use crate::sick::is_full;

impl Log {
    /// DeleteRecords: nothing below `offset` can be read any more (-1: nothing at all, up to the high watermark).
    /// Returns the log start. Whole segments below it go with the next [`Log::apply_retention`].
    pub fn delete_records_before(&self, offset: i64) -> Result<i64, DeleteRecordsError> {
        let before = self.marks().log_start;
        let moved = {
            let _writer = self.writer.lock();
            self.may_shrink()?;
            let high_watermark = self.marks().high_watermark;
            let offset = if offset == -1 { high_watermark } else { offset };
            if offset < 0 || offset > high_watermark {
                return Err(DeleteRecordsError::OffsetOutOfRange { offset, high_watermark });
            }
            self.move_log_start(offset)
        };
        if moved {
            // Retention tries again before it takes anything.
            let _ = self.write_epochs();
        }
        let log_start = self.marks().log_start;
        if log_start > before {
            tracing::info!(
                "{}-{}: the log start moved from {before} to {log_start} by a request to delete records; the segments below \
                 go with the next look of retention",
                self.topic,
                self.partition
            );
        }
        Ok(log_start)
    }

    /// Begins no earlier than at `offset`, which the log held before it was opened.
    pub(crate) fn begin_at(&self, offset: i64) {
        let moved = {
            let _append = self.writer.lock();
            offset > self.marks.load().log_start && self.move_log_start(offset)
        };
        if moved {
            // What cannot be written is tried again; opening a log cuts them anyhow.
            let _ = self.write_epochs();
        }
    }

    /// The caller holds the append lock, and [writes the epochs](Self::write_epochs) when it has given it back if they
    /// changed.
    pub(crate) fn move_log_start(&self, offset: i64) -> bool {
        let moved = self.marks.advance(|marks| {
            marks.log_start = marks.log_start.max(offset);
            marks.last_stable = marks.last_stable.max(marks.log_start);
        });
        match moved {
            Ok(marks) => self.epochs.write().truncate_start(marks.log_start),
            Err(error) => {
                self.poison(&io::Error::new(io::ErrorKind::InvalidData, error), "moving the log start");
                false
            }
        }
    }

    /// Writes the epochs as they are now. What cannot be written is tried again before a segment goes, and by the orderly end;
    /// opening a log cuts them at its start and its end anyhow.
    pub(crate) fn write_epochs(&self) -> io::Result<()> {
        let _file = self.epoch_file.lock();
        // The directory may have another name by now, and another log in its place.
        if self.has_left() {
            return Ok(());
        }
        let epochs = self.epochs.read().clone();
        let written = epochs.write(&*self.home.disk, &self.home.dir);
        self.epochs_behind.store(written.is_err(), Ordering::Release);
        written.inspect_err(|error| self.fail(error, "the leader epochs are not written"))
    }

    /// Makes sure, for good, that no file says of the epochs that they begin before the log does: a start would take segments
    /// that retention took for lost ones. On a full disk the file goes, for only that needs no room; a start makes it anew from
    /// the batches.
    pub(crate) fn cut_epochs_on_disk(&self) -> io::Result<()> {
        if !self.epochs_behind.load(Ordering::Acquire) {
            return Ok(());
        }
        match self.write_epochs() {
            Err(error) if is_full(error.kind()) => self.remove_epochs(),
            written => written,
        }
    }

    fn remove_epochs(&self) -> io::Result<()> {
        let _file = self.epoch_file.lock();
        if self.has_left() {
            return Ok(());
        }
        let disk = &self.home.disk;
        let removed = match disk.remove_file(&self.home.dir.join(epochs::FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => disk.sync_dir(&self.home.dir),
        };
        removed.inspect_err(|error| self.fail(error, "the leader epochs cannot be cut at the log's start"))
    }
}
