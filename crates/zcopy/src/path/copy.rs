//! Route `copy`: read into a pooled, page-aligned buffer and send that, joined with the memory pieces around it
//! in one `sendmsg(2)`. Always possible, cheapest for small pieces, and the oracle for every other route.
//!
//! What the socket did not take is read again next time: nothing is kept between calls, so a slow peer holds no
//! buffer, and the plan's cursor is the only state.

use std::io::{self, IoSlice};

use smallvec::SmallVec;

use super::{Bench, Known, Outcome};
use crate::batch::{Gather, Part};
use crate::stats::Sent;
use crate::{Route, SendError, SendPlan};

/// Bytes that could be had of the parts, and whether all of them.
struct Filled {
    /// Length of each part as it is now; parts behind a short one are gone.
    lens: SmallVec<[usize; 8]>,
    complete: bool,
}

/// Sends `gather`, or says that its first file part is cold.
pub(crate) fn send(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    gather: &Gather,
    known: &Known,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    let mut buffer = match gather.buffer_len {
        0 => None,
        len => Some(bench.buffers.take_for_a_call(len)?),
    };
    let filled = match fill(bench, plan, gather, known, buffer.as_deref_mut().unwrap_or_default())? {
        Ok(filled) => filled,
        Err(cold) => return Ok(cold),
    };
    let offered: usize = filled.lens.iter().sum();
    let more = gather.more || !filled.complete;
    bench.stats.call(Route::Copy, sent);
    let answer = {
        let slices = slices(plan, gather, &filled, buffer.as_deref().unwrap_or_default());
        bench.calls.send(bench.socket, &slices, more)
    };
    match answer {
        Ok(0) => Err(SendError::Io(io::ErrorKind::WriteZero.into())),
        Ok(taken) => {
            count(bench, gather, &filled, taken, sent);
            Ok(bench.took(plan, taken as u64, offered as u64))
        }
        Err(error) => bench.failed(Route::Copy, error, sent),
    }
}

/// The parts as memory, in order.
fn slices<'a>(
    plan: &'a SendPlan,
    gather: &Gather,
    filled: &Filled,
    buffer: &'a [u8],
) -> SmallVec<[IoSlice<'a>; 8]> {
    let (pieces, _) = plan.ahead();
    let bytes = |part: &Part, len: usize| match part {
        Part::Memory { .. } => part.memory(pieces),
        Part::File { at, .. } => buffer.get(*at..at + len),
    };
    let parts = gather.parts.iter().zip(&filled.lens);
    parts.map(|(part, &len)| IoSlice::new(bytes(part, len).unwrap_or_default())).collect()
}

/// Reads the file parts. Stops behind a short read and before a cold one; a cold or ended file at the very front
/// is the answer itself.
fn fill(
    bench: &Bench<'_>,
    plan: &SendPlan,
    gather: &Gather,
    known: &Known,
    buffer: &mut [u8],
) -> Result<Result<Filled, Outcome>, SendError> {
    let mut lens: SmallVec<[usize; 8]> = SmallVec::new();
    let mut upto = plan.sent();
    let mut any_file = false;
    for part in &gather.parts {
        let (piece, range, at) = match part {
            Part::Memory { len, .. } => {
                upto += *len as u64;
                lens.push(*len);
                continue;
            }
            Part::File { piece, range, at } => (*piece, range, *at),
        };
        upto += range.len();
        let wanted = range.len() as usize;
        let into = buffer.get_mut(at..at + wanted).unwrap_or_default();
        match bench.read(range, into, upto <= known.may_wait_upto) {
            Ok(Some(0)) if !any_file => return Err(bench.shrunk(plan, piece, range)),
            Ok(Some(n)) => {
                lens.push(n);
                if n < wanted {
                    return Ok(Ok(Filled { lens, complete: false }));
                }
            }
            Ok(None) if !any_file => return Ok(Err(Outcome::Cold { range: range.clone(), upto })),
            Ok(None) => return Ok(Ok(Filled { lens, complete: false })),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                return Ok(if lens.is_empty() {
                    Err(Outcome::Sent(0))
                } else {
                    Ok(Filled { lens, complete: false })
                });
            }
            Err(error) => return Err(error.into()),
        }
        any_file = true;
    }
    Ok(Ok(Filled { lens, complete: true }))
}

/// Tells memory from file bytes among those taken.
fn count(bench: &Bench<'_>, gather: &Gather, filled: &Filled, taken: usize, sent: &mut Sent) {
    let (mut left, mut memory, mut file) = (taken, 0, 0);
    for (part, &len) in gather.parts.iter().zip(&filled.lens) {
        let of_part = len.min(left);
        left -= of_part;
        match part {
            Part::Memory { .. } => memory += of_part as u64,
            Part::File { .. } => file += of_part as u64,
        }
    }
    bench.stats.memory_bytes(memory, sent);
    bench.stats.file_bytes(Route::Copy, file, sent);
}
