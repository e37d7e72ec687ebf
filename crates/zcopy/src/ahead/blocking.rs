//! The face for threads that may wait.

use std::io;

use crate::FileRange;
use crate::os::{self, FileRef, Null};

/// The plain read's buffer.
const PLAIN_STEP: usize = 64 * 1024;

/// Waits until the first `wait_len` bytes of `window` are in the page cache, or the file ends, and returns how many of
/// them are; the rest is on its way. Blocks the thread: for [`IoPool`](crate::IoPool) and for tools.
///
/// # Errors
/// What reading the file reports, `EIO` above all.
#[doc(alias = "readahead")]
#[doc(alias = "posix_fadvise")]
#[doc(alias = "POSIX_FADV_WILLNEED")]
pub fn read_ahead_blocking(window: &FileRange, wait_len: u64) -> io::Result<u64> {
    os::will_need(os::file_ref(window.file()), window.offset(), window.len());
    Toucher::new().touch(&window.part(0, wait_len))
}

/// Waits for pages.
pub(super) struct Toucher {
    /// `None` where it cannot be had: then the pages are read.
    null: Option<Null>,
}

impl Toucher {
    pub(super) fn new() -> Self {
        Self { null: Null::open().ok() }
    }

    /// Waits until `range` is in the page cache, or the file ends. Returns how many bytes of it are.
    pub(super) fn touch(&self, range: &FileRange) -> io::Result<u64> {
        let (file, offset, len) = (os::file_ref(range.file()), range.offset(), range.len());
        let touched = self.null.as_ref().and_then(|null| os::touch(null, file, offset, len).ok());
        touched.map_or_else(|| read_plainly(file, offset, len), Ok)
    }
}

/// Where touching is refused.
fn read_plainly(file: FileRef<'_>, offset: u64, len: u64) -> io::Result<u64> {
    let mut scratch = vec![0; PLAIN_STEP.min(usize::try_from(len).unwrap_or(PLAIN_STEP))];
    let mut done = 0;
    while done < len {
        let step = (scratch.len() as u64).min(len - done) as usize;
        let Some(part) = scratch.get_mut(..step) else { break };
        match os::read(file, part, offset + done) {
            Ok(0) => break,
            Ok(n) => done += n as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
