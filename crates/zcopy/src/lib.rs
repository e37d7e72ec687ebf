//! Sends files to sockets, and receives them, without copying their bytes where the kernel can do without.
//!
//! It takes the cheaper way for each piece (a copy for small ones, `sendfile` for large ones, six more on request),
//! resumes exactly, reads cold files on threads of its own so that an event loop never waits for a disk, and falls back
//! to copying when the kernel refuses. It is for whoever writes a server on tokio or on plain threads and misses what
//! Java has as `FileChannel.transferTo` and nginx as `sendfile on`: file servers, proxies, logs, caches. The interface
//! is safe, every queue and buffer is bounded, and no protocol is built in.
//!
//! ```
//! # #[cfg(feature = "tokio")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use tokio::io::AsyncReadExt;
//! # let path = std::env::current_exe()?;
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let socket = tokio::net::TcpStream::connect(listener.local_addr()?).await?;
//! # let (mut peer, _) = listener.accept().await?;
//! # let reader = tokio::spawn(async move { peer.read_to_end(&mut Vec::new()).await });
//! use std::{fs::File, sync::Arc};
//! use pagewire_zcopy::transfer_to;
//!
//! let file = Arc::new(File::open(path)?);
//! let mut offset = 0;
//! let moved = transfer_to(&file, &mut offset, u64::MAX, &socket).await?;
//! println!("{} bytes by {}, because {:?}", moved.bytes, moved.route, moved.why);
//! # assert_eq!((moved.bytes, offset, moved.eof), (file.metadata()?.len(), moved.bytes, true));
//! # drop(socket);
//! # assert_eq!(reader.await?? as u64, moved.bytes);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "tokio"))]
//! # fn main() {}
//! ```
//!
//! Without a runtime it is [`transfer_to_blocking`]; the other direction is [`transfer_from()`] and
//! [`transfer_from_blocking`].
//!
//! # What is saved
//!
//! A file sent by `read` and `write` is moved four times. Two moves are the devices' own (DMA), which cost the CPU
//! nearly nothing. The two between them are copies by the CPU, and they are what there is to save:
//!
//! ```text
//!           1 DMA             2 CPU            3 CPU                4 DMA
//!    disk ---------> page cache -----> program -----> socket buffer -----> card
//!
//!               1      2                 3                        4
//!    copy       DMA    CPU               CPU                      DMA
//!    mmap       DMA    - (mapped)        CPU                      DMA
//!    sendfile   DMA    -                 - (page references)      DMA
//!    splice     DMA    -                 - (the same, by a pipe)  DMA
//!    ktls       DMA    -                 CPU, encrypting          DMA
//!    zerocopy   DMA    - (mapped)        - (page references)      DMA
//!    uring      DMA    CPU               - (page references)      DMA
//!    direct     DMA, past the page cache CPU                      DMA
//! ```
//!
//! Move 4 reads the page cache itself only if the network card can gather and sum (scatter-gather, checksum offload);
//! else the kernel makes copy 3 after all. So "zero copy" is a property of the whole path and not of a call.
//!
//! # Which route when
//!
//! By default the length of a piece decides. Sender's CPU for one response with its header, as a ratio to `sendfile`
//! (medians of two series; less than 1 is cheaper than `sendfile`):
//!
//! | bytes | copy : sendfile | kept map : sendfile | `auto` takes |
//! |---|---|---|---|
//! | 1 KiB | 0.70, 0.70 | 0.51, 0.46 | copy |
//! | 4 KiB | 0.81, 0.96 | 0.59, 0.59 | copy |
//! | 8 KiB | 0.95, 0.91 | 0.62, 0.64 | copy, up to here |
//! | 16 KiB | 1.14, 1.38 | 0.81, 0.94 | sendfile |
//! | 64 KiB | 1.37, 1.60 | 0.97, 0.89 | sendfile |
//! | 1 MiB | 2.24, 2.54 | 1.55, 1.37 | sendfile |
//!
//! What a gigabyte costs the sender in calls of 1 MiB, hot file (least / **median** / largest of nine interleaved
//! rounds):
//!
//! | route | CPU-s per GB | : sendfile | take it for |
//! |---|---|---|---|
//! | `sendfile` | .118 / **.149** / .193 | 1 | files of more than 8 KiB; what `auto` takes |
//! | `splice` | .107 / **.113** / .164 | 0.76 (to 1.1 in other series) | a machine where you measured that; [`Relay`] |
//! | `mmap`, map kept | .145 / **.169** / .188 | 1.14 | small pieces sent again and again: [`SendPlan::push_mapped`] |
//! | `mmap`, map made for it | .278 / **.306** / .353 | 2.05 | nothing |
//! | `copy`, 1 MiB aligned buffer | .244 / **.278** / .326 | 1.87 | up to 8 KiB; writers that are no sockets |
//! | `zerocopy`, kept map | .222 / **.272** / .312 | 1.82: the kernel copied | a card on which the kernel reports "not copied" |
//! | `uring`, kept map | .221 / **.255** / .286 | 1.71: the kernel copied | the same |
//! | `direct` | .272 / **.371** / .386 | 2.49 | one pass over old data that must not enter the page cache |
//! | `ktls` | not to be had there | | sockets that the kernel encrypts; taken by itself |
//!
//! Measured in November 2026 by bare loops over the same calls: Linux 6.18, two virtual cores of an AMD EPYC, loopback,
//! congestion control cubic, a receiver that discards. In this library `copy` reads 256 KiB at a time at most,
//! `zerocopy` maps for each sending, and `uring` reads into its buffer first, so these cost more than in the table.
//! `sendfile` of a cold file cost .131. Loopback charges the receiving side's protocol work to the sender: over a card
//! (not measured) the ratios should be larger. Absolute figures are those of one kind of machine;
//! `pagewire lab routes`, of the repository that this crate lives in, prints yours.
//!
//! What this library makes of it, by `cargo bench -p pagewire-zcopy` on 2026-11-26: what `auto` costs, as a ratio to
//! the bare loop and to the best single route on the same face (medians of the ratios within 31 interleaved rounds;
//! cold with the receiver and the pool's threads in it):
//!
//! | bytes | hot, blocking | hot, on tokio | cold, blocking | cold, on tokio |
//! |---|---|---|---|---|
//! | 1 KiB | 0.90, 1.06 | 0.96, 1.01 | 0.77, 0.93 | 0.89, 1.04 |
//! | 4 KiB | 0.92, 1.01 | 0.98, 1.00 | 0.99, 1.10 | 1.02, 0.93 |
//! | 8 KiB | 0.98, 1.05 | 1.04, 1.07 | 1.10, 1.06 | 0.95, 1.01 |
//! | 16 KiB | 1.11, 1.00 | 1.10, 0.96 | 1.14, 0.98 | 1.23, 1.13 |
//! | 64 KiB | 1.06, 1.02 | 0.98, 0.95 | 1.02, 0.96 | 1.26, 0.98 |
//! | 256 KiB | 1.00, 1.02 | 0.95, 1.02 | 1.02, 1.03 | 1.13, 1.10 |
//! | 1 MiB | 1.03, 1.03 | 1.05, 1.12 | 0.96, 1.08 | 0.99, 1.04 |
//!
//! While a cold file of 2 GiB is sent on one event loop no poll waits for a disk. A poll takes 0.15 to 0.2 ms of CPU in
//! the median, 0.6 to 1.6 at the 99th percentile and 1.8 to 4.8 at the 99.9th, on a shared virtual machine that takes 1
//! to 5 ms away from a loop which does nothing.
//!
//! ## How `auto` decides
//!
//! [`route::choose`] is a pure function of four things: what was forced, the piece's length, what kind of socket it is,
//! and what was refused so far. Every answer says which way a piece took, and why ([`route::Why`]).
//!
//! * **Length.** [`Thresholds`] is a ladder such as `8192 copy, max sendfile`, which is the default. Calibrate by
//!   timing the routes on your machine, write the ladder down, parse it at the start:
//!
//!   ```
//!   use pagewire_zcopy::{Route, Thresholds, TransferOptions};
//!
//!   let thresholds: Thresholds = "16384 copy, max sendfile".parse()?;
//!   let options = TransferOptions { thresholds, ..TransferOptions::default() };
//!   assert_eq!(options.thresholds.route_for(16_384), Route::Copy);
//!   let by_hand = TransferOptions { route: Some(Route::Splice), ..options };
//!   # assert_eq!(by_hand.route, Some(Route::Splice));
//!   # Ok::<(), pagewire_zcopy::ThresholdsError>(())
//!   ```
//!
//!   `mmap`, `zerocopy`, `uring` and `direct` are taken only where a ladder or [`TransferOptions::route`] names them.
//! * **Residency.** On tokio a range that is not in the page cache ([`residency()`]) is read ahead on the [`IoPool`]
//!   first, and sent then, or with [`ColdReads::Direct`] read past the page cache. A non-blocking socket does not make
//!   `sendfile` non-blocking: a cold MiB held its thread for 3.5 ms.
//! * **Refusals.** `ENOSYS`, `EPERM`, `EINVAL`, `EOPNOTSUPP` are never the caller's: another route takes over, the
//!   refusal is counted ([`Stats`]) and remembered, for the plan or for good ([`caps`]).
//!
//! # More than one piece
//!
//! A [`SendPlan`] is a sequence of bytes and file ranges with a total that is known before the first byte leaves. A
//! [`Transfer`] sends it, header and body in one segment where they fit (`MSG_MORE`), and the plan's cursor moves by
//! what the kernel took:
//!
//! ```
//! # #[cfg(feature = "tokio")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use tokio::io::AsyncReadExt;
//! # let path = std::env::current_exe()?;
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let socket = tokio::net::TcpStream::connect(listener.local_addr()?).await?;
//! # let (mut peer, _) = listener.accept().await?;
//! use std::{fs::File, sync::Arc};
//! use bytes::Bytes;
//! use pagewire_zcopy::{BufferPool, FileRange, IoPool, SendPlan, Transfer};
//! use pagewire_zcopy::{PoolOptions, TransferOptions};
//!
//! // Once for a process: at most 64 MiB of buffers, 4 threads for cold files, 256 jobs in line for them.
//! let bounds = PoolOptions { max_bytes: 64 << 20, ..PoolOptions::default() };
//! let (buffers, io) = (BufferPool::new(bounds), IoPool::new(4, 256));
//! let transfer = Transfer::new(TransferOptions::default(), buffers, io);
//!
//! // Once for a connection: pieces that follow each other must not wait for acknowledgements.
//! socket.set_nodelay(true)?;
//!
//! // Once for a response.
//! let body = FileRange::new(Arc::new(File::open(path)?), 0, 4096);
//! let mut plan = SendPlan::new();
//! let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
//! plan.push_bytes(Bytes::from(head));
//! plan.push_file(body);
//! let sent = transfer.send(&socket, &mut plan).await?;
//! assert_eq!(sent.bytes, plan.total());
//! # let mut got = vec![0; sent.bytes as usize];
//! # peer.read_exact(&mut got).await?;
//! # assert!(got.starts_with(b"HTTP/1.1 200 OK"));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "tokio"))]
//! # fn main() {}
//! ```
//!
//! **With hyper or axum** this works below them, on the socket. Those write a body by copying it and lend nobody the
//! socket meanwhile. Take the connection back (an upgrade, or `into_parts` of the connection), or answer file requests
//! on a listener of your own; the example `static_server` does ranges and keep-alive in a few hundred lines. A TLS
//! stream in user space, or any other writer, takes plans by [`Transfer::write_to`], which copies.
//!
//! # What you can rely on
//!
//! * **Cancel safety.** A future of this crate may be dropped at any await. What the kernel took is in the plan's
//!   cursor or in the caller's offset; sending again goes on with the next byte, nothing is lost or doubled. Tests
//!   drop sendings, transfers both ways and relays at every await.
//! * **Bounded memory.** [`BufferPool`] holds at most [`PoolOptions::max_bytes`]; an [`IoPool`] has at most so many
//!   threads in each of two lanes, and jobs in line; pipes are bounded by [`PipeOptions`] (64 of 1 MiB, none before it
//!   is needed); `uring` locks 4 MiB from its first use on. A plan of three pieces needs no heap memory. Under `copy`
//!   and `sendfile` a slow peer holds no buffer (`splice` keeps a pipe for it, `direct` a buffer, each out of its
//!   bound). When a bound is reached, an answer says so or a smaller way is taken. Beyond the bounds there is what
//!   cannot wait: a copying call's buffer, one for each thread that is inside of one, and 16 KiB for each receiver,
//!   relay and writer whose peer is slow while its pool has nothing left: in proportion to your connections, which you
//!   bound.
//! * **Fairness.** One call sends about [`TransferOptions::turn_bytes`]; on tokio a task that has sent as many lets
//!   others have their turn.
//! * **Never padding.** A file that became shorter than its announced range is [`SendError::FileShrunk`]: close the
//!   connection.
//! * **Safe.** `unsafe` lives in one folder, one system call per file. The one `unsafe fn` of the interface is
//!   [`SteadyFile::assume`], a promise that no kernel can check.
//!
//! # What you must know
//!
//! * **Do not overwrite in place what is being sent.** `sendfile`, `splice` and `zerocopy` send the page cache's own
//!   pages: a write after the call has returned still reaches the peer, whole, until the peer has acknowledged the
//!   bytes. Append, or write a new file and rename it. Unlinking, replacing and punching holes are safe.
//! * **Do not truncate into a page that is being sent.** The kernel zeroes the rest of that page, and the peer gets the
//!   zeros.
//! * **`SIGPIPE`.** `sendfile` and `splice` to a closed socket raise it. Rust programs ignore it from the start; a
//!   library loaded into another program has to see to that. What goes by `send` and `sendmsg` says `MSG_NOSIGNAL` on
//!   Linux; other systems have no such flag, or a socket option instead.
//! * **`zerocopy` is refused on tokio**, where `sendfile` (forced: copy) stands in. The kernel reports completions in
//!   the socket's error queue, and a reactor reads an error together with room to write as a closed write side, which
//!   it never forgets. On blocking sockets the route is there; read what it reports with
//!   [`Transfer::reap_completions_within`].
//! * **`uring` locks memory.** Its buffers count against `RLIMIT_MEMLOCK`; with less it makes do with fewer.
//! * **`direct` is slow by design.** It waits for the disk each time, and what is sent twice is read twice.
//! * **A cork of your own is taken out.** A plan with something behind a file range sets `TCP_CORK`, so that both share
//!   a segment, and clears it at its end, without asking what it was before.
//! * **Nagle.** Set `TCP_NODELAY`: without it a header and a small body were seen to take 44 ms.
//! * **Congestion control.** Under BBR the pacing timers cost `sendfile` more than copying does; compare under the one
//!   you use.
//!
//! # Where is what
//!
//! | to | use |
//! |---|---|
//! | send one range of a file | [`transfer_to`], [`transfer_to_blocking`], [`Transfer::try_transfer_to`] |
//! | send headers and ranges together | [`SendPlan`], [`FileRange`], [`Transfer::send`], [`Transfer::send_blocking`] |
//! | send to a TLS stream or any writer | [`Transfer::write_to`], [`Transfer::write_to_blocking`] |
//! | receive a file | [`transfer_from()`], [`transfer_from_blocking`] |
//! | receive length-prefixed frames | [`Receiver`] |
//! | proxy a socket to a socket | [`Relay`] |
//! | map a file, to send or to load | [`MappedFile`]; [`SteadyMap`] of a [`SteadyFile`] |
//! | have aligned, pooled memory | [`DirectBuffer`], [`BufferPool`] |
//! | know what is in the page cache, bring it there, let it go | [`residency()`], [`IoPool`], [`DropBehind`], [`drop_pages()`] |
//! | reserve blocks, share syncs | [`preallocate()`], [`GroupCommit`] |
//! | see what happened | [`Transferred`], [`Sent`], [`Stats`] |
//! | fail system calls in a test | [`Calls`], [`Transfer::with_calls`] |
//!
//! # Systems
//!
//! | | Linux | other unix systems, Windows |
//! |---|---|---|
//! | plans, transfers both ways, receivers, relays, pools, thresholds | yes | yes |
//! | routes | all eight, each probed by use and never by version | `copy` |
//! | `auto` and forced routes | as above | everything is copied, and [`route::Why`] says so |
//! | [`residency()`] | `cachestat`, else `mincore`, else probes | [`Residency::Unknown`] |
//! | blocking faces on a non-blocking socket that is not ready | wait | wait; on Windows `WouldBlock` |
//! | maps, `preallocate`, `drop_pages`, completions | yes | not there |
//!
//! # Features
//!
//! All are on by default.
//!
//! | feature | what it adds | dependency |
//! |---|---|---|
//! | `tokio` | the async faces: `transfer_to`, `transfer_from`, `Transfer::send`, `Receiver::fill`, `Relay::run`, [`IoPool::run`], `GroupCommit::commit` | tokio |
//! | `uring` | route `uring`, and the `Ring` below it | io-uring |
//! | `ktls` | asking sockets whether the kernel encrypts, and route `ktls` | none |
//!
//! The smallest Rust is 1.95.
//!
//! # Examples that run
//!
//! From the root of the repository, each with `cargo run --release -p pagewire-zcopy --example`:
//!
//! | | what it shows |
//! |---|---|
//! | `static_server -- FOLDER [ADDRESS]` | HTTP/1.1 with ranges and keep-alive, on tokio |
//! | `static_server_blocking -- FOLDER [ADDRESS]` | the same, a thread for each connection |
//! | `receive_file -- ADDRESS FILE` | from a socket into a file, resumable |
//! | `splice_proxy -- LISTEN TARGET` | a TCP proxy that copies nothing |
//! | `send_mapped -- FILE OFFSET LENGTH ADDRESS` | a region out of a map |
//!
//! Units are bytes unless a name says otherwise. No function panics, except that the panic of a job which was handed to
//! `IoPool::run` goes on in whoever awaits it.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod ahead;
mod batch;
mod blocking;
mod cached_pages;
mod calls;
pub mod caps;
mod carry;
mod channel;
mod cold;
#[cfg(target_os = "linux")]
mod completions;
#[cfg(target_os = "linux")]
mod copied_lately;
#[cfg(target_os = "linux")]
mod copy_report;
#[cfg(target_os = "linux")]
mod direct_file;
mod drop_behind;
#[cfg(target_os = "linux")]
mod drop_pages;
#[cfg(feature = "tokio")]
mod either;
mod error;
mod file_end;
mod file_range;
mod group_commit;
mod heap;
mod io_pool;
mod ktls;
#[cfg(target_os = "linux")]
mod mapped_file;
#[cfg(target_os = "linux")]
mod mapped_range;
mod measured_on;
#[cfg(not(target_os = "linux"))]
mod missing;
mod moved_stats;
#[cfg(target_os = "linux")]
mod offload;
mod os;
mod path;
mod patience;
mod piece;
mod pipes;
mod pool;
#[cfg(target_os = "linux")]
mod preallocate;
#[cfg(target_os = "linux")]
mod probe;
mod receive;
mod relay;
mod residency;
pub mod route;
mod seen;
mod send_plan;
mod splice;
mod stats;
#[cfg(target_os = "linux")]
mod steady_map;
mod sys;
mod thresholds;
#[cfg(feature = "tokio")]
mod tokio;
mod transfer;
mod transfer_from;
mod transferred;
#[cfg(all(target_os = "linux", feature = "uring"))]
mod uring;
mod uring_stats;
mod writeback;
mod writer;

