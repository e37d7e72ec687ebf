//! Sending a plan: the state that sendings share, and the one step that the blocking and the async face repeat.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::batch::{self, Next};
use crate::calls::{Calls, OsCalls};
use crate::caps::{self, Caps};
use crate::carry::Carry;
use crate::offload::Offload;
use crate::path::{self, Bench, Known, Outcome};
use crate::route::{Policy, Route, RouteSet};
use crate::stats::{Sent, Stats};
use crate::{BufferPool, IoPool, SendError, SendPlan, Thresholds};

/// How a [`Transfer`] sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferOptions {
    /// Send every file piece this way, unless the kernel refuses. Default: choose by size.
    pub route: Option<Route>,
    /// Which route for which length, where none is forced. Default: copy up to 8 KiB, `sendfile` beyond.
    pub thresholds: Thresholds,
    /// About the bytes that one call sends; a task that has sent twice as many lets others have their turn. Default
    /// 1 MiB, about 0.1 ms; a single call for all of a gigabyte was seen to run for 0.2 s.
    pub turn_bytes: u32,
    /// How far ahead a cold file is read while its first turn is waited for, and how much of a file is looked at in
    /// one go to tell whether it is cold. Default 2 MiB.
    pub read_ahead_bytes: u32,
}

impl Default for TransferOptions {
    fn default() -> Self {
        Self {
            route: None,
            thresholds: Thresholds::default(),
            turn_bytes: 1 << 20,
            read_ahead_bytes: 2 << 20,
        }
    }
}

/// Sends [`SendPlan`]s to sockets. A handle; clones share buffers, threads, counters and what was learnt about
/// the kernel.
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
    #[cfg(feature = "uring")]
    uring: crate::uring::Uring,
}

impl Transfer {
    /// A transfer that copies through `buffers` and reads cold ranges ahead on `io`.
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
        let shared = Shared {
            options,
            buffers,
            io,
            calls,
            caps,
            stats,
            #[cfg(feature = "uring")]
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
        #[cfg(feature = "uring")]
        self.shared.uring.reap(&self.shared.stats);
        &self.shared.stats
    }

    /// Routes that this kernel refused for good.
    pub fn refused(&self) -> RouteSet {
        self.shared.caps.refused()
    }

    /// The buffers it copies through.
    pub fn buffers(&self) -> &BufferPool {
        &self.shared.buffers
    }

    /// The threads it reads cold ranges ahead on.
    pub fn io(&self) -> &IoPool {
        &self.shared.io
    }

    /// Does what a step said comes first, waiting as long as that takes. The result is the plan's carry.
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
        socket: BorrowedFd<'_>,
        plan: &mut SendPlan,
        known: &mut Known,
        sent: &mut Sent,
    ) -> Result<Outcome, SendError> {
        let shared = &*self.shared;
        let options = &shared.options;
        let policy = Policy { forced: options.route, thresholds: options.thresholds };
        let bench = Bench {
            calls: &*shared.calls,
            buffers: &shared.buffers,
            stats: &shared.stats,
            #[cfg(feature = "uring")]
            uring: &shared.uring,
            socket,
            look_bytes: u64::from(options.read_ahead_bytes),
        };
        plan.know_socket(|| shared.calls.socket_kind(socket));
        let budget = budget(plan.remaining(), u64::from(options.turn_bytes).max(1));
        let outcome = match batch::next(plan, policy, shared.caps.refused(), budget) {
            Next::Gather(gather) => {
                let outcome = path::copy::send(&bench, plan, &gather, known, sent)?;
                sent.last_route = gather.why.map(|why| (Route::Copy, why)).or(sent.last_route);
                outcome
            }
            Next::Range { route, why, range } => {
                let outcome = path::send(route, &bench, plan, &range, known, sent)?;
                if matches!(outcome, Outcome::Sent(1..)) {
                    shared.caps.worked(route);
                    sent.last_route = Some((route, why));
                }
                outcome
            }
            Next::Nothing => Outcome::Sent(0),
        };
        let Outcome::Refused { route, error } = outcome else { return Ok(outcome) };
        let Some(refusal) = caps::refusal(&error) else { return Err(error.into()) };
        shared.stats.refusal(route);
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
