//! The routes, one file each. Each makes one attempt for what [`crate::batch`] decided, moves the plan's cursor by
//! what the kernel took, and says what happened. None of them waits for the socket if that does not, nor for a disk
//! where the caller does not allow it.

pub(crate) mod copy;
#[cfg(target_os = "linux")]
pub(crate) mod direct;
#[cfg(target_os = "linux")]
mod ktls;
#[cfg(target_os = "linux")]
mod mapped;
#[cfg(target_os = "linux")]
pub(crate) mod mmap;
pub(crate) mod sendfile;
#[cfg(target_os = "linux")]
mod shortage;
pub(crate) mod splice;
mod tools;
#[cfg(all(target_os = "linux", feature = "uring"))]
pub(crate) mod uring;
#[cfg(target_os = "linux")]
mod zerocopy;

use std::io;
use std::sync::Arc;

use crate::calls::Calls;
use crate::os::{SocketRef, file_ref};
use crate::seen::{self, Memory};
use crate::send_plan::Cork;
use crate::stats::{Sent, Stats};
use crate::{BufferPool, FileRange, Piece, Route, SendError, SendPlan, route};

#[cfg(not(target_os = "linux"))]
pub(crate) use crate::missing::Offload;
#[cfg(target_os = "linux")]
pub(crate) use crate::offload::Offload;
pub(crate) use tools::Tools;

/// What came of one attempt.
#[derive(Debug)]
#[cfg_attr(
    not(feature = "tokio"),
    expect(dead_code, reason = "a sender that may wait never finds a range cold")
)]
pub(crate) enum Outcome {
    /// The kernel took so many bytes, and the cursor has moved. 0 after an interruption.
    Sent(u64),
    /// The socket is full.
    WouldBlock,
    /// `range`, which ends at byte `upto` of the plan, is not in the page cache; nothing was sent.
    Cold { range: FileRange, upto: u64 },
    /// Work that waits for a disk comes first. Its result belongs into the plan's carry; nothing was sent.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "no route there has any"))]
    Offload(Offload),
    /// The kernel refused the route; nothing was sent.
    Refused { route: Route, error: io::Error },
}

/// What a route works with.
pub(crate) struct Bench<'a> {
    pub(crate) calls: &'a dyn Calls,
    pub(crate) buffers: &'a BufferPool,
    pub(crate) stats: &'a Stats,
    pub(crate) tools: &'a Tools,
    #[cfg(all(target_os = "linux", feature = "uring"))]
    pub(crate) uring: &'a crate::uring::Uring,
    pub(crate) socket: SocketRef<'a>,
    /// How much of a file is looked at in one go to tell whether it is cold.
    pub(crate) look_bytes: u64,
    /// Whose looks at the page cache are remembered: the transfer's address.
    pub(crate) owner: usize,
}

/// Sends `range`, which stands at the plan's cursor, by `route`, which is not copy.
pub(crate) fn send(
    route: Route,
    bench: &Bench<'_>,
    plan: &mut SendPlan,
    range: &FileRange,
    known: &mut Known,
    sent: &mut Sent,
) -> Result<Outcome, SendError> {
    match route {
        Route::Sendfile => sendfile::send(bench, plan, range, known, sent),
        #[cfg(target_os = "linux")]
        Route::Mmap => mmap::send(bench, plan, range, known, sent),
        #[cfg(target_os = "linux")]
        Route::Zerocopy => zerocopy::send(bench, plan, range, known, sent),
        #[cfg(target_os = "linux")]
        Route::Ktls => ktls::send(bench, plan, range, known, sent),
        Route::Splice => splice::send(bench, plan, range, known, sent),
        #[cfg(target_os = "linux")]
        Route::Direct => direct::send(bench, plan, range, sent),
        #[cfg(all(target_os = "linux", feature = "uring"))]
        Route::Uring => uring::send(bench, plan, range, known, sent),
        _ => Ok(Outcome::Refused { route, error: io::ErrorKind::Unsupported.into() }),
    }
}

/// What is known about the page cache, up to which byte of the plan. It grows stale: [`forget`](Self::forget) it after
/// a long wait for the socket.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Known {
    /// File bytes before this one may be read even if that waits for a disk.
    may_wait_upto: u64,
    /// File bytes before this one were found in the page cache.
    resident_upto: u64,
}

impl Known {
    /// For senders that may wait: nothing needs to be known.
    pub(crate) fn all() -> Self {
        Self { may_wait_upto: u64::MAX, resident_upto: u64::MAX }
    }

