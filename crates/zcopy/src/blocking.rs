//! Sending from a thread that may wait.

use crate::os::{self, AsSocket, SocketRef, socket_ref};
use crate::path::{Known, Outcome};
use crate::patience::Fruitless;
use crate::stats::Sent;
use crate::{SendError, SendPlan, Transfer};

impl Transfer {
    /// Sends what is left of `plan`, waiting for the socket (blocking or not) and for the disk. When it fails,
    /// the plan's cursor stands behind the last byte the kernel took.
    ///
    /// # Errors
    /// [`SendError::Io`] for what the socket or the file reports (on a blocking socket with `SO_SNDTIMEO`,
    /// `WouldBlock` is that limit), [`SendError::FileShrunk`] when a file ends before its range.
    pub fn send_blocking(&self, socket: impl AsSocket, plan: &mut SendPlan) -> Result<Sent, SendError> {
        let mut sent = Sent::default();
        self.send_all_blocking(socket_ref(&socket), plan, &mut sent)?;
        Ok(sent)
    }

    /// As [`send_blocking`](Self::send_blocking), counting also where it fails.
    pub(crate) fn send_all_blocking(
        &self,
        socket: SocketRef<'_>,
        plan: &mut SendPlan,
        sent: &mut Sent,
    ) -> Result<(), SendError> {
        let (mut known, mut fruitless) = (Known::all(), Fruitless::default());
        while !plan.is_done() {
            match self.step(socket, plan, &mut known, sent)? {
                Outcome::WouldBlock => {
                    self.bear_with(socket, &mut fruitless)?;
                    fruitless.rest();
                    self.wait_writable(socket, sent)?;
                }
                Outcome::Offload(first) => *plan.carry_mut() = self.do_first(first),
                Outcome::Sent(1..) => fruitless.over(),
                Outcome::Sent(_) | Outcome::Cold { .. } | Outcome::Refused { .. } => {}
            }
        }
        self.reap_at_end(socket, sent);
        Ok(())
    }

    /// Waits until a non-blocking socket takes more. A blocking one only ever says "would block" at its time limit.
    fn wait_writable(&self, socket: SocketRef<'_>, sent: &mut Sent) -> std::io::Result<()> {
        while !os::wait_writable(socket)? {
            // What is in the error queue makes no room, and would end every wait until somebody reads it.
            let done = self.reap_completions(socket)?;
            sent.zerocopy.completed(done);
            if done.completed == 0 && !self.clear_error_queue(socket) {
                break;
            }
        }
        Ok(())
    }
}
