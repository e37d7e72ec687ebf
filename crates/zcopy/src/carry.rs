//! What a route keeps between two calls of one sending: bytes that have left the file and not yet reached the socket, or
//! what was costly to set up.
//!
//! It belongs to the plan, as its cursor does, so that a sending that is dropped and taken up again goes on with it. It is
//! only ever a help: the cursor counts what the socket took, and a route that finds the carry of another route, of another
//! piece or of another place than the cursor throws it away and begins at the cursor. So a clone carries nothing.

use crate::path::direct;
use crate::pipes::Pipe;
use crate::{MappedFile, Route};

/// One route's, or nothing.
#[derive(Debug, Default)]
pub(crate) enum Carry {
    /// The next call begins at the cursor.
    #[default]
    Nothing,
    /// Routes `mmap` and `zerocopy`: a map of the file, which the next bytes are likely to lie in. Of `zerocopy` it says
    /// besides that the socket has been told (`SO_ZEROCOPY`).
    Window { route: Route, map: MappedFile },
    /// Of `splice`.
    Pipe(PipeCarry),
    /// Of `direct`: the descriptor and what was read by it.
    Direct(Box<direct::Carried>),
    /// Work that goes on, on the I/O pool, also while nobody waits for it.
    #[cfg(feature = "tokio")]
    Awaited(tokio::sync::oneshot::Receiver<Carry>),
}

/// A pipe with bytes that the socket has not taken yet.
#[derive(Debug)]
pub(crate) struct PipeCarry {
    /// Never empty.
    pub(crate) pipe: Pipe,
    /// The place of its first byte in the plan.
    pub(crate) at: u64,
}

impl Clone for Carry {
    fn clone(&self) -> Self {
        Self::Nothing
    }
}
