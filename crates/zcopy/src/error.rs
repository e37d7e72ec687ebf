//! Why a sending ended early.

use std::io;

/// Why [`Transfer::send`](crate::Transfer::send) gave up. In both cases part of the announced length may have
/// left already, so the only honest thing left to do with the connection is to close it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The socket or the file failed: `ECONNRESET`, `EPIPE`, `EIO` and the like.
    #[error("sending failed: {0}")]
    Io(#[from] io::Error),
    /// A file ended before its announced range did. Nothing is padded.
    #[error("a file is {missing} bytes shorter than was announced")]
    FileShrunk {
        /// Bytes of the range that the file no longer has.
        missing: u64,
    },
}
