//! Systems other than Linux: what the standard library and `socket2` can do. Everything else is refused as unsupported,
//! and the copy takes its place.

use std::io::{self, IoSlice};

use super::{FileRef, SocketRef};

fn unsupported<T>() -> io::Result<T> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `sendmsg` or `WSASend`. Nothing is held back for what is to follow.
pub(crate) fn send(socket: SocketRef<'_>, parts: &[IoSlice<'_>], _more: bool) -> io::Result<usize> {
    socket2::SockRef::from(&socket).send_vectored(parts)
}

pub(crate) fn sendfile(_: SocketRef<'_>, _: FileRef<'_>, _: u64, _: usize) -> io::Result<usize> {
    unsupported()
}

pub(crate) fn cork(_: SocketRef<'_>, _: bool) -> io::Result<()> {
    unsupported()
}

pub(crate) fn read_now(_: FileRef<'_>, _: &mut [u8], _: u64) -> io::Result<usize> {
    unsupported()
}

/// `recv`. At most one attempt.
pub(crate) fn receive(socket: SocketRef<'_>, into: &mut [u8]) -> io::Result<usize> {
    io::Read::read(&mut &*socket2::SockRef::from(&socket), into)
}

/// There is no way to ask a blocking socket that works everywhere: what comes next is waited for.
pub(crate) fn receive_now(_: SocketRef<'_>, _: &mut [u8]) -> io::Result<usize> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// As [`wait_writable`].
pub(crate) fn wait_readable(_: SocketRef<'_>) -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Waits until a non-blocking socket takes more, where the system has a way to: it has none here that the standard library
/// offers, so a blocking socket is asked for.
pub(crate) fn wait_writable(_: SocketRef<'_>) -> io::Result<bool> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Nobody can be asked which pages are held.
pub(crate) fn is_ours(_: FileRef<'_>) -> bool {
    false
}

pub(crate) fn will_need(_: FileRef<'_>, _: u64, _: u64) {}

/// There is no way here but to read.
pub(crate) fn touch(_: FileRef<'_>, _: u64, _: u64) -> io::Result<u64> {
    unsupported()
}
