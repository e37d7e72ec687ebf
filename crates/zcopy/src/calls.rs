//! The seam to the kernel: the calls a transfer makes. The operating system's in production; in tests, ones
//! that send short, refuse or fail.

use std::fmt::Debug;
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

use rustix::net::{SendAncillaryBuffer, SendFlags};

use crate::direct_file::DirectFile;
use crate::residency::{Residency, read_now, residency_of};
use crate::route::SocketKind;
#[cfg(feature = "uring")]
use crate::{Ring, RingBuffer};

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

    /// Opens `file` once more, for reads that pass the page cache by: `open(2)` with `O_DIRECT`.
    fn open_direct(&self, file: BorrowedFd<'_>) -> io::Result<DirectFile> {
        DirectFile::open(file)
    }

    /// Reads at `offset`, past the page cache, waiting for the disk; all of it aligned as [`DirectFile::align`] says.
    fn read_direct(&self, file: &DirectFile, into: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read(into, offset)
    }

    /// Sets a ring up, see [`Ring::new`].
    #[cfg(feature = "uring")]
    fn ring(&self, buffers: usize, bytes: usize, registered: bool) -> io::Result<Ring> {
        Ring::new(buffers, bytes, registered)
    }

    /// Sends a part of one of the ring's buffers without waiting, see [`Ring::send_zc`].
    #[cfg(feature = "uring")]
    fn send_zc(
        &self,
        ring: &mut Ring,
        socket: BorrowedFd<'_>,
        buffer: RingBuffer,
        range: std::ops::Range<usize>,
        more: bool,
    ) -> io::Result<usize> {
        ring.send_zc(socket, buffer, range, more)
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
}
