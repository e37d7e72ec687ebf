//! Stands in, on systems other than Linux, for what the sending asks of modules that exist only there: nothing is ever in
//! flight, nothing has to be done first, and nothing is kept that others could need.

#![expect(
    clippy::unused_self,
    clippy::unnecessary_wraps,
    clippy::needless_pass_by_value,
    reason = "the signatures are those of what it stands in for"
)]

use std::convert::Infallible;
use std::io;

use crate::carry::Carry;
use crate::os::SocketRef;
use crate::pipes::PipePool;
use crate::stats::Sent;
use crate::{BufferPool, Transfer};

/// Work for a thread that may wait: never made.
#[derive(Debug, Clone)]
pub(crate) struct Offload(Infallible);

#[cfg(feature = "tokio")]
impl Offload {
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

    pub(crate) fn reap_completions(&self, _: SocketRef<'_>) -> io::Result<Completions> {
        Ok(Completions::default())
    }

    /// Sockets have no error queue here.
    pub(crate) fn clear_error_queue(&self, _: SocketRef<'_>) -> bool {
        false
    }

    pub(crate) fn reap_at_end(&self, _: SocketRef<'_>, _: &mut Sent) {}
}
