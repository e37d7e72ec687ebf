//! What a route keeps between two calls of one sending: bytes that have left the file and not yet reached the socket,
//! or what was costly to set up.
//!
//! It belongs to the plan, as its cursor does, so that a sending that is dropped and taken up again goes on with it. It
//! is only ever a help: the cursor counts what the socket took, and a route that finds the carry of another route, of
//! another piece or of another place than the cursor throws it away and begins at the cursor.
//!
//! A plan whose socket is full may keep its carry for as long as a peer is slow. So it does only while there is plenty
//! for the others: with more than half of the pipes out, or half of the pool, it lets go of what it can have again
//! ([`Carry::let_go_if_scarce`]).

#[cfg(target_os = "linux")]
use crate::path::direct;
use crate::pipes::Pipe;
#[cfg(target_os = "linux")]
use crate::{BufferPool, MappedFile, Route, pipes::PipePool};

/// One route's, or nothing.
#[derive(Debug, Default)]
pub(crate) enum Carry {
    /// The next call begins at the cursor.
    #[default]
    Nothing,
    /// Routes `mmap` and `zerocopy`: a map of the file, which the next bytes are likely to lie in. Of `zerocopy` it
    /// says besides that the socket has been told (`SO_ZEROCOPY`).
    #[cfg(target_os = "linux")]
    Window { route: Route, map: MappedFile },
    /// Of `splice`.
    Pipe(PipeCarry),
    /// Of `direct`: the descriptor and what was read by it.
    #[cfg(target_os = "linux")]
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

#[cfg(target_os = "linux")]
impl Carry {
    /// For a plan that is about to wait for its socket: gives a pipe or a buffer back if others may need it. What was
    /// in it is still in the file. Whether it did.
    pub(crate) fn let_go_if_scarce(&mut self, pipes: &PipePool, buffers: &BufferPool) -> bool {
        match self {
            Self::Pipe(_) if pipes.is_scarce() => *self = Self::Nothing,
            Self::Direct(carried) if carried.holds_memory() && buffers.is_scarce() => carried.let_go(),
            _ => return false,
        }
        true
    }
}
