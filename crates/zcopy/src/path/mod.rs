//! The routes, one file each. Each makes one attempt for what [`crate::batch`] decided, moves the plan's cursor by
//! what the kernel took, and says what happened. None of them waits.

pub(crate) mod copy;
pub(crate) mod sendfile;

use std::io;
use std::os::fd::BorrowedFd;

use crate::calls::Calls;
use crate::stats::{Sent, Stats};
use crate::{BufferPool, FileRange, Piece, Route, SendError, SendPlan};

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
    /// The kernel refused the route; nothing was sent.
    Refused { route: Route, error: io::Error },
}

/// What a route works with.
pub(crate) struct Bench<'a> {
    pub(crate) calls: &'a dyn Calls,
    pub(crate) buffers: &'a BufferPool,
    pub(crate) stats: &'a Stats,
    pub(crate) socket: BorrowedFd<'a>,
    /// File bytes before this byte of the plan may be read even if that waits for a disk.
    pub(crate) may_wait_upto: u64,
}

impl Bench<'_> {
    /// Reads a file's bytes as the bench allows. `None`: not without waiting. 0 bytes: the file ends.
    fn read(&self, range: &FileRange, into: &mut [u8], upto: u64) -> io::Result<Option<usize>> {
        use std::os::fd::AsFd as _;
        let file = range.file().as_fd();
        if upto <= self.may_wait_upto {
            return self.calls.read(file, into, range.offset()).map(Some);
        }
        match self.calls.read_now(file, into, range.offset()) {
            Ok(n) => Ok(Some(n)),
            // A file system that cannot read without waiting is treated as one that would have to.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if crate::caps::refusal(&error).is_some() => Ok(None),
            Err(error) => Err(error),
        }
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
        let missing = match plan.ahead().0.get(piece) {
            Some(Piece::File(whole)) => whole.len() - (range.offset() - whole.offset()).min(whole.len()),
            _ => range.len(),
        };
        SendError::FileShrunk { missing }
    }

    fn took(&self, plan: &mut SendPlan, taken: u64, offered: u64) -> Outcome {
        if taken < offered {
            self.stats.partial_send();
        }
        plan.took(taken, offered);
        Outcome::Sent(taken)
    }
}
