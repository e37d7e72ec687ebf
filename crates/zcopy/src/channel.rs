//! From a file to a socket in one call, for those who have one range to send and no plan to make.
//!
//! The offset is the caller's, and moves with every byte that the kernel takes, as `sendfile(2)` has it: whatever ends
//! a transfer, an error, a dropped future, the end of the file, it says where the next one has to begin.

use std::fs::File;
use std::sync::{Arc, OnceLock};

use crate::os::{AsSocket, socket_ref};
use crate::path::{Known, Outcome};
use crate::stats::Sent;
use crate::transferred::Transferred;
use crate::{BufferPool, FileRange, IoPool, PoolOptions, SendError, SendPlan, Transfer, TransferOptions};

/// Bounds of the transfer that [`Transfer::shared`] answers.
const SHARED_BUFFER_BYTES: usize = 64 << 20;
const SHARED_IO_THREADS: usize = 4;
const SHARED_IO_QUEUE: usize = 256;

/// A range on its way. Moves the caller's offset when it is dropped, however that comes about.
struct OnItsWay<'a> {
    plan: SendPlan,
    offset: &'a mut u64,
    /// Whether the range was cut at the end of the file.
    to_the_end: bool,
}

impl<'a> OnItsWay<'a> {
    /// `len` bytes of `file` from `offset`, as far as the file has them now.
    fn new(file: &Arc<File>, offset: &'a mut u64, len: u64) -> std::io::Result<Self> {
        let metadata = file.metadata()?;
        let there =
            if metadata.is_file() { metadata.len().saturating_sub(*offset) } else { u64::MAX - *offset };
        let mut plan = SendPlan::new();
        plan.push_file(FileRange::new(Arc::clone(file), *offset, len.min(there)));
        Ok(Self { plan, offset, to_the_end: len >= there })
    }

    /// The answer, once the sending is over. A file that has become shorter has only ended earlier, unless some of what
    /// is missing was sent for it.
    fn done(self, sending: Result<(), SendError>, sent: &Sent) -> Result<Transferred, SendError> {
        match sending {
            Ok(()) => {
                let eof = self.to_the_end && self.plan.is_done();
                Ok(Transferred::of(sent, self.plan.sent(), eof))
            }
            Err(SendError::FileShrunk { .. }) => Ok(Transferred::of(sent, self.plan.sent(), true)),
            Err(error) => Err(error),
        }
    }
}

impl Drop for OnItsWay<'_> {
    fn drop(&mut self) {
        *self.offset = self.offset.saturating_add(self.plan.sent());
    }
}

