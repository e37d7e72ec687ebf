//! What differs between systems, under the same names: Linux has every route; elsewhere there is the copy, over what the
//! standard library and `socket2` offer.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

use std::fs::File;
use std::io;

#[cfg(target_os = "linux")]
pub(crate) use linux::*;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::*;

/// What has a socket to lend: [`std::os::fd::AsFd`] on unix systems, `AsSocket` on Windows.
#[cfg(unix)]
pub use std::os::fd::AsFd as AsSocket;
/// A socket, lent.
#[cfg(unix)]
pub use std::os::fd::BorrowedFd as SocketRef;
/// What has a socket to lend: `AsFd` on unix systems, [`std::os::windows::io::AsSocket`] on Windows.
#[cfg(windows)]
pub use std::os::windows::io::AsSocket;
/// A socket, lent.
#[cfg(windows)]
pub use std::os::windows::io::BorrowedSocket as SocketRef;

/// An open file, lent.
#[cfg(unix)]
pub type FileRef<'a> = std::os::fd::BorrowedFd<'a>;
/// An open file, lent.
#[cfg(windows)]
pub type FileRef<'a> = &'a File;

#[cfg(unix)]
pub(crate) fn socket_ref(socket: &impl AsSocket) -> SocketRef<'_> {
    socket.as_fd()
}

#[cfg(windows)]
pub(crate) fn socket_ref(socket: &impl AsSocket) -> SocketRef<'_> {
    socket.as_socket()
}

#[cfg(unix)]
pub(crate) fn file_ref(file: &File) -> FileRef<'_> {
    std::os::fd::AsFd::as_fd(file)
}

#[cfg(windows)]
pub(crate) fn file_ref(file: &File) -> FileRef<'_> {
    file
}

/// Reads at `offset`, waiting if it must: `pread(2)`. At most one attempt.
#[cfg(unix)]
pub(crate) fn read(file: FileRef<'_>, into: &mut [u8], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::pread(file, into, offset)?)
}

/// Reads at `offset`, waiting if it must. Moves the file's own position, which nothing here uses.
#[cfg(windows)]
pub(crate) fn read(file: FileRef<'_>, into: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, into, offset)
}
