//! A file that is the one below up to some length, until something is written to it: then it is one in memory.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use pagewire_disk::{Disk, DiskFile, MemoryDisk, OpenMode};
use parking_lot::Mutex;

/// Bytes copied at once.
const PIECE: u64 = 256 << 10;

/// The file.
#[derive(Debug)]
pub(super) struct PlayedFile {
    /// Of one that is not there below: an empty one.
    below: Arc<dyn DiskFile>,
    /// So much of the file below is there still; it is at least as long.
    kept: AtomicU64,
    /// What takes its place once something was written.
    own: OnceLock<Arc<dyn DiskFile>>,
    memory: MemoryDisk,
    /// Held while that is made, and while the length changes.
    changing: Mutex<()>,
}

impl PlayedFile {
    /// The file below.
    pub(super) fn of(below: Arc<dyn DiskFile>, memory: MemoryDisk) -> io::Result<Self> {
        let kept = below.len()?.into();
        Ok(Self { below, kept, own: OnceLock::new(), memory, changing: Mutex::default() })
    }

    /// One that is not there below.
    pub(super) fn empty(memory: MemoryDisk) -> io::Result<Self> {
        Self::of(in_memory(&memory)?, memory)
    }

    /// The one in memory, made now if it is not there.
    fn own(&self) -> io::Result<&Arc<dyn DiskFile>> {
        let _changing = self.changing.lock();
        if let Some(own) = self.own.get() {
            return Ok(own);
        }
        let (own, len) = (in_memory(&self.memory)?, self.kept.load(Ordering::Acquire));
        let mut at = 0;
        while at < len {
            let mut piece = vec![0; PIECE.min(len - at) as usize];
            self.below.read_exact_at(at, &mut piece)?;
            own.write_at(at, &piece)?;
            at += piece.len() as u64;
        }
        Ok(self.own.get_or_init(|| own))
    }
}

/// A file without a name.
fn in_memory(memory: &MemoryDisk) -> io::Result<Arc<dyn DiskFile>> {
    let path = Path::new("/played");
    let file = memory.open(path, OpenMode::CreateNew)?;
    memory.remove_file(path)?;
    Ok(file)
}

impl DiskFile for PlayedFile {
    fn file(&self) -> &Arc<File> {
        self.own.get().unwrap_or(&self.below).file()
    }

    fn len(&self) -> io::Result<u64> {
        self.own.get().map_or_else(|| Ok(self.kept.load(Ordering::Acquire)), |own| own.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(own) = self.own.get() {
            return own.read_at(offset, buffer);
        }
        let left = self.kept.load(Ordering::Acquire).saturating_sub(offset);
        let wanted = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        self.below.read_at(offset, buffer.get_mut(..wanted).unwrap_or_default())
    }

    fn read_at_nowait(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_at(offset, buffer)
    }

    fn write_all_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<()> {
        self.own()?.write_all_at(offset, slices)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.own.get().is_none() && len <= self.kept.load(Ordering::Acquire) {
            let _changing = self.changing.lock();
            self.kept.fetch_min(len, Ordering::AcqRel);
            if self.own.get().is_none() {
                return Ok(());
            }
        }
        self.own()?.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    fn preallocate(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }

    fn start_writeback(&self, _: u64, _: u64) -> io::Result<()> {
        Ok(())
    }
}
