//! Going on to the newer commit, where the first bytes of the file name the older one.
//!
//! They do after a kill between a commit's two syncs, of which nobody was told, and where the one bit was flipped,
//! which no checksum covers: then somebody was told. The file cannot say which of the two it was, so the newer commit
//! counts if it is whole, every page of it. Nobody is harmed by a change that was asked for and not answered.
//!
//! Whether it is whole is seen by opening it, with that bit turned, on a file to which changes are only played: what
//! redb writes while it opens a file of a killed process never reaches a file whose newer commit is not whole.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use pagewire_disk::DiskFile;
use parking_lot::Mutex;
use redb::{BackendError, StorageBackend};

use super::file::{describe, verified};
use super::slots::{FLAGS_AT, SECOND_COUNTS};
use super::{OpenError, tables};

const PAGE: usize = 4096;

/// Has the newer commit count if it is whole, durably; says whether it was. The file is locked from then on.
pub(super) fn go_on(file: &Arc<dyn DiskFile>, path: &Path) -> Result<bool, OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    match file.file().try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(OpenError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
    }
    if !is_whole(file, path)? {
        return Ok(false);
    }
    // A killed process may have left it in the page cache alone.
    file.sync_data().map_err(failed)?;
    let mut flags = [0];
    file.read_exact_at(FLAGS_AT as u64, &mut flags).map_err(failed)?;
    let turned = flags.map(|flags| flags ^ SECOND_COUNTS);
    file.write_all_at(FLAGS_AT as u64, &[io::IoSlice::new(&turned)]).map_err(failed)?;
    file.sync_data().map_err(failed)?;
    Ok(true)
}

fn is_whole(file: &Arc<dyn DiskFile>, path: &Path) -> Result<bool, OpenError> {
    let played = Played::on(Arc::clone(file)).and_then(Played::turned);
    let played = played.map_err(|source| OpenError::Io { path: path.to_owned(), source })?;
    let opened = verified().create_with_backend(played);
    match opened.map_err(|error| describe(path.to_owned(), error)) {
        Ok(database) => Ok(tables::look(&database).is_ok()),
        Err(OpenError::Damaged { .. }) => Ok(false),
        Err(other) => Err(other),
    }
}

/// A file as it is, with changes that are in memory alone.
#[derive(Debug)]
struct Played {
    file: Arc<dyn DiskFile>,
    /// How long the file is: nothing is read behind that.
    real_len: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    len: u64,
    /// Pages that were written to, by their number.
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
}

impl Played {
    fn on(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let real_len = file.len()?;
        let state = State { len: real_len, pages: BTreeMap::new() };
        Ok(Self { file, real_len, state: Mutex::new(state) })
    }

    /// With the other commit counting.
    fn turned(self) -> io::Result<Self> {
        let mut flags = [0];
        self.read(FLAGS_AT as u64, &mut flags)?;
        self.write(FLAGS_AT as u64, &flags.map(|flags| flags ^ SECOND_COUNTS))?;
        Ok(self)
    }

    /// A page as it is in the file; zeros behind its end.
    fn real(&self, number: u64) -> io::Result<Box<[u8; PAGE]>> {
        let mut page = Box::new([0; PAGE]);
        let at = number.saturating_mul(PAGE as u64);
        let there = usize::try_from(self.real_len.saturating_sub(at)).unwrap_or(PAGE).min(PAGE);
        if let Some(there) = page.get_mut(..there) {
            self.file.read_exact_at(at, there)?;
        }
        Ok(page)
    }
}

/// The pages that `len` bytes from `offset` on touch: number, from where in the page, and how many bytes.
fn pages(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let (mut at, mut left) = (offset, len);
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let (number, from) = (at / PAGE as u64, usize::try_from(at % PAGE as u64).unwrap_or(0));
        let count = left.min(PAGE - from);
        at += count as u64;
        left -= count;
        Some((number, from, count))
    })
}

impl StorageBackend for Played {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state.lock().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.state.lock();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > state.len) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut rest = out;
        for (number, from, count) in pages(offset, rest.len()) {
            let (now, behind) = rest.split_at_mut(count);
            let real;
            let page = if let Some(written) = state.pages.get(&number) {
                written
            } else {
                real = self.real(number)?;
                &real
            };
            now.copy_from_slice(page.get(from..from + count).unwrap_or_default());
            rest = behind;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        // What is cut off and grown again is zeros.
        for number in (len / PAGE as u64)..state.len.div_ceil(PAGE as u64) {
            let mut page = match state.pages.remove(&number) {
                Some(page) => page,
                None => self.real(number)?,
            };
            let kept = usize::try_from(len.saturating_sub(number * PAGE as u64)).unwrap_or(PAGE).min(PAGE);
            page.iter_mut().skip(kept).for_each(|byte| *byte = 0);
            state.pages.insert(number, page);
        }
        state.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        let mut rest = data;
        for (number, from, count) in pages(offset, data.len()) {
            let (now, behind) = rest.split_at(count);
            let mut page = match state.pages.remove(&number) {
                Some(page) => page,
                None => self.real(number)?,
            };
            if let Some(place) = page.get_mut(from..from + count) {
                place.copy_from_slice(now);
            }
            state.pages.insert(number, page);
            rest = behind;
        }
        state.len = state.len.max(offset.saturating_add(data.len() as u64));
        Ok(())
    }

    /// [`go_on`] holds the file's lock.
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pagewire_disk::{Disk, MemoryDisk, OpenMode};

    use super::*;

    #[test]
    fn what_is_played_is_read_back_and_never_reaches_the_file() {
        let disk = MemoryDisk::new();
        let path = Path::new("/file");
        let file = disk.open(path, OpenMode::Create).expect("made");
        let real: Vec<u8> = (0..10_000_u32).map(|at| u8::try_from(at % 251).expect("small")).collect();
        file.write_all_at(0, &[io::IoSlice::new(&real)]).expect("written");
        let played = Played::on(Arc::clone(&file)).expect("looked at");
        let mut model = real.clone();
        let mut write = |offset: usize, len: usize| {
            played.write(offset as u64, &vec![0xee; len]).expect("played");
            model.resize(model.len().max(offset + len), 0);
            model[offset..offset + len].fill(0xee);
        };
        write(4000, 200);
        write(9_990, 30);
        played.set_len(4_100).expect("cut");
        model.truncate(4_100);
        played.set_len(12_000).expect("grown");
        model.resize(12_000, 0);
        let mut seen = vec![1; model.len()];
        played.read(0, &mut seen).expect("read");
        assert!(seen == model && played.len().expect("length") == 12_000);
        assert!(played.read(11_999, &mut [0; 2]).is_err(), "behind the end");
        let mut now = vec![0; real.len()];
        file.read_exact_at(0, &mut now).expect("read");
        assert!(now == real && file.len().expect("length") == 10_000);
    }
}
