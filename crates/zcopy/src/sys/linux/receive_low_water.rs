//! `setsockopt(2)` with `SO_RCVLOWAT`: for less than so many bytes a reader is not woken.
//!
//! <https://man7.org/linux/man-pages/man7/socket.7.html>

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Sets the mark. The kernel enlarges the receive buffer to fit.
///
/// # Errors
/// `EINVAL` for a mark beyond `i32::MAX`; what the socket reports.
pub(crate) fn receive_low_water(socket: BorrowedFd<'_>, bytes: u32) -> io::Result<()> {
    let mark = libc::c_int::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is borrowed for the call; the pointer is to a live integer whose size is given, and which
    // the kernel only reads.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVLOWAT,
            (&raw const mark).cast(),
            size_of_val(&mark) as libc::socklen_t,
        )
    };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_readable(socket: &TcpStream, within: Duration) -> bool {
        let within = Timespec { tv_sec: within.as_secs() as i64, tv_nsec: 0 };
        poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&within)).unwrap() == 1
    }

    #[test]
    fn a_reader_is_not_woken_below_the_mark_and_is_at_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (reader, _) = listener.accept().unwrap();
        receive_low_water(reader.as_fd(), 1000).unwrap();
        sender.write_all(&[1; 999]).unwrap();
        // Loopback delivers within the write; so the bytes are there, and not told.
        assert!(!is_readable(&reader, Duration::ZERO));
        sender.write_all(&[1]).unwrap();
        assert!(is_readable(&reader, Duration::from_secs(30)));
        assert!(receive_low_water(reader.as_fd(), u32::MAX).is_err());
    }
}
