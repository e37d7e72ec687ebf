//! The kernel's word on sends with `MSG_ZEROCOPY`: when it has let go of their pages, and whether it copied after all.
//!
//! <https://docs.kernel.org/networking/msg_zerocopy.html>

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::AddressFamily;

use crate::calls::Calls;
use crate::stats::{Sent, Stats};
use crate::sys::{self, SocketOption};
use crate::{Route, Transfer};

/// Messages read in one go at most: no more come while the pages of so many calls are in flight.
const MESSAGES_MAX: usize = 1024;

/// One message of a socket's error queue: the kernel has let go of the pages of some sends,
/// <https://docs.kernel.org/networking/msg_zerocopy.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias = "MSG_ZEROCOPY")]
#[doc(alias = "MSG_ERRQUEUE")]
pub struct Completion {
    /// The number of the first send; a socket counts them from 0, and after 2^32 - 1 from 0 again.
    pub first: u32,
    /// The number of the last one.
    pub last: u32,
    /// `SO_EE_CODE_ZEROCOPY_COPIED`: their bytes were copied.
    pub copied: bool,
}

impl Completion {
    /// How many sends.
    pub fn sends(&self) -> u64 {
        u64::from(self.last.wrapping_sub(self.first)) + 1
    }
}

/// Sends that were completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Completions {
    /// How many.
    pub completed: u64,
    /// Of these, sends whose bytes the kernel copied after all.
    pub copied: u64,
}

impl Completions {
    pub(crate) fn add(&mut self, other: Self) {
        self.completed += other.completed;
        self.copied += other.copied;
    }
}

/// What was taken out of an error queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Cleared {
    /// Messages about anything.
    pub(crate) is_any: bool,
    pub(crate) done: Completions,
}

/// Empties the error queue of `socket`, which has `SO_ZEROCOPY`, and counts. Never waits. Messages about anything else
/// are dropped; an error of the socket's is left for the next send to find.
pub(crate) fn drain(calls: &dyn Calls, stats: &Stats, socket: BorrowedFd<'_>) -> Completions {
    empty(calls, stats, socket).done
}

/// The same of a socket that need not have `SO_ZEROCOPY`: messages about anything make every wait end at once.
pub(crate) fn clear_error_queue(calls: &dyn Calls, stats: &Stats, socket: BorrowedFd<'_>) -> Cleared {
    // A unix socket takes the question for one about its data.
    match rustix::net::sockopt::socket_domain(socket) {
        Ok(AddressFamily::INET | AddressFamily::INET6) => empty(calls, stats, socket),
        _ => Cleared::default(),
    }
}

