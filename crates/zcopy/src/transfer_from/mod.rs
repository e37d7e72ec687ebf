//! From a socket into a file in one call.
//!
//! ```text
//!   copy     socket ─recv─> pooled, page-aligned buffer ─pwrite─> page cache       the default
//!   splice   socket ──────> pooled pipe ────────────────────────> page cache       when TransferOptions::route says so
//! ```
//!
//! Either way the page cache gets a copy. `splice` leaves the other one out, which costs 14 to 18 % less CPU where a
//! mebibyte comes at a time, and more where it is 64 KiB; and nobody sees the bytes on their way (for a checksum, say).
//!
//! The offset is the caller's, and moves as bytes are in the file. What was received is written before anything is
//! waited for, so that a transfer can be dropped at any await.

mod copied;
mod error;
mod spliced;

use std::fs::File;
#[cfg(feature = "tokio")]
use std::io;

pub use error::ReceiveError;

use crate::os::{self, AsSocket, SocketRef, socket_ref};
use crate::patience::Fruitless;
use crate::route::Why;
use crate::{Route, Transfer, Transferred};

/// Bytes received at a time, at first; as much again whenever they all come at once, up to [`PORTION_MAX`].
const PORTION_START: usize = 256 << 10;
/// Where larger portions stop making it cheaper.
const PORTION_MAX: usize = 1 << 20;
/// Offsets beyond this are none.
const OFFSET_MAX: u64 = i64::MAX as u64;

/// What one portion came to.
#[cfg_attr(not(feature = "tokio"), expect(dead_code, reason = "a thread of its own pays for nothing"))]
enum Got {
    /// So many bytes are in the file; 0 after a refusal.
    Bytes(u64),
    /// The peer sends no more.
    End,
    /// Nothing is there yet.
    WouldBlock,
}

/// A transfer on its way.
struct Incoming<'a> {
    transfer: &'a Transfer,
    file: &'a File,
    offset: &'a mut u64,
    /// Bytes still wanted.
    left: u64,
    portion: usize,
    done: Transferred,
}

impl<'a> Incoming<'a> {
    fn new(
        transfer: &'a Transfer,
        file: &'a File,
        offset: &'a mut u64,
        len: u64,
    ) -> Result<Self, ReceiveError> {
        if let Some(why) = os::unsuitable(file).map_err(ReceiveError::Look)? {
            return Err(ReceiveError::Unsuitable(why));
        }
        let left = len.min(OFFSET_MAX.saturating_sub(*offset));
        if left == 0 && len > 0 {
            return Err(ReceiveError::Unsuitable("there is no offset as large as that"));
        }
        let (route, why) = match transfer.options().route {
            Some(Route::Splice) if transfer.refused().contains(Route::Splice) => (Route::Copy, Why::Refused),
            Some(Route::Splice) => (Route::Splice, Why::Forced),
            Some(Route::Copy) => (Route::Copy, Why::Forced),
            _ => (Route::Copy, Why::Received),
        };
        let done = Transferred { bytes: 0, route, why, calls: 0, would_block: 0, eof: false };
        Ok(Self { transfer, file, offset, left, portion: PORTION_START, done })
    }

    /// One portion: received, and written. With `gather`, does not wait for more once it has something.
    fn portion(&mut self, socket: SocketRef<'_>, gather: bool) -> Result<Got, ReceiveError> {
        let got = match self.done.route {
            Route::Splice => spliced::portion(self, socket),
            _ => copied::portion(self, socket, gather),
        }?;
        match got {
            Got::WouldBlock => self.done.would_block += 1,
            Got::End => self.done.eof = true,
            Got::Bytes(_) => {}
        }
        Ok(got)
    }

    /// The most that the next portion may have.
    fn portion_bytes(&self) -> usize {
        let turn = usize::try_from(self.transfer.options().turn_bytes).unwrap_or(PORTION_MAX).max(1);
        usize::try_from(self.left).unwrap_or(PORTION_MAX).min(self.portion).min(turn)
    }

    /// `n` bytes more are in the file.
    fn wrote(&mut self, n: u64) {
        *self.offset = self.offset.saturating_add(n);
        self.left = self.left.saturating_sub(n);
        self.done.bytes += n;
        self.transfer.stats().received().moved(n, self.done.route == Route::Splice);
    }
}

impl Transfer {
    /// Moves at most `len` bytes from `socket` into `file`, at `offset`, which moves with them. Waits for the socket
    /// (blocking or not) and for the disk, until the bytes are there or the peer sends no more, which
    /// [`Transferred::eof`] tells. `u64::MAX` means: until the peer sends no more.
    ///
    /// The file must be open for writing, and not for appending. Bytes are in the page cache when this returns; on the
    /// disk they are after a [`File::sync_data`]. Two transfers into one file may run at once if their ranges do not
    /// overlap.
    ///
    /// # Errors
    /// [`ReceiveError`]: which of the two failed, and whether received bytes are lost. All bytes before `offset` are
    /// safe.
    #[doc(alias = "transferFrom")]
    #[doc(alias = "recvfile")]
    pub fn transfer_from_blocking(
        &self,
        socket: impl AsSocket,
        file: &File,
        offset: &mut u64,
        len: u64,
    ) -> Result<Transferred, ReceiveError> {
        let socket = socket_ref(&socket);
        let mut incoming = Incoming::new(self, file, offset, len)?;
        let mut fruitless = Fruitless::default();
        while incoming.left > 0 {
            match incoming.portion(socket, true)? {
                Got::Bytes(_) => fruitless.over(),
                Got::End => break,
                Got::WouldBlock => {
                    self.wait_with(socket, &mut fruitless, os::wait_readable)
                        .map_err(ReceiveError::Socket)?;
                }
            }
        }
        Ok(incoming.done)
    }

