//! An offset index that is written anew beside the one whose place it takes: what that shows of the log behind a destroyed
//! header is on the disk until the new one is.
//!
//! ```text
//!   .index        [ old entries ............................. ]──┐ rename, once the other one is whole and synced
//!   .index.tmp    [ new entries ...                            ──┘ left by whoever is killed: the next start removes it
//! ```
//!
//! One at a time: the start, or whoever holds `building`. Of the `.timeindex` nothing depends on, so that is emptied.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use pagewire_disk::{DiskFile, OpenMode};

use crate::segment::{Segment, names};

impl Segment {
    /// Both indexes begin without an entry, the offset index in a file beside its own.
    pub(crate) fn begin_indexes_beside(&self) -> io::Result<()> {
        self.start_indexes_empty();
        self.index_beside.store(true, Ordering::Release);
        let index = self.open_index(OpenMode::Create)?;
        index.set_len(0)?;
        self.home.handles.put(&self.index_slot, &index);
        self.empty(&*self.open(names::TIME_INDEX, OpenMode::Create)?)?;
        self.flow.note_indexes_young();
        Ok(())
    }

    /// The file beside takes its place, with the entries that were written to it, for good.
    pub(crate) fn put_index_in_place(&self) -> io::Result<()> {
        self.sync_entries()?;
        let disk = &self.home.disk;
        disk.rename(&self.index_path(names::TEMPORARY), &self.index_path(""))?;
        self.index_beside.store(false, Ordering::Release);
        disk.sync_dir(&self.home.dir)
    }

    /// Both indexes begin without an entry, in their own files. What was begun beside goes, which may be all the room there is.
    pub(crate) fn empty_indexes(&self) -> io::Result<()> {
        self.start_indexes_empty();
        if self.index_beside.swap(false, Ordering::AcqRel) {
            match self.home.disk.remove_file(&self.index_path(names::TEMPORARY)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        self.empty_index_files()
    }

    /// The file that entries are written to.
    pub(super) fn open_index(&self, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let is_beside = self.index_beside.load(Ordering::Acquire);
        self.open_called(names::INDEX, if is_beside { names::TEMPORARY } else { "" }, mode)
    }

    fn start_indexes_empty(&self) {
        self.index.start_empty();
        self.times.start_empty();
    }

    fn index_path(&self, ending: &str) -> PathBuf {
        self.home.path(self.base_offset, &format!("{}{ending}", self.stage.get().file(names::INDEX)))
    }
}
