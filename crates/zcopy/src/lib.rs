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
//! * Describe what to send: a [`SendPlan`] of [`Piece`]s, which are [`bytes::Bytes`], a [`FileRange`] or a
//!   [`MappedRange`]. Its total is known before the first byte leaves, so a length prefix can be written ahead of it.
//! * Send it: [`Transfer::send`] (tokio) or [`Transfer::send_blocking`]. [`route`] decides per piece; what the
//!   kernel refuses is remembered ([`caps`]) and replaced by the copy, which always works.
//! * Receive: a [`Receiver`] reads many length-prefixed frames per system call into page-aligned buffers of a
//!   bounded [`BufferPool`], and holds no buffer while its peer is silent.
//! * From a socket into a file: [`Transfer::transfer_from`]. From a socket to a socket: a [`Relay`].
//! * Send from a standing map of a file: a [`MappedFile`], which nobody here loads from. Loads and stores need a file
//!   that cannot shrink: a [`SteadyMap`] of a [`SteadyFile`].
//! * Whatever may wait for a disk runs on an [`IoPool`]: reading ahead what is cold ([`residency`]), dropping what a
//!   lagging reader leaves behind ([`DropBehind`]), and syncs, shared by all who wait for them ([`GroupCommit`]).
//! * Reserve blocks ahead of a writer: [`preallocate`].
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
//! * The process ignores `SIGPIPE` (Rust programs do by default): `sendfile` and `splice` to a closed socket raise it.
//! * `unsafe` lives in `sys` only.

mod batch;
mod blocking;
mod cached_pages;
mod calls;
pub mod caps;
mod carry;
mod channel;
mod completions;
mod direct_file;
mod drop_behind;
mod drop_pages;
mod error;
mod file_range;
mod group_commit;
mod io_pool;
mod ktls;
mod mapped_file;
mod mapped_range;
mod moved_stats;
mod offload;
mod os;
mod path;
mod patience;
mod piece;
mod pipes;
mod pool;
mod preallocate;
#[cfg(target_os = "linux")]
mod probe;
mod read_ahead;
mod receive;
mod relay;
mod residency;
pub mod route;
mod send_plan;
mod splice;
mod stats;
mod steady_map;
mod sys;
mod thresholds;
#[cfg(feature = "tokio")]
mod tokio;
mod transfer;
mod transfer_from;
mod transferred;
#[cfg(feature = "uring")]
mod uring;
mod uring_stats;
mod writeback;
mod writer;

#[cfg(feature = "tokio")]
pub use self::tokio::Socket;
pub use cached_pages::cached_pages;
pub use calls::{Calls, OsCalls};
#[cfg(feature = "tokio")]
pub use channel::transfer_to;
pub use channel::transfer_to_blocking;
pub use completions::{Completion, Completions};
pub use direct_file::DirectFile;
pub use drop_behind::{DropBehind, DropBehindOptions, DropBehindStats};
pub use drop_pages::{drop_pages, drop_pages_blocking};
pub use error::SendError;
pub use file_range::FileRange;
pub use group_commit::{
    CommitError, FileTarget, GroupCommit, GroupCommitOptions, GroupCommitStats, SyncFailure, SyncTarget,
};
pub use io_pool::{IoPool, PoolFull};
pub use ktls::{KtlsMissing, ktls_available};
pub use mapped_file::{MapAccess, MapAdvice, MappedFile};
pub use mapped_range::MappedRange;
pub use moved_stats::MovedCounts;
pub use os::{AsSocket, FileRef, SocketRef};
pub use piece::Piece;
pub use pipes::{PipeOptions, PipePool, PipeUsage};
#[cfg(feature = "tokio")]
pub use pool::Evicted;
pub use pool::{BufferPool, DirectBuffer, Exhausted, PoolOptions, PoolUsage};
pub use preallocate::{Length, Reserved, preallocate, punch_hole};
#[cfg(target_os = "linux")]
pub use probe::{set_receive_low_water, try_map};
pub use read_ahead::read_ahead_blocking;
pub use receive::{FrameError, Receiver};
pub use relay::{Relay, RelayError, Relayed};
pub use residency::{Residency, ToldBy, residency, residency_told};
pub use route::Route;
pub use send_plan::SendPlan;
pub use splice::Splice;
pub use stats::{RouteCounts, Sent, Stats, StatsSnapshot, ZerocopyCounts};
pub use steady_map::SteadyMap;
pub use sys::SteadyFile;
#[cfg(feature = "uring")]
pub use sys::{RING_BUFFERS_MAX, Ring, RingBuffer};
pub use thresholds::{STEPS_MAX, Step, Thresholds, ThresholdsError};
pub use transfer::{Transfer, TransferOptions};
#[cfg(feature = "tokio")]
pub use transfer_from::transfer_from;
pub use transfer_from::{ReceiveError, transfer_from_blocking};
pub use transferred::Transferred;
pub use uring_stats::UringCounts;
pub use writeback::start_writeback;