    /// The bytes before `upto` have just been read ahead: if they are gone again, a sender reads them itself, so that
    /// it gets on.
    #[cfg(feature = "tokio")]
    pub(crate) fn read_ahead(&mut self, upto: u64) {
        self.may_wait_upto = upto;
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Whether the sender may wait for whatever it is.
    #[cfg(all(target_os = "linux", feature = "uring"))]
    fn may_always_wait(self) -> bool {
        self.may_wait_upto == u64::MAX
    }

    /// Whether the bytes before `upto` can be sent without a look.
    fn covers(self, upto: u64) -> bool {
        upto <= self.may_wait_upto.max(self.resident_upto)
    }
}

impl Bench<'_> {
    /// Reads a file's bytes, waiting for a disk only if that is allowed. `None`: not without waiting. 0 bytes: the file
    /// ends.
    fn read(&self, range: &FileRange, into: &mut [u8], may_wait: bool) -> io::Result<Option<usize>> {
        let file = file_ref(range.file());
        if may_wait {
            return self.calls.read(file, into, range.offset()).map(Some);
        }
        match self.calls.read_now(file, into, range.offset()) {
            Ok(n) => Ok(Some(n)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            // A file system that cannot read without waiting may still say what it holds.
            Err(error) if crate::caps::refusal(&error).is_some() => {
                let residency = self.calls.residency(file, range.offset(), range.len());
                if route::may_send_now(residency) {
                    self.calls.read(file, into, range.offset()).map(Some)
                } else {
                    Ok(None)
                }
            }
            Err(error) => Err(error),
        }
    }

    /// Whether `range`, which stands at the cursor, may be read in the kernel now: `None`, or why not.
    fn cold(&self, plan: &SendPlan, range: &FileRange, known: &mut Known) -> Option<Outcome> {
        self.cold_behind(plan, 0, range, known)
    }

    /// As [`cold`](Self::cold), of a range that stands `before` bytes behind the cursor.
    fn cold_behind(
        &self,
        plan: &SendPlan,
        before: u64,
        range: &FileRange,
        known: &mut Known,
    ) -> Option<Outcome> {
        let upto = plan.sent() + before + range.len();
        let may = known.covers(upto) || self.look(plan, before, range, known);
        (!may).then(|| Outcome::Cold { range: range.clone(), upto })
    }

    /// Whether `range`, which stands `before` bytes behind the cursor, is in the page cache. At the cursor it looks
    /// further ahead in its piece than that, so that the next calls need not.
    fn look(&self, plan: &SendPlan, before: u64, range: &FileRange, known: &mut Known) -> bool {
        let ahead = plan.piece_ahead(self.look_bytes.max(range.len()));
        let in_piece = ahead.as_ref().map_or(range.len(), FileRange::len).max(range.len());
        let memory = seen::recall(self.owner, range);
        if memory == Memory::Resident {
            known.resident_upto = plan.sent() + before + range.len();
            return true;
        }
        let further = (memory == Memory::GoesOn).then(|| self.further(range)).flatten();
        let further = further.filter(|further| further.len() > in_piece);
        let ahead = ahead.filter(|ahead| ahead.len() > range.len());
        for look in further.iter().chain(&ahead).chain([range]) {
            if route::may_send_now(self.calls.residency(file_ref(look.file()), look.offset(), look.len())) {
                seen::note(
                    self.owner,
                    look,
                    further.as_ref().is_some_and(|further| look.len() < further.len()),
                );
                known.resident_upto = plan.sent() + before + look.len().min(in_piece);
                return true;
            }
        }
        false
    }

    /// What whoever reads on wants as well: as far behind the start of `range` as one looks, or the file goes.
    fn further(&self, range: &FileRange) -> Option<FileRange> {
        let end = self.calls.file_end(file_ref(range.file())).ok().flatten()?;
        let len = end.saturating_sub(range.offset()).min(self.look_bytes);
        Some(FileRange::new(Arc::clone(range.file()), range.offset(), len))
    }

    /// Sorts a failed call into what the loop handles and what the caller has to know.
    fn failed(&self, route: Route, error: io::Error, sent: &mut Sent) -> Result<Outcome, SendError> {
        match error.kind() {
            io::ErrorKind::WouldBlock => {
                self.stats.would_block(route, sent);
                Ok(Outcome::WouldBlock)
            }
            io::ErrorKind::Interrupted => Ok(Outcome::Sent(0)),
            _ => Err(SendError::Io(error)),
        }
    }

    /// The file has none of `range`, and so nothing of the rest of its piece, the `piece`-th ahead.
    fn shrunk(&self, plan: &SendPlan, piece: usize, range: &FileRange) -> SendError {
        self.stats.shrunk();
        let missing = match plan.ahead().0.get(piece).and_then(Piece::file_range) {
            Some(whole) => whole.len() - range.offset().saturating_sub(whole.offset()).min(whole.len()),
            None => range.len(),
        };
        SendError::FileShrunk { missing }
    }

    fn took(&self, plan: &mut SendPlan, taken: u64, offered: u64) -> Outcome {
        if taken < offered {
            self.stats.partial_send();
        }
        plan.took(taken, offered);
        if plan.is_done() && plan.cork() == Cork::In {
            // A socket that cannot be uncorked any more is broken, and says so at the next call.
            let _ = self.calls.cork(self.socket, false);
            plan.set_cork(Cork::Out);
        }
        Outcome::Sent(taken)
    }

    /// Holds partial segments back until the plan is done, where the socket can.
    fn cork(&self, plan: &mut SendPlan) {
        if plan.cork() == Cork::Out {
            let corked = self.calls.cork(self.socket, true).is_ok();
            plan.set_cork(if corked { Cork::In } else { Cork::Refused });
        }
    }
}
