//! What a route keeps between two calls of one sending: bytes that have left the file and not yet reached the socket, or
//! what was costly to set up.
//!
//! It belongs to the plan, as its cursor does, so that a sending that is dropped and taken up again goes on with it. It is
//! only ever a help: the cursor counts what the socket took, and a route that finds the carry of another route, of another
//! piece or of another place than the cursor throws it away and begins at the cursor. So a clone carries nothing.

use crate::path::direct;

/// One route's, or nothing.
#[derive(Debug, Default)]
pub(crate) enum Carry {
    /// The next call begins at the cursor.
    #[default]
    Nothing,
    /// Of `direct`: the descriptor and what was read by it.
    Direct(Box<direct::Carried>),
    /// Work that goes on, on the I/O pool, also while nobody waits for it.
    #[cfg(feature = "tokio")]
    Awaited(tokio::sync::oneshot::Receiver<Carry>),
}

impl Clone for Carry {
    fn clone(&self) -> Self {
        Self::Nothing
    }
}
