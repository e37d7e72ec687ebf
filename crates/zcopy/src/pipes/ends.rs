//! Both ends of a pipe, on Linux.
//!
//! <https://man7.org/linux/man-pages/man7/pipe.7.html>

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with};

/// Both ends, and how many bytes go in at most.
#[derive(Debug)]
pub(super) struct Ends {
    read: OwnedFd,
    write: OwnedFd,
    capacity: usize,
}

impl Ends {
    /// A pipe of `wanted` bytes, or of the most that the system gives.
    pub(super) fn new(wanted: usize) -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        let capacity = widen(write.as_fd(), wanted)?;
        Ok(Self { read, write, capacity })
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    #[cfg(test)]
    pub(super) fn shrink_to(&mut self, bytes: usize) -> io::Result<()> {
        self.capacity = fcntl_setpipe_size(&self.write, bytes)?;
        Ok(())
    }

    pub(super) fn write_end(&self) -> BorrowedFd<'_> {
        self.write.as_fd()
    }

    pub(super) fn read_end(&self) -> BorrowedFd<'_> {
        self.read.as_fd()
    }
}

/// Makes a pipe as large as it gets, up to `wanted`. Sizes are powers of two, and so are the limits
/// (`/proc/sys/fs/pipe-max-size`, and `pipe-user-pages-soft` over all pipes of a user): halving finds the largest.
fn widen(pipe: BorrowedFd<'_>, wanted: usize) -> io::Result<usize> {
    let has = fcntl_getpipe_size(pipe)?;
    let mut size = wanted;
    while size > has {
        match fcntl_setpipe_size(pipe, size) {
            Ok(got) => return Ok(got),
            Err(Errno::PERM | Errno::NOMEM | Errno::INVAL) => size /= 2,
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(has)
}

/// Whether a pipe could not be made because there are too many descriptors, or no memory for one.
pub(super) fn out_of(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

/// `read(2)`. At most one attempt.
pub(super) fn read(pipe: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(pipe, into)?)
}
