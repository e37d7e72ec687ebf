//! A segment before it is read: where it lies, what is known of it, and its files.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::{Disk, DiskFile, OpenMode};

use super::beside::FileId;
use crate::scrub::Places;
use crate::segment::names;

/// A file with its length.
pub(super) type OpenFile = (Arc<dyn DiskFile>, u64);

/// What is known of a segment before it is read.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub(super) dir: &'p Path,
    pub(super) base: i64,
    /// Base of the segment behind it; `None` for the active one.
    pub(super) next_base: Option<i64>,
    /// A broker is serving it.
    pub(super) live: bool,
}

impl Place<'_> {
    /// Of the file with this suffix.
    pub(super) fn path(&self, suffix: &str) -> PathBuf {
        names::path(self.dir, self.base, suffix)
    }
}

/// The segment's files, opened together so that they are of one moment.
pub(super) struct Files {
    log: Arc<dyn DiskFile>,
    size: u64,
    pub(super) index: Option<OpenFile>,
    pub(super) times: Option<OpenFile>,
    pub(super) aborts: Option<OpenFile>,
}

impl Files {
    /// Opens them. The log last: what an index has is then in it.
    pub(super) fn open(disk: &dyn Disk, place: &Place<'_>) -> io::Result<Self> {
        let open = |suffix| match disk.open(&place.path(suffix), OpenMode::Read) {
            Ok(file) => file.len().map(|len| Some((file, len))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let (index, times, aborts) = (open(names::INDEX)?, open(names::TIME_INDEX)?, open(names::TXN_INDEX)?);
        let log = disk.open(&place.path(names::LOG), OpenMode::Read)?;
        Ok(Self { size: log.len()?, log, index, times, aborts })
    }

    /// Whether one of them has another file under its name by now, or none.
    pub(super) fn are_replaced(&self, disk: &dyn Disk, place: &Place<'_>) -> bool {
        let opened = |file: Option<&OpenFile>| file.and_then(|(file, _)| FileId::of(&**file));
        let all = [
            (names::LOG, FileId::of(&*self.log)),
            (names::INDEX, opened(self.index.as_ref())),
            (names::TIME_INDEX, opened(self.times.as_ref())),
            (names::TXN_INDEX, opened(self.aborts.as_ref())),
        ];
        all.into_iter().any(|(suffix, opened)| FileId::at(disk, &place.path(suffix)) != opened)
    }

    /// Where the offset index says that batches begin.
    pub(super) fn places(&self, base: i64) -> Places {
        let index = self.index.as_ref();
        index.and_then(|(index, _)| Places::read(&**index, base).ok()).unwrap_or_default()
    }

    /// The `.log`.
    pub(super) fn log(&self) -> &dyn DiskFile {
        &*self.log
    }

    /// Its length.
    pub(super) fn size(&self) -> u64 {
        self.size
    }
}
