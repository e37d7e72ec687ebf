//! Why receiving into a file ended early.

use std::io;

/// Why [`Transfer::transfer_from`](crate::Transfer::transfer_from) gave up. Whatever it was, all bytes before the
/// caller's offset are in the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The socket failed: `ECONNRESET`, or on a blocking socket with `SO_RCVTIMEO`, `WouldBlock`. Nothing that was
    /// received is lost.
    #[error("receiving failed: {0}")]
    Socket(#[source] io::Error),
    /// The system has no memory for a buffer: `ENOMEM`. Nothing that was received is lost; go on later from the offset.
    #[error("there is no memory to receive into: {0}")]
    Memory(#[source] io::Error),
    /// The file failed: `ENOSPC`, `EDQUOT`, `EIO`. Some bytes have left the socket and are not in the file, so the
    /// stream cannot be taken up again: close the connection.
    #[error("writing failed, and {lost} bytes that were received are not in the file: {error}")]
    File {
        /// What the file said.
        #[source]
        error: io::Error,
        /// Bytes received and not written.
        lost: u64,
    },
    /// Bytes cannot be put at an offset of this file. Nothing was received.
    #[error("bytes cannot be put at an offset of this file: {0}")]
    Unsuitable(&'static str),
    /// The file cannot even be asked what it is. Nothing was received.
    #[error("looking at the file failed: {0}")]
    Look(#[source] io::Error),
}
