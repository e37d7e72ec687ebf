//! `sendmsg(2)` from memory and from mapped files together.
//!
//! <https://man7.org/linux/man-pages/man2/sendmsg.2.html>
//!
//! The kernel copies out of the map by itself. Where the file has shrunk and took the page away, it stops there and
//! returns the bytes before, or `EFAULT` when there are none; no signal is raised.

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::FileMap;

/// A part of a message: memory, or mapped bytes that nobody but the kernel looks at.
#[repr(transparent)]
#[derive(Debug, Clone, Copy)]
pub(crate) struct SendPart<'a> {
    raw: libc::iovec,
    source: PhantomData<&'a [u8]>,
}

impl<'a> SendPart<'a> {
    pub(crate) fn memory(bytes: &'a [u8]) -> Self {
        let raw = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        Self { raw, source: PhantomData }
    }

    /// `len` bytes of `map` from `at`, both clamped to what is mapped.
    pub(crate) fn mapped(map: &'a FileMap, at: usize, len: usize) -> Self {
        let at = at.min(map.len());
        let raw = libc::iovec { iov_base: map.address(at).cast(), iov_len: len.min(map.len() - at) };
        Self { raw, source: PhantomData }
    }
}

/// Sends `parts` in order, with `MSG_NOSIGNAL`, and `MSG_MORE` when `more` is to follow. One attempt: short counts,
/// `EAGAIN` and `EINTR` are answers. The kernel refuses more than 1,024 parts (`EMSGSIZE`).
pub(crate) fn send_parts(socket: BorrowedFd<'_>, parts: &[SendPart<'_>], more: bool) -> io::Result<usize> {
    send_flagged(socket, parts, if more { libc::MSG_MORE } else { 0 })
}

/// Sends `len` bytes of `map` from `at` as [`send_parts`] does, with `MSG_ZEROCOPY` besides: the kernel keeps the pages
/// and copies nothing, where the way to the peer allows that. For a map only: what it sends lies in pages of the file,
/// of which the kernel takes references before the call returns, so the map may go away at once and nothing dangles.
pub(crate) fn send_map_zerocopy(
    socket: BorrowedFd<'_>,
    map: &FileMap,
    at: usize,
    len: usize,
    more: bool,
) -> io::Result<usize> {
    let more = if more { libc::MSG_MORE } else { 0 };
    send_flagged(socket, &[SendPart::mapped(map, at, len)], libc::MSG_ZEROCOPY | more)
}

fn send_flagged(socket: BorrowedFd<'_>, parts: &[SendPart<'_>], flags: libc::c_int) -> io::Result<usize> {
    // SAFETY: all zeros is a message without address, control data and parts.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = parts.as_ptr().cast_mut().cast();
    message.msg_iovlen = parts.len() as _;
    // SAFETY: the descriptor is borrowed for the call. `SendPart` has the layout of `iovec`; every part names memory
    // that its lifetime keeps: a slice, or a live mapping, from which only the kernel reads, and checks each page as it
    // does. The kernel writes to none of it, and keeps addresses of none: with `MSG_ZEROCOPY` it keeps pages.
    let answer = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, flags | libc::MSG_NOSIGNAL) };
    usize::try_from(answer).map_err(|_| io::Error::last_os_error())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn memory_and_mapped_bytes_leave_in_one_call_and_in_order() {
        let file = std::fs::File::open(std::env::current_exe().expect("this program")).expect("open");
        let map = FileMap::new(file.as_fd(), 1, 3, false).expect("a map");
        let (from, mut to) = UnixStream::pair().expect("a pair");
        let parts = [SendPart::memory(b"<"), SendPart::mapped(&map, 0, 9), SendPart::memory(b">")];
        assert_eq!(send_parts(from.as_fd(), &parts, false).expect("sending"), 5);
        let mut bytes = [0; 5];
        to.read_exact(&mut bytes).expect("reading");
        assert_eq!(&bytes, b"<ELF>");
    }

    #[test]
    fn too_many_parts_are_refused_and_none_are_nothing() {
        let (from, _to) = UnixStream::pair().expect("a pair");
        assert!(send_parts(from.as_fd(), &vec![SendPart::memory(b"x"); 1025], false).is_err());
        assert_eq!(send_parts(from.as_fd(), &[], true).expect("an empty message"), 0);
    }
}
