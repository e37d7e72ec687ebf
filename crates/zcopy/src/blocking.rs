//! Sending from a thread that may wait.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;

use crate::path::{Known, Outcome};
use crate::stats::Sent;
use crate::{SendError, SendPlan, Transfer};

impl Transfer {
    /// Sends what is left of `plan`, waiting for the socket (blocking or not) and for the disk. When it fails,
    /// the plan's cursor stands behind the last byte the kernel took.
    ///
    /// # Errors
    /// [`SendError::Io`] for what the socket or the file reports (on a blocking socket with `SO_SNDTIMEO`,
    /// `WouldBlock` is that limit), [`SendError::FileShrunk`] when a file ends before its range.
    pub fn send_blocking(&self, socket: impl AsFd, plan: &mut SendPlan) -> Result<Sent, SendError> {
        let socket = socket.as_fd();
        let mut sent = Sent::default();
        let mut known = Known::all();
        while !plan.is_done() {
            match self.step(socket, plan, &mut known, &mut sent)? {
                Outcome::WouldBlock => wait_writable(socket)?,
                Outcome::Offload(first) => *plan.carry_mut() = self.do_first(first),
                Outcome::Sent(_) | Outcome::Cold { .. } | Outcome::Refused { .. } => {}
            }
        }
        Ok(sent)
    }
}

/// Waits until a non-blocking socket takes more. A blocking one only ever says "would block" at its time limit.
fn wait_writable(socket: BorrowedFd<'_>) -> io::Result<()> {
    if !fcntl_getfl(socket)?.contains(OFlags::NONBLOCK) {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    poll_writable(socket, None).map(drop)
}

/// After a call that never waits found a socket full that waits by itself: does so, up to its time limit, which is an error
/// as it is from `send(2)`. `false`: the socket does not wait.
#[cfg(feature = "uring")]
pub(crate) fn wait_as_told(socket: BorrowedFd<'_>) -> io::Result<bool> {
    if fcntl_getfl(socket)?.contains(OFlags::NONBLOCK) {
        return Ok(false);
    }
    let limit = rustix::net::sockopt::socket_timeout(socket, rustix::net::sockopt::Timeout::Send)?;
    let limit = limit.map(Timespec::try_from).transpose().map_err(io::Error::other)?;
    if poll_writable(socket, limit.as_ref())? { Ok(true) } else { Err(io::ErrorKind::WouldBlock.into()) }
}

/// Whether the socket takes more, or reports an error, before the time is up.
fn poll_writable(socket: BorrowedFd<'_>, limit: Option<&Timespec>) -> io::Result<bool> {
    loop {
        match poll(&mut [PollFd::new(&socket, PollFlags::OUT)], limit) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(ready) => return Ok(ready > 0),
        }
    }
}
