//! What the routes that send out of a map have in common: the map, and the end of the file.
//!
//! ```text
//!   file     |=================================|          <- its end, asked for before and after each call
//!   window        |---------------------- 8 MiB ---------------------|   kept in the plan's carry
//!   call                |---- part ----|
//! ```
//!
//! The window reaches beyond the piece, so that pieces close to each other share it; what is not touched costs nothing.
//!
//! Behind the end of a file its last page reads as zeros, and no call reports that. So nothing is offered that the file
//! did not have a moment before: a file that ends there is [`SendError::FileShrunk`], and only bytes of its own have
//! left. If it has lost some of what was taken a moment after, that is [`SendError::FileCut`]: zeros may have left in
//! place of what was cut off between the two, and the connection is to be closed. (Cutting and growing again within one
//! call is not noticed. `zerocopy` sends the pages themselves: what is cut off a page later, up to the completion,
//! leaves as zeros, as with `sendfile`.)
//!
//! What the kernel took is counted before anything is asked that may fail: the cursor is never behind it.

use std::io::{self, IoSlice};
use std::sync::Arc;

use rustix::io::Errno;
use smallvec::SmallVec;

use super::{Bench, Outcome};
use crate::batch::Memory;
use crate::carry::Carry;
use crate::mapped_range::is_fault;
use crate::os::file_ref;
use crate::stats::Sent;
use crate::{FileRange, MappedFile, MappedRange, Piece, Route, SendError, SendPlan, caps};

/// Bytes of one window. Address space, not memory: mapping it costs as much as mapping a page.
pub(crate) const WINDOW_BYTES: u64 = 8 << 20;
/// The last position that a file can have, which is `off_t`'s.
const POSITION_MAX: u64 = i64::MAX as u64;

/// As much of `range` as lies in the plan's window, which is mapped anew if none of it does.
///
/// # Errors
/// What came of it instead: the route is refused, or, where address space or memory is short, this plan does without.
pub(super) fn window(
    route: Route,
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    range: &FileRange,
) -> Result<MappedRange, Outcome> {
    if let Carry::Window { route: of, map } = plan.carry_mut()
        && *of == route
        && let Some(part) = within(map, range)
    {
        return Ok(part);
    }
    // The old one goes before the new one comes.
    *plan.carry_mut() = Carry::Nothing;
    let map = map(bench, range).map_err(|error| match caps::refusal(&error) {
        Some(_) => Outcome::Refused { route, error },
        None => bench.without(route, plan),
    })?;
    let Some(part) = within(&map, range) else {
        return Err(Outcome::Refused { route, error: Errno::INVAL.into() });
    };
    *plan.carry_mut() = Carry::Window { route, map };
    Ok(part)
}

/// Maps a window from the start of `range` on.
fn map(bench: &Bench<'_>, range: &FileRange) -> io::Result<MappedFile> {
    let len = WINDOW_BYTES.min(POSITION_MAX.saturating_sub(range.offset()));
    let map = bench.calls.map(&FileRange::new(Arc::clone(range.file()), range.offset(), len))?;
    // Of anything else, a device above all, the length is not known, and so not what may be sent.
    match bench.calls.file_end(file_ref(range.file()))? {
        Some(_) => Ok(map),
        None => Err(Errno::OPNOTSUPP.into()),
    }
}

/// What of `range` is mapped, from its start on; `None` if that is not.
fn within(map: &MappedFile, range: &FileRange) -> Option<MappedRange> {
    let mapped = map.range();
    let at = range.offset().checked_sub(mapped.offset()).and_then(|at| usize::try_from(at).ok())?;
    let fits = Arc::ptr_eq(mapped.file(), range.file()) && at < map.len();
    fits.then(|| map.part(at, usize::try_from(range.len()).unwrap_or(usize::MAX)))
}

/// Sends `memory`, which stands at the plan's cursor, and `part` behind it, with `call`, which is told whether more is
/// to follow.
pub(super) fn send(
    route: Route,
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    memory: &Memory,
    part: &MappedRange,
    sent: &mut Sent,
    call: impl FnOnce(&[IoSlice<'_>], &MappedRange, bool, &mut Sent) -> io::Result<usize>,
) -> Result<Outcome, SendError> {
    let range = part.file_range();
    let there_before = there(bench, &range)?;
    let piece = memory.len();
    if there_before == 0 {
        return Err(bench.shrunk(plan, piece, &range));
    }
    let part = part.part(0, usize::try_from(there_before).unwrap_or(usize::MAX));
    bench.stats.call(route, sent);
    let (answer, before, piece_left) = {
        let (pieces, skip) = plan.ahead();
        let slices: SmallVec<[IoSlice<'_>; 4]> =
            memory.iter().filter_map(|part| part.memory(pieces)).map(IoSlice::new).collect();
        let before = slices.iter().map(|slice| slice.len()).sum::<usize>() as u64;
        let skipped = if piece == 0 { skip } else { 0 };
        let piece_left = pieces.get(piece).map_or(0, Piece::len) - skipped;
        let more = plan.remaining() > before + part.len() as u64;
        (call(&slices, &part, more, sent), before, piece_left)
    };
    match answer {
        Ok(0) => Err(SendError::Io(io::ErrorKind::WriteZero.into())),
        Ok(taken) => {
            let taken = taken as u64;
            let of_file = taken.saturating_sub(before);
            bench.stats.memory_bytes(taken - of_file, sent);
            bench.stats.file_bytes(route, of_file, sent);
            let outcome = bench.took(plan, taken, before + part.len() as u64);
            let there_after = there(bench, &range)?;
            if there_after < of_file {
                bench.stats.shrunk();
                return Err(SendError::FileCut { missing: piece_left.saturating_sub(there_after) });
            }
            Ok(outcome)
        }
        Err(error) if is_fault(&error) => {
            let there_after = there(bench, &range)?;
            if there_after < part.len() as u64 {
                return Err(bench.shrunk(plan, piece, &range.part(there_after, u64::MAX)));
            }
            // A page that is still the file's, and could not be read.
            Err(SendError::Io(error))
        }
        Err(error) if caps::refusal(&error).is_some() => Ok(Outcome::Refused { route, error }),
        Err(error) => bench.failed(route, error, sent),
    }
}

/// How many bytes of `range` its file has now.
fn there(bench: &Bench<'_>, range: &FileRange) -> io::Result<u64> {
    let end = bench.calls.file_end(file_ref(range.file()))?.unwrap_or(u64::MAX);
    Ok(end.saturating_sub(range.offset()).min(range.len()))
}
