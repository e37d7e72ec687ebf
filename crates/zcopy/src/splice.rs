//! `splice(2)`: moves page references between a pipe and a file or a socket. One end is always a pipe.
//!
//! ```text
//!   file   --FileToPipe-->    +--------+   --PipeToSocket-->  socket     sending
//!   socket --SocketToPipe-->  |  pipe  |   --PipeToFile---->  file       receiving
//!                             +--------+
//! ```
//!
//! Whether a leg waits for its socket is up to the socket (`O_NONBLOCK`). No leg ever waits for its pipe: a pipe is
//! filled only while it is empty, and emptied only while it is not. A file may wait for its disk.
//!
//! <https://man7.org/linux/man-pages/man2/splice.2.html>

use std::io;

use crate::{FileRef, SocketRef};

/// What a splice joins, and where.
#[derive(Debug, Clone, Copy)]
pub enum Splice<'a> {
    /// A file's bytes from `offset` on to a pipe. 0 bytes is the end of the file.
    FileToPipe {
        /// Any file with pages.
        file: FileRef<'a>,
        /// Position in the file, in bytes.
        offset: u64,
        /// Where bytes go in.
        pipe: FileRef<'a>,
    },
    /// A pipe's bytes to a socket.
    PipeToSocket {
        /// Where bytes come out.
        pipe: FileRef<'a>,
        /// Connected.
        socket: SocketRef<'a>,
        /// Whether more is to follow at once, so that a last, partial segment is held back for it.
        more: bool,
    },
    /// What a socket has received to a pipe. 0 bytes is the end of the stream.
    SocketToPipe {
        /// Connected.
        socket: SocketRef<'a>,
        /// Where bytes go in.
        pipe: FileRef<'a>,
    },
    /// A pipe's bytes to a file: copied into the page cache.
    PipeToFile {
        /// Where bytes come out.
        pipe: FileRef<'a>,
        /// Open for writing, not for appending.
        file: FileRef<'a>,
        /// Position in the file, in bytes.
        offset: u64,
    },
}

/// Moves at most `count` bytes, in one call.
#[cfg(target_os = "linux")]
pub(crate) fn splice(leg: Splice<'_>, count: usize) -> io::Result<usize> {
    use rustix::pipe::{SpliceFlags, splice};

    let moved = match leg {
        Splice::FileToPipe { file, mut offset, pipe } => {
            splice(file, Some(&mut offset), pipe, None, count, SpliceFlags::MOVE)
        }
        Splice::PipeToSocket { pipe, socket, more } => {
            let more = if more { SpliceFlags::MORE } else { SpliceFlags::empty() };
            splice(pipe, None, socket, None, count, SpliceFlags::MOVE | SpliceFlags::NONBLOCK | more)
        }
        // Without `NONBLOCK`: a unix socket would not wait then, even if it is to.
        Splice::SocketToPipe { socket, pipe } => splice(socket, None, pipe, None, count, SpliceFlags::MOVE),
        Splice::PipeToFile { pipe, file, mut offset } => {
            splice(pipe, None, file, Some(&mut offset), count, SpliceFlags::MOVE)
        }
    };
    Ok(moved?)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn splice(_: Splice<'_>, _: usize) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}