fn empty(calls: &dyn Calls, stats: &Stats, socket: BorrowedFd<'_>) -> Cleared {
    let mut cleared = Cleared::default();
    for _ in 0..MESSAGES_MAX {
        match calls.completion(socket) {
            Ok(told) => {
                cleared.is_any = true;
                let sends = told.map_or(0, |told| told.sends());
                let copied = if told.is_some_and(|told| told.copied) { sends } else { 0 };
                cleared.done.add(Completions { completed: sends, copied });
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    stats.zerocopy_completed(cleared.done);
    cleared
}

impl Transfer {
    /// Reads the kernel's word on sends with `MSG_ZEROCOPY` over `socket` out of its error queue, as far as it has been
    /// said, and counts it in [`stats`](Self::stats). Does not wait. A sending does the same before each of its calls
    /// and at its end, so only what is still in flight then is left to be asked for.
    ///
    /// The file's pages are kept by the kernel as long as it needs them, whether somebody asks or not. But what is not
    /// read stays in the queue, which makes the socket ready with an error (`POLLERR`) for whoever polls it: ask before
    /// a socket is given to a reactor. mio, and so tokio, takes an error together with room to write for a closed write
    /// side, which it never forgets.
    ///
    /// Messages about other things (`SO_TIMESTAMPING`, `IP_RECVERR`) are taken out of the queue and dropped.
    ///
    /// # Errors
    /// What asking the socket for `SO_ZEROCOPY` reports. A socket without that has nothing to say, a unix socket too.
    pub fn reap_completions(&self, socket: impl AsFd) -> io::Result<Completions> {
        let socket = socket.as_fd();
        if !has_zerocopy(socket)? {
            return Ok(Completions::default());
        }
        Ok(drain(self.calls(), self.stats(), socket))
    }

    /// As [`reap_completions`](Self::reap_completions), waiting until `sends` are completed (see [`Sent::zerocopy`]),
    /// for `wait_max` at most. Returns what there was. Comes back early when the connection has failed and no more is
    /// to come.
    ///
    /// # Errors
    /// As there, and what `poll(2)` reports.
    ///
    /// ```
    /// use std::{fs::File, io::Read, net::{TcpListener, TcpStream}, sync::Arc, time::Duration};
    /// use pagewire_zcopy::{BufferPool, FileRange, IoPool, PoolOptions, Route, SendPlan, Transfer, TransferOptions};
    ///
    /// let options = TransferOptions { route: Some(Route::Zerocopy), ..TransferOptions::default() };
    /// let transfer = Transfer::new(options, BufferPool::new(PoolOptions::default()), IoPool::new(1, 1));
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let socket = TcpStream::connect(listener.local_addr()?)?;
    /// let mut plan = SendPlan::new();
    /// plan.push_file(FileRange::new(Arc::new(File::open("/proc/self/exe")?), 0, 4096));
    /// let sent = transfer.send_blocking(&socket, &mut plan)?;
    /// listener.accept()?.0.read_exact(&mut [0; 4096])?;
    ///
    /// let open = sent.zerocopy.sends - sent.zerocopy.completions;
    /// let rest = transfer.reap_completions_within(&socket, open, Duration::from_secs(5))?;
    /// println!("{} of {} calls were copied after all", sent.zerocopy.copied + rest.copied, sent.zerocopy.sends);
    /// assert_eq!(rest.completed, open);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reap_completions_within(
        &self,
        socket: impl AsFd,
        sends: u64,
        wait_max: Duration,
    ) -> io::Result<Completions> {
        let socket = socket.as_fd();
        let start = Instant::now();
        let wait = || {
            let left = wait_max.saturating_sub(start.elapsed());
            if left.is_zero() { Ok(Waited::TimeIsUp) } else { wait_for_error(socket, left) }
        };
        reap_until(sends, || self.reap_completions(socket), wait)
    }

    /// Whether the kernel has copied all that was sent with `MSG_ZEROCOPY` of late, often enough to tell (the last 16
    /// times): the way to the peers does not take pages, and the copy was only made later and dearer. Then
    /// [`Route::Zerocopy`] is not taken where the thresholds name it, only where it is forced; `sendfile` stands in,
    /// with [`Why::Refused`](crate::route::Why::Refused). Other peers may come: after 1,024 more plans it is tried once
    /// more.
    pub fn copied_after_all(&self) -> bool {
        self.stats().copied_lately().is_so()
    }

    /// What is there to be read when a sending ends.
    pub(crate) fn reap_at_end(&self, socket: BorrowedFd<'_>, sent: &mut Sent) {
        if sent.by(Route::Zerocopy) > 0 {
            sent.zerocopy.completed(drain(self.calls(), self.stats(), socket));
        }
    }
}

/// Whether `MSG_ZEROCOPY` means anything to the socket. Reading the error queue of another one could read its data.
fn has_zerocopy(socket: BorrowedFd<'_>) -> io::Result<bool> {
    let mut value = [0; size_of::<i32>()];
    sys::socket_option(socket, SocketOption::Zerocopy, &mut value)?;
    Ok(i32::from_ne_bytes(value) != 0)
}

/// How a wait for the error queue ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waited {
    /// With a message there, or with an error of the connection.
    Ready,
    /// Early, because a signal came, or late: time will tell.
    Again,
    TimeIsUp,
}

/// Reaps and waits by turns, until `sends` are completed or none is to be expected.
fn reap_until(
    sends: u64,
    mut reap: impl FnMut() -> io::Result<Completions>,
    mut wait: impl FnMut() -> io::Result<Waited>,
) -> io::Result<Completions> {
    let mut done = reap()?;
    while done.completed < sends {
        match wait()? {
            Waited::Again => {}
            Waited::TimeIsUp => break,
            Waited::Ready => {
                let more = reap()?;
                // Nothing in the queue: the error is the connection's.
                if more == Completions::default() {
                    break;
                }
                done.add(more);
            }
        }
    }
    Ok(done)
}

/// Waits for an error or a message in the error queue, for `wait_max` at most.
fn wait_for_error(socket: BorrowedFd<'_>, wait_max: Duration) -> io::Result<Waited> {
    // What is too long for the kernel to count is for ever.
    let wait_max = Timespec::try_from(wait_max).ok();
    // No flag: errors are always reported.
    match poll(&mut [PollFd::new(&socket, PollFlags::empty())], wait_max.as_ref()) {
        Ok(1..) => Ok(Waited::Ready),
        Ok(0) | Err(Errno::INTR) => Ok(Waited::Again),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a reaping that finds these, with waits that end so, comes to; and how many waits there were.
    fn reaped(found: &[u64], waits: &[Waited]) -> (u64, usize) {
        let (mut found, mut waited) = (found.iter(), 0);
        let reap = || {
            let completed = found.next().copied().unwrap_or(0);
            Ok(Completions { completed, copied: 0 })
        };
        let wait = || {
            waited += 1;
            Ok(waits.get(waited - 1).copied().unwrap_or(Waited::TimeIsUp))
        };
        let done = reap_until(5, reap, wait).expect("no error");
        (done.completed, waited)
    }

    #[test]
    fn a_signal_ends_neither_the_wait_nor_the_hope() {
        use Waited::{Again, Ready, TimeIsUp};
        assert_eq!(reaped(&[0, 2, 3], &[Again, Ready, Again, Again, Ready]), (5, 5));
        assert_eq!(reaped(&[0, 2, 3], &[Ready, Again, TimeIsUp]), (2, 3), "the time limit holds");
        assert_eq!(
            reaped(&[1, 0, 4], &[Ready, Ready]),
            (1, 1),
            "an error and no message: no more is to come"
        );
        assert_eq!(reaped(&[5], &[]), (5, 0));
    }

    #[test]
    fn a_range_counts_both_ends_and_wraps() {
        let sends = |first, last| Completion { first, last, copied: false }.sends();
        assert_eq!((sends(3, 3), sends(0, 9), sends(u32::MAX, 1)), (1, 10, 3));
    }
}
