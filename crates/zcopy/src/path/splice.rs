//! Route `splice`: file to pipe, pipe to socket, by `splice(2)`. The page cache's own pages go, by reference, as with
//! `sendfile`, which does the same with a pipe of its own; this one may be larger, and says what `sendfile` cannot:
//! that more follows (`SPLICE_F_MORE`), so no cork is needed.
//!
//! ```text
//!   pipe empty    take one from the pool ─ file leg: as much as fits ─┐
//!   carried over  ────────────────────────────────────────────────────┴─ socket leg ─ empty: back to the pool
//!                                                                                   └ bytes left: into the carry
//! ```
//!
//! A plan whose socket is full keeps its pipe, and with it up to as many bytes of the page cache as that holds, while
//! no more than half of the pipes are out; beyond that it gives it up, and fills another one when the socket has room.

use std::io;

use super::{Bench, Known, Outcome};
use crate::carry::{Carry, PipeCarry};
use crate::os::file_ref;
use crate::pipes::Pipe;
use crate::splice::Splice;
use crate::stats::Sent;
use crate::{FileRange, Route, SendError, SendPlan, caps};

/// Sends `range`, which stands at the plan's cursor, or says that it is cold.
pub(crate) fn send(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    range: &FileRange,
    known: &mut Known,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    let pipe = match carried(plan) {
        Some(pipe) => pipe,
        None => match fill(bench, plan, range, known, sent)? {
            Ok(pipe) => pipe,
            Err(outcome) => return Ok(outcome),
        },
    };
    drain(bench, plan, pipe, range.len(), sent)
}

/// What is in the pipe from the call before, if that stands at the cursor; anything else is thrown away.
fn carried(plan: &mut SendPlan) -> Option<Pipe> {
    let cursor = plan.sent();
    match std::mem::take(plan.carry_mut()) {
        Carry::Pipe(carry) if carry.at == cursor => Some(carry.pipe),
        _ => None,
    }
}

/// A pipe with the first bytes of `range`, or why there is none.
fn fill(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    range: &FileRange,
    known: &mut Known,
    sent: &mut Sent,
) -> Result<Result<Pipe, Outcome>, SendError> {
    if let Some(cold) = bench.cold(plan, range, known) {
        return Ok(Err(cold));
    }
    let mut pipe = match bench.tools.pipes.take() {
        Ok(Some(pipe)) => pipe,
        Ok(None) => return Ok(Err(without(plan))),
        Err(error) => return Ok(Err(refused_or(error)?)),
    };
    let count = usize::try_from(range.len()).unwrap_or(usize::MAX).min(pipe.capacity());
    bench.stats.call(Route::Splice, sent);
    let file = file_ref(range.file());
    let leg = Splice::FileToPipe { file, offset: range.offset(), pipe: pipe.write_end()? };
    match bench.calls.splice(leg, count) {
        Ok(0) => Err(bench.shrunk(plan, 0, range)),
        Ok(n) => {
            pipe.filled(n);
            Ok(Ok(pipe))
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Err(Outcome::Sent(0))),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            // The pipe is empty, so it is the file that would wait, and nobody can tell for what.
            Ok(Err(without(plan)))
        }
        Err(error) => Ok(Err(refused_or(error)?)),
    }
}

/// Sends what is in the pipe, at most `len` bytes.
fn drain(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    mut pipe: Pipe,
    len: u64,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    let count = pipe.len().min(usize::try_from(len).unwrap_or(usize::MAX));
    let more = plan.remaining() > count as u64;
    let leg = Splice::PipeToSocket { pipe: pipe.read_end()?, socket: bench.socket, more };
    bench.stats.call(Route::Splice, sent);
    let outcome = match bench.calls.splice(leg, count) {
        Ok(0) => Err(SendError::Io(io::ErrorKind::WriteZero.into())),
        Ok(taken) => {
            pipe.drained(taken);
            bench.stats.file_bytes(Route::Splice, taken as u64, sent);
            Ok(bench.took(plan, taken as u64, count as u64))
        }
        // What is in the pipe is still in the file as well.
        Err(error) if caps::refusal(&error).is_some() => return refused_or(error),
        Err(error) => bench.failed(Route::Splice, error, sent),
    }?;
    if pipe.len() > 0 && !plan.is_done() {
        *plan.carry_mut() = Carry::Pipe(PipeCarry { pipe, at: plan.sent() });
    }
    Ok(outcome)
}

/// Nothing that is held against the kernel: only this plan does without.
fn without(plan: &mut SendPlan) -> Outcome {
    plan.refused_mut().insert(Route::Splice);
    Outcome::Sent(0)
}

/// Tells a refusal of the route from an error that the caller has to know.
fn refused_or(error: io::Error) -> Result<Outcome, SendError> {
    match caps::refusal(&error) {
        Some(_) => Ok(Outcome::Refused { route: Route::Splice, error }),
        None => Err(error.into()),
    }
}
