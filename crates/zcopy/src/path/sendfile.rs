//! Route `sendfile`: the page cache's own pages go to the socket, by reference.
//!
//! `sendfile(2)` cannot say `MSG_MORE`; memory pieces before it do, so a header shares its segment with the first
//! bytes of the file. What comes behind the file would leave as a segment of its own and wake the reader once more: a
//! cork (`tcp(7)`, `TCP_CORK`) holds the file's last, partial segment back for it.

use super::{Bench, Known, Outcome};
use crate::os::file_ref;
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
    send_as(Route::Sendfile, bench, plan, range, known, sent)
}

/// The same, in the name of `route`: what the socket makes of the pages is its own affair.
pub(super) fn send_as(
    route: Route,
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    range: &FileRange,
    known: &mut Known,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    let file = file_ref(range.file());
    if let Some(cold) = bench.cold(plan, range, known) {
        return Ok(cold);
    }
    if plan.goes_on() {
        bench.cork(plan);
    }
    let count = usize::try_from(range.len()).unwrap_or(usize::MAX);
    bench.stats.call(route, sent);
    match bench.calls.sendfile(bench.socket, file, range.offset(), count) {
        Ok(0) => Err(bench.shrunk(plan, 0, range)),
        Ok(taken) => {
            bench.stats.file_bytes(route, taken as u64, sent);
            Ok(bench.took(plan, taken as u64, range.len()))
        }
        Err(error) if caps::refusal(&error).is_some() => Ok(Outcome::Refused { route, error }),
        Err(error) => bench.failed(route, error, sent),
    }
}
