//! Receiving length-prefixed frames into pooled buffers.
//!
//! ```text
//!   fill()   waits for the socket without a buffer, then takes one and reads as much as it holds
//!   frame()  cuts the next whole frame off:
//!              up to 4 KiB  (or a 64th of its buffer) copied out, and the buffer is free for the next at once
//!              larger       a slice of the buffer, no copy; the buffer returns to the pool when the last
//!                           slice is dropped, and what lies behind the frame moves on when more is read
//!            a frame that does not fit moves to a buffer of exactly its size, whose pages become memory
//!            (and are charged to the pool) only as its bytes arrive
//! ```
//!
//! Memory is bounded. At the bound a receiver waits, the larger its frame the earlier, and whoever holds half a frame
//! without progress while others wait is told to give up ([`Evicted`]).
//!
//! A frame is a 4-byte big-endian signed length and that many bytes. The length is checked before memory is taken.
//! With nothing buffered a receiver holds no buffer.

mod buffered;
mod frame;

use std::io::{self, Read};
#[cfg(feature = "tokio")]
use std::time::{Duration, Instant};

use bytes::Bytes;

use buffered::Buffered;
pub use frame::FrameError;

#[cfg(feature = "tokio")]
use crate::either::{Either, either};
use crate::pool::{BufferPool, CLASS_LARGEST, CLASS_SMALLEST, DirectBuffer, Exhausted, SPARE_BYTES};
#[cfg(feature = "tokio")]
use crate::pool::{Evicted, Holder};
use crate::sys::PAGE;

/// A large frame is charged to the pool in steps of this many bytes.
const CHARGE_STEP: usize = 256 << 10;
/// A receiver that waits for memory looks so often in the pool's `patience` who could give some.
#[cfg(feature = "tokio")]
const LOOKS_PER_PATIENCE: u32 = 20;

/// Reads a stream into pooled buffers and cuts it into frames. One per connection. A frame is a 4-byte big-endian
/// signed length and that many bytes, and is handed out as a slice of the buffer that it was received into.
///
/// ```
/// use pagewire_zcopy::{BufferPool, PoolOptions, Receiver};
///
/// let mut receiver = Receiver::new(BufferPool::new(PoolOptions::default()));
/// let stream: &[u8] = &[0, 0, 0, 2, b'h', b'i', 0, 0, 0, 1];
/// receiver.fill_from(stream)?;
/// assert_eq!(receiver.frame(1024)?.as_deref(), Some(&b"hi"[..]));
/// assert_eq!(receiver.frame(1024)?, None, "the next one is not whole yet");
/// assert_eq!(receiver.buffered().len(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Receiver {
    pool: BufferPool,
    held: Buffered,
    /// Bytes of the frame at the front, prefix included, once `frame` has allowed its length; else 0.
    wanted: usize,
    /// About how large frames have been of late.
    typical: usize,
    /// It found no memory when it last looked.
    starved: bool,
    /// Once it has waited with part of a frame.
    #[cfg(feature = "tokio")]
    holder: Option<std::sync::Arc<Holder>>,
}

impl Receiver {
    /// A receiver that takes its buffers from `pool`. Takes none yet.
    pub fn new(pool: BufferPool) -> Self {
        Self {
            pool,
            held: Buffered::Nothing,
            wanted: 0,
            typical: 0,
            starved: false,
            #[cfg(feature = "tokio")]
            holder: None,
        }
    }

    /// What has been read and not yet been taken as a frame.
    pub fn buffered(&self) -> &[u8] {
        self.held.bytes()
    }

    /// Whether it holds a buffer. Without bytes buffered it does not.
    pub fn holds_buffer(&self) -> bool {
        !matches!(self.held, Buffered::Nothing)
    }

    /// Whether it waits for memory, not for its peer: time spent so is not the peer's.
    pub fn waits_for_memory(&self) -> bool {
        self.starved
    }

