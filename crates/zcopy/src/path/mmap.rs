//! Route `mmap`: `sendmsg(2)` out of a map of the file, behind what memory stands in front of a mapped piece. One copy,
//! from the page cache into the socket, made by the kernel; no read, and no buffer.
//!
//! Mapping is dear (some 30 us, and a fault for every 16 pages that are touched for the first time), so the map is kept
//! from call to call: see [`mapped`]. For whole large files `sendfile` is cheaper; a map pays where one is kept, see
//! [`SendPlan::push_mapped`].

use super::{Bench, Known, Outcome, mapped};
use crate::batch::Memory;
use crate::stats::Sent;
use crate::{FileRange, MappedRange, Route, SendError, SendPlan};

/// Sends `range`, which stands at the plan's cursor, or says that it is cold.
pub(crate) fn send(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    range: &FileRange,
    known: &mut Known,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    if let Some(cold) = bench.cold(plan, range, known) {
        return Ok(cold);
    }
    match mapped::window(Route::Mmap, bench, plan, range) {
        Ok(part) => send_part(bench, plan, &Memory::new(), &part, sent),
        Err(without) => Ok(without),
    }
}

/// Sends `memory`, which stands at the plan's cursor, and behind it `part`, which lies in a map already; or says that
/// this is cold.
pub(crate) fn send_mapped(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    memory: &Memory,
    part: &MappedRange,
    known: &mut Known,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    let before = memory.iter().filter_map(|part| part.memory(plan.ahead().0)).map(<[u8]>::len).sum::<usize>();
    if let Some(cold) = bench.cold_behind(plan, before as u64, &part.file_range(), known) {
        return Ok(cold);
    }
    match send_part(bench, plan, memory, part, sent)? {
        // There is no other way for it, and nothing that a plain send could have refused it for.
        Outcome::Refused { error, .. } => Err(error.into()),
        outcome => Ok(outcome),
    }
}

fn send_part(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    memory: &Memory,
    part: &MappedRange,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    mapped::send(Route::Mmap, bench, plan, memory, part, sent, |memory, part, more, _| {
        bench.calls.send_mapped(bench.socket, memory, part, more)
    })
}
