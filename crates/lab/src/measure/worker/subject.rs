//! The file that is sent: written whole, so that no hole is cheap to read, and made durable, so that its pages can be
//! dropped. It has no name, so that it is gone with the process whatever happens.
//!
//! ```text
//!   [ what is measured ......................... ][ WARM_BYTES, sent to warm up ]
//! ```

use std::fs::File;
use std::io::Write;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use pagewire_zcopy::{FileRange, Residency, cached_pages, residency};
use rustix::fs::{Advice, fadvise};

use super::protocol::WARM_BYTES;
use crate::record::{ColdHow, PagesFrom};

/// Written at a time. Later reads of a file that was written in large pieces are cheaper (its pages lie in larger
/// blocks), and a log is written so.
const PIECE_BYTES: usize = 1 << 20;
/// Where the kernel does not count pages, one here and there is looked at to tell whether a file is cold.
const LOOKS: u64 = 64;
/// Dropping pages is advice, they may be in use for a moment; and read ahead is not read yet.
const TRIES_MAX: u32 = 50;
const TRY_AGAIN: Duration = Duration::from_millis(2);
const PAGE: u64 = 4096;
/// What is measured is a multiple of this long. The page cache keeps pages in blocks, and drops a block whole or not at
/// all: none is longer, so none reaches into the tail that stays.
const BLOCK_BYTES: u64 = 4 << 20;

/// The file.
pub(super) struct Subject {
    pub(super) file: Arc<File>,
    /// Bytes that may be measured, without the tail to warm up.
    pub(super) bytes: u64,
    /// Where its pages come from when it is hot.
    pub(super) pages_from: PagesFrom,
    /// Dropped since it was heated: what is in the page cache by now, some way or other has put there.
    was_chilled: bool,
}

impl Subject {
    /// Writes one of at least `bytes` into `dir`.
    pub(super) fn write(dir: &Path, bytes: u64) -> anyhow::Result<Self> {
        let bytes = bytes.next_multiple_of(BLOCK_BYTES);
        let file = Arc::new(filled(dir, b'A', bytes + WARM_BYTES)?);
        let can_be_cold = chill(&file, bytes).is_ok();
        let pages_from = if can_be_cold { PagesFrom::ReadAhead } else { PagesFrom::Written };
        let mut subject = Self { file, bytes, pages_from, was_chilled: can_be_cold };
        subject.heat()?;
        Ok(subject)
    }

    /// Sees to it that all of it is in the page cache, and always laid there in the same way: how large the blocks are
    /// that its pages lie in changes what sending them costs.
    pub(super) fn heat(&mut self) -> anyhow::Result<()> {
        if self.was_chilled {
            chill(&self.file, self.bytes)?;
        }
        let all = FileRange::new(Arc::clone(&self.file), 0, self.bytes);
        for _ in 0..TRIES_MAX {
            // What nobody can tell about is taken on trust.
            if residency(&self.file, 0, self.bytes) != Residency::Cold {
                self.was_chilled = false;
                return Ok(());
            }
            pagewire_zcopy::read_ahead_blocking(&all, all.len()).context("reading the file")?;
            std::thread::sleep(TRY_AGAIN);
        }
        bail!("the file does not stay in the page cache: {} MiB are too much here", self.bytes >> 20)
    }

    /// Sees to it that nothing of it is in the page cache, but for the tail.
    pub(super) fn chill(&mut self) -> anyhow::Result<ColdHow> {
        let how = chill(&self.file, self.bytes)?;
        self.was_chilled = true;
        Ok(how)
    }
}

/// Drops the first `bytes` of `file` from the page cache, and makes sure: how.
pub(crate) fn chill(file: &File, bytes: u64) -> anyhow::Result<ColdHow> {
    for _ in 0..TRIES_MAX {
        fadvise(file, 0, NonZeroU64::new(bytes), Advice::DontNeed)?;
        if let Some(how) = is_cold(file, bytes) {
            return Ok(how);
        }
        // Pages that are still written back, or held by a socket, come free in a moment.
        rustix::fs::fdatasync(file)?;
        std::thread::sleep(TRY_AGAIN);
    }
    bail!("the file stays in the page cache, so nothing cold can be measured on this file system")
}

