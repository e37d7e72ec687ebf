//! A file that is the one below up to some length, until something is written to it: then it is one in memory.
//!
//! What was played lives as long as the disk it is played on, and holds no descriptor: a log may have more segments
//! than a process may have files. Whoever opens the file has one, of the file below.

use std::fs::File;
use std::io::{self, IoSlice};
use std::sync::Arc;

use pagewire_disk::DiskFile;
use parking_lot::RwLock;

/// Bytes copied at once.
const PIECE: u64 = 256 << 10;

/// What a file has become.
#[derive(Debug)]
pub(super) struct Played(RwLock<State>);

#[derive(Debug)]
enum State {
    /// So much of the file below is there still.
    Kept(u64),
    /// This is in it now.
    Own(Vec<u8>),
}

impl Played {
    /// Of a file below that is so long; 0 for one that is not there.
    pub(super) fn of(len: u64) -> Arc<Self> {
        Arc::new(Self(RwLock::new(State::Kept(len))))
    }
}

/// The file, opened.
#[derive(Debug)]
pub(super) struct PlayedFile {
    played: Arc<Played>,
    /// At least as long as what is kept of it.
    below: Arc<dyn DiskFile>,
}

impl PlayedFile {
    /// `below`: the file that [`Played`] was made of, or any of no length.
    pub(super) fn new(played: Arc<Played>, below: Arc<dyn DiskFile>) -> Self {
        Self { played, below }
    }

    /// Changes what is in it, in memory from now on.
    fn change(&self, change: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut state = self.played.0.write();
        if let State::Kept(len) = *state {
            *state = State::Own(copied(&*self.below, len)?);
        }
        if let State::Own(bytes) = &mut *state {
            change(bytes);
        }
        Ok(())
    }
}

/// The beginning of a file.
fn copied(file: &dyn DiskFile, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < len {
        let at = bytes.len();
        bytes.resize(at + PIECE.min(len - at as u64) as usize, 0);
        file.read_exact_at(at as u64, bytes.get_mut(at..).unwrap_or_default())?;
    }
    Ok(bytes)
}

/// A position or a length in memory.
fn in_memory(bytes: u64) -> io::Result<usize> {
    usize::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

impl DiskFile for PlayedFile {
    /// The one below: what is only played has none, and is sent to nobody.
    fn file(&self) -> &Arc<File> {
        self.below.file()
    }

    fn len(&self) -> io::Result<u64> {
        match &*self.played.0.read() {
            State::Kept(len) => Ok(*len),
            State::Own(bytes) => Ok(bytes.len() as u64),
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match &*self.played.0.read() {
            State::Kept(len) => {
                let left = usize::try_from(len.saturating_sub(offset)).unwrap_or(usize::MAX);
                let wanted = buffer.len().min(left);
                self.below.read_at(offset, buffer.get_mut(..wanted).unwrap_or_default())
            }
            State::Own(bytes) => {
                let rest = bytes.get(in_memory(offset)?..).unwrap_or_default();
                let read = rest.len().min(buffer.len());
                for (to, from) in buffer.iter_mut().zip(rest) {
                    *to = *from;
                }
                Ok(read)
            }
        }
    }

    fn read_at_nowait(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.read_at(offset, buffer)
    }

    fn write_all_at(&self, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<()> {
        let offset = in_memory(offset)?;
        self.change(|bytes| {
            let mut at = offset;
            for slice in slices {
                let end = at.saturating_add(slice.len());
                bytes.resize(bytes.len().max(end), 0);
                if let Some(place) = bytes.get_mut(at..end) {
                    place.copy_from_slice(slice);
                }
                at = end;
            }
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if let State::Kept(kept) = &mut *self.played.0.write()
            && len <= *kept
        {
            *kept = len;
            return Ok(());
        }
        let len = in_memory(len)?;
        self.change(|bytes| bytes.resize(len, 0))
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
