//! Moves bytes between files, memory and sockets, and leaves the copying out where the kernel can.
//!
//! ```text
//!   what to send                 how                              what it costs the CPU
//!   SendPlan                     Transfer::send
//!   +--------------+   small     path/copy      preadv2 + sendmsg   two copies, one system call each
//!   | Bytes        | ---------->
//!   | FileRange    |   large     path/sendfile  sendfile            none: page references go to the socket
//!   | Bytes  ...   |   cold      IoPool reads ahead, then as above; the event loop never waits for a disk
//!   +--------------+
//! ```
//!
//! * Describe what to send: a [`SendPlan`] of [`Piece`]s, which are [`bytes::Bytes`] or a [`FileRange`]. Its
//!   total is known before the first byte leaves, so a length prefix can be written ahead of it.
//! * Send it: [`Transfer::send`] (tokio) or [`Transfer::send_blocking`]. [`route`] decides per piece; what the
//!   kernel refuses is remembered ([`caps`]) and replaced by the copy, which always works.
//! * Receive: a [`Receiver`] reads many length-prefixed frames per system call into page-aligned buffers of a
//!   bounded [`BufferPool`], and holds no buffer while its peer is silent.
//! * Whatever may wait for a disk runs on an [`IoPool`].
//!
//! Nothing here knows what the bytes mean. Units are bytes unless a name says otherwise.
//!
//! ```no_run
//! # #[cfg(feature = "tokio")]
//! # async fn serve(socket: tokio::net::TcpStream) -> Result<(), Box<dyn std::error::Error>> {
//! use pagewire_zcopy::{BufferPool, FileRange, IoPool, PoolOptions, SendPlan, Transfer, TransferOptions};
//!
//! let buffers = BufferPool::new(PoolOptions::default());
//! let transfer = Transfer::new(TransferOptions::default(), buffers, IoPool::new(4, 256));
//! let file = std::sync::Arc::new(std::fs::File::open("segment.log")?);
//! let mut plan = SendPlan::new();
//! plan.push_bytes(bytes::Bytes::from_static(b"1048576\r\n"));
//! plan.push_file(FileRange::new(file, 4096, 1 << 20));
//! socket.set_nodelay(true)?;
//! let sent = transfer.send(&socket, &mut plan).await?;
//! assert_eq!(sent.bytes, plan.total());
//! # Ok(())
//! # }
//! ```
//!
//! # What must hold
//!
//! * A range that is being sent is never overwritten in place and never cut inside a page: `sendfile` sends
//!   the page itself, so later changes reach the peer. Append, or replace by a new file.
//! * The process ignores `SIGPIPE` (Rust programs do by default): `sendfile` to a closed socket raises it.
//! * `unsafe` lives in `sys` only.

mod batch;
mod blocking;
mod calls;
pub mod caps;
mod carry;
mod direct_file;
mod error;
mod file_range;
mod io_pool;
mod offload;
mod path;
mod piece;
mod pool;
mod read_ahead;
mod receive;
mod residency;
pub mod route;
mod send_plan;
mod stats;
mod sys;
mod thresholds;
#[cfg(feature = "tokio")]
mod tokio;
mod transfer;
#[cfg(feature = "uring")]
mod uring;
mod uring_stats;
mod writeback;

#[cfg(feature = "tokio")]
pub use self::tokio::Socket;
pub use calls::{Calls, OsCalls};
pub use direct_file::DirectFile;
pub use error::SendError;
pub use file_range::FileRange;
pub use io_pool::{IoPool, PoolFull};
pub use piece::Piece;
#[cfg(feature = "tokio")]
pub use pool::Evicted;
pub use pool::{BufferPool, DirectBuffer, Exhausted, PoolOptions, PoolUsage};
pub use read_ahead::read_ahead_blocking;
pub use receive::{FrameError, Receiver};
pub use residency::{Residency, residency};
pub use route::Route;
pub use send_plan::SendPlan;
pub use stats::{RouteCounts, Sent, Stats, StatsSnapshot};
#[cfg(feature = "uring")]
pub use sys::{RING_BUFFERS_MAX, Ring, RingBuffer};
pub use thresholds::{STEPS_MAX, Step, Thresholds, ThresholdsError};
pub use transfer::{Transfer, TransferOptions};
pub use uring_stats::UringCounts;
pub use writeback::start_writeback;