    /// Takes the next frame, without its prefix, if it is whole. `max_len` is the largest length allowed, as far as
    /// the pool ever has room for it ([`BufferPool::frame_len_max`]).
    ///
    /// Call it until it answers `None`, then [`fill`](Self::fill) again.
    ///
    /// # Errors
    /// [`FrameError`] for a negative length or one beyond what is allowed: nothing behind it can be understood, so
    /// close the connection. No memory was taken for it.
    pub fn frame(&mut self, max_len: usize) -> Result<Option<Bytes>, FrameError> {
        let allowed = max_len.min(self.pool.frame_len_max());
        let Some(len) = frame::length(self.held.bytes(), allowed)? else { return Ok(None) };
        let whole = frame::PREFIX_LEN + len;
        if self.held.bytes().len() < whole {
            self.wanted = whole;
            return Ok(None);
        }
        self.wanted = 0;
        #[cfg(feature = "tokio")]
        if let Some(holder) = &self.holder {
            holder.done();
        }
        self.typical = whole.max(self.typical - self.typical / 8);
        Ok(Some(self.held.take(whole).slice(frame::PREFIX_LEN..)))
    }

    /// Reads once from `source`, as much as the buffer holds. 0 is the end of the stream.
    ///
    /// # Errors
    /// What `source` reports; `OutOfMemory` when the pool is at its bound; `InvalidInput` when the buffer is full of
    /// bytes that were not taken by [`frame`](Self::frame).
    pub fn fill_from(&mut self, mut source: impl Read) -> io::Result<usize> {
        let read = match self.make_room()? {
            Ok(room) => source.read(room),
            Err(exhausted) => Err(io::Error::new(io::ErrorKind::OutOfMemory, exhausted)),
        };
        self.filled(read)
    }

    /// Accounts for a read into what `make_room` gave, and lets go of a buffer that holds nothing.
    fn filled(&mut self, read: io::Result<usize>) -> io::Result<usize> {
        self.held.grew(read.as_ref().copied().unwrap_or(0));
        read
    }

    /// Free space to read into, in a buffer that holds all of the frame wanted, as far as the pool allows now.
    fn make_room(&mut self) -> io::Result<Result<&mut [u8], Exhausted>> {
        let have = self.held.bytes().len();
        // Moved bytes are put so that reading goes on at a page's start.
        let gap = have.next_multiple_of(PAGE) - have;
        if !self.held.has_room(self.wanted) && !self.held.compact(gap, self.wanted) {
            if self.wanted <= have && have + gap >= CLASS_LARGEST {
                let why = "the buffer is full: take its frames first";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            }
            match self.take(have, gap) {
                Ok(buffer) => self.held.move_to(buffer, gap),
                Err(exhausted) => return self.make_spare_room(exhausted),
            }
        }
        match self.held.charge(CHARGE_STEP, self.wanted) {
            Ok(()) => {
                self.starved = false;
                Ok(Ok(self.held.room()))
            }
            Err(exhausted) => self.make_spare_room(exhausted),
        }
    }

    /// A buffer into which `have` bytes can move, `gap` from its start: a comfortable one, else one just large enough,
    /// else one of which only what fills is charged. What moves is charged before it does.
    fn take(&self, have: usize, gap: usize) -> Result<DirectBuffer, Exhausted> {
        let (least, asked) = (self.least_for(have, gap), self.wanted.max(have + 1));
        self.pool.check(gap + have + 1, asked)?;
        let comfortable = self.pool.take_to_fill(self.comfortable_for(least));
        let mut taken = comfortable.or_else(|_| self.pool.take_to_fill(least));
        if taken.is_err() && least > CLASS_SMALLEST {
            taken = self.pool.take_unfilled(least);
        }
        let mut buffer = taken?;
        buffer.charge_for(gap + have + 1, asked)?;
        Ok(buffer)
    }

    /// Does without the pool, if what is buffered and wanted fits into the spare; else it is exhausted.
    fn make_spare_room(&mut self, exhausted: Exhausted) -> io::Result<Result<&mut [u8], Exhausted>> {
        if self.wanted.max(self.held.bytes().len() + 1) > SPARE_BYTES {
            self.starved = true;
            return Ok(Err(exhausted));
        }
        self.starved = false;
        self.held.move_to(DirectBuffer::unpooled(SPARE_BYTES)?, 0);
        Ok(Ok(self.held.room()))
    }

