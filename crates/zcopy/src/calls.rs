//! The seam to the kernel: the calls a transfer makes. The operating system's in production; in tests, ones
//! that send short, refuse or fail.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

use rustix::net::{SendAncillaryBuffer, SendFlags};

use crate::residency::{Residency, read_now, residency_of};
use crate::route::SocketKind;
use crate::sys::{self, SocketOption};
use crate::{Completion, FileRange, MapAccess, MappedFile, MappedRange, ktls};

/// What a transfer asks of the kernel. An implementation makes at most one attempt per call and reports short
/// counts, `EAGAIN` ([`io::ErrorKind::WouldBlock`]) and `EINTR` as they come.
pub trait Calls: Debug + Send + Sync {
    /// `sendmsg(2)`: sends `parts` in order, with `MSG_NOSIGNAL`, and `MSG_MORE` when `more` is to follow.
    fn send(&self, socket: BorrowedFd<'_>, parts: &[IoSlice<'_>], more: bool) -> io::Result<usize>;

    /// `sendfile(2)`: at most `count` bytes of `file` from `offset`. 0 is the end of the file.
    fn sendfile(
        &self,
        socket: BorrowedFd<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        count: usize,
    ) -> io::Result<usize>;

    /// `TCP_CORK`, see `tcp(7)`: holds partial segments back while `on` (for 200 ms at most), sends them when off.
    fn cork(&self, socket: BorrowedFd<'_>, on: bool) -> io::Result<()>;

    /// Reads at `offset` without waiting for a disk: `preadv2(2)` with `RWF_NOWAIT`.
    fn read_now(&self, file: BorrowedFd<'_>, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads at `offset`, waiting if it must: `pread(2)`.
    fn read(&self, file: BorrowedFd<'_>, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Whether a range is in the page cache.
    fn residency(&self, file: BorrowedFd<'_>, offset: u64, len: u64) -> Residency;

    /// What kind of socket it is. Asked once for a plan.
    fn socket_kind(&self, _socket: BorrowedFd<'_>) -> SocketKind {
        SocketKind::Plain
    }

    /// `mmap(2)`: maps `range` to be sent from. The file may end before it does.
    fn map(&self, range: &FileRange) -> io::Result<MappedFile> {
        MappedFile::new(range, MapAccess::Read)
    }

    /// `sendmsg(2)` out of a map, with flags as for [`send`](Self::send). `EFAULT`: the first page is not to be had.
    fn send_mapped(&self, socket: BorrowedFd<'_>, part: &MappedRange, more: bool) -> io::Result<usize> {
        part.send_unchecked(socket, more)
    }

    /// As [`send_mapped`](Self::send_mapped), with `MSG_ZEROCOPY`. `ENOBUFS`: too many of its pages are in flight.
    fn send_zerocopy(&self, socket: BorrowedFd<'_>, part: &MappedRange, more: bool) -> io::Result<usize> {
        part.send_unchecked_zerocopy(socket, more)
    }

    /// `SO_ZEROCOPY`: from now on `MSG_ZEROCOPY` means something to the socket.
    fn enable_zerocopy(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        sys::set_socket_option(socket, SocketOption::Zerocopy, &1i32.to_ne_bytes())
    }

    /// `recvmsg(2)` with `MSG_ERRQUEUE`: the oldest word of the kernel about sends with `MSG_ZEROCOPY`, `WouldBlock` if
    /// there is none. `None`: it was about something else. Asked of sockets with `SO_ZEROCOPY` only.
    fn completion(&self, socket: BorrowedFd<'_>) -> io::Result<Option<Completion>> {
        sys::completion(socket)
    }
}

/// The operating system's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsCalls;

impl Calls for OsCalls {
    fn send(&self, socket: BorrowedFd<'_>, parts: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        let more = if more { SendFlags::MORE } else { SendFlags::empty() };
        let mut control = SendAncillaryBuffer::default();
        Ok(rustix::net::sendmsg(socket, parts, &mut control, SendFlags::NOSIGNAL | more)?)
    }

    fn sendfile(
        &self,
        socket: BorrowedFd<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        count: usize,
    ) -> io::Result<usize> {
        let mut from = offset;
        Ok(rustix::fs::sendfile(socket, file, Some(&mut from), count)?)
    }

    fn cork(&self, socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
        Ok(rustix::net::sockopt::set_tcp_cork(socket, on)?)
    }

    fn read_now(&self, file: BorrowedFd<'_>, into: &mut [u8], offset: u64) -> io::Result<usize> {
        read_now(file, into, offset)
    }

    fn read(&self, file: BorrowedFd<'_>, into: &mut [u8], offset: u64) -> io::Result<usize> {
        Ok(rustix::io::pread(file, into, offset)?)
    }

    fn residency(&self, file: BorrowedFd<'_>, offset: u64, len: u64) -> Residency {
        residency_of(file, offset, len)
    }

    fn socket_kind(&self, socket: BorrowedFd<'_>) -> SocketKind {
        if ktls::encrypts(socket) { SocketKind::KernelTls } else { SocketKind::Plain }
    }
}
