//! Route `sendfile`: the page cache's own pages go to the socket, by reference.
//!
//! `sendfile(2)` cannot say `MSG_MORE`; memory pieces before it do, so a header shares its segment with the first
//! bytes of the file. A call's last segment may be short, once per turn: a cork would cost two calls to save it.

use std::os::fd::AsFd;

use super::{Bench, Outcome};
use crate::stats::Sent;
use crate::{FileRange, Route, SendError, SendPlan, caps, route};

/// Sends `range`, which stands at the plan's cursor, or says that it is cold.
pub(crate) fn send(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    range: &FileRange,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    let file = range.file().as_fd();
    let upto = plan.sent() + range.len();
    if upto > bench.may_wait_upto
        && !route::may_send_now(bench.calls.residency(file, range.offset(), range.len()))
    {
        return Ok(Outcome::Cold { range: range.clone(), upto });
    }
    let count = usize::try_from(range.len()).unwrap_or(usize::MAX);
    bench.stats.call(Route::Sendfile, sent);
    match bench.calls.sendfile(bench.socket, file, range.offset(), count) {
        Ok(0) => Err(bench.shrunk(plan, 0, range)),
        Ok(taken) => {
            bench.stats.file_bytes(Route::Sendfile, taken as u64, sent);
            Ok(bench.took(plan, taken as u64, range.len()))
        }
        Err(error) if caps::refusal(&error).is_some() => {
            Ok(Outcome::Refused { route: Route::Sendfile, error })
        }
        Err(error) => bench.failed(Route::Sendfile, error, sent),
    }
}
