//! Route `direct`: the disk writes into a page-aligned pooled buffer, which is sent from there. One copy, into the
//! socket; the page cache is left as it is, so a reader that catches up with old data drives out nobody's.
//!
//! ```text
//!   file     |   .   |   .   |   .   |  .EOF        . = multiple of the alignment
//!   range         [-----------------------]
//!   portion  [_______________________________]      read around it and cut: at, len
//! ```
//!
//! Such a read always waits for the disk. So a step that finds nothing to send answers [`Outcome::Offload`] with a
//! [`Fetch`]; whoever may wait runs it and leaves its result in the plan's carry, where the next step finds it. What
//! the socket did not take stays there, while the pool has plenty: a read from the disk is dear to be done again. A
//! portion has at most [`PORTION_MAX`] bytes and comes out of the pool. Where that is exhausted, a small one without
//! the pool does, and is not kept while the socket is full.
//!
//! `O_DIRECT` writes dirty pages of the range out before it reads, so what was written through the page cache is sent.

use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::sync::Arc;

use super::{Bench, Outcome};
use crate::calls::Calls;
use crate::carry::Carry;
use crate::direct_file::{ALIGN_MAX, DirectFile};
use crate::offload::Offload;
use crate::os::file_ref;
use crate::pool::{CLASS_SMALLEST, DirectBuffer};
use crate::stats::Sent;
use crate::{BufferPool, FileRange, Route, SendError, SendPlan, caps};

/// Bytes of one read: at 1 MiB the disk's latency is shared by enough of them, and more queue depth saves no CPU.
const PORTION_MAX: u64 = 1 << 20;

const _: () = assert!(PORTION_MAX.is_multiple_of(ALIGN_MAX) && CLASS_SMALLEST as u64 >= ALIGN_MAX);

/// What is kept between two calls.
#[derive(Debug)]
pub(crate) struct Carried {
    /// What was asked for last: says which file the rest belongs to.
    asked: FileRange,
    file: Option<Arc<DirectFile>>,
    fetched: Fetched,
}

impl Carried {
    /// Whether the next send of `range` is answered by what was fetched: by its first bytes, or by why there are none.
    pub(crate) fn answers(&self, range: &FileRange) -> bool {
        self.is_of(range)
            && match &self.fetched {
                Fetched::Nothing => false,
                Fetched::Bytes(portion) => portion.of(range).is_some(),
                Fetched::NotNow => true,
                Fetched::End | Fetched::Failed(_) => self.asked.offset() == range.offset(),
            }
    }

    /// Whether its file is that of `range`.
    pub(crate) fn is_of(&self, range: &FileRange) -> bool {
        Arc::ptr_eq(self.asked.file(), range.file())
    }

    /// Whether a portion is kept.
    pub(crate) fn holds_memory(&self) -> bool {
        matches!(self.fetched, Fetched::Bytes(_))
    }

    /// Keeps the descriptor only.
    pub(crate) fn let_go(&mut self) {
        self.fetched = Fetched::Nothing;
    }
}

/// What came of a [`Fetch`].
#[derive(Debug)]
enum Fetched {
    Nothing,
    Bytes(Portion),
    /// The file ends at the byte that was asked for, or before it.
    End,
    /// There is no reading it past the page cache just now, of which another plan may know nothing.
    NotNow,
    Failed(io::Error),
}

/// The file's bytes from `at` on are the buffer's first `len`.
#[derive(Debug)]
struct Portion {
    buffer: DirectBuffer,
    at: u64,
    len: usize,
}

impl Portion {
    /// The bytes of `range` from its first on, as far as they are here.
    fn of(&self, range: &FileRange) -> Option<&[u8]> {
        let skip = usize::try_from(range.offset().checked_sub(self.at)?).ok()?;
        let here = self.buffer.get(skip..self.len)?;
        let len = here.len().min(usize::try_from(range.len()).unwrap_or(usize::MAX));
        here.get(..len).filter(|bytes| !bytes.is_empty())
    }
}

/// Sends what has been fetched of `range`, which stands at the plan's cursor, or says that it has to be fetched first.
pub(crate) fn send(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    range: &FileRange,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    let carried = match std::mem::take(plan.carry_mut()) {
        Carry::Direct(carried) if carried.is_of(range) => Some(*carried),
        _ => None,
    };
    let file = match carried {
        Some(Carried { asked, file, fetched }) => match fetched {
            Fetched::Failed(error) if asked.offset() == range.offset() => return failed(error),
            Fetched::NotNow => return Ok(bench.without(Route::Direct, plan)),
            Fetched::End if asked.offset() == range.offset() => return Err(bench.shrunk(plan, 0, range)),
            Fetched::Bytes(portion) if portion.of(range).is_some() => {
                return send_portion(bench, plan, range, file, portion, sent);
            }
            _ => file,
        },
        None => None,
    };
    Ok(Outcome::Offload(Offload::Fetch(Fetch::at_cursor(plan, range, file))))
}

/// Sorts the failure of a read.
fn failed(error: io::Error) -> Result<Outcome, SendError> {
    if caps::refusal(&error).is_some() {
        return Ok(Outcome::Refused { route: Route::Direct, error });
    }
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(Outcome::Sent(0)),
        _ => Err(error.into()),
    }
}

