//! `mmap(2)` of one page of a descriptor, and `munmap(2)` at once: whether it can be mapped at all.
//!
//! <https://man7.org/linux/man-pages/man2/mmap.2.html>

use std::io;
use std::os::fd::BorrowedFd;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::sys::PAGE;

/// Maps a page of `fd` for reading, shared, and takes it away again. The page is not touched.
///
/// # Errors
/// `ENODEV` where what is behind `fd` cannot be mapped; `EACCES` where it is no file, or not open for reading.
pub(crate) fn try_map(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the kernel chooses the address (null hint, no MAP_FIXED), so no existing memory is touched, and nothing
    // ever reads or writes through the mapping.
    let start = unsafe { mmap(std::ptr::null_mut(), PAGE, ProtFlags::READ, MapFlags::SHARED, fd, 0) }?;
    // SAFETY: exactly the mapping just made; nothing refers to it.
    Ok(unsafe { munmap(start, PAGE) }?)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::io::Errno;

    use super::*;

    #[test]
    fn a_file_can_be_mapped_and_an_epoll_instance_cannot() {
        try_map(std::fs::File::open("/proc/self/exe").unwrap().as_fd()).unwrap();
        let epoll = rustix::event::epoll::create(rustix::event::epoll::CreateFlags::CLOEXEC).unwrap();
        let error = try_map(epoll.as_fd()).unwrap_err();
        assert_eq!(Errno::from_io_error(&error), Some(Errno::NODEV));
    }
}
