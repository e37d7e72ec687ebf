//! One buffer: owned while it is out, back in its pool when dropped.

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use bytes::Bytes;

use super::store::{Exhausted, Store};
use crate::sys::AnonymousMap;

/// A page-aligned buffer of a [`BufferPool`](super::BufferPool), or one of its own. Dereferences to its bytes, all of
/// them; what the user has not written is zero or what an earlier user left.
///
/// Fit for `O_DIRECT`: its start, and the length of each of the pool's classes, is a multiple of any disk's sector. Fit
/// to be registered with io_uring, too; those of a pool are not, since it gives memory back to the system.
///
/// Why aligned: on common AMD cores a copy whose ends lie 1 to 31 bytes apart within a page runs at a quarter to a
/// twelfth of the speed, and large `Vec`s begin 16 bytes into a page.
///
/// ```
/// use pagewire_zcopy::DirectBuffer;
///
/// let mut buffer = DirectBuffer::unpooled(8192)?;
/// assert_eq!(buffer.as_ptr() as usize % 4096, 0);
/// buffer[..5].copy_from_slice(b"hello");
/// let shared: bytes::Bytes = buffer.freeze();
/// assert_eq!(&shared[..5], b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "ByteBuffer")]
#[doc(alias = "DirectByteBuffer")]
pub struct DirectBuffer {
    /// `None` only while being dropped.
    map: Option<AnonymousMap>,
    home: Option<Arc<Store>>,
    charged: usize,
}

impl DirectBuffer {
    /// A zeroed buffer of exactly `len` bytes that belongs to no pool and is bounded by none.
    ///
    /// # Errors
    /// `InvalidInput` for no bytes at all, `ENOMEM` without address space.
    #[doc(alias = "allocateDirect")]
    pub fn unpooled(len: usize) -> io::Result<Self> {
        Ok(Self { map: Some(AnonymousMap::new(len)?), home: None, charged: 0 })
    }

    pub(super) fn pooled(map: AnonymousMap, home: Arc<Store>, charged: usize) -> Self {
        Self { map: Some(map), home: Some(home), charged }
    }

    /// Charges the pool for the first `len` bytes, if it has not been, for something of `asked` bytes: the less, the
    /// more of the pool it may use. To be called before a buffer that is charged as it fills is written further.
    ///
    /// # Errors
    /// [`Exhausted`] when the pool's bound does not allow it; the buffer stays as it is.
    pub(crate) fn charge_for(&mut self, len: usize, asked: usize) -> Result<(), Exhausted> {
        let more = len.min(self.len()).saturating_sub(self.charged);
        if let Some(home) = &self.home
            && more > 0
        {
            home.charge(more, self.charged, asked)?;
            self.charged += more;
        }
        Ok(())
    }

    /// Whether it belongs to a pool.
    pub fn is_pooled(&self) -> bool {
        self.home.is_some()
    }

    /// Bytes the pool counts for this buffer now.
    pub fn charged_bytes(&self) -> usize {
        self.charged
    }

    /// Shares the whole buffer, read-only. It goes back to its pool when the last slice of it is dropped.
    pub fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl Deref for DirectBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.as_ref().map_or(&[], AnonymousMap::as_slice)
    }
}

impl DerefMut for DirectBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.map.as_mut().map_or(&mut [], AnonymousMap::as_mut_slice)
    }
}

impl AsRef<[u8]> for DirectBuffer {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl Drop for DirectBuffer {
    fn drop(&mut self) {
        if let (Some(map), Some(home)) = (self.map.take(), self.home.take()) {
            home.put_back(map, self.charged);
        }
    }
}

impl fmt::Debug for DirectBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectBuffer")
            .field("len", &self.len())
            .field("pooled", &self.home.is_some())
            .field("charged", &self.charged)
            .finish_non_exhaustive()
    }
}
