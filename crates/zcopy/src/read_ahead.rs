//! Bringing a range into the page cache, on a thread that may wait.
//!
//! `posix_fadvise(WILLNEED)` starts the reads of the whole window at full queue depth; `sendfile(2)` to
//! `/dev/null` then waits for the part that is needed first, page by page, without one byte being copied or even
//! touched. Where that is refused, the part is read the plain way.

use std::io;

use crate::FileRange;
use crate::os::{self, FileRef};

/// The plain read's buffer.
const PLAIN_STEP: usize = 64 * 1024;

/// Starts reading all of `window`, and waits until its first `wait_len` bytes are in the page cache, or the
/// file ends. Returns how many of them are. Blocks the thread: for [`IoPool`](crate::IoPool) and for tools. Made of
/// `posix_fadvise(2)` with `POSIX_FADV_WILLNEED`, <https://man7.org/linux/man-pages/man2/posix_fadvise.2.html>, which itself
/// takes about 0.4 ms per cold MiB.
///
/// # Errors
/// What reading the file reports, `EIO` above all.
#[doc(alias = "readahead")]
#[doc(alias = "posix_fadvise")]
#[doc(alias = "POSIX_FADV_WILLNEED")]
pub fn read_ahead_blocking(window: &FileRange, wait_len: u64) -> io::Result<u64> {
    let file = os::file_ref(window.file());
    os::will_need(file, window.offset(), window.len());
    let needed = wait_len.min(window.len());
    match os::touch(file, window.offset(), needed) {
        Ok(done) => Ok(done),
        Err(_) => read_plainly(file, window.offset(), needed),
    }
}

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
