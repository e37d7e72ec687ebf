//! The face for threads that may wait.

use std::io;

use crate::FileRange;
use crate::os::{self, FileRef};

/// The plain read's buffer.
const PLAIN_STEP: usize = 64 * 1024;

/// Waits until the first `wait_len` bytes of `window` are in the page cache, or the file ends, and returns how many of them
/// are; the rest is on its way. Blocks the thread: for [`IoPool`](crate::IoPool) and for tools.
///
/// # Errors
/// What reading the file reports, `EIO` above all.
#[doc(alias = "readahead")]
#[doc(alias = "posix_fadvise")]
#[doc(alias = "POSIX_FADV_WILLNEED")]
pub fn read_ahead_blocking(window: &FileRange, wait_len: u64) -> io::Result<u64> {
    os::will_need(os::file_ref(window.file()), window.offset(), window.len());
    touch(&window.part(0, wait_len))
}

/// Waits until `range` is in the page cache, or the file ends. Returns how many bytes of it are.
pub(super) fn touch(range: &FileRange) -> io::Result<u64> {
    let file = os::file_ref(range.file());
    os::touch(file, range.offset(), range.len()).or_else(|_| read_plainly(file, range.offset(), range.len()))
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
