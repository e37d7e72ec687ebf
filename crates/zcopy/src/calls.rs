//! The seam to the kernel: the calls a transfer makes. The operating system's in production; in tests, ones
//! that send short, refuse or fail.

use std::fmt::Debug;
use std::io::{self, IoSlice};

use crate::file_end::file_end;
use crate::ktls;
use crate::os::{self, FileRef, SocketRef};
use crate::residency::{Residency, residency_of};
use crate::route::SocketKind;
use crate::splice::{Splice, splice};
#[cfg(target_os = "linux")]
use crate::sys::{self, SocketOption};
#[cfg(target_os = "linux")]
use crate::{Completion, DirectFile, FileRange, MapAccess, MappedFile, MappedRange};
#[cfg(all(target_os = "linux", feature = "uring"))]
use crate::{Ring, RingBuffer};

/// What a transfer asks of the kernel. An implementation makes at most one attempt per call and reports short
/// counts, `EAGAIN` ([`io::ErrorKind::WouldBlock`]) and `EINTR` as they come.
pub trait Calls: Debug + Send + Sync {
    /// [`sendmsg(2)`][man]: sends `parts` in order, with `MSG_NOSIGNAL`, and `MSG_MORE` when `more` is to follow.
    ///
    /// [man]: https://man7.org/linux/man-pages/man2/sendmsg.2.html
    fn send(&self, socket: SocketRef<'_>, parts: &[IoSlice<'_>], more: bool) -> io::Result<usize>;

    /// [`sendfile(2)`][man]: at most `count` bytes of `file` from `offset`. 0 is the end of the file.
    ///
    /// [man]: https://man7.org/linux/man-pages/man2/sendfile.2.html
    fn sendfile(
        &self,
        socket: SocketRef<'_>,
        file: FileRef<'_>,
        offset: u64,
        count: usize,
    ) -> io::Result<usize>;

    /// `TCP_CORK`, see `tcp(7)`: holds partial segments back while `on` (for 200 ms at most), sends them when off.
    fn cork(&self, socket: SocketRef<'_>, on: bool) -> io::Result<()>;

    /// Reads at `offset` without waiting for a disk: [`preadv2(2)`][man] with `RWF_NOWAIT`.
    ///
    /// [man]: https://man7.org/linux/man-pages/man2/preadv2.2.html
    fn read_now(&self, file: FileRef<'_>, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads at `offset`, waiting if it must: [`pread(2)`][man].
    ///
    /// [man]: https://man7.org/linux/man-pages/man2/pread.2.html
    fn read(&self, file: FileRef<'_>, into: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Whether a range is in the page cache.
    fn residency(&self, file: FileRef<'_>, offset: u64, len: u64) -> Residency;

    /// How many bytes a regular file has now: `fstat(2)`. `None` for anything else.
    fn file_end(&self, file: FileRef<'_>) -> io::Result<Option<u64>> {
        file_end(file)
    }

    /// The device that a file is on: `st_dev` of `statx(2)`. `None` where that cannot be told without waiting.
    fn device(&self, file: FileRef<'_>) -> Option<u64> {
        os::device(file)
    }

    /// What kind of socket it is. Asked once for a plan.
    fn socket_kind(&self, _socket: SocketRef<'_>) -> SocketKind {
        SocketKind::Plain
    }

    /// [`mmap(2)`][man]: maps `range` to be sent from. The file may end before it does.
    ///
    /// [man]: https://man7.org/linux/man-pages/man2/mmap.2.html
    #[cfg(target_os = "linux")]
    fn map(&self, range: &FileRange) -> io::Result<MappedFile> {
        MappedFile::new(range, MapAccess::Read)
    }

    /// `sendmsg(2)` of `memory` in order and then out of a map, with flags as for [`send`](Self::send). `EFAULT`: there
    /// is no memory, and the map's first page is not to be had.
    #[cfg(target_os = "linux")]
    fn send_mapped(
        &self,
        socket: SocketRef<'_>,
        memory: &[IoSlice<'_>],
        part: &MappedRange,
        more: bool,
    ) -> io::Result<usize> {
        part.send_unchecked(socket, memory, more)
    }

    /// As [`send_mapped`](Self::send_mapped), with `MSG_ZEROCOPY`. `ENOBUFS`: too many of its pages are in flight.
    #[cfg(target_os = "linux")]
    fn send_zerocopy(&self, socket: SocketRef<'_>, part: &MappedRange, more: bool) -> io::Result<usize> {
        part.send_unchecked_zerocopy(socket, more)
    }

    /// `SO_ZEROCOPY`: from now on `MSG_ZEROCOPY` means something to the socket.
    #[cfg(target_os = "linux")]
    fn enable_zerocopy(&self, socket: SocketRef<'_>) -> io::Result<()> {
        sys::set_socket_option(socket, SocketOption::Zerocopy, &1i32.to_ne_bytes())
    }

    /// [`recvmsg(2)`][man] with `MSG_ERRQUEUE`: the oldest word of the kernel about sends with `MSG_ZEROCOPY`,
    /// `WouldBlock` if there is none. `None`: it was about something else. Asked of sockets with `SO_ZEROCOPY` only.
    ///
    /// [man]: https://man7.org/linux/man-pages/man2/recvmsg.2.html
    #[cfg(target_os = "linux")]
    fn completion(&self, socket: SocketRef<'_>) -> io::Result<Option<Completion>> {
        sys::completion(socket)
    }

    /// [`recv(2)`][man]: what has been received. 0 is the end of the stream. With `now`, does not wait, whatever the
    /// socket does.
    ///
    /// [man]: https://man7.org/linux/man-pages/man2/recv.2.html
    fn receive(&self, socket: SocketRef<'_>, into: &mut [u8], now: bool) -> io::Result<usize> {
        if now { os::receive_now(socket, into) } else { os::receive(socket, into) }
    }

    /// Writes at `offset`: [`pwrite(2)`][man].
    ///
    /// [man]: https://man7.org/linux/man-pages/man2/pwrite.2.html
    fn write(&self, file: FileRef<'_>, from: &[u8], offset: u64) -> io::Result<usize> {
        os::write(file, from, offset)
    }

    /// [`splice(2)`][man]: moves at most `count` bytes into a pipe or out of one.
    ///
    /// [man]: https://man7.org/linux/man-pages/man2/splice.2.html
    fn splice(&self, leg: Splice<'_>, count: usize) -> io::Result<usize> {
        splice(leg, count)
    }

    /// Opens `file` once more, for reads that pass the page cache by: `open(2)` with `O_DIRECT`.
    #[cfg(target_os = "linux")]
    fn open_direct(&self, file: FileRef<'_>) -> io::Result<DirectFile> {
        DirectFile::open(file)
    }

    /// Reads at `offset`, past the page cache, waiting for the disk; all of it aligned as [`DirectFile::align`] says.
    #[cfg(target_os = "linux")]
    fn read_direct(&self, file: &DirectFile, into: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read(into, offset)
    }

    /// Sets a ring up, see [`Ring::new`].
    #[cfg(all(target_os = "linux", feature = "uring"))]
    fn ring(&self, buffers: usize, bytes: usize, registered: bool) -> io::Result<Ring> {
        Ring::new(buffers, bytes, registered)
    }

    /// Sends a part of one of the ring's buffers without waiting, see [`Ring::send_zc`].
    #[cfg(all(target_os = "linux", feature = "uring"))]
    fn send_zc(
        &self,
        ring: &mut Ring,
        socket: SocketRef<'_>,
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
    fn send(&self, socket: SocketRef<'_>, parts: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        os::send(socket, parts, more)
    }

    fn sendfile(
        &self,
        socket: SocketRef<'_>,
        file: FileRef<'_>,
        offset: u64,
        count: usize,
    ) -> io::Result<usize> {
        os::sendfile(socket, file, offset, count)
    }

    fn cork(&self, socket: SocketRef<'_>, on: bool) -> io::Result<()> {
        os::cork(socket, on)
    }

    fn read_now(&self, file: FileRef<'_>, into: &mut [u8], offset: u64) -> io::Result<usize> {
        os::read_now(file, into, offset)
    }

    fn read(&self, file: FileRef<'_>, into: &mut [u8], offset: u64) -> io::Result<usize> {
        os::read(file, into, offset)
    }

    fn residency(&self, file: FileRef<'_>, offset: u64, len: u64) -> Residency {
        residency_of(file, offset, len)
    }

    fn socket_kind(&self, socket: SocketRef<'_>) -> SocketKind {
        if ktls::encrypts(socket) { SocketKind::KernelTls } else { SocketKind::Plain }
    }
}
