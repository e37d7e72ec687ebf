//! Linux: the calls themselves.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice, IoSliceMut};
use std::num::NonZeroU64;
use std::os::fd::BorrowedFd;
#[cfg(feature = "uring")]
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Advice, AtFlags, OFlags, StatxFlags, fadvise, fcntl_getfl, fstat, statx};
use rustix::io::{Errno, ReadWriteFlags, preadv2};
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags};
use rustix::process::geteuid;

/// Bytes of one call to `/dev/null`.
const NULL_STEP: u64 = 1 << 20;

/// `sendmsg(2)` or `send(2)` with `MSG_NOSIGNAL`, and `MSG_MORE` when more is to follow.
pub(crate) fn send(socket: BorrowedFd<'_>, parts: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
    let more = if more { SendFlags::MORE } else { SendFlags::empty() };
    // A header in front of a file: one part needs no list of parts.
    if let [part] = parts {
        return Ok(rustix::net::send(socket, part, SendFlags::NOSIGNAL | more)?);
    }
    let mut control = SendAncillaryBuffer::default();
    Ok(rustix::net::sendmsg(socket, parts, &mut control, SendFlags::NOSIGNAL | more)?)
}

/// `sendfile(2)`.
pub(crate) fn sendfile(
    socket: BorrowedFd<'_>,
    file: BorrowedFd<'_>,
    offset: u64,
    count: usize,
) -> io::Result<usize> {
    let mut from = offset;
    Ok(rustix::fs::sendfile(socket, file, Some(&mut from), count)?)
}

/// `TCP_CORK`, see `tcp(7)`.
pub(crate) fn cork(socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    Ok(rustix::net::sockopt::set_tcp_cork(socket, on)?)
}

/// `preadv2(2)` with `RWF_NOWAIT`: what can be had now, or `WouldBlock`.
pub(crate) fn read_now(file: BorrowedFd<'_>, into: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match preadv2(file, &mut [IoSliceMut::new(into)], at, ReadWriteFlags::NOWAIT) {
            Err(Errno::INTR) => {}
            answer => return Ok(answer?),
        }
    }
}

/// `read(2)` from a socket. At most one attempt.
pub(crate) fn receive(socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::io::read(socket, into)?)
}

/// `recv(2)` with `MSG_DONTWAIT`. At most one attempt.
pub(crate) fn receive_now(socket: BorrowedFd<'_>, into: &mut [u8]) -> io::Result<usize> {
    Ok(rustix::net::recv(socket, into, RecvFlags::DONTWAIT)?.0)
}

/// Waits until a non-blocking socket takes more, or has nothing but words in its error queue: `false`. A blocking one
/// only ever says "would block" at its time limit.
pub(crate) fn wait_writable(socket: BorrowedFd<'_>) -> io::Result<bool> {
    wait(socket, PollFlags::OUT)
}

/// As [`wait_writable`], until it has received something or its peer sends no more.
pub(crate) fn wait_readable(socket: BorrowedFd<'_>) -> io::Result<bool> {
    wait(socket, PollFlags::IN)
}

fn wait(socket: BorrowedFd<'_>, until: PollFlags) -> io::Result<bool> {
    if !fcntl_getfl(socket)?.contains(OFlags::NONBLOCK) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(ready(socket, until, None)? != PollFlags::ERR)
}

/// After a call that never waits found a socket full that waits by itself: does so, up to its time limit, which is an
/// error as it is from `send(2)`. `None`: the socket does not wait. What it has in its error queue makes no room and
/// ends every wait: `clear` takes it out, and says whether there was any.
#[cfg(feature = "uring")]
pub(crate) fn wait_as_told(
    socket: BorrowedFd<'_>,
    mut clear: impl FnMut() -> bool,
) -> io::Result<Option<()>> {
    if fcntl_getfl(socket)?.contains(OFlags::NONBLOCK) {
        return Ok(None);
    }
    let limit = rustix::net::sockopt::socket_timeout(socket, rustix::net::sockopt::Timeout::Send)?;
    let began = Instant::now();
    loop {
        let left = limit.map(|limit| limit.saturating_sub(began.elapsed()));
        let left = left.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
        let became = ready(socket, PollFlags::OUT, left.as_ref())?;
        if became.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // An error of the connection's own is told by the next call.
        if became != PollFlags::ERR || !clear() {
            return Ok(Some(()));
        }
    }
}

/// What a socket is ready for, nothing when the time is up.
fn ready(socket: BorrowedFd<'_>, until: PollFlags, limit: Option<&Timespec>) -> io::Result<PollFlags> {
    loop {
        let mut asked = [PollFd::new(&socket, until)];
        match poll(&mut asked, limit) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => {
                let [asked] = &asked;
                return Ok(asked.revents());
            }
        }
    }
}

/// Whether the kernel tells this process the truth about which of the file's pages it holds.
pub(crate) fn is_ours(file: BorrowedFd<'_>) -> bool {
    fstat(file).is_ok_and(|stat| stat.st_uid == geteuid().as_raw())
        || fcntl_getfl(file).is_ok_and(|flags| flags.contains(OFlags::RDWR))
}

/// The device of a file, without asking a server for it (`AT_STATX_DONT_SYNC`).
pub(crate) fn device(file: BorrowedFd<'_>) -> Option<u64> {
    let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
    let found = statx(file, c"", flags, StatxFlags::empty()).ok()?;
    Some(u64::from(found.stx_dev_major) << 32 | u64::from(found.stx_dev_minor))
}

/// Starts reading a range into the page cache. Advice only: whoever does not take it still reads later.
pub(crate) fn will_need(file: BorrowedFd<'_>, offset: u64, len: u64) {
    if let Some(len) = NonZeroU64::new(len) {
        let _ = fadvise(file, offset, Some(len), Advice::WillNeed);
    }
}

/// What takes any bytes and keeps none.
pub(crate) struct Null(File);

impl Null {
    pub(crate) fn open() -> io::Result<Self> {
        OpenOptions::new().write(true).open("/dev/null").map(Self)
    }
}

/// Waits until a range is in the page cache, or the file ends, without one byte being copied or even touched. Returns
/// how many bytes are there.
pub(crate) fn touch(Null(null): &Null, file: BorrowedFd<'_>, offset: u64, len: u64) -> io::Result<u64> {
    let mut at = offset;
    let end = offset.saturating_add(len);
    while at < end {
        let count = NULL_STEP.min(end - at) as usize;
        match rustix::fs::sendfile(null, file, Some(&mut at), count) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(at - offset)
}
