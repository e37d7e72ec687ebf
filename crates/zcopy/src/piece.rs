//! One part of a [`SendPlan`](crate::SendPlan).

use bytes::Bytes;

use crate::FileRange;
#[cfg(target_os = "linux")]
use crate::MappedRange;

/// Bytes in memory, bytes in a file, or bytes in a map of one.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Bytes that the program holds. They are sent by reference and never copied in user space.
    Bytes(Bytes),
    /// Bytes that lie in a file. How they travel is decided by [`crate::route`].
    File(FileRange),
    /// Bytes that lie in a mapped file. They are sent from the map, always: no byte of them is loaded by this process,
    /// so a file that shrinks is an error and no signal.
    #[cfg(target_os = "linux")]
    Mapped(MappedRange),
}

impl Piece {
    /// How many bytes the piece stands for.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(range) => range.len(),
            #[cfg(target_os = "linux")]
            Self::Mapped(range) => range.len() as u64,
        }
    }

    /// Its first `len` bytes.
    pub(crate) fn first(self, len: u64) -> Self {
        let short = usize::try_from(len).unwrap_or(usize::MAX);
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.slice(..short.min(bytes.len()))),
            Self::File(range) => Self::File(range.part(0, len)),
            #[cfg(target_os = "linux")]
            Self::Mapped(range) => Self::Mapped(range.part(0, short)),
        }
    }

    /// Where its bytes lie, if that is in a file.
    pub(crate) fn file_range(&self) -> Option<FileRange> {
        match self {
            Self::Bytes(_) => None,
            Self::File(range) => Some(range.clone()),
            #[cfg(target_os = "linux")]
            Self::Mapped(range) => Some(range.file_range()),
        }
    }

    /// Whether it stands for none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Bytes> for Piece {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl From<FileRange> for Piece {
    fn from(range: FileRange) -> Self {
        Self::File(range)
    }
}

#[cfg(target_os = "linux")]
impl From<MappedRange> for Piece {
    fn from(range: MappedRange) -> Self {
        Self::Mapped(range)
    }
}
