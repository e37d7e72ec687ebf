//! Why bytes could not be read, and why a message could not be written. Each error names the field, as
//! `Message.field` or `Struct.field`; what the broker answers or logs is decided elsewhere.

use thiserror::Error;

/// Why a message could not be decoded. The bytes came from outside: none of these is a fault of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The field wants more bytes than are left.
    #[error("{field}: {needed} bytes wanted, {left} left")]
    Truncated {
        /// Which field was being read.
        field: &'static str,
        /// Bytes wanted.
        needed: usize,
        /// Bytes left in the frame.
        left: usize,
    },
    /// A count of elements that cannot fit into the bytes left, whatever the elements are.
    #[error("{field}: {count} elements cannot fit into {left} bytes")]
    CountTooLarge {
        /// Which array.
        field: &'static str,
        /// Elements announced.
        count: usize,
        /// Bytes left in the frame.
        left: usize,
    },
    /// The frame would unfold into more memory than the reader may use (see [`crate::Reader`]).
    #[error("{field}: the frame unfolds into more memory than allowed")]
    MemoryExceeded {
        /// The array that passed the limit.
        field: &'static str,
    },
    /// A length below -1.
    #[error("{field}: length {length} is negative")]
    NegativeLength {
        /// Which field.
        field: &'static str,
        /// The length as read.
        length: i32,
    },
    /// A string longer than the protocol allows (32,767 bytes).
    #[error("{field}: a string of {length} bytes is too long")]
    StringTooLong {
        /// Which field.
        field: &'static str,
        /// The length as read.
        length: usize,
    },
    /// Null where the schema has no null in this version.
    #[error("{field}: null is not allowed here")]
    UnexpectedNull {
        /// Which field.
        field: &'static str,
    },
    /// A variable-length integer of more than 32 bits.
    #[error("{field}: a variable-length integer is longer than 32 bits")]
    BadVarint {
        /// Which field.
        field: &'static str,
    },
    /// The message has no such version.
    #[error("{message} has no version {version}")]
    UnsupportedVersion {
        /// Which message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
    /// A request header with an API key that nobody knows.
    #[error("unknown API key {key}")]
    UnknownKey {
        /// The key as read.
        key: i16,
    },
}

/// Why a message could not be encoded. Always a fault of the side that built it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The field is set, does not exist in this version, and the schema does not let it be dropped silently.
    #[error("{field} is set but does not exist in version {version}")]
    FieldNotInVersion {
        /// Which field.
        field: &'static str,
        /// The version being written.
        version: i16,
    },
    /// Null where the schema has no null in this version.
    #[error("{field}: null is not allowed here")]
    UnexpectedNull {
        /// Which field.
        field: &'static str,
    },
    /// A string of more than 32,767 bytes, or bytes or an array beyond 2^31 - 1.
    #[error("{field}: {length} is too long")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Length in bytes, or elements of an array.
        length: usize,
    },
    /// The whole frame passes the 2^31 - 1 bytes that its size prefix can say.
    #[error("a frame of {length} bytes is too long")]
    FrameTooLong {
        /// Length of the frame in bytes.
        length: usize,
    },
    /// The message has no such version.
    #[error("{message} has no version {version}")]
    UnsupportedVersion {
        /// Which message.
        message: &'static str,
        /// The version asked for.
        version: i16,
    },
}