    /// The fewest bytes of buffer that will do when `have` are to be moved to `gap` within it.
    fn least_for(&self, have: usize, gap: usize) -> usize {
        let whole = self.wanted + gap;
        if whole > CLASS_LARGEST { whole } else { whole.max((have + gap + PAGE).min(CLASS_LARGEST)) }
    }

    /// As many as serve several frames like those before, where `least` will do.
    fn comfortable_for(&self, least: usize) -> usize {
        if least > CLASS_LARGEST {
            return least;
        }
        least.max((2 * self.typical).clamp(CLASS_SMALLEST, CLASS_LARGEST))
    }
}

#[cfg(feature = "tokio")]
impl Receiver {
    /// Waits until the socket has something, and reads as much of it as the buffer holds. 0 is the end of the
    /// stream. While it waits it holds no buffer, unless part of a frame is in it. With the pool at its bound it
    /// waits for a buffer to come back; a time limit is the caller's, and [`waits_for_memory`](Self::waits_for_memory)
    /// tells whose time it is.
    ///
    /// # Cancel safety
    /// Nothing read is lost when the future is dropped.
    ///
    /// # Errors
    /// What the socket reports; `InvalidInput` when the buffer is full of bytes that were not taken by
    /// [`frame`](Self::frame); `TimedOut` with [`Evicted`] inside when the memory it holds for half a frame is needed.
    pub async fn fill<S: crate::Socket>(&mut self, socket: &S) -> io::Result<usize> {
        loop {
            self.until_readable(socket).await?;
            let pool = self.pool.clone();
            let mut released = std::pin::pin!(pool.released());
            released.as_mut().enable();
            let Ok(room) = self.make_room()? else {
                self.until_released(released).await?;
                continue;
            };
            let read = read_some(socket, room);
            match self.filled(read) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                answer => {
                    if let (Ok(n), Some(holder)) = (&answer, &self.holder) {
                        holder.arrived(*n, Instant::now());
                    }
                    return answer;
                }
            }
        }
    }

    async fn until_readable<S: crate::Socket>(&mut self, socket: &S) -> io::Result<()> {
        if !self.holds_buffer() {
            return socket.readable().await;
        }
        let patience = self.pool.options().patience;
        match either(self.waits(false).evicted(), socket.readable()).await {
            Either::One(held_bytes) => Err(give_up(held_bytes, patience)),
            Either::Other(readable) => readable,
        }
    }

    /// Waits for a buffer to come back, and sees to it that one does.
    async fn until_released(&mut self, released: impl Future<Output = ()>) -> io::Result<()> {
        let patience = self.pool.options().patience;
        let pool = self.pool.clone();
        let holder = self.waits(true);
        pool.relieve(Instant::now());
        let room_or_time = either(released, tokio::time::sleep(patience / LOOKS_PER_PATIENCE));
        match either(holder.evicted(), room_or_time).await {
            Either::One(held_bytes) => Err(give_up(held_bytes, patience)),
            Either::Other(_) => Ok(()),
        }
    }

    fn waits(&mut self, starved: bool) -> &Holder {
        let now = Instant::now();
        let holder = self.holder.get_or_insert_with(|| self.pool.holder(now));
        holder.waits(self.held.charged_bytes(), starved || self.starved, now);
        holder
    }
}

#[cfg(feature = "tokio")]
fn give_up(held_bytes: usize, patience: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, Evicted { held_bytes, patience })
}

/// Reads once. A read that leaves room has emptied the socket, and says so to tokio in the same breath: the next wait
/// then costs no read in vain. (Data that arrives after the read sets the mark anew.)
#[cfg(feature = "tokio")]
fn read_some<S: crate::Socket>(socket: &S, room: &mut [u8]) -> io::Result<usize> {
    let mut read = None;
    let answer = socket.try_read(|| {
        let n = crate::os::receive(crate::os::socket_ref(socket), &mut *room)?;
        read = Some(n);
        if 0 < n && n < room.len() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(n) }
    });
    read.map_or(answer, Ok)
}
