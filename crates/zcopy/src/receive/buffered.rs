//! Bytes read and not yet taken: in a buffer that can grow, in one that is shared already, or none.

use bytes::Bytes;

use crate::pool::{DirectBuffer, Exhausted};

/// Frames of at most this many bytes, prefix included, are copied out: cheaper than pinning 64 KiB for one.
const COPY_OUT_MAX: usize = 4 << 10;
/// So is a frame of at most this part of its buffer, so that no small one pins a very large buffer.
const COPY_OUT_SHARE: usize = 64;

/// Where the bytes are.
#[derive(Debug, Default)]
pub(super) enum Buffered {
    /// There are none, and no buffer is held.
    #[default]
    Nothing,
    /// In `buffer[start..end]`; reading goes on at `end`.
    Own { buffer: DirectBuffer, start: usize, end: usize },
    /// In the rest of a buffer whose front was handed out as a frame; `charged` is what the pool counts for it.
    /// Never empty.
    Shared { bytes: Bytes, charged: usize },
}

impl Buffered {
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Nothing => &[],
            Self::Own { buffer, start, end } => buffer.get(*start..*end).unwrap_or_default(),
            Self::Shared { bytes, .. } => bytes,
        }
    }

    /// Bytes of memory that the pool counts for them.
    #[cfg(feature = "tokio")]
    pub(super) fn charged_bytes(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Own { buffer, .. } => buffer.charged_bytes(),
            Self::Shared { charged, .. } => *charged,
        }
    }

    /// Whether more can be read behind the bytes, and a frame of `wanted` bytes would be whole before the buffer
    /// is full.
    pub(super) fn has_room(&self, wanted: usize) -> bool {
        match self {
            Self::Own { buffer, start, end } => *end < buffer.len() && start + wanted <= buffer.len(),
            _ => false,
        }
    }

    /// Charges the pool for the next `step` bytes of a buffer that is charged as it fills, if none are left. When
    /// that fails, a buffer that holds nothing is let go. `wanted` is the length of the frame at the front, if known.
    pub(super) fn charge(&mut self, step: usize, wanted: usize) -> Result<(), Exhausted> {
        let Self::Own { buffer, start, end } = self else { return Ok(()) };
        if !buffer.is_pooled() || buffer.charged_bytes() > *end {
            return Ok(());
        }
        let asked = wanted.max(*end - *start + 1);
        let charged = buffer.charge_for(end.saturating_add(step), asked);
        if charged.is_err() && start == end {
            *self = Self::Nothing;
        }
        charged
    }

    /// The space behind the bytes, as far as it is charged.
    pub(super) fn room(&mut self) -> &mut [u8] {
        let Self::Own { buffer, end, .. } = self else { return &mut [] };
        let limit = if buffer.is_pooled() { buffer.charged_bytes() } else { buffer.len() };
        buffer.get_mut(*end..limit).unwrap_or_default()
    }

    /// `n` bytes were read into the room. Lets go of a buffer that still holds none.
    pub(super) fn grew(&mut self, n: usize) {
        if let Self::Own { buffer, start, end } = self {
            *end = end.saturating_add(n).min(buffer.len());
            if start == end {
                *self = Self::Nothing;
            }
        }
    }

    /// Moves the bytes to `start` within the buffer they are in, if that makes room for a frame of `wanted` bytes,
    /// and for one byte at least. Whether it did.
    pub(super) fn compact(&mut self, start: usize, wanted: usize) -> bool {
        let Self::Own { buffer, start: from, end } = self else { return false };
        let have = *end - *from;
        if start >= *from || start + wanted.max(have + 1) > buffer.len() {
            return false;
        }
        buffer.copy_within(*from..*end, start);
        (*from, *end) = (start, start + have);
        true
    }

    /// Moves the bytes into `buffer`, `start` bytes from its beginning. They fit: the caller chose its size.
    pub(super) fn move_to(&mut self, mut buffer: DirectBuffer, start: usize) {
        let bytes = self.bytes();
        let end = start + bytes.len();
        if let Some(into) = buffer.get_mut(start..end) {
            into.copy_from_slice(bytes);
            *self = Self::Own { buffer, start, end };
        }
    }

    /// Takes the first `n` bytes, which are there: copied if they are few, else as a slice of the buffer.
    pub(super) fn take(&mut self, n: usize) -> Bytes {
        match std::mem::take(self) {
            Self::Own { buffer, start, end } if n <= COPY_OUT_MAX.max(buffer.len() / COPY_OUT_SHARE) => {
                let taken = Bytes::copy_from_slice(buffer.get(start..start + n).unwrap_or_default());
                if start + n < end {
                    *self = Self::Own { buffer, start: start + n, end };
                }
                taken
            }
            Self::Own { buffer, start, end } => {
                let charged = buffer.charged_bytes();
                self.share(buffer.freeze().slice(start..end), charged, n)
            }
            Self::Shared { bytes, charged } if n <= COPY_OUT_MAX => {
                let taken = Bytes::copy_from_slice(bytes.get(..n).unwrap_or_default());
                if n < bytes.len() {
                    *self = Self::Shared { bytes: bytes.slice(n..), charged };
                }
                taken
            }
            Self::Shared { bytes, charged } => self.share(bytes, charged, n),
            Self::Nothing => Bytes::new(),
        }
    }

    fn share(&mut self, mut bytes: Bytes, charged: usize, n: usize) -> Bytes {
        let taken = bytes.split_to(n.min(bytes.len()));
        if !bytes.is_empty() {
            *self = Self::Shared { bytes, charged };
        }
        taken
    }
}
