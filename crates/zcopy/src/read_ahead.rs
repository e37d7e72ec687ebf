//! Bringing a range into the page cache, on a thread that may wait.
//!
//! `posix_fadvise(WILLNEED)` starts the reads of the whole window at full queue depth; `sendfile(2)` to
//! `/dev/null` then waits for the part that is needed first, page by page, without one byte being copied or even
//! touched. Where that is refused, the part is read the plain way.

use std::fs::OpenOptions;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;

use crate::FileRange;

/// Per call; also the size of the plain read's buffer, times its share.
const STEP: u64 = 1 << 20;
const PLAIN_STEP: usize = 64 * 1024;

/// Starts reading all of `window`, and waits until its first `wait_len` bytes are in the page cache, or the
/// file ends. Returns how many of them are. Blocks the thread: for [`IoPool`](crate::IoPool) and for tools.
///
/// # Errors
/// What reading the file reports, `EIO` above all.
pub fn read_ahead_blocking(window: &FileRange, wait_len: u64) -> io::Result<u64> {
    let file = window.file().as_fd();
    if let Some(len) = NonZeroU64::new(window.len()) {
        // Advice only: a file system that does not take it still reads below.
        let _ = fadvise(file, window.offset(), Some(len), Advice::WillNeed);
    }
    let needed = wait_len.min(window.len());
    match send_to_null(file, window.offset(), needed) {
        Ok(done) => Ok(done),
        Err(_) => read_plainly(file, window.offset(), needed),
    }
}

fn send_to_null(file: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<u64> {
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    let mut at = offset;
    let end = offset.saturating_add(len);
    while at < end {
        let count = STEP.min(end - at) as usize;
        match rustix::fs::sendfile(&null, file, Some(&mut at), count) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(at - offset)
}

fn read_plainly(file: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<u64> {
    let mut scratch = vec![0; PLAIN_STEP.min(usize::try_from(len).unwrap_or(PLAIN_STEP))];
    let mut done = 0;
    while done < len {
        let step = (scratch.len() as u64).min(len - done) as usize;
        let Some(part) = scratch.get_mut(..step) else { break };
        match rustix::io::pread(file, part, offset + done) {
            Ok(0) => break,
            Ok(n) => done += n as u64,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(done)
}
