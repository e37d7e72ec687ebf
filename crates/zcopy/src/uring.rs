//! A transfer's one ring: made when it is first needed, on a thread that may wait, shared behind a lock.
//!
//! ```text
//!   set-up   16 registered buffers -ENOMEM-> 4 -ENOMEM-> 1 -ENOMEM-> 4 that are not registered -ENOMEM-> not now
//!
//!   new ---> making ---> ready ---- the kernel did not take an operation ----> refused, for good
//!    ^         |  '---------------- any other error ----------------------------^
//!    |         '-ENOMEM, EMFILE--> not now
//!    '---- PLANS_TO_RETRY plans later ---'
//! ```
//!
//! One thread makes it; calls go by `copy` meanwhile. The lock is held while buffers are handed out and while one
//! operation is made, which never waits; a file is read into a buffer without it. Each buffer has 256 KiB; the set is
//! locked in memory from the first use on until the transfer is dropped, or the ring is given up.

use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

use parking_lot::Mutex;
use rustix::io::Errno;

use crate::calls::Calls;
use crate::caps::PLANS_TO_RETRY;
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
    /// Somebody is at it, without the lock.
    Making,
    Ready(Box<Ring>),
    /// Something was short; so many plans have done without since.
    NotNow(u32),
    Refused(Errno),
}

/// What came of asking for a buffer.
#[derive(Debug)]
pub(crate) enum Taken {
    Buffer(RingBuffer),
    /// All of them are being filled or in flight, or the ring is being made.
    NoneFree,
    /// The ring has to be set up first.
    New,
    /// There is none for this plan.
    NotNow,
    /// There is none to be had.
    Refused(io::Error),
}

impl Uring {
    /// Sets the ring up. Waits for memory to be pinned, some milliseconds: not for an event loop.
    pub(crate) fn set_up(&self, calls: &dyn Calls, stats: &Stats) {
        {
            let mut state = self.state.lock();
            // One at a time: two would be in each other's way on the ladder of memory that may be locked.
            if !matches!(*state, State::New) {
                return;
            }
            *state = State::Making;
        }
        let made = make(calls);
        if let State::Ready(ring) = &made {
            stats.uring().registered(ring.registered());
        }
        *self.state.lock() = made;
    }

    /// A buffer to fill.
    pub(crate) fn take(&self, stats: &Stats) -> Taken {
        let mut state = self.state.lock();
        match &mut *state {
            State::New => Taken::New,
            State::Making => Taken::NoneFree,
            State::NotNow(plans) => {
                *plans += 1;
                if *plans >= PLANS_TO_RETRY {
                    *state = State::New;
                }
                Taken::NotNow
            }
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
        let mut state = self.state.lock();
        let State::Ready(ring) = &mut *state else { return Err(io::ErrorKind::Unsupported.into()) };
        let answer = calls.send_zc(ring, socket, buffer, range, more);
        ring.reap();
        stats.uring().reported(ring.reported());
        if ring.is_dead() {
            // Its descriptor and what it has locked go with it; what is in flight is the kernel's.
            *state = State::Refused(Errno::NOSYS);
            stats.uring().registered(0);
        }
        answer
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

/// A ring with as many buffers as memory may be locked for. What is short may be had later; whatever else is in the way
/// is so for good.
fn make(calls: &dyn Calls) -> State {
    for (buffers, registered) in LADDER {
        match calls.ring(buffers, BUFFER_BYTES, registered) {
            Ok(ring) => return State::Ready(Box::new(ring)),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::NOMEM | Errno::NOBUFS) => {}
                Some(Errno::MFILE | Errno::NFILE) => break,
                Some(Errno::PERM | Errno::ACCESS) => return State::Refused(Errno::PERM),
                _ => return State::Refused(Errno::NOSYS),
            },
        }
    }
    State::NotNow(0)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::calls::OsCalls;

    #[test]
    fn a_ring_that_was_given_up_is_gone_with_all_it_held() {
        let (uring, stats) = (Uring::default(), Stats::default());
        uring.set_up(&OsCalls, &stats);
        let Taken::Buffer(buffer) = uring.take(&stats) else {
            return eprintln!("no ring to be had here: nothing to give up");
        };
        let Taken::Buffer(kept) = uring.take(&stats) else { return eprintln!("one buffer only") };
        if let State::Ready(ring) = &mut *uring.state.lock() {
            ring.give_up();
        }
        let (socket, _peer) = UnixStream::pair().expect("a pair");
        let answer = uring.send(&OsCalls, &stats, socket.as_fd(), buffer, 0..10, false);
        assert_eq!(answer.expect_err("it is dead").kind(), io::ErrorKind::Unsupported);
        assert!(matches!(*uring.state.lock(), State::Refused(_)), "the ring is dropped");
        assert_eq!(stats.snapshot().uring.buffers_registered, 0);
        uring.put_back(kept);
        assert!(matches!(uring.take(&stats), Taken::Refused(_)));
    }
}
