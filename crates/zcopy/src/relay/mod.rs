//! From a socket to a socket: one direction of a proxy.
//!
//! ```text
//!   from ─splice─> pooled pipe ─splice─> to        no byte is copied
//!   from ─recv──> pooled buffer ─send──> to        where splice is refused, or there is no pipe left
//! ```
//!
//! What has left the one socket and not yet reached the other is held by the [`Relay`], not by a future. It receives
//! only while it holds nothing: so a slow receiver slows the sender down, and an idle relay holds neither pipe nor
//! buffer. One whose receiver is slow holds a pipe, or 64 KiB of the pool, or 16 KiB of its own where pipes and pool
//! are at their bounds.

mod held;
mod step;

use std::io;

use held::Held;
use step::Got;

use crate::Transfer;
use crate::os::{self, AsSocket, SocketRef, socket_ref};
use crate::patience::Fruitless;

/// Which side failed. The other is still as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RelayError {
    /// Receiving failed: `ECONNRESET` and the like.
    #[error("receiving failed: {0}")]
    From(#[source] io::Error),
    /// Sending failed: `EPIPE`, `ECONNRESET` and the like. What the relay holds cannot be delivered any more.
    #[error("sending failed: {0}")]
    To(#[source] io::Error),
}

/// What a [`Relay`] did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Relayed {
    /// Bytes that the receiving socket took.
    pub bytes: u64,
    /// Of these, bytes that no CPU copied on their way through.
    pub spliced_bytes: u64,
    /// System calls that moved bytes or tried to.
    pub calls: u64,
    /// Times there was nothing to receive.
    pub starved: u64,
    /// Times the receiving socket was full.
    pub would_block: u64,
}

/// One direction between two sockets; a proxy has two. Bytes go by `splice(2)` through a pooled pipe and are not
/// copied; where that is refused, or no pipe is left, through a pooled buffer. It receives only while it holds nothing,
/// so a slow receiver slows the sender down, and it holds neither pipe nor buffer while nothing comes.
///
/// ```
/// # #[cfg(feature = "tokio")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use pagewire_zcopy::{Relay, Transfer};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tokio::net::UnixStream;
///
/// let (mut client, from) = UnixStream::pair()?;
/// let (to, mut server) = UnixStream::pair()?;
/// client.write_all(b"hello").await?;
/// client.shutdown().await?;
///
/// let mut relay = Relay::new(Transfer::shared()).shut_down_at_end(true);
/// let relayed = relay.run(&from, &to).await?;
/// assert_eq!(relayed.bytes, 5);
///
/// let mut got = String::new();
/// server.read_to_string(&mut got).await?;
/// assert_eq!(got, "hello");
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "tokio"))]
/// # fn main() {}
/// ```
#[derive(Debug)]
#[doc(alias = "copy_bidirectional")]
#[doc(alias = "splice")]
#[doc(alias = "proxy")]
pub struct Relay {
    transfer: Transfer,
    held: Held,
    ended: bool,
    shut_down_at_end: bool,
    splices: bool,
    done: Relayed,
}

impl Relay {
    /// Uses the pipes and buffers of `transfer`, and what that has learnt about the kernel.
    pub fn new(transfer: &Transfer) -> Self {
        let splices = !transfer.refused().contains(crate::Route::Splice);
        Self {
            transfer: transfer.clone(),
            held: Held::Nothing,
            ended: false,
            shut_down_at_end: false,
            splices,
            done: Relayed::default(),
        }
    }

    /// Whether the end of the stream is handed on: `shutdown(2)` of the receiving socket's sending side, once all bytes
    /// are in it. Without, that is the caller's. Default: no.
    #[must_use]
    pub fn shut_down_at_end(mut self, yes: bool) -> Self {
        self.shut_down_at_end = yes;
        self
    }

    /// What it did so far.
    pub fn relayed(&self) -> Relayed {
        self.done
    }

    /// Bytes received and not yet sent.
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// Whether the sender sends no more and all of it has been sent on.
    pub fn is_done(&self) -> bool {
        self.ended && self.held.len() == 0
    }

