//! Route `zerocopy`: `sendmsg(2)` with `MSG_ZEROCOPY` out of a map of the file. No copy, where the way to the peer
//! takes pages; where it does not, the kernel copies after all, later, and dearer than at once, and says so.
//!
//! <https://docs.kernel.org/networking/msg_zerocopy.html>
//!
//! * The kernel holds references to the file's pages until the peer has acknowledged them, and names each call that it
//!   has let go of in the socket's error queue. That queue is emptied before each call, so it stays short.
//! * Until then what is overwritten in place, or cut off inside a page, may reach the peer, as with `sendfile`; also
//!   where the kernel copies after all, which it does when it delivers.
//! * The map may go away before that: the pages are the file's, and neither they nor the references are the map's.
//!   (Memory of a buffer pool would have to be kept until then. Memory pieces go by plain `sendmsg(2)`.)
//! * What is in flight is bounded by the kernel (`net.core.optmem_max`, and `RLIMIT_MEMLOCK` for the pages): `ENOBUFS`
//!   sends this one call's bytes by copy, out of the same map, and is counted.
//! * A message in the error queue makes the socket ready with an error. A reactor that reads that as "the peer has
//!   closed" never sleeps again, see [`Transfer::reap_completions`](crate::Transfer::reap_completions): only the
//!   blocking face has this route.

use std::io::{self, IoSlice};

use rustix::io::Errno;

use super::{Bench, Known, Outcome, mapped};
use crate::batch::Memory;
use crate::carry::Carry;
use crate::stats::Sent;
use crate::{FileRange, MappedRange, Route, SendError, SendPlan, caps, completions};

/// Sends `range`, which stands at the plan's cursor, or says that it is cold.
pub(crate) fn send(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    range: &FileRange,
    known: &mut Known,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    const ROUTE: Route = Route::Zerocopy;
    if let Some(cold) = bench.cold(plan, range, known) {
        return Ok(cold);
    }
    let told = matches!(plan.carry_mut(), Carry::Window { route: ROUTE, .. });
    if !told && let Err(error) = bench.calls.enable_zerocopy(bench.socket) {
        return match caps::refusal(&error) {
            Some(_) => Ok(Outcome::Refused { route: ROUTE, error }),
            // A kernel without it does not know the option.
            None if Errno::from_io_error(&error) == Some(Errno::NOPROTOOPT) => {
                Ok(Outcome::Refused { route: ROUTE, error: Errno::OPNOTSUPP.into() })
            }
            None => Err(error.into()),
        };
    }
    let part = match mapped::window(ROUTE, bench, plan, range) {
        Ok(part) => part,
        Err(without) => return Ok(without),
    };
    drain(bench, sent);
    let call =
        |_: &[IoSlice<'_>], part: &MappedRange, more, sent: &mut Sent| by_reference(bench, part, more, sent);
    mapped::send(ROUTE, bench, plan, &Memory::new(), &part, sent, call)
}

fn by_reference(bench: &Bench<'_>, part: &MappedRange, more: bool, sent: &mut Sent) -> io::Result<usize> {
    let mut answer = bench.calls.send_zerocopy(bench.socket, part, more);
    if too_much_in_flight(&answer) && drain(bench, sent) > 0 {
        answer = bench.calls.send_zerocopy(bench.socket, part, more);
    }
    if too_much_in_flight(&answer) {
        bench.stats.zerocopy_fallback(sent);
        return bench.calls.send_mapped(bench.socket, &[], part, more);
    }
    if matches!(answer, Ok(1..)) {
        bench.stats.zerocopy_send(sent);
    }
    answer
}

/// Reads what the kernel has let go of. Returns how many calls that was.
fn drain(bench: &Bench<'_>, sent: &mut Sent) -> u64 {
    let done = completions::drain(bench.calls, bench.stats, bench.socket);
    sent.zerocopy.completed(done);
    done.completed
}

fn too_much_in_flight(answer: &io::Result<usize>) -> bool {
    let errno = answer.as_ref().err().and_then(Errno::from_io_error);
    errno == Some(Errno::NOBUFS)
}
