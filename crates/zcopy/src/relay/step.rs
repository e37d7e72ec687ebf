//! The two steps of a relay: receive while nothing is held, send while something is. Each makes one attempt.

use std::io::{self, IoSlice};

use super::{Held, Relay};
use crate::os::SocketRef;
use crate::splice::Splice;
use crate::{Route, caps};

/// Bytes received at a time where they are copied.
const COPY_BYTES: usize = 64 << 10;

/// What receiving came to.
pub(super) enum Got {
    /// Something is held now; nothing yet after an interruption or a refusal.
    Some,
    /// The sender sends no more.
    End,
    /// Nothing is there yet.
    WouldBlock,
}

impl Relay {
    /// Receives. For a relay that holds nothing.
    pub(super) fn fill(&mut self, from: SocketRef<'_>) -> io::Result<Got> {
        let answer = if self.splices { self.fill_pipe(from) } else { self.fill_buffer(from) };
        match answer {
            Ok(0) => {
                self.ended = true;
                Ok(Got::End)
            }
            Ok(_) => Ok(Got::Some),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => Ok(Got::Some),
                io::ErrorKind::WouldBlock => {
                    self.done.starved += 1;
                    Ok(Got::WouldBlock)
                }
                _ => self.refused_or(error).map(|()| Got::Some),
            },
        }
    }

    fn fill_pipe(&mut self, from: SocketRef<'_>) -> io::Result<usize> {
        let Some(mut pipe) = self.transfer.pipes().take()? else {
            return self.fill_buffer(from);
        };
        let turn = usize::try_from(self.transfer.options().turn_bytes).unwrap_or(usize::MAX).max(1);
        let leg = Splice::SocketToPipe { socket: from, pipe: pipe.write_end()? };
        self.done.calls += 1;
        let n = self.transfer.calls().splice(leg, pipe.capacity().min(turn))?;
        pipe.filled(n);
        if n > 0 {
            self.held = Held::Pipe(pipe);
        }
        Ok(n)
    }

    fn fill_buffer(&mut self, from: SocketRef<'_>) -> io::Result<usize> {
        let mut buffer = self.transfer.buffers().take_or_spare(COPY_BYTES)?;
        self.done.calls += 1;
        let n = self.transfer.calls().receive(from, &mut buffer, false)?;
        if n > 0 {
            self.held = Held::Buffer { end: n.min(buffer.len()), buffer, start: 0 };
        }
        Ok(n)
    }

    /// Sends what is held: how much was taken, `None` when the socket is full.
    pub(super) fn drain(&mut self, to: SocketRef<'_>) -> io::Result<Option<u64>> {
        let (calls, spliced) = (self.transfer.calls(), matches!(self.held, Held::Pipe(_)));
        self.done.calls += 1;
        let answer = match &self.held {
            Held::Nothing => return Ok(Some(0)),
            Held::Pipe(pipe) => {
                let leg = Splice::PipeToSocket { pipe: pipe.read_end()?, socket: to, more: false };
                calls.splice(leg, pipe.len())
            }
            Held::Buffer { buffer, start, end } => {
                let bytes = buffer.get(*start..*end).unwrap_or_default();
                calls.send(to, &[IoSlice::new(bytes)], false)
            }
        };
        match answer {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                self.held.sent(n);
                self.done.bytes += n as u64;
                self.transfer.stats().relayed().moved(n as u64, spliced);
                self.done.spliced_bytes += if spliced { n as u64 } else { 0 };
                Ok(Some(n as u64))
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => Ok(Some(0)),
                io::ErrorKind::WouldBlock => {
                    self.done.would_block += 1;
                    Ok(None)
                }
                _ if !spliced => Err(error),
                _ => {
                    self.refused_or(error)?;
                    self.held.copy_out(self.transfer.buffers())?;
                    Ok(Some(0))
                }
            },
        }
    }

    /// After a refusal of `splice` it copies from now on; any other error is one.
    fn refused_or(&mut self, error: io::Error) -> io::Result<()> {
        let Some(refusal) = caps::refusal(&error).filter(|_| self.splices) else { return Err(error) };
        self.splices = false;
        self.transfer.note_refusal(Route::Splice, refusal);
        Ok(())
    }
}
