//! Where a log begins: moved by DeleteRecords and by retention, never back.

use std::io;
use std::sync::atomic::Ordering;

use crate::errors::DeleteRecordsError;
use crate::log::Log;

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
            self.write_epochs();
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

    /// Writes the epochs as they are now. Opening a log cuts them at its start and its end anyhow, so what cannot be
    /// written on a full disk is not missed; the orderly end tries once more, for others who read the file.
    pub(crate) fn write_epochs(&self) {
        let _file = self.epoch_file.lock();
        // The directory may have another name by now, and another log in its place.
        if self.is_deleted() {
            return;
        }
        let epochs = self.epochs.read().clone();
        let written = epochs.write(&*self.home.disk, &self.home.dir);
        self.epochs_behind.store(written.is_err(), Ordering::Release);
        if let Err(error) = written {
            self.fail(&error, "the leader epochs are not written");
        }
    }
}
