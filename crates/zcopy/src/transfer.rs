//! Sending a plan: the state that sendings share, and the one step that the blocking and the async face repeat.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use crate::batch::{self, Next};
use crate::calls::{Calls, OsCalls};
use crate::caps::{self, Caps};
use crate::path::{self, Bench, Outcome};
use crate::route::{Policy, Route, RouteSet};
use crate::stats::{Sent, Stats};
use crate::{BufferPool, IoPool, SendError, SendPlan};

/// How a [`Transfer`] sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransferOptions {
    /// Send every file piece this way, unless the kernel refuses. Default: choose by size.
    pub route: Option<Route>,
    /// File pieces of at most this many bytes are copied. Default 8 KiB; useful from 4 to 128 KiB.
    pub copy_max_bytes: u32,
    /// Bytes sent before other tasks get their turn, and the most that one call sends. Default 512 KiB, about
    /// 0.1 ms; a single call for all of a gigabyte was seen to run for 0.2 s.
    pub turn_bytes: u32,
    /// How far ahead a cold file is read while its first turn is waited for. Default 2 MiB.
    pub read_ahead_bytes: u32,
}

impl Default for TransferOptions {
    fn default() -> Self {
        Self { route: None, copy_max_bytes: 8 << 10, turn_bytes: 512 << 10, read_ahead_bytes: 2 << 20 }
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
        Self { shared: Arc::new(Shared { options, buffers, io, calls, caps, stats }) }
    }

    /// How it sends.
    pub fn options(&self) -> &TransferOptions {
        &self.shared.options
    }

    /// What was sent, by which way, and what got in the way.
    pub fn stats(&self) -> &Stats {
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

    /// One attempt: decides the next call, makes it, moves the cursor. Does not wait for the socket if that does
    /// not, nor for a disk behind byte `may_wait_upto` of the plan.
    pub(crate) fn step(
        &self,
        socket: BorrowedFd<'_>,
        plan: &mut SendPlan,
        budget: u64,
        may_wait_upto: u64,
        sent: &mut Sent,
    ) -> Result<Outcome, SendError> {
        let shared = &*self.shared;
        let options = &shared.options;
        let policy = Policy { forced: options.route, copy_max_bytes: options.copy_max_bytes };
        let bench = Bench {
            calls: &*shared.calls,
            buffers: &shared.buffers,
            stats: &shared.stats,
            socket,
            may_wait_upto,
        };
        let outcome = match batch::next(plan, policy, shared.caps.refused(), budget) {
            Next::Gather(gather) => path::copy::send(&bench, plan, &gather, sent)?,
            Next::Sendfile { range } => {
                let outcome = path::sendfile::send(&bench, plan, &range, sent)?;
                if matches!(outcome, Outcome::Sent(1..)) {
                    shared.caps.worked(Route::Sendfile);
                }
                outcome
            }
            Next::Nothing => Outcome::Sent(0),
        };
        let Outcome::Refused { route, error } = outcome else { return Ok(outcome) };
        let Some(refusal) = caps::refusal(&error) else { return Err(error.into()) };
        shared.stats.refusal();
        shared.caps.refuse(route, refusal);
        plan.refused_mut().insert(route);
        Ok(Outcome::Sent(0))
    }
}
