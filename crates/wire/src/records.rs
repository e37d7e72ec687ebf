//! `Records`: the one field kind whose bytes may be left out of an encoded message.

use bytes::Bytes;

/// Record batches inside a Produce request or a Fetch response, described or carried.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Records {
    /// Null on the wire.
    #[default]
    Null,
    /// The bytes themselves: a slice of the request's frame when decoded, copied into the head when encoded.
    Bytes(Bytes),
    /// This many bytes live elsewhere (in a file). Encoding writes their length and leaves a hole, which
    /// [`crate::Frame::holes`] names; who sends the frame puts exactly that many bytes there. Never decoded.
    Hole(u32),
}

impl Records {
    /// Zero bytes of records, which is what Kafka answers where there is nothing (never null).
    pub const EMPTY: Self = Self::Hole(0);

    /// True for null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// How many bytes of records; null counts as none.
    pub fn len(&self) -> usize {
        match self {
            Self::Null => 0,
            Self::Bytes(bytes) => bytes.len(),
            Self::Hole(len) => *len as usize,
        }
    }

    /// True if there is no byte of records.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they are here.
    pub fn bytes(&self) -> Option<&Bytes> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

impl From<Bytes> for Records {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}
