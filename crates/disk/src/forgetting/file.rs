//! An open file of a forgetting disk: a memfd, whose changes are noted in its journal.

use std::fs::File;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use super::ForgettingDisk;
use super::life::{Fate, dead};
use crate::disk::DiskFile;
use crate::fd_file;
use crate::memory::tree::NodeId;

#[derive(Debug)]
pub(super) struct ForgettingFile {
    pub(super) file: Arc<File>,
    pub(super) node: NodeId,
    pub(super) disk: ForgettingDisk,
}

impl ForgettingFile {
    fn write(&self, offset: u64, bytes: Vec<u8>) -> io::Result<()> {
        let mut state = self.disk.state.lock();
        fd_file::write_all_at(&self.file, offset, &[IoSlice::new(&bytes)])?;
        state.journal(self.node).write(offset, bytes);
        Ok(())
    }
}

impl DiskFile for ForgettingFile {
    fn file(&self) -> &Arc<File> {
        &self.file
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.life.look()?;
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.disk.life.look()?;
        fd_file::read_at(&self.file, offset, buffer)
    }

    fn read_at_nowait(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_at(offset, buffer)
    }

    /// Of the last write of a life any prefix arrives.
    fn write_all_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<()> {
        let mut bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        match self.disk.life.change()? {
            Fate::Whole => self.write(offset, bytes),
            Fate::Last(mut chance) => {
                bytes.truncate(chance.below(bytes.len() as u64 + 1) as usize);
                self.write(offset, bytes)?;
                Err(dead())
            }
            Fate::Never => Err(dead()),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.change(|state| {
            self.file.set_len(len)?;
            state.journal(self.node).set_len(len);
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.change(|state| {
            state.journal(self.node).sync();
            Ok(())
        })
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn preallocate(&self, offset: u64, len: u64) -> io::Result<()> {
        self.disk.change(|_| fd_file::preallocate(&self.file, offset, len))
    }

    fn start_writeback(&self, _offset: u64, _len: u64) -> io::Result<()> {
        self.disk.life.look()
    }

    fn hard_link(&self, path: &Path) -> io::Result<()> {
        self.disk.change(|state| {
            let change = state.seen.link(self.node, path)?;
            state.pending.add([change]);
            Ok(())
        })
    }

    fn is_nameless(&self) -> io::Result<bool> {
        Ok(self.names()? == 0)
    }

    fn names(&self) -> io::Result<u64> {
        self.disk.look(|state| Ok(state.seen.names_of(self.node) as u64))
    }
}
