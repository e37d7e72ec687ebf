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
    /// `WouldBlock` is that limit), [`SendError::FileShrunk`] when a file ends before its range, [`SendError::FileCut`]
    /// when it lost bytes while they were sent out of a map. The connection cannot be used further.
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
                    // A blocking socket only ever says so at its time limit, which the wait reports.
                    let done = self.wait_with(socket, &mut fruitless, os::wait_writable)?;
                    sent.zerocopy.completed(done);
                }
                Outcome::Offload(first) => *plan.carry_mut() = self.do_first(first),
                Outcome::Sent(1..) => fruitless.over(),
                Outcome::Sent(_) | Outcome::Cold { .. } | Outcome::Refused { .. } => {}
            }
        }
        self.reap_at_end(socket, sent);
        Ok(())
    }
}
