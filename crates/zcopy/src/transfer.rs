//! Sending a plan: the state that sendings share, and the one step that the blocking and the async face repeat.

use std::sync::Arc;

use crate::batch::{self, Next};
use crate::calls::{Calls, OsCalls};
use crate::caps::{self, Caps, Refusal};
use crate::os::SocketRef;
use crate::path::{self, Bench, Known, Outcome, Tools};
use crate::pipes::{PipeOptions, PipePool};
use crate::route::{Policy, Route, RouteSet, Why};
use crate::stats::{Sent, Stats};
use crate::{BufferPool, ColdReads, IoPool, SendError, SendPlan, Thresholds};
#[cfg(target_os = "linux")]
use crate::{carry::Carry, offload::Offload};

/// How a [`Transfer`] sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferOptions {
    /// Send every file piece this way, unless the kernel refuses. Default: choose by size.
    pub route: Option<Route>,
    /// Which route for which length, where none is forced. Default: copy up to 8 KiB, `sendfile` beyond.
    pub thresholds: Thresholds,
    /// About the bytes that one call sends; a task that has sent as many lets others have their turn. Default
    /// 1 MiB, about 0.1 ms; a single call for all of a gigabyte was seen to run for 0.2 s.
    pub turn_bytes: u32,
    /// How far ahead a cold file is read while its first turn is waited for. Default 8 MiB.
    pub read_ahead_bytes: u32,
    /// How much of a file is looked at in one go to tell whether it is cold. Default 2 MiB.
    pub look_bytes: u32,
    /// How a cold range is read, where a sender must not wait for a disk. Default: into the page cache.
    pub cold: ColdReads,
    /// Bounds of the pipes that `splice` goes through. None is made before it is needed.
    pub pipes: PipeOptions,
}

impl Default for TransferOptions {
    fn default() -> Self {
        Self {
            route: None,
            thresholds: Thresholds::default(),
            turn_bytes: 1 << 20,
            read_ahead_bytes: 8 << 20,
            look_bytes: 2 << 20,
            cold: ColdReads::default(),
            pipes: PipeOptions::default(),
        }
    }
}

/// Sends [`SendPlan`]s to sockets, and files by `transfer_to`; receives by `transfer_from`. A handle; clones share
/// buffers, threads, counters and what was learnt about the kernel. One for a process is enough: [`Transfer::shared`],
/// or one of your own with your own bounds.
///
/// | | on tokio | blocking |
/// |---|---|---|
/// | a plan to a socket | `send` | [`send_blocking`](Self::send_blocking) |
/// | a plan to any writer, by copy | `write_to` | [`write_to_blocking`](Self::write_to_blocking) |
/// | a range of a file to a socket | `transfer_to` | [`transfer_to_blocking`](Self::transfer_to_blocking), [`try_transfer_to`](Self::try_transfer_to) |
/// | a socket into a file | `transfer_from` | [`transfer_from_blocking`](Self::transfer_from_blocking) |
#[derive(Debug, Clone)]
#[doc(alias = "transferTo")]
#[doc(alias = "sendfile")]
pub struct Transfer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    options: TransferOptions,
    buffers: BufferPool,
    io: IoPool,
    calls: Box<dyn Calls>,
    caps: Caps,
    stats: Stats,
    tools: Tools,
    #[cfg(feature = "tokio")]
    devices: crate::io_pool::DevicePools,
    #[cfg(feature = "tokio")]
    streams: crate::ahead::Streams,
    #[cfg(all(target_os = "linux", feature = "uring"))]
    uring: crate::uring::Uring,
}

impl Transfer {
    /// A transfer that copies through `buffers` and reads cold ranges ahead on `io`, see [`io`](Self::io).
    pub fn new(options: TransferOptions, buffers: BufferPool, io: IoPool) -> Self {
        Self::with_calls(options, buffers, io, Box::new(OsCalls))
    }

