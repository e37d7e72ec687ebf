//! One part of a [`SendPlan`](crate::SendPlan).

use bytes::Bytes;

use crate::FileRange;

/// Bytes in memory, or bytes in a file.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Bytes that the program holds. They are sent by reference and never copied in user space.
    Bytes(Bytes),
    /// Bytes that lie in a file. How they travel is decided by [`crate::route`].
    File(FileRange),
}

impl Piece {
    /// How many bytes the piece stands for.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(range) => range.len(),
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