impl Transfer {
    /// The process's own: the default options, 64 MiB of buffers, four threads for cold files. Made when first asked
    /// for.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Transfer> = OnceLock::new();
        SHARED.get_or_init(|| {
            let options = PoolOptions { max_bytes: SHARED_BUFFER_BYTES, ..PoolOptions::default() };
            let io = IoPool::new(SHARED_IO_THREADS, SHARED_IO_QUEUE);
            Self::new(TransferOptions::default(), BufferPool::new(options), io)
        })
    }

    /// Moves at most `len` bytes of `file`, from `offset` on, to `socket`, and `offset` with them. Waits for the socket
    /// (blocking or not) and for the disk. `u64::MAX` means: to the end.
    ///
    /// Fewer bytes than asked for is the end of the file, told by [`Transferred::eof`]. An `offset` behind the end
    /// moves nothing.
    ///
    /// # Errors
    /// [`SendError::Io`] for what the socket or the file reports; `offset` says how far it came. (On a blocking socket
    /// with `SO_SNDTIMEO`, `WouldBlock` is that limit.) [`SendError::FileCut`] when the file was cut below what the
    /// kernel took of it, where that is noticed (routes that send out of a map).
    #[doc(alias = "transferTo")]
    #[doc(alias = "sendfile")]
    pub fn transfer_to_blocking(
        &self,
        file: &Arc<File>,
        offset: &mut u64,
        len: u64,
        socket: impl AsSocket,
    ) -> Result<Transferred, SendError> {
        let mut way = OnItsWay::new(file, offset, len)?;
        let mut sent = Sent::default();
        let sending = self.send_all_blocking(socket_ref(&socket), &mut way.plan, &mut sent);
        way.done(sending, &sent)
    }

    /// As [`transfer_to_blocking`](Self::transfer_to_blocking), until a non-blocking `socket` is full: does not wait
    /// for it. It may wait for the disk. For those who have an event loop of their own.
    ///
    /// Each call begins anew: what `splice` holds in its pipe, and `direct` in its buffer, when the socket is full, is
    /// read again by the next one. A [`SendPlan`] keeps it from call to call.
    ///
    /// # Errors
    /// As there. A full socket is none: [`Transferred::would_block`] is 1 then.
    #[doc(alias = "transferTo")]
    pub fn try_transfer_to(
        &self,
        file: &Arc<File>,
        offset: &mut u64,
        len: u64,
        socket: impl AsSocket,
    ) -> Result<Transferred, SendError> {
        let mut way = OnItsWay::new(file, offset, len)?;
        let (mut sent, mut known) = (Sent::default(), Known::all());
        let sending = loop {
            if way.plan.is_done() {
                break Ok(());
            }
            match self.step(socket_ref(&socket), &mut way.plan, &mut known, &mut sent) {
                Ok(Outcome::WouldBlock) => break Ok(()),
                Ok(Outcome::Offload(first)) => *way.plan.carry_mut() = self.do_first(first),
                Ok(_) => {}
                Err(error) => break Err(error),
            }
        };
        way.done(sending, &sent)
    }

    /// Moves at most `len` bytes of `file`, from `offset` on, to `socket`, and `offset` with them. Waits for the socket
    /// as long as that takes, and never holds its worker for a disk. `u64::MAX` means: to the end.
    ///
    /// Fewer bytes than asked for is the end of the file, told by [`Transferred::eof`].
    ///
    /// # Cancel safety
    /// A future that is dropped at any await loses nothing and doubles nothing: `offset` stands behind the last byte
    /// the kernel took, and another transfer from there goes on with the next.
    ///
    /// # Errors
    /// As [`transfer_to_blocking`](Self::transfer_to_blocking).
    #[cfg(feature = "tokio")]
    #[doc(alias = "transferTo")]
    #[doc(alias = "sendfile")]
    pub async fn transfer_to<S: crate::Socket>(
        &self,
        file: &Arc<File>,
        offset: &mut u64,
        len: u64,
        socket: &S,
    ) -> Result<Transferred, SendError> {
        let mut way = OnItsWay::new(file, offset, len)?;
        let mut sent = Sent::default();
        let sending = self.send_all(socket, &mut way.plan, &mut sent).await;
        way.done(sending, &sent)
    }
}

/// [`Transfer::transfer_to`] by the process's own [`Transfer::shared`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("movie.mkv");
/// # std::fs::write(&path, [7; 10_000])?;
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
/// # let socket = tokio::net::TcpStream::connect(listener.local_addr()?).await?;
/// # let (_peer, _) = listener.accept().await?;
/// let file = std::sync::Arc::new(std::fs::File::open(path)?);
/// let mut offset = 0;
/// let moved = pagewire_zcopy::transfer_to(&file, &mut offset, u64::MAX, &socket).await?;
/// assert_eq!((moved.bytes, offset, moved.eof), (10_000, 10_000, true));
/// println!("{} bytes by {}, because {:?}", moved.bytes, moved.route, moved.why);
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
/// As [`Transfer::transfer_to`].
///
/// # Errors
/// As [`Transfer::transfer_to`].
#[cfg(feature = "tokio")]
#[doc(alias = "transferTo")]
#[doc(alias = "sendfile")]
pub async fn transfer_to<S: crate::Socket>(
    file: &Arc<File>,
    offset: &mut u64,
    len: u64,
    socket: &S,
) -> Result<Transferred, SendError> {
    Transfer::shared().transfer_to(file, offset, len, socket).await
}

/// [`Transfer::transfer_to_blocking`] by the process's own [`Transfer::shared`].
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("movie.mkv");
/// # std::fs::write(&path, [7; 10_000])?;
/// # let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// # let socket = std::net::TcpStream::connect(listener.local_addr()?)?;
/// # let (_peer, _) = listener.accept()?;
/// let file = std::sync::Arc::new(std::fs::File::open(path)?);
/// let mut offset = 0;
/// let moved = pagewire_zcopy::transfer_to_blocking(&file, &mut offset, u64::MAX, &socket)?;
/// assert_eq!((moved.bytes, offset, moved.eof), (10_000, 10_000, true));
/// println!("{} bytes by {}, because {:?}", moved.bytes, moved.route, moved.why);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Transfer::transfer_to_blocking`].
#[doc(alias = "transferTo")]
#[doc(alias = "sendfile")]
pub fn transfer_to_blocking(
    file: &Arc<File>,
    offset: &mut u64,
    len: u64,
    socket: impl AsSocket,
) -> Result<Transferred, SendError> {
    Transfer::shared().transfer_to_blocking(file, offset, len, socket)
}