#[cfg(feature = "tokio")]
pub use self::tokio::Socket;
pub use ahead::read_ahead_blocking;
pub use cached_pages::cached_pages;
pub use calls::{Calls, OsCalls};
#[cfg(feature = "tokio")]
pub use channel::transfer_to;
pub use channel::transfer_to_blocking;
pub use cold::ColdReads;
#[cfg(target_os = "linux")]
pub use completions::{Completion, Completions};
#[cfg(target_os = "linux")]
pub use copy_report::CopyReport;
#[cfg(target_os = "linux")]
pub use direct_file::DirectFile;
pub use drop_behind::{DropBehind, DropBehindOptions, DropBehindStats};
#[cfg(target_os = "linux")]
pub use drop_pages::{drop_pages, drop_pages_blocking};
pub use error::SendError;
pub use file_range::FileRange;
pub use group_commit::{
    CommitError, FileTarget, GroupCommit, GroupCommitOptions, GroupCommitStats, SyncFailure, SyncTarget,
};
pub use heap::{own_memory, trim_heap};
pub use io_pool::{IoPool, PoolFull};
pub use ktls::{KtlsMissing, ktls_available};
#[cfg(target_os = "linux")]
pub use mapped_file::{MapAccess, MapAdvice, MappedFile};
#[cfg(target_os = "linux")]
pub use mapped_range::MappedRange;
pub use measured_on::MeasuredOn;
#[cfg(not(target_os = "linux"))]
pub(crate) use missing::Completions;
pub use moved_stats::MovedCounts;
pub use os::{AsSocket, FileRef, SocketRef};
pub use piece::Piece;
pub use pipes::{PipeOptions, PipePool, PipeUsage};
#[cfg(feature = "tokio")]
pub use pool::Evicted;
pub use pool::{BufferPool, DirectBuffer, Exhausted, PoolOptions, PoolUsage};
#[cfg(target_os = "linux")]
pub use preallocate::{Length, Reserved, preallocate, punch_hole};
#[cfg(target_os = "linux")]
pub use probe::{schedule_as_batch, set_receive_low_water, try_map};
pub use receive::{FrameError, Receiver};
pub use relay::{Relay, RelayError, Relayed};
pub use residency::{Residency, ToldBy, residency, residency_told};
#[doc(inline)]
pub use route::Route;
pub use send_plan::SendPlan;
pub use splice::Splice;
pub use stats::{RouteCounts, Sent, Stats, StatsSnapshot, ZerocopyCounts};
#[cfg(target_os = "linux")]
pub use steady_map::SteadyMap;
#[cfg(target_os = "linux")]
pub use sys::SteadyFile;
#[cfg(all(target_os = "linux", feature = "uring"))]
pub use sys::{RING_BUFFERS_MAX, Ring, RingBuffer};
pub use thresholds::{STEPS_MAX, Step, Thresholds, ThresholdsError};
pub use transfer::{Transfer, TransferOptions};
#[cfg(feature = "tokio")]
pub use transfer_from::transfer_from;
pub use transfer_from::{ReceiveError, transfer_from_blocking};
pub use transferred::Transferred;
pub use uring_stats::UringCounts;
pub use writeback::start_writeback;

/// Keeps the example of the crate's first page in the repository compiling.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;
