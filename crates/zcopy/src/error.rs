//! Why a sending ended early.

use std::io;

/// Why [`Transfer::send`](crate::Transfer::send) gave up. In all cases part of the announced length may have
/// left already, so the only honest thing left to do with the connection is to close it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The socket or the file failed: `ECONNRESET`, `EPIPE`, `EIO` and the like.
    #[error("sending failed: {0}")]
    Io(#[from] io::Error),
    /// A file ended before its announced range did. Nothing is padded: only bytes of its own have left.
    #[error("a file is {missing} bytes shorter than was announced")]
    FileShrunk {
        /// Bytes of the range that the file no longer has.
        missing: u64,
    },
    /// A file was cut while it was sent out of a map: its end lies before what the socket has taken, and zeros may have
    /// left in place of what was cut off.
    #[error(
        "a file was cut while it was being sent, and {missing} bytes are missing: zeros may have left for them"
    )]
    FileCut {
        /// Bytes of the range that the file no longer has, those that left as zeros among them.
        missing: u64,
    },
}
