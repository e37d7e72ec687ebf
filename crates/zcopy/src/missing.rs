//! Stands in, on systems other than Linux, for what the sending asks of modules that exist only there: nothing is ever
//! in flight, nothing has to be done first, and nothing is kept that others could need.

#![expect(
    clippy::unused_self,
    clippy::needless_pass_by_value,
    reason = "the signatures are those of what it stands in for"
)]

use std::convert::Infallible;

#[cfg(feature = "tokio")]
use crate::Route;
use crate::calls::Calls;
use crate::carry::Carry;
use crate::os::SocketRef;
use crate::pipes::PipePool;
use crate::stats::{Sent, Stats};
use crate::{BufferPool, Transfer};

/// Work for a thread that may wait: never made.
#[derive(Debug)]
pub(crate) struct Offload(Infallible);

#[cfg(feature = "tokio")]
impl Offload {
    pub(crate) fn route(&self) -> Route {
        match self.0 {}
    }

    pub(crate) fn file(&self) -> Option<&std::fs::File> {
        match self.0 {}
    }

    pub(crate) fn is_read(&self) -> bool {
        match self.0 {}
    }
}

/// Sends with `MSG_ZEROCOPY` that were completed: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Completions {
    pub(crate) completed: u64,
    pub(crate) copied: u64,
}

impl Completions {
    pub(crate) fn add(&mut self, _: Self) {}
}

/// What was taken out of an error queue: sockets have none here.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cleared {
    pub(crate) done: Completions,
}

pub(crate) fn clear_error_queue(_: &dyn Calls, _: &Stats, _: SocketRef<'_>) -> Cleared {
    Cleared::default()
}

/// Whether such sends came to anything of late: there are none.
#[derive(Debug, Default)]
pub(crate) struct CopiedLately;

impl CopiedLately {
    pub(crate) fn plan_begins(&self) {}
}

impl Carry {
    pub(crate) fn let_go_if_scarce(&mut self, _: &PipePool, _: &BufferPool) -> bool {
        false
    }
}

impl Transfer {
    /// Whether the kernel copied what it was to send without copying. Nothing is sent so on this system.
    pub fn copied_after_all(&self) -> bool {
        false
    }

    pub(crate) fn do_first(&self, offload: Offload) -> Carry {
        match offload.0 {}
    }

    pub(crate) fn reap_at_end(&self, _: SocketRef<'_>, _: &mut Sent) {}
}
