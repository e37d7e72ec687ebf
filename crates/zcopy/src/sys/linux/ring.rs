//! `io_uring(7)`: a ring that sends out of buffers of its own, by `IORING_OP_SEND_ZC`, and is told by the kernel when
//! each of them may be written again.
//!
//! ```text
//!             take                    send_zc                  result without F_MORE, or
//!   free ------------> RingBuffer -------------> in flight ---- the notification -------> free
//!     ^                 |  whoever fills it owns it             only the ring has it: nobody can write to it
//!     '---- put_back ---'
//! ```
//!
//! * An operation is completed inside the call that begins it: with `MSG_DONTWAIT` the kernel sends what the socket
//!   takes now, or says `EAGAIN`, before `io_uring_enter(2)` returns, and leaves no operation waiting. The socket's
//!   descriptor is borrowed for that long and is not needed any more when only the notification is due: what is on
//!   its way belongs to the kernel's socket, not to a number in our table.
//! * What outlives the call is the kernel's use of the *pages*, until the notification. It holds references to them
//!   and not to addresses. A ring that is dropped before all notifications came closes its descriptor and unmaps its
//!   buffers: the kernel keeps the pages until it has sent them, nobody else can write to them, and nothing is leaked.
//! * A buffer in flight is at most one operation, and there are as many places for completions as operations can
//!   have: the queues never overflow.
//!
//! *Registered* buffers are pinned once, at the start, and count against `RLIMIT_MEMLOCK`; others are pinned anew by
//! each operation.
//!
//! <https://man7.org/linux/man-pages/man2/io_uring_enter.2.html>, <https://man7.org/linux/man-pages/man3/io_uring_prep_send_zc.3.html>

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut, Range};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use io_uring::{IoUring, Probe, cqueue, opcode, types};
use linux_raw_sys::io_uring::{IORING_NOTIF_USAGE_ZC_COPIED, IORING_SEND_ZC_REPORT_USAGE};

use crate::DirectBuffer;

/// Buffers of one [`Ring`] at most: so many places has its queue, and twice as many its completions.
pub const RING_BUFFERS_MAX: usize = 64;
/// Rings made by this process so far.
static RINGS: AtomicU64 = AtomicU64::new(0);
/// The kernel is asked so many times to take an operation, before the ring is given up.
const SUBMIT_TRIES: usize = 3;

/// A ring and its buffers, `io_uring(7)`, <https://man7.org/linux/man-pages/man7/io_uring.7.html>. Route `uring` has
/// one of its own; this is for those who fill the buffers themselves. Nothing here waits.
#[doc(alias = "IORING_OP_SEND_ZC")]
#[doc(alias = "io_uring")]
pub struct Ring {
    /// Of all in this process.
    id: u64,
    // Dropped before the buffers: see the head of this file.
    io: IoUring,
    free: Vec<RingBuffer>,
    /// By index: buffers that the kernel may still read.
    flying: Vec<Option<Flying>>,
    registered: bool,
    /// Given up: it may hold an operation that must never be begun.
    dead: bool,
    result: Option<i32>,
    reported: Reported,
}

/// One of a ring's buffers, page-aligned, owned by whoever fills it. Dereferences to its bytes.
#[derive(Debug)]
pub struct RingBuffer {
    /// Whose it is.
    ring: u64,
    index: u16,
    buffer: DirectBuffer,
}

#[derive(Debug)]
struct Flying {
    buffer: RingBuffer,
    /// The socket took some of it, so that the kernel's word about copying means something.
    taken: bool,
}

/// What the kernel reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reported {
    /// Notifications that bytes which a socket took are not needed any more.
    pub(crate) notifications: u64,
    /// Of these, such that say that the kernel copied the bytes after all.
    pub(crate) copied: u64,
}