    /// Moves at most `len` bytes from `socket` into `file`, at `offset`, which moves with them, until they are there or
    /// the peer sends no more, which [`Transferred::eof`] tells. `u64::MAX` means: until the peer sends no more. Waits
    /// for a slow peer as long as that takes, holding no buffer and no pipe; a time limit is the caller's.
    ///
    /// It lets other tasks have their turn after about `turn_bytes` (see
    /// [`TransferOptions`](crate::TransferOptions::turn_bytes)). But it writes on its worker: that is a copy into the
    /// page cache, 0.1 to 0.4 ms for a mebibyte, until the kernel has too many dirty pages and holds all who write
    /// (`/proc/sys/vm/dirty_ratio`), for hundreds of milliseconds at a time. Where that hurts others, call
    /// [`start_writeback`](crate::start_writeback) behind the offset every few mebibytes, so that it seldom comes to
    /// that; or receive on a thread of its own, by [`transfer_from_blocking`](Self::transfer_from_blocking).
    ///
    /// Two things make it wait for the disk each time, and want such a thread: a write into a part of a page that the
    /// file has and the page cache has not reads that page first (begin at a multiple of 4096, or behind the end of the
    /// file), and a file opened with `O_SYNC` or `O_DSYNC` takes every portion through to the disk (open it without,
    /// and call [`File::sync_data`] at the end).
    ///
    /// # Cancel safety
    /// A future that is dropped at any await loses nothing and doubles nothing: what was received is written in the
    /// same poll, `offset` stands behind it, and another transfer from there goes on with the next byte.
    ///
    /// # Errors
    /// [`ReceiveError`]: which of the two failed, and whether received bytes are lost. All bytes before `offset` are
    /// safe.
    #[cfg(feature = "tokio")]
    #[doc(alias = "transferFrom")]
    #[doc(alias = "recvfile")]
    pub async fn transfer_from<S: crate::Socket>(
        &self,
        socket: &S,
        file: &File,
        offset: &mut u64,
        len: u64,
    ) -> Result<Transferred, ReceiveError> {
        let mut incoming = Incoming::new(self, file, offset, len)?;
        while incoming.left > 0 {
            match attempt(&mut incoming, socket)? {
                Got::Bytes(n) => self.pay(n).await,
                Got::End => break,
                Got::WouldBlock => socket.readable().await.map_err(ReceiveError::Socket)?,
            }
        }
        Ok(incoming.done)
    }
}

/// One portion, if the socket may have something.
#[cfg(feature = "tokio")]
fn attempt<S: crate::Socket>(incoming: &mut Incoming<'_>, socket: &S) -> Result<Got, ReceiveError> {
    let lent = socket_ref(socket);
    let answer = socket.try_read(|| match incoming.portion(lent, false) {
        Ok(Got::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
        answer => Ok(answer),
    });
    match answer {
        Ok(answer) => answer,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Got::WouldBlock),
        Err(error) => Err(ReceiveError::Socket(error)),
    }
}

/// [`Transfer::transfer_from`] by the process's own [`Transfer::shared`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::io::Write;
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// let mut peer = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let (socket, _) = listener.accept().await?;
/// peer.write_all(b"twelve bytes")?;
///
/// let file = tempfile::tempfile()?;
/// let mut offset = 100;
/// let moved = pagewire_zcopy::transfer_from(&socket, &file, &mut offset, 12).await?;
/// assert_eq!((moved.bytes, moved.eof, offset), (12, false, 112));
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// As [`Transfer::transfer_from`].
///
/// # Errors
/// As [`Transfer::transfer_from`].
#[cfg(feature = "tokio")]
#[doc(alias = "transferFrom")]
#[doc(alias = "recvfile")]
pub async fn transfer_from<S: crate::Socket>(
    socket: &S,
    file: &File,
    offset: &mut u64,
    len: u64,
) -> Result<Transferred, ReceiveError> {
    Transfer::shared().transfer_from(socket, file, offset, len).await
}

/// [`Transfer::transfer_from_blocking`] by the process's own [`Transfer::shared`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::io::Write;
///
/// let (mut peer, socket) = std::os::unix::net::UnixStream::pair()?;
/// peer.write_all(b"twelve bytes")?;
/// drop(peer);
///
/// let file = tempfile::tempfile()?;
/// let mut offset = 0;
/// let moved = pagewire_zcopy::transfer_from_blocking(&socket, &file, &mut offset, u64::MAX)?;
/// assert_eq!((moved.bytes, moved.eof, offset), (12, true, 12));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Transfer::transfer_from_blocking`].
#[doc(alias = "transferFrom")]
#[doc(alias = "recvfile")]
pub fn transfer_from_blocking(
    socket: impl AsSocket,
    file: &File,
    offset: &mut u64,
    len: u64,
) -> Result<Transferred, ReceiveError> {
    Transfer::shared().transfer_from_blocking(socket, file, offset, len)
}