    /// Relays until `from` sends no more, waiting for both sockets, blocking or not. Call it again after an error to go
    /// on, with the same sockets.
    ///
    /// # Errors
    /// [`RelayError`] says which side failed (with `WouldBlock` at a blocking socket's time limit, `SO_RCVTIMEO` or
    /// `SO_SNDTIMEO`).
    pub fn run_blocking(&mut self, from: impl AsSocket, to: impl AsSocket) -> Result<Relayed, RelayError> {
        let (from, to) = (socket_ref(&from), socket_ref(&to));
        let transfer = self.transfer.clone();
        let mut fruitless = Fruitless::default();
        while !self.is_done() {
            if self.held.len() > 0 {
                if self.drain(to).map_err(RelayError::To)?.is_some() {
                    fruitless.over();
                } else {
                    transfer.wait_with(to, &mut fruitless, os::wait_writable).map_err(RelayError::To)?;
                }
            } else {
                match self.fill(from).map_err(RelayError::From)? {
                    Got::WouldBlock => {
                        transfer
                            .wait_with(from, &mut fruitless, os::wait_readable)
                            .map_err(RelayError::From)?;
                    }
                    Got::Some | Got::End => fruitless.over(),
                }
            }
        }
        self.finish(to)
    }

    /// Relays until `from` sends no more. Waits for both sockets as long as that takes; a time limit is the caller's.
    /// It lets other tasks have their turn after about `turn_bytes` (see
    /// [`TransferOptions`](crate::TransferOptions::turn_bytes)).
    ///
    /// It does not notice that `to` is gone while there is nothing to send: the relay of the other direction does.
    ///
    /// # Cancel safety
    /// A future that is dropped at any await loses nothing and doubles nothing: the relay holds what was received and
    /// not yet sent. Call it again with the same sockets, and it goes on with the next byte.
    ///
    /// # Errors
    /// [`RelayError`] says which side failed.
    #[cfg(feature = "tokio")]
    pub async fn run<A, B>(&mut self, from: &A, to: &B) -> Result<Relayed, RelayError>
    where
        A: crate::Socket,
        B: crate::Socket,
    {
        let transfer = self.transfer.clone();
        let mut fruitless = Fruitless::default();
        while !self.is_done() {
            if self.held.len() > 0 {
                if let Some(sent) = unless_full(to, |lent| self.drain(lent)).map_err(RelayError::To)? {
                    fruitless.over();
                    transfer.pay(sent).await;
                } else {
                    transfer.bear_with(socket_ref(to), &mut fruitless).map_err(RelayError::To)?;
                    to.writable().await.map_err(RelayError::To)?;
                    transfer.pay(0).await;
                }
            } else {
                match unless_empty(from, |lent| self.fill(lent)).map_err(RelayError::From)? {
                    Got::WouldBlock => {
                        transfer.bear_with(socket_ref(from), &mut fruitless).map_err(RelayError::From)?;
                        from.readable().await.map_err(RelayError::From)?;
                        transfer.pay(0).await;
                    }
                    Got::Some | Got::End => fruitless.over(),
                }
            }
        }
        self.finish(socket_ref(to))
    }

    fn finish(&self, to: SocketRef<'_>) -> Result<Relayed, RelayError> {
        if self.shut_down_at_end {
            match os::shutdown_write(to) {
                // Gone already, with all that was sent to it.
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                answer => answer.map_err(RelayError::To)?,
            }
        }
        Ok(self.done)
    }
}

#[cfg(feature = "tokio")]
fn unless_full<S: crate::Socket>(
    socket: &S,
    drain: impl FnOnce(SocketRef<'_>) -> io::Result<Option<u64>>,
) -> io::Result<Option<u64>> {
    let attempt = || drain(socket_ref(socket))?.ok_or_else(|| io::ErrorKind::WouldBlock.into());
    match socket.try_write(attempt) {
        Ok(sent) => Ok(Some(sent)),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(feature = "tokio")]
fn unless_empty<S: crate::Socket>(
    socket: &S,
    fill: impl FnOnce(SocketRef<'_>) -> io::Result<Got>,
) -> io::Result<Got> {
    let attempt = || match fill(socket_ref(socket))? {
        Got::WouldBlock => Err(io::ErrorKind::WouldBlock.into()),
        got => Ok(got),
    };
    match socket.try_read(attempt) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Got::WouldBlock),
        answer => answer,
    }
}