fn send_portion(
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    range: &FileRange,
    file: Option<Arc<DirectFile>>,
    portion: Portion,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    let bytes = portion.of(range).unwrap_or_default();
    let offered = bytes.len() as u64;
    bench.stats.call(Route::Direct, sent);
    let answer = bench.calls.send(bench.socket, &[IoSlice::new(bytes)], plan.remaining() > offered);
    let full = matches!(&answer, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    let gone =
        matches!(&answer, Ok(taken) if range.offset() + *taken as u64 >= portion.at + portion.len as u64);
    let keep = !gone && (portion.buffer.is_pooled() || !full);
    let fetched = if keep { Fetched::Bytes(portion) } else { Fetched::Nothing };
    *plan.carry_mut() = Carry::Direct(Box::new(Carried { asked: range.clone(), file, fetched }));
    match answer {
        Ok(0) => Err(SendError::Io(io::ErrorKind::WriteZero.into())),
        Ok(taken) => {
            bench.stats.file_bytes(Route::Direct, taken as u64, sent);
            Ok(bench.took(plan, taken as u64, offered))
        }
        Err(error) => bench.failed(Route::Direct, error, sent),
    }
}

/// A read that waits for the disk, and the opening before the first one.
#[derive(Debug, Clone)]
pub(crate) struct Fetch {
    /// What is left of the piece, at most [`PORTION_MAX`] of it.
    range: FileRange,
    file: Option<Arc<DirectFile>>,
}

impl Fetch {
    /// Of `range`, which stands at the plan's cursor, and what follows it in its piece.
    fn at_cursor(plan: &SendPlan, range: &FileRange, file: Option<Arc<DirectFile>>) -> Self {
        Self { range: plan.piece_ahead(PORTION_MAX).unwrap_or_else(|| range.clone()), file }
    }

    /// Of what another route found cold at the plan's cursor.
    #[cfg(feature = "tokio")]
    pub(crate) fn of_cold(plan: &mut SendPlan, range: &FileRange) -> Self {
        let file = match std::mem::take(plan.carry_mut()) {
            Carry::Direct(carried) if carried.is_of(range) => carried.file,
            _ => None,
        };
        Self::at_cursor(plan, range, file)
    }

    /// The file it reads.
    #[cfg(feature = "tokio")]
    pub(crate) fn file(&self) -> &std::fs::File {
        self.range.file()
    }

    /// Waits. What comes of it belongs into the carry of the plan that asked.
    pub(crate) fn run(self, calls: &dyn Calls, buffers: &BufferPool) -> Carry {
        let Self { range, file } = self;
        let (file, fetched) =
            match file.map_or_else(|| calls.open_direct(range.file().as_fd()).map(Arc::new), Ok) {
                Ok(file) => {
                    let fetched = read(calls, buffers, &file, &range).unwrap_or_else(Fetched::Failed);
                    (Some(file), fetched)
                }
                Err(error) if caps::refusal(&error).is_some() => (None, Fetched::Failed(error)),
                // What cannot be opened once more can still be copied, whatever the reason.
                Err(_) => (None, Fetched::NotNow),
            };
        Carry::Direct(Box::new(Carried { asked: range, file, fetched }))
    }
}

fn read(
    calls: &dyn Calls,
    buffers: &BufferPool,
    file: &DirectFile,
    range: &FileRange,
) -> io::Result<Fetched> {
    let (at, len) = around(range, file.align());
    let Ok(mut buffer) = take(buffers, len) else { return Ok(Fetched::NotNow) };
    let len = len.min(buffer.len());
    let into = buffer.get_mut(..len).unwrap_or_default();
    let len = calls.read_direct(file, into, at)?;
    if at + len as u64 <= range.offset() {
        // Nothing at all is the end. A few bytes before the first one asked for may be, and may be a file system's
        // mood.
        let end = calls.file_end(file_ref(range.file()))?;
        let ended = len == 0 || end.is_some_and(|end| end <= range.offset());
        return Ok(if ended { Fetched::End } else { Fetched::NotNow });
    }
    Ok(Fetched::Bytes(Portion { buffer, at, len }))
}

/// Where to read, and how much, so that `range` or its beginning is in it.
fn around(range: &FileRange, align: u64) -> (u64, usize) {
    let at = range.offset() - range.offset() % align;
    let wanted = (range.offset() - at).saturating_add(range.len()).min(PORTION_MAX);
    (at, wanted.next_multiple_of(align).min(PORTION_MAX) as usize)
}

/// A buffer for `len` bytes, or for fewer where the pool has no room.
fn take(buffers: &BufferPool, len: usize) -> io::Result<DirectBuffer> {
    let little = len.min(CLASS_SMALLEST);
    buffers.take(len).or_else(|_| buffers.take(little)).or_else(|_| DirectBuffer::unpooled(little))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_read_is_aligned_and_holds_the_first_byte_of_its_range() {
        let file = Arc::new(File::open("/dev/null").expect("/dev/null"));
        for align in [512, 4096, 65_536] {
            for offset in [0, 1, 511, 512, 4095, 70_000, (5 << 30) + 123, u64::MAX - 5] {
                for len in [1, 511, 4096, 5000, PORTION_MAX, PORTION_MAX + 1, u64::MAX] {
                    let (at, read) = around(&FileRange::new(Arc::clone(&file), offset, len), align);
                    let read = read as u64;
                    assert!(at.is_multiple_of(align) && read.is_multiple_of(align) && read <= PORTION_MAX);
                    assert!(at <= offset && offset - at < read, "{offset} {len}: {at} {read}");
                    assert!(offset - at + len.min(PORTION_MAX) <= read || read == PORTION_MAX);
                }
            }
        }
    }
}