impl Ring {
    /// A ring with `buffers` buffers (at most 64) of `bytes` each, registered or not.
    ///
    /// # Errors
    /// `EINVAL` for a buffer of 2 GiB or more, or for too many buffers or none; `ENOSYS` from a kernel without io_uring
    /// or without `IORING_OP_SEND_ZC` (Linux 6.0; the report of copies came with 6.2), `EPERM` where it is forbidden
    /// (seccomp, `kernel.io_uring_disabled`), `ENOMEM` when registered buffers would exceed `RLIMIT_MEMLOCK`, `EMFILE`.
    pub fn new(buffers: usize, bytes: usize, registered: bool) -> io::Result<Self> {
        if !(1..=RING_BUFFERS_MAX).contains(&buffers) || i32::try_from(bytes).is_err() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let io = IoUring::builder().dontfork().build(RING_BUFFERS_MAX as u32)?;
        probe(&io)?;
        let id = RINGS.fetch_add(1, Ordering::Relaxed);
        let mut free = Vec::with_capacity(buffers);
        for index in 0..buffers as u16 {
            free.push(RingBuffer { ring: id, index, buffer: DirectBuffer::unpooled(bytes)? });
        }
        if registered {
            register(&io, &mut free)?;
        }
        let flying = (0..buffers).map(|_| None).collect();
        Ok(Self {
            id,
            io,
            free,
            flying,
            registered,
            dead: false,
            result: None,
            reported: Reported::default(),
        })
    }

    /// Buffers that are pinned for as long as the ring lives.
    pub fn registered(&self) -> usize {
        if self.registered { self.flying.len() } else { 0 }
    }

    /// Buffers that the kernel may still read.
    pub fn in_flight(&self) -> usize {
        self.flying.iter().flatten().count()
    }

    /// A buffer to fill; what is in it is what an earlier user left. `None`: all are being filled or in flight. Does
    /// not wait.
    pub fn take(&mut self) -> Option<RingBuffer> {
        self.reap();
        self.free.pop()
    }

    /// Takes a buffer back unsent. One of another ring is dropped.
    pub fn put_back(&mut self, buffer: RingBuffer) {
        if buffer.ring == self.id {
            self.free.push(buffer);
        }
    }

    /// Sends `range` of `buffer` with `MSG_NOSIGNAL`, and `MSG_MORE` when `more` is to follow; never waits, whatever
    /// the socket is. Returns how many bytes the socket took. The buffer comes back by itself, when the kernel is done
    /// with it.
    ///
    /// # Errors
    /// `EINVAL` for a range beyond the buffer or a buffer of another ring; `EAGAIN` when the socket is full;
    /// `EOPNOTSUPP` from a socket that cannot (a unix socket), `EINVAL` from a kernel that does not know of the report;
    /// what `send(2)` reports; `Unsupported` without a number from a ring that was given up because the kernel did not
    /// take an operation.
    pub fn send_zc(
        &mut self,
        socket: BorrowedFd<'_>,
        buffer: RingBuffer,
        range: Range<usize>,
        more: bool,
    ) -> io::Result<usize> {
        let index = buffer.index;
        let place = self.flying.get(usize::from(index)).filter(|_| buffer.ring == self.id);
        let (Some(bytes), Some(None)) = (buffer.get(range), place) else {
            self.put_back(buffer);
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        };
        let more = if more { libc::MSG_MORE } else { 0 };
        let send = opcode::SendZc::new(types::Fd(socket.as_raw_fd()), bytes.as_ptr(), bytes.len() as u32)
            .buf_index(self.registered.then_some(index))
            .flags(libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL | more)
            .zc_flags(IORING_SEND_ZC_REPORT_USAGE as u16)
            .build()
            .user_data(u64::from(index));
        if let Some(place) = self.flying.get_mut(usize::from(index)) {
            *place = Some(Flying { buffer, taken: false });
        }
        self.begin(&send)?;
        self.result(index)
    }

