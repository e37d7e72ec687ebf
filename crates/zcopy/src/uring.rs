//! A transfer's one ring: made when it is first needed, on a thread that may wait, shared behind a lock.
//!
//! ```text
//!   set-up   16 registered buffers -ENOMEM-> 4 -ENOMEM-> 1 -ENOMEM-> 4 that are not registered -> refused
//!   new ----------------> ready         any other error ---------------------------------------> refused, for good
//! ```
//!
//! The lock is held while buffers are handed out and while one operation is made, which never waits; a file is read
//! into a buffer without it. Each buffer has 256 KiB; the set is locked in memory from the first use on until the
//! transfer is dropped.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use parking_lot::Mutex;
use rustix::io::Errno;

use crate::calls::Calls;
use crate::stats::Stats;
use crate::sys::{Ring, RingBuffer};

/// Bytes of one buffer: what `copy` offers a socket at most.
pub(crate) const BUFFER_BYTES: usize = 256 << 10;
/// How many buffers are tried for, and whether registered, while there is no memory for more. The first is what one
/// socket of the usual 4 MiB can hold.
const LADDER: [(usize, bool); 4] = [(16, true), (4, true), (1, true), (4, false)];

/// The ring, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Uring {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    New,
    Ready(Box<Ring>),
    Refused(Errno),
}

/// What came of asking for a buffer.
#[derive(Debug)]
pub(crate) enum Taken {
    Buffer(RingBuffer),
    /// All of them are being filled or in flight.
    NoneFree,
    /// The ring has to be set up first.
    New,
    /// There is none to be had.
    Refused(io::Error),
}

impl Uring {
    /// Sets the ring up. Waits for memory to be pinned, some milliseconds: not for an event loop.
    pub(crate) fn set_up(&self, calls: &dyn Calls, stats: &Stats) {
        if !matches!(*self.state.lock(), State::New) {
            return;
        }
        let made = match make(calls) {
            Ok(ring) => State::Ready(Box::new(ring)),
            Err(errno) => State::Refused(errno),
        };
        let mut state = self.state.lock();
        // Somebody else may have been quicker.
        if matches!(*state, State::New) {
            if let State::Ready(ring) = &made {
                stats.uring().registered(ring.registered());
            }
            *state = made;
        }
    }

    /// A buffer to fill.
    pub(crate) fn take(&self, stats: &Stats) -> Taken {
        match &mut *self.state.lock() {
            State::New => Taken::New,
            State::Refused(errno) => Taken::Refused((*errno).into()),
            State::Ready(ring) => {
                let taken = ring.take().map_or(Taken::NoneFree, Taken::Buffer);
                stats.uring().reported(ring.reported());
                taken
            }
        }
    }

    /// Takes a buffer back unsent.
    pub(crate) fn put_back(&self, buffer: RingBuffer) {
        if let State::Ready(ring) = &mut *self.state.lock() {
            ring.put_back(buffer);
        }
    }

    /// Sends `range` of `buffer`; does not wait. Errors as [`Ring::send_zc`].
    pub(crate) fn send(
        &self,
        calls: &dyn Calls,
        stats: &Stats,
        socket: BorrowedFd<'_>,
        buffer: RingBuffer,
        range: Range<usize>,
        more: bool,
    ) -> io::Result<usize> {
        match &mut *self.state.lock() {
            State::Ready(ring) => {
                let answer = calls.send_zc(ring, socket, buffer, range, more);
                ring.reap();
                stats.uring().reported(ring.reported());
                answer
            }
            State::New | State::Refused(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Takes in what the kernel reported, unless somebody else is at it.
    pub(crate) fn reap(&self, stats: &Stats) {
        if let Some(mut state) = self.state.try_lock()
            && let State::Ready(ring) = &mut *state
        {
            ring.reap();
            stats.uring().reported(ring.reported());
        }
    }
}

/// A ring with as many buffers as memory may be locked for. Whatever is in the way is in the way for good.
fn make(calls: &dyn Calls) -> Result<Ring, Errno> {
    for (buffers, registered) in LADDER {
        match calls.ring(buffers, BUFFER_BYTES, registered) {
            Ok(ring) => return Ok(ring),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::NOMEM | Errno::NOBUFS) => {}
                Some(Errno::PERM | Errno::ACCESS) => return Err(Errno::PERM),
                _ => return Err(Errno::NOSYS),
            },
        }
    }
    Err(Errno::NOSYS)
}
