//! A stretch of a mapped file, on its way to a socket. Its bytes are named, and nobody here looks at them.
//!
//! Sending copies once, from the page cache into the socket, without a system call to read and without a buffer.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::io::Errno;
use smallvec::SmallVec;

use crate::sys::{SendPart, send_map_zerocopy, send_parts};
use crate::{FileRange, MappedFile, SendError};

/// `len` bytes of a [`MappedFile`], which it keeps mapped. Cloning costs two reference counts.
#[derive(Debug, Clone)]
pub struct MappedRange {
    map: MappedFile,
    at: usize,
    len: usize,
}

impl MappedRange {
    pub(crate) fn new(map: MappedFile, at: usize, len: usize) -> Self {
        let at = at.min(map.len());
        let len = len.min(map.len() - at);
        Self { map, at, len }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first byte's position in the file.
    pub fn file_offset(&self) -> u64 {
        self.map.range().offset() + self.at as u64
    }

    /// The same bytes, named by their place in the file.
    pub fn file_range(&self) -> FileRange {
        self.map.range().part(self.at as u64, self.len as u64)
    }

    /// A part of this range: `len` bytes from `skip` bytes after its start, both clamped to what is there.
    #[must_use]
    pub fn part(&self, skip: usize, len: usize) -> Self {
        let skip = skip.min(self.len);
        Self { map: self.map.clone(), at: self.at + skip, len: len.min(self.len - skip) }
    }

    /// Cuts the first `n` bytes off: those that were sent. An `n` beyond the end leaves nothing.
    pub fn advance(&mut self, n: usize) {
        let n = n.min(self.len);
        self.at += n;
        self.len -= n;
    }

    /// Sends what the socket takes now, or on a blocking socket some of it: one `sendmsg(2)`,
    /// <https://man7.org/linux/man-pages/man2/sendmsg.2.html>, with `MSG_NOSIGNAL`. `more` says that something follows,
    /// so that the last segment may wait for it. Returns how many bytes went; [`advance`](Self::advance) by them, and
    /// go on. An empty range sends nothing and makes no call.
    ///
    /// Cold pages are read while the caller waits, also on a non-blocking socket.
    ///
    /// # Errors
    /// [`SendError::FileShrunk`] when the file ends before this range, [`SendError::FileCut`] when it ends before what
    /// the socket took: the rest of its last page has left as zeros, so close the connection. [`SendError::Io`] with
    /// [`io::ErrorKind::WouldBlock`] when the socket is full, with [`io::ErrorKind::Interrupted`], and with what else
    /// the socket says; with `EFAULT` when a page could not be read from the disk.
    pub fn send_once(&self, socket: impl AsFd, more: bool) -> Result<usize, SendError> {
        if self.is_empty() {
            return Ok(0);
        }
        let answer = send_parts(socket.as_fd(), &[self.part_of_message()], more);
        match answer {
            Err(error) if !is_fault(&error) => Err(error.into()),
            // What lies behind the end of a file in its last page reads as zeros, and no call reports that.
            answer => {
                self.check(answer.as_ref().map_or(0, |&taken| taken)).and(answer.map_err(SendError::from))
            }
        }
    }

    /// One `sendmsg(2)` of `memory` and this range, without [`check`](Self::check): for the routes, which know the
    /// file's length before and after.
    pub(crate) fn send_unchecked(
        &self,
        socket: BorrowedFd<'_>,
        memory: &[IoSlice<'_>],
        more: bool,
    ) -> io::Result<usize> {
        let memory = memory.iter().map(|slice| SendPart::memory(slice));
        let parts: SmallVec<[SendPart<'_>; 4]> = memory.chain([self.part_of_message()]).collect();
        send_parts(socket, &parts, more)
    }

    /// As [`send_unchecked`](Self::send_unchecked), with `MSG_ZEROCOPY`.
    pub(crate) fn send_unchecked_zerocopy(&self, socket: BorrowedFd<'_>, more: bool) -> io::Result<usize> {
        send_map_zerocopy(socket, self.map.map(), self.at, self.len, more)
    }

    /// This range as a part of a message. Whoever sends it calls [`check`](Self::check) afterwards.
    pub(crate) fn part_of_message(&self) -> SendPart<'_> {
        SendPart::mapped(self.map.map(), self.at, self.len)
    }

    /// Whether the file still has all of this range, after `taken` bytes of it were sent.
    fn check(&self, taken: usize) -> Result<(), SendError> {
        let len = self.len as u64;
        let there = self.map.range().file().metadata()?.len().saturating_sub(self.file_offset()).min(len);
        let missing = len - there;
        match missing {
            0 => Ok(()),
            _ if there < taken as u64 => Err(SendError::FileCut { missing }),
            _ => Err(SendError::FileShrunk { missing }),
        }
    }
}

/// Whether the kernel found a page of the map missing.
pub(crate) fn is_fault(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::FAULT)
}
