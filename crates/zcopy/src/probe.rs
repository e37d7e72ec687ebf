//! Small questions and settings of descriptors that no safe crate offers: for tools that measure.

use std::io;
use std::os::fd::AsFd;

use crate::sys;

/// Sets `SO_RCVLOWAT`: a reader of `socket` is woken for no less than so many bytes. Wake-ups are dear: across CPUs
/// each costs as much as copying 64 KiB.
///
/// # Errors
/// `EINVAL` for a mark beyond `i32::MAX`; what the socket reports.
pub fn set_receive_low_water(socket: impl AsFd, bytes: u32) -> io::Result<()> {
    sys::receive_low_water(socket.as_fd(), bytes)
}

/// Whether a page of `fd` can be mapped for reading. The mapping is gone when this returns.
///
/// # Errors
/// `ENODEV` where what is behind `fd` cannot be mapped, as an epoll instance; `EACCES` where it is not open for reading.
pub fn try_map(fd: impl AsFd) -> io::Result<()> {
    sys::try_map(fd.as_fd())
}
