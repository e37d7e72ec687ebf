//! Systems other than Linux: what the standard library and `socket2` can do. Everything else is refused as unsupported,
//! and the copy takes its place.

use std::io::{self, IoSlice};

#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, poll};
#[cfg(unix)]
use rustix::fs::{OFlags, fcntl_getfl};
#[cfg(unix)]
use rustix::io::Errno;

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

/// As [`wait_writable`], until it has received something or its peer sends no more.
#[cfg(unix)]
pub(crate) fn wait_readable(socket: SocketRef<'_>) -> io::Result<bool> {
    wait(socket, PollFlags::IN)
}

/// Waits until a non-blocking socket takes more: `poll(2)`. A blocking one only ever says "would block" at its time
/// limit.
#[cfg(unix)]
pub(crate) fn wait_writable(socket: SocketRef<'_>) -> io::Result<bool> {
    wait(socket, PollFlags::OUT)
}

#[cfg(unix)]
fn wait(socket: SocketRef<'_>, until: PollFlags) -> io::Result<bool> {
    if !fcntl_getfl(socket)?.contains(OFlags::NONBLOCK) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    loop {
        match poll(&mut [PollFd::new(&socket, until)], None) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => return Ok(true),
        }
    }
}

/// As [`wait_writable`].
#[cfg(not(unix))]
pub(crate) fn wait_readable(_: SocketRef<'_>) -> io::Result<bool> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Waits until a non-blocking socket takes more: the standard library has no way to, so a blocking one is asked for.
#[cfg(not(unix))]
pub(crate) fn wait_writable(_: SocketRef<'_>) -> io::Result<bool> {
    Err(io::ErrorKind::WouldBlock.into())
}

/// Nobody can be asked which pages are held.
pub(crate) fn is_ours(_: FileRef<'_>) -> bool {
    false
}

/// Devices are not told apart here.
pub(crate) fn device(_: FileRef<'_>) -> Option<u64> {
    None
}

pub(crate) fn will_need(_: FileRef<'_>, _: u64, _: u64) {}

/// There is no way here but to read.
pub(crate) struct Null;

impl Null {
    pub(crate) fn open() -> io::Result<Self> {
        unsupported()
    }
}

pub(crate) fn touch(_: &Null, _: FileRef<'_>, _: u64, _: u64) -> io::Result<u64> {
    unsupported()
}
