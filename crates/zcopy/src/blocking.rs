//! Sending from a thread that may wait.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
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
                Outcome::Offload(fetch) => *plan.carry_mut() = self.fetch(fetch),
                Outcome::Sent(_) | Outcome::Cold { .. } | Outcome::Refused { .. } => {}
            }
        }
        Ok(sent)
    }
}

/// Waits until a non-blocking socket takes more. A blocking one only ever says "would block" at its time limit.
fn wait_writable(socket: BorrowedFd<'_>) -> std::io::Result<()> {
    if !fcntl_getfl(socket)?.contains(OFlags::NONBLOCK) {
        return Err(std::io::ErrorKind::WouldBlock.into());
    }
    loop {
        match poll(&mut [PollFd::new(&socket, PollFlags::OUT)], None) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => return Ok(()),
        }
    }
}
