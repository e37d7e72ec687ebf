//! Page-aligned buffers, reused, with one bound on all memory that is out or kept.
//!
//! Page-aligned because an unaligned destination makes every copy four to twelve times slower on common CPUs,
//! and a `Vec` of 256 KiB always is unaligned. Anonymous maps, so that memory is real only where it was touched.
//!
//! ```text
//!   take(n)   n <= 4 MiB   the smallest class that holds it (64 KiB, 256 KiB, 1 MiB, 4 MiB), from those kept
//!             larger       a map of exactly n bytes
//!             charged whole; but what a Receiver takes beyond 1 MiB is charged as it fills, so that a length that
//!             was only claimed costs nothing
//!   drop      a class      kept while the idle ones are below idle_max_bytes, else given back to the system
//!             larger       given back
//!   scarce                 the more a buffer is to hold, the earlier it waits (`share`), and half a frame that
//!                          makes no progress while others wait is given up (`holders`)
//!   trim()                 gives back the idle buffers that nobody needed since the trim before
//! ```
//!
//! None of them is *registered*. A registered buffer's pages are pinned by the kernel once, so that an io_uring
//! operation need not pin them each time; they count against `RLIMIT_MEMLOCK` and can be given back to the system only
//! with the ring. So route `uring` has a small set of its own, see `sys/ring.rs`, and the pool stays free to trim.

mod buffer;
mod class;
#[cfg(feature = "tokio")]
mod holders;
mod share;
mod store;

use std::io;
use std::sync::Arc;

pub use buffer::DirectBuffer;
pub(crate) use class::{CLASS_LARGEST, CLASS_SMALLEST};
#[cfg(feature = "tokio")]
pub use holders::Evicted;
#[cfg(feature = "tokio")]
pub(crate) use holders::Holder;
use store::Store;
pub use store::{Exhausted, PoolOptions, PoolUsage};

/// What somebody who holds it while a peer is slow makes do with, where the pool has no room: so that small things
/// still get through, and memory that no pool counts stays in proportion to the connections there are.
pub(crate) const SPARE_BYTES: usize = 16 << 10;

/// A bounded pool of page-aligned [`DirectBuffer`]s. A handle; clones share the pool. A buffer keeps its pool alive.
///
/// Buffers come in classes of 64 KiB, 256 KiB, 1 MiB and 4 MiB; larger ones have exactly the length asked for. What is
/// dropped is kept for reuse, up to [`PoolOptions::idle_max_bytes`]. Nothing waits: at the bound, taking fails.
///
/// ```
/// use pagewire_zcopy::{BufferPool, PoolOptions};
///
/// let pool = BufferPool::new(PoolOptions { max_bytes: 8 << 20, ..PoolOptions::default() });
/// let buffer = pool.take(100_000)?;
/// assert_eq!(buffer.len(), 256 << 10, "the smallest class that holds it");
/// assert_eq!(pool.usage().in_use_bytes, 256 << 10);
/// drop(buffer);
/// assert_eq!((pool.usage().in_use_bytes, pool.usage().idle_bytes), (0, 256 << 10));
/// # Ok::<(), pagewire_zcopy::Exhausted>(())
/// ```
#[derive(Debug, Clone)]
pub struct BufferPool {
    store: Arc<Store>,
}

impl BufferPool {
    /// An empty pool.
    pub fn new(options: PoolOptions) -> Self {
        Self { store: Arc::new(Store::new(options)) }
    }

    /// A buffer of at least `min_len` bytes: of its class's size, or of exactly `min_len` beyond the largest. The pool
    /// counts all of it. Its contents are what the last user left.
    ///
    /// # Errors
    /// [`Exhausted`] when it would exceed the part of the pool that is for buffers of this size, or the system has no
    /// address space.
    pub fn take(&self, min_len: usize) -> Result<DirectBuffer, Exhausted> {
        let mut buffer = self.take_to_fill(min_len)?;
        buffer.charge_for(buffer.len(), min_len)?;
        Ok(buffer)
    }

    /// As [`take`](Self::take), but that a new buffer beyond 1 MiB is counted as it fills: whoever fills it calls
    /// [`DirectBuffer::charge_for`] first, so that a length which was only claimed costs nothing.
    pub(crate) fn take_to_fill(&self, min_len: usize) -> Result<DirectBuffer, Exhausted> {
        let (map, charged) = self.store.take(min_len)?;
        Ok(DirectBuffer::pooled(map, Arc::clone(&self.store), charged))
    }

