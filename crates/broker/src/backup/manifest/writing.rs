//! Writing a manifest: under another name until it is whole.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::{Disk, DiskFile, OpenMode};

use super::{End, FileRecord, Head, Line, LogRecord, MANIFEST_FILE, MissingRecord, RowRecord, sealed, wrong};
use crate::backup::BackupFailed;

/// Its name until it is whole.
const HALF_FILE: &str = "backup.json.tmp";

/// A manifest being written, a line for each thing that is there. No more than a line is kept in memory: a backup may
/// have millions of files.
pub(in crate::backup) struct Writing<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    /// Under another name until it is whole.
    path: PathBuf,
    file: Arc<dyn DiskFile>,
    /// Where the next line goes.
    at: u64,
    crc: u32,
    logs: usize,
    bytes: u64,
}

impl<'a> Writing<'a> {
    pub(in crate::backup) fn begin(
        disk: &'a dyn Disk,
        dir: &'a Path,
        head: Head,
    ) -> Result<Self, BackupFailed> {
        let path = dir.join(HALF_FILE);
        let file = disk.open(&path, OpenMode::CreateNew).map_err(BackupFailed::at(&path))?;
        let mut this = Self { disk, dir, path, file, at: 0, crc: 0, logs: 0, bytes: 0 };
        this.line(&Line::Backup(head))?;
        Ok(this)
    }

    pub(in crate::backup) fn file(&mut self, file: FileRecord) -> Result<(), BackupFailed> {
        self.bytes = self.bytes.saturating_add(file.bytes);
        self.line(&Line::File(file))
    }

    pub(in crate::backup) fn log(&mut self, log: LogRecord) -> Result<(), BackupFailed> {
        self.logs += 1;
        self.bytes = log.files.iter().fold(self.bytes, |sum, file| file.bytes.saturating_add(sum));
        self.line(&Line::Log(log))
    }

    pub(in crate::backup) fn missing(&mut self, log: MissingRecord) -> Result<(), BackupFailed> {
        self.line(&Line::Missing(log))
    }

    pub(in crate::backup) fn row(&mut self, row: RowRecord) -> Result<(), BackupFailed> {
        self.line(&Line::Row(row))
    }

    /// The backup is finished by it: everything else is there, and synced.
    pub(in crate::backup) fn finish(mut self, finished_ms: i64) -> Result<(), BackupFailed> {
        let (logs, bytes, crc32c) = (self.logs, self.bytes, sealed(self.crc, finished_ms));
        self.line(&Line::End(End { finished_ms, logs, bytes, crc32c }))?;
        self.file.sync_all().map_err(BackupFailed::at(&self.path))?;
        let named = self.disk.rename(&self.path, &self.dir.join(MANIFEST_FILE));
        named.and_then(|()| self.disk.sync_dir(self.dir)).map_err(BackupFailed::at(&self.path))
    }

    fn line(&mut self, line: &Line) -> Result<(), BackupFailed> {
        let mut text = serde_json::to_vec(line).map_err(|error| wrong(&self.path, error.to_string()))?;
        text.push(b'\n');
        self.file.write_at(self.at, &text).map_err(BackupFailed::at(&self.path))?;
        self.at += text.len() as u64;
        self.crc = pagewire_record::crc::append(self.crc, &text);
        Ok(())
    }
}
