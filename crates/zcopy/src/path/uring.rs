//! Route `uring`: the file is read into a buffer of the transfer's ring (see [`crate::uring`]), and the socket gets
//! references to that, by `IORING_OP_SEND_ZC`. One copy, out of the page cache, where the network card reads the
//! buffer itself; two where the kernel has to copy after all, as on loopback. It tells: `StatsSnapshot::uring`.
//!
//! A buffer that was sent is the kernel's until it says otherwise, which takes as long as the peer does. With none
//! free, the call at hand goes by `copy`. So does one to a socket that takes little at a time: pages cost more than
//! bytes then, on both sides (a receiver on the same machine is charged for whole pages, and one with a buffer of a few
//! KiB was seen to get 240 bytes each 200 ms). What the socket did not take is read again next time, as in `copy`:
//! nothing is kept between calls.

use std::io;

use rustix::io::Errno;

use super::{Bench, Known, Outcome, copy};
use crate::batch::Gather;
use crate::completions::clear_error_queue;
use crate::offload::Offload;
use crate::os::wait_as_told;
use crate::send_plan::APPETITE_MIN;
use crate::stats::Sent;
use crate::sys::{PAGE, RingBuffer};
use crate::uring::{BUFFER_BYTES, Taken};
use crate::{FileRange, Route, SendError, SendPlan, caps};

/// Bytes of a socket's buffer; the smallest that the system gives unasked, on Ethernet, is above it.
const SOCKET_MIN: usize = 32 << 10;

/// Sends the first bytes of `range`, which stands at the plan's cursor, or says that it is cold.
pub(crate) fn send(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    range: &FileRange,
    known: &Known,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    if takes_little(bench, plan) {
        bench.stats.uring().small();
        return copy::send(bench, plan, &Gather::of(plan, range), known, sent);
    }
    let buffer = match bench.uring.take(bench.stats) {
        Taken::Buffer(buffer) => buffer,
        Taken::New => return Ok(Outcome::Offload(Offload::Ring)),
        Taken::NotNow => return Ok(bench.without(Route::Uring, plan)),
        Taken::Refused(error) => return Ok(Outcome::Refused { route: Route::Uring, error }),
        Taken::NoneFree => {
            bench.stats.uring().no_buffer();
            return copy::send(bench, plan, &Gather::of(plan, range), known, sent);
        }
    };
    // At the same distance from a page's start as in the page cache, where copies are quick.
    let head = (range.offset() % PAGE as u64) as usize;
    let part = range.part(0, plan.appetite().min(BUFFER_BYTES - head) as u64);
    match read(bench, plan, &part, known, buffer, head) {
        Ok((buffer, 0)) => {
            bench.uring.put_back(buffer);
            Err(bench.shrunk(plan, 0, range))
        }
        Ok((buffer, len)) => send_buffer(bench, plan, known, buffer, head, len, sent),
        Err(None) => Ok(Outcome::Cold { range: range.clone(), upto: plan.sent() + range.len() }),
        Err(Some(error)) if error.kind() == io::ErrorKind::Interrupted => Ok(Outcome::Sent(0)),
        Err(Some(error)) => Err(error.into()),
    }
}

/// Whether the socket has taken little of late, or could not take more.
fn takes_little(bench: &Bench<'_>, plan: &SendPlan) -> bool {
    let room = || rustix::net::sockopt::socket_send_buffer_size(bench.socket);
    plan.appetite() <= APPETITE_MIN || room().is_ok_and(|bytes| bytes < SOCKET_MIN)
}

/// Reads `part` into `buffer`, from `head` on; says how much came. `None`: not without waiting.
fn read(
    bench: &Bench<'_>,
    plan: &SendPlan,
    part: &FileRange,
    known: &Known,
    mut buffer: RingBuffer,
    head: usize,
) -> Result<(RingBuffer, usize), Option<io::Error>> {
    let into = buffer.get_mut(head..head + part.len() as usize).unwrap_or_default();
    let may_wait = plan.sent() + part.len() <= known.may_wait_upto;
    match bench.read(part, into, may_wait) {
        Ok(Some(len)) => Ok((buffer, len)),
        cold_or_failed => {
            bench.uring.put_back(buffer);
            Err(cold_or_failed.err())
        }
    }
}

fn send_buffer(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    known: &Known,
    buffer: RingBuffer,
    head: usize,
    len: usize,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    let offered = len as u64;
    let more = plan.remaining() > offered;
    bench.stats.call(Route::Uring, sent);
    let range = head..head + len;
    match bench.uring.send(bench.calls, bench.stats, bench.socket, buffer, range, more) {
        Ok(0) => Err(SendError::Io(io::ErrorKind::WriteZero.into())),
        Ok(taken) => {
            bench.stats.uring().operation();
            bench.stats.file_bytes(Route::Uring, taken as u64, sent);
            Ok(bench.took(plan, taken as u64, offered))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock && known.may_always_wait() => {
            bench.stats.would_block(Route::Uring, sent);
            let clear = || clear_error_queue(bench.calls, bench.stats, bench.socket).is_any;
            Ok(wait_as_told(bench.socket, clear)?.map_or(Outcome::WouldBlock, |()| Outcome::Sent(0)))
        }
        Err(error) if is_shortage(&error) => Ok(bench.without(Route::Uring, plan)),
        Err(error) if caps::refusal(&error).is_some() => Ok(Outcome::Refused { route: Route::Uring, error }),
        Err(error) => bench.failed(Route::Uring, error, sent),
    }
}

/// Whether an error is about memory that could not be had, or not be locked, for this one operation.
fn is_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOMEM | Errno::NOBUFS | Errno::FAULT))
}
