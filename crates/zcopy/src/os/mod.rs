//! What differs between systems, under the same names: Linux has every route; elsewhere there is the copy, over what
//! the standard library and `socket2` offer.
//!
//! | | Linux | other unix systems | Windows |
//! |---|---|---|---|
//! | plans, transfers both ways, receivers, relays, pools, group commit | yes | yes | yes |
//! | route `copy` | `sendmsg`, with `MSG_MORE` | `sendmsg` | `WSASend` |
//! | the other seven routes, as names, in thresholds and in counters | yes | yes | yes |
//! | the same, taken | as the kernel allows | refused: copied | refused: copied |
//! | reading and writing at an offset | `pread`, `pwrite` | the same | moves the file's own position |
//! | reading without waiting, `residency` | yes | refused, `Unknown` | refused, `Unknown` |
//! | blocking faces on a non-blocking socket that is not ready | wait | wait | `WouldBlock` |
//! | touching pages without reading them, `start_writeback`, `cached_pages` | yes | refused | refused |
//! | `ktls_available` | asked (feature `ktls`) | `NotBuilt` | `NotBuilt` |
//! | maps, `Piece::Mapped`, `SteadyFile`, `DirectFile`, `Ring`, completions | yes | not there | not there |
//! | `preallocate`, `punch_hole`, `drop_pages`, `set_receive_low_water` | yes | not there | not there |
//!
//! What is not there has no module (`lib.rs` and `path/mod.rs` say which); what shared code asks of such a module is in
//! `missing.rs`, and in `sys/missing.rs` and `pipes/missing.rs` for calls and pipes.

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

/// Writes at `offset`: `pwrite(2)`. At most one attempt.
#[cfg(unix)]
pub(crate) fn write(file: FileRef<'_>, from: &[u8], offset: u64) -> io::Result<usize> {
    Ok(rustix::io::pwrite(file, from, offset)?)
}

/// Writes at `offset`. Moves the file's own position, which nothing here uses.
#[cfg(windows)]
pub(crate) fn write(file: FileRef<'_>, from: &[u8], offset: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, from, offset)
}

/// `shutdown(2)` of the sending side: the peer sees the end of the stream.
#[cfg(unix)]
pub(crate) fn shutdown_write(socket: SocketRef<'_>) -> io::Result<()> {
    Ok(rustix::net::shutdown(socket, rustix::net::Shutdown::Write)?)
}

/// The sending side ends: the peer sees the end of the stream.
#[cfg(windows)]
pub(crate) fn shutdown_write(socket: SocketRef<'_>) -> io::Result<()> {
    socket2::SockRef::from(&socket).shutdown(std::net::Shutdown::Write)
}

/// Why bytes cannot be put at an offset of this file, if so.
#[cfg(unix)]
pub(crate) fn unsuitable(file: &File) -> io::Result<Option<&'static str>> {
    use std::os::unix::fs::FileTypeExt;

    use rustix::fs::OFlags;

    let kind = file.metadata()?.file_type();
    let flags = rustix::fs::fcntl_getfl(file)?;
    Ok(if !kind.is_file() && !kind.is_block_device() {
        Some("it is a pipe, a directory or a device, which has no offsets")
    } else if flags.contains(OFlags::APPEND) {
        Some("it was opened for appending, which ignores offsets")
    } else if flags & OFlags::RWMODE == OFlags::RDONLY {
        Some("it was not opened for writing")
    } else if is_direct(flags) {
        Some("it was opened with O_DIRECT, which takes no odd offsets and lengths")
    } else {
        None
    })
}

#[cfg(target_os = "linux")]
fn is_direct(flags: rustix::fs::OFlags) -> bool {
    flags.contains(rustix::fs::OFlags::DIRECT)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_direct(_: rustix::fs::OFlags) -> bool {
    false
}

/// Why bytes cannot be put at an offset of this file, if so.
#[cfg(windows)]
pub(crate) fn unsuitable(file: &File) -> io::Result<Option<&'static str>> {
    Ok((!file.metadata()?.is_file()).then_some("it is a directory or a device, which has no offsets"))
}