    /// Whether more than half of the bytes that there may be are out.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_scarce(&self) -> bool {
        self.usage().in_use_bytes > self.options().max_bytes / 2
    }

    /// A buffer of at least `len` bytes that is dropped before anything is waited for. There are never more of those
    /// than threads, so a pool at its bound is no reason to stop: then it is one of its own.
    pub(crate) fn take_for_a_call(&self, len: usize) -> io::Result<DirectBuffer> {
        self.take(len).or_else(|_| DirectBuffer::unpooled(len))
    }

    /// A buffer that may be held while a peer is slow: of at least `len` bytes, of the smallest class where the pool
    /// has no room for that, or a spare of [`SPARE_BYTES`] where it has none at all. Look at its length.
    pub(crate) fn take_or_spare(&self, len: usize) -> io::Result<DirectBuffer> {
        let smaller =
            |exhausted| if len > CLASS_SMALLEST { self.take(CLASS_SMALLEST) } else { Err(exhausted) };
        self.take(len).or_else(smaller).or_else(|_| DirectBuffer::unpooled(len.clamp(1, SPARE_BYTES)))
    }

    /// Whether `bytes` for something of `asked` bytes would be allowed now: cheaper than to try.
    pub(crate) fn check(&self, bytes: usize, asked: usize) -> Result<(), Exhausted> {
        self.store.check(bytes, asked)
    }

    /// A new buffer of `len` bytes, rounded up to pages, of which none is charged yet, whatever its size.
    pub(crate) fn take_unfilled(&self, len: usize) -> Result<DirectBuffer, Exhausted> {
        let map = self.store.map(len.next_multiple_of(crate::sys::PAGE), 0)?;
        Ok(DirectBuffer::pooled(map, Arc::clone(&self.store), 0))
    }

    /// The longest frame for which there is room, if nobody else held any: half the bound, nearly.
    pub fn frame_len_max(&self) -> usize {
        share::frame_max(self.store.options.max_bytes)
    }

    /// What the pool holds now.
    pub fn usage(&self) -> PoolUsage {
        self.store.usage()
    }

    /// Its bounds.
    pub fn options(&self) -> PoolOptions {
        self.store.options
    }

    /// Gives the idle buffers back to the system that nobody needed since the trim before. Called every few
    /// seconds, a process at rest keeps none after the second call, and a busy one keeps what it uses.
    pub fn trim(&self) {
        self.store.trim();
    }

    /// A future that is ready when a buffer has come back after it was enabled.
    #[cfg(feature = "tokio")]
    pub(crate) fn released(&self) -> tokio::sync::futures::Notified<'_> {
        self.store.released.notified()
    }

    /// Somebody waits for memory: see to it that some comes back.
    #[cfg(feature = "tokio")]
    pub(crate) fn relieve(&self, now: std::time::Instant) {
        self.store.relieve(now);
    }

    /// To be told when half a frame is to be given up.
    #[cfg(feature = "tokio")]
    pub(crate) fn holder(&self, now: std::time::Instant) -> Arc<Holder> {
        self.store.holders.register(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(max_bytes: usize, idle_max_bytes: usize) -> BufferPool {
        BufferPool::new(PoolOptions { max_bytes, idle_max_bytes, ..PoolOptions::default() })
    }

    #[test]
    fn a_large_buffer_that_is_to_fill_is_charged_as_it_does() {
        let pool = pool(2 << 20, 0);
        let mut buffer = pool.take_to_fill(1 << 30).expect("address space is not memory");
        assert_eq!(pool.usage().in_use_bytes, 0);
        buffer.charge_for(1 << 20, 1 << 20).expect("room");
        buffer.charge_for(1000, 1000).expect("already charged");
        assert_eq!(pool.usage().in_use_bytes, 1 << 20);
        assert!(buffer.charge_for(3 << 20, 3 << 20).is_err());
        assert_eq!((buffer.charged_bytes(), pool.usage().in_use_bytes), (1 << 20, 1 << 20));
        drop(buffer);
        assert_eq!(pool.usage().in_use_bytes, 0);
    }

    #[test]
    fn a_reused_one_is_charged_whole() {
        let pool = pool(8 << 20, 4 << 20);
        let first = pool.take_to_fill(3 << 20).expect("room");
        assert_eq!((first.len(), pool.usage().in_use_bytes), (4 << 20, 0));
        drop(first);
        let second = pool.take_to_fill(2 << 20).expect("room");
        assert_eq!((second.charged_bytes(), pool.usage().mapped), (4 << 20, 1));
        drop(second);
        assert_eq!((pool.usage().in_use_bytes, pool.usage().idle_bytes), (0, 4 << 20));
    }
}