    /// Whether it was given up: every operation is refused from now on.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead
    }

    /// Gives it up.
    pub(crate) fn give_up(&mut self) {
        self.dead = true;
    }

    /// Takes in what the kernel reported meanwhile. Does not wait.
    pub fn reap(&mut self) {
        for completion in self.io.completion() {
            let index = completion.user_data() as usize;
            let Some(place) = self.flying.get_mut(index) else { continue };
            let (notified, result) = (cqueue::notif(completion.flags()), completion.result());
            if notified {
                let counts = place.as_ref().is_some_and(|flying| flying.taken);
                let copied = result as u32 & IORING_NOTIF_USAGE_ZC_COPIED != 0;
                self.reported.notifications += u64::from(counts);
                self.reported.copied += u64::from(counts && copied);
            } else {
                self.result = Some(result);
                if let Some(flying) = place.as_mut() {
                    flying.taken = result > 0;
                }
            }
            if notified || !cqueue::more(completion.flags()) {
                self.free.extend(place.take().map(|flying| flying.buffer));
            }
        }
    }

    /// What was reported since the last time this was asked.
    pub(crate) fn reported(&mut self) -> Reported {
        std::mem::take(&mut self.reported)
    }

    /// Hands `entry` to the kernel. When this fails, the operation is not begun, and never will be.
    fn begin(&mut self, entry: &io_uring::squeue::Entry) -> io::Result<()> {
        if self.dead {
            return Err(io::ErrorKind::Unsupported.into());
        }
        // SAFETY: the bytes the entry points to are in `flying` and stay there, and mapped, and unwritten, until the
        // kernel has reported that it is done with them, or the ring is gone; the descriptor is borrowed by the caller
        // until the operation has its result.
        let pushed = unsafe { self.io.submission().push(entry) };
        for _ in 0..SUBMIT_TRIES {
            // An error means that nothing was taken; what was taken is gone from the queue.
            let answer = self.io.submit();
            if pushed.is_ok() && self.io.submission().is_empty() {
                return Ok(());
            }
            self.reap();
            if answer.is_err_and(|error| error.raw_os_error() == Some(libc::EPERM)) {
                break;
            }
        }
        // The next call would begin it, at a time when its bytes were sent another way.
        self.give_up();
        Err(io::ErrorKind::Unsupported.into())
    }

    /// The result of the operation that was begun last.
    fn result(&mut self, index: u16) -> io::Result<usize> {
        loop {
            self.reap();
            if let Some(result) = self.result.take() {
                return usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result));
            }
            // Not seen: the kernel completes the operation before it returns from the call that begins it.
            match self.io.submit_and_wait(1) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    self.give_up();
                    // Some of it may have left: no refusal, which would be answered by sending it again.
                    return Err(io::Error::other(format!("no result of operation {index}: {error}")));
                }
                _ => {}
            }
        }
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("buffers", &self.flying.len())
            .field("registered", &self.registered)
            .field("in_flight", &self.in_flight())
            .field("dead", &self.dead)
            .finish_non_exhaustive()
    }
}

impl Deref for RingBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.buffer
    }
}

impl DerefMut for RingBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.buffer
    }
}

/// Whether the kernel has the operation. One that cannot be asked is older than it.
fn probe(io: &IoUring) -> io::Result<()> {
    let mut probe = Probe::new();
    match io.submitter().register_probe(&mut probe) {
        Err(error) if error.raw_os_error() != Some(libc::EINVAL) => Err(error),
        Ok(()) if probe.is_supported(opcode::SendZc::CODE) => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::ENOSYS)),
    }
}

/// Pins `buffers`, in the order of their indices.
fn register(io: &IoUring, buffers: &mut [RingBuffer]) -> io::Result<()> {
    let parts: Vec<_> = buffers
        .iter_mut()
        .map(|buffer| libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() })
        .collect();
    // SAFETY: each part is one live mapping of exactly that length. The kernel pins its pages and then refers to those:
    // a buffer that is unmapped early costs the pages until the ring is closed, and nothing else can come to lie in
    // them.
    unsafe { io.submitter().register_buffers(&parts) }
}
