//! Small questions and settings of descriptors and threads that no safe crate offers: for tools that measure.

use std::io;
use std::os::fd::AsFd;

use crate::sys::{self, SocketOption};

/// Sets `SO_RCVLOWAT`: a reader of `socket` is woken for no less than so many bytes. Wake-ups are dear: across CPUs
/// each costs as much as copying 64 KiB. <https://man7.org/linux/man-pages/man7/socket.7.html>
///
/// # Errors
/// `EINVAL` for a mark beyond `i32::MAX`; what the socket reports.
#[doc(alias = "SO_RCVLOWAT")]
pub fn set_receive_low_water(socket: impl AsFd, bytes: u32) -> io::Result<()> {
    let mark = i32::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
    sys::set_socket_option(socket.as_fd(), SocketOption::ReceiveLowWater, &mark.to_ne_bytes())
}

/// Whether a page of `fd` can be mapped for reading. The mapping is gone when this returns.
///
/// # Errors
/// `ENODEV` where what is behind `fd` cannot be mapped, as an epoll instance; `EACCES` where it is not open for
/// reading.
pub fn try_map(fd: impl AsFd) -> io::Result<()> {
    sys::try_map(fd.as_fd())
}

/// Has the calling thread, and those it starts from now on, scheduled as `SCHED_BATCH`: no less CPU, and it does not
/// take that away from another thread the moment it wakes. A sender that its own receiver interrupts in the middle of a
/// call costs what chance makes of it. <https://man7.org/linux/man-pages/man7/sched.7.html>
///
/// # Errors
/// `EPERM` where a sandbox forbids it.
#[doc(alias = "SCHED_BATCH")]
pub fn schedule_as_batch() -> io::Result<()> {
    sys::schedule_as_batch()
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_readable(socket: &TcpStream, within: Duration) -> bool {
        let within = Timespec { tv_sec: within.as_secs() as i64, tv_nsec: 0 };
        poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&within)).unwrap() == 1
    }

    #[test]
    fn a_thread_and_those_it_starts_are_scheduled_as_batch() {
        // The 41st field; the name in the second one may have spaces and brackets.
        let policy = || {
            let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
            stat.rsplit(") ").next().unwrap().split(' ').nth(38).unwrap().to_owned()
        };
        let (outside, inside) = (policy(), move || {
            schedule_as_batch().unwrap();
            (policy(), std::thread::spawn(policy).join().unwrap())
        });
        let batch = "3".to_owned();
        assert_eq!(std::thread::spawn(inside).join().unwrap(), (batch.clone(), batch));
        assert_eq!(policy(), outside, "this one is as it was");
    }

    #[test]
    fn a_reader_is_not_woken_below_the_mark_and_is_at_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (reader, _) = listener.accept().unwrap();
        set_receive_low_water(&reader, 1000).unwrap();
        sender.write_all(&[1; 999]).unwrap();
        // Loopback delivers within the write; so the bytes are there, and not told.
        assert!(!is_readable(&reader, Duration::ZERO));
        sender.write_all(&[1]).unwrap();
        assert!(is_readable(&reader, Duration::from_secs(30)));
        assert!(set_receive_low_water(&reader, u32::MAX).is_err());
    }
}