    /// As [`new`](Self::new), over other system calls than the operating system's: for tests that need a kernel
    /// that sends short, refuses or fails.
    pub fn with_calls(
        options: TransferOptions,
        buffers: BufferPool,
        io: IoPool,
        calls: Box<dyn Calls>,
    ) -> Self {
        let (caps, stats) = (Caps::default(), Stats::default());
        let tools = Tools { pipes: PipePool::new(options.pipes) };
        let shared = Shared {
            options,
            buffers,
            io,
            calls,
            caps,
            stats,
            tools,
            #[cfg(feature = "tokio")]
            devices: crate::io_pool::DevicePools::default(),
            #[cfg(feature = "tokio")]
            streams: crate::ahead::Streams::default(),
            #[cfg(all(target_os = "linux", feature = "uring"))]
            uring: crate::uring::Uring::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// How it sends.
    pub fn options(&self) -> &TransferOptions {
        &self.shared.options
    }

    /// What was sent, by which way, and what got in the way.
    pub fn stats(&self) -> &Stats {
        #[cfg(all(target_os = "linux", feature = "uring"))]
        self.shared.uring.reap(&self.shared.stats);
        &self.shared.stats
    }

    /// Routes that are given up: those that this kernel refused for good, and those that many files or sockets in a row
    /// could not take part in, which are tried again later (see [`caps`]).
    pub fn refused(&self) -> RouteSet {
        self.shared.caps.refused()
    }

    /// What the kernel last said when it refused `route` to a sending, whether for good or for one file and socket.
    /// `None` where it has not, or where the route is not built in.
    pub fn refused_with(&self, route: Route) -> Option<std::io::Error> {
        self.shared.caps.refused_with(route)
    }

    /// The buffers it copies through.
    pub fn buffers(&self) -> &BufferPool {
        &self.shared.buffers
    }

    /// The pipes that `splice` goes through.
    pub fn pipes(&self) -> &PipePool {
        &self.shared.tools.pipes
    }

    /// The threads it reads cold ranges ahead on: those of the first device that something cold is on. Each of the others has
    /// as many of its own, so that a device that does not answer holds nobody up who reads from another.
    pub fn io(&self) -> &IoPool {
        &self.shared.io
    }

    /// The threads that may wait for the device of `file`.
    #[cfg(feature = "tokio")]
    pub(crate) fn io_for(&self, file: &std::fs::File) -> IoPool {
        let device = self.calls().device(crate::os::file_ref(file));
        self.shared.devices.of(device, self.io())
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn streams(&self) -> &crate::ahead::Streams {
        &self.shared.streams
    }

    pub(crate) fn calls(&self) -> &dyn Calls {
        &*self.shared.calls
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy { forced: self.options().route, thresholds: self.options().thresholds }
    }

    /// Routes that are not to be chosen: those given up, and, unless it is forced, the one that saves nothing here.
    pub(crate) fn not_to_be_had(&self) -> RouteSet {
        let mut refused = self.refused();
        if self.options().route.is_none() && self.copied_after_all() {
            refused.insert(Route::Zerocopy);
        }
        refused
    }

    /// Notes a refusal of `route` by something other than a plan. Only what holds for the whole system is learnt from
    /// it: that one socket or file cannot take part says nothing of sending.
    pub(crate) fn note_refusal(&self, route: Route, refusal: Refusal) {
        self.shared.stats.refusal(route);
        if refusal == Refusal::System {
            self.shared.caps.refuse(route, refusal);
        }
    }

    /// Does what a step said comes first, waiting as long as that takes. The result is the plan's carry.
    #[cfg(target_os = "linux")]
    pub(crate) fn do_first(&self, offload: Offload) -> Carry {
        let shared = &*self.shared;
        match offload {
            Offload::Fetch(fetch) => fetch.run(&*shared.calls, &shared.buffers),
            #[cfg(feature = "uring")]
            Offload::Ring => {
                shared.uring.set_up(&*shared.calls, &shared.stats);
                Carry::Nothing
            }
        }
    }

    /// One attempt: decides the next call, makes it, moves the cursor. Does not wait for the socket if that does
    /// not, nor for a disk where `known` does not allow it.
    pub(crate) fn step(
        &self,
        socket: SocketRef<'_>,
        plan: &mut SendPlan,
        known: &mut Known,
        sent: &mut Sent,
    ) -> Result<Outcome, SendError> {
        let shared = &*self.shared;
        let options = &shared.options;
        let bench = Bench {
            calls: &*shared.calls,
            buffers: &shared.buffers,
            stats: &shared.stats,
            tools: &shared.tools,
            #[cfg(all(target_os = "linux", feature = "uring"))]
            uring: &shared.uring,
            socket,
            look_bytes: u64::from(options.look_bytes),
            owner: Arc::as_ptr(&self.shared).addr(),
        };
        if plan.begins() {
            shared.caps.plan_begins();
            shared.stats.copied_lately().plan_begins();
        }
        if batch::depends_on_socket(plan, self.policy()) {
            plan.know_socket(|| shared.calls.socket_kind(socket));
        }
        let budget = budget(plan.remaining(), u64::from(options.turn_bytes).max(1));
        let outcome = match batch::next(plan, self.policy(), self.not_to_be_had(), budget) {
            Next::Gather(gather) => {
                let outcome = path::copy::send(&bench, plan, &gather, known, sent)?;
                sent.last_route = gather.why.map(|why| (Route::Copy, why)).or(sent.last_route);
                outcome
            }
            Next::Range { route, why, range } => {
                let (route, why) =
                    if plan.was_fetched(&range) { (Route::Direct, Why::Cold) } else { (route, why) };
                let before = sent.by(route);
                let outcome = path::send(route, &bench, plan, &range, known, sent)?;
                if sent.by(route) > before {
                    shared.caps.worked(route);
                    sent.last_route = Some((route, why));
                } else if matches!(outcome, Outcome::Sent(1..)) {
                    sent.last_route = Some((Route::Copy, Why::Shortage));
                }
                outcome
            }
            #[cfg(target_os = "linux")]
            Next::Mapped { memory, part } => {
                let outcome = path::mmap::send_mapped(&bench, plan, &memory, &part, known, sent)?;
                if matches!(outcome, Outcome::Sent(1..)) {
                    sent.last_route = Some((Route::Mmap, Why::Mapped));
                }
                outcome
            }
            Next::Nothing => Outcome::Sent(0),
        };
        if matches!(outcome, Outcome::WouldBlock)
            && plan.carry_mut().let_go_if_scarce(&shared.tools.pipes, &shared.buffers)
        {
            shared.stats.let_go();
        }
        let Outcome::Refused { route, error } = outcome else { return Ok(outcome) };
        let Some(refusal) = caps::refusal(&error) else { return Err(error.into()) };
        shared.stats.refusal(route);
        shared.caps.note(route, &error);
        shared.caps.refuse(route, refusal);
        plan.refused_mut().insert(route);
        Ok(Outcome::Sent(0))
    }
}

/// Bytes of the next call: a turn's worth, or all that remains if that is little more. A remainder of a few KiB would
/// cost a call, a segment and a wake-up of the reader of its own.
fn budget(remaining: u64, turn_bytes: u64) -> u64 {
    if remaining <= turn_bytes + turn_bytes / 4 { remaining } else { turn_bytes }
}
