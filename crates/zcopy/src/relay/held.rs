//! What a relay has received and not yet sent.

use std::io;

use crate::pipes::Pipe;
use crate::pool::{BufferPool, DirectBuffer};

/// Where it is.
#[derive(Debug)]
pub(super) enum Held {
    /// There is none.
    Nothing,
    /// All that is in this pipe.
    Pipe(Pipe),
    /// `buffer[start..end]`.
    Buffer { buffer: DirectBuffer, start: usize, end: usize },
}

impl Held {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Pipe(pipe) => pipe.len(),
            Self::Buffer { start, end, .. } => end - start,
        }
    }

    /// `n` of the bytes have been sent. Lets go of what is empty then.
    pub(super) fn sent(&mut self, n: usize) {
        match self {
            Self::Nothing => {}
            Self::Pipe(pipe) => pipe.drained(n),
            Self::Buffer { start, end, .. } => *start = start.saturating_add(n).min(*end),
        }
        if self.len() == 0 {
            *self = Self::Nothing;
        }
    }

    /// Takes the bytes out of a pipe that has no other way out. They have left their socket, so there is memory for
    /// them whatever the pool says; a relay does that once, since it splices no more after that.
    pub(super) fn copy_out(&mut self, buffers: &BufferPool) -> io::Result<()> {
        let Self::Pipe(pipe) = self else { return Ok(()) };
        let mut buffer = buffers.take_for_a_call(pipe.len().max(1))?;
        let end = pipe.read_all(&mut buffer)?;
        *self = Self::Buffer { buffer, start: 0, end };
        Ok(())
    }
}