/// How it is known that nothing of it is in the page cache; `None` if something is.
fn is_cold(file: &File, bytes: u64) -> Option<ColdHow> {
    match cached_pages(file, 0, bytes) {
        Ok(cached) => (cached == 0).then_some(ColdHow::Cachestat),
        Err(_) => looks_cold(file, bytes).then_some(ColdHow::Looks),
    }
}

fn looks_cold(file: &File, bytes: u64) -> bool {
    let step = (bytes / LOOKS).max(PAGE);
    let mut looks = (0..bytes).step_by(usize::try_from(step).unwrap_or(usize::MAX));
    looks.all(|at| residency(file, at, 1) == Residency::Cold)
}

/// A nameless file in `dir`, all of it this byte, on the disk.
pub(crate) fn filled(dir: &Path, byte: u8, bytes: u64) -> anyhow::Result<File> {
    let mut file =
        tempfile::tempfile_in(dir).with_context(|| format!("no file can be made in {}", dir.display()))?;
    let piece = vec![byte; PIECE_BYTES];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(PIECE_BYTES as u64);
        let part = piece.get(..usize::try_from(now)?).unwrap_or_default();
        file.write_all(part).with_context(|| format!("writing {bytes} bytes into {}", dir.display()))?;
        left -= now;
    }
    rustix::fs::fdatasync(&file).context("bringing the file to the disk")?;
    ensure!(file.metadata()?.len() == bytes, "the file has another length than was written");
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_can_be_heated_and_where_there_is_a_disk_chilled() {
        let mut subject = Subject::write(Path::new(env!("CARGO_MANIFEST_DIR")), 1 << 20).unwrap();
        assert_eq!(residency(&subject.file, 0, subject.bytes), Residency::Resident);
        match subject.chill() {
            Ok(how) => {
                assert_eq!(is_cold(&subject.file, subject.bytes), Some(how));
                assert!(looks_cold(&subject.file, subject.bytes));
                assert_eq!(subject.pages_from, PagesFrom::ReadAhead);
            }
            Err(error) => eprintln!("not cold here: {error:#}"),
        }
        subject.heat().unwrap();
        assert_eq!(residency(&subject.file, 0, subject.bytes), Residency::Resident);
    }

    #[test]
    fn one_page_between_those_that_are_looked_at_is_not_cold_where_the_kernel_counts() {
        let file = filled(Path::new(env!("CARGO_MANIFEST_DIR")), b'A', BLOCK_BYTES).unwrap();
        if let Err(error) = chill(&file, BLOCK_BYTES) {
            eprintln!("not cold here: {error:#}");
            return;
        }
        // Nothing is read ahead, so that it stays one page.
        fadvise(&file, 0, None, Advice::Random).unwrap();
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut [0], PAGE).unwrap();
        assert!(looks_cold(&file, BLOCK_BYTES), "the looks are further apart");
        match cached_pages(&file, 0, BLOCK_BYTES) {
            Ok(_) => assert_eq!(is_cold(&file, BLOCK_BYTES), None),
            Err(error) => {
                eprintln!("this kernel does not count pages: {error}");
                assert_eq!(is_cold(&file, BLOCK_BYTES), Some(ColdHow::Looks));
            }
        }
    }

    #[test]
    fn what_is_measured_ends_where_a_block_of_the_page_cache_does() {
        let subject = Subject::write(Path::new(env!("CARGO_MANIFEST_DIR")), 1000).unwrap();
        assert_eq!(subject.bytes, BLOCK_BYTES);
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let error = filled(Path::new("/nowhere/at/all"), 0, 1).unwrap_err();
        assert!(error.to_string().contains("/nowhere/at/all"), "{error}");
    }
}
