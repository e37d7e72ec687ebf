//! `recvmsg(2)` with `MSG_ERRQUEUE`: what the kernel says about earlier sends with `MSG_ZEROCOPY`.
//!
//! <https://docs.kernel.org/networking/msg_zerocopy.html>, `recv(2)`, `ip(7)` (`IP_RECVERR`), `ipv6(7)`
//!
//! A socket numbers its sends with `MSG_ZEROCOPY` from 0; a message tells of those from `ee_info` to `ee_data`, both
//! included, and joins what is next to each other. Reading never waits.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use crate::Completion;

/// `linux/errqueue.h`; libc does not name them.
const ORIGIN_ZEROCOPY: u8 = 5;
const CODE_COPIED: u8 = 1;

/// Room for one `sock_extended_err` and the address behind it, of either family, in a control message.
const CONTROL_BYTES: usize = 128;

/// Aligned as control messages are.
#[repr(C, align(8))]
struct Control([u8; CONTROL_BYTES]);

/// Takes the oldest message out of the error queue. `None`: it tells of something else, and is gone.
///
/// # Errors
/// `EAGAIN` when there is none. Ask only sockets that have an error queue, which are those of the internet: a unix
/// socket takes the call for one that reads.
pub(crate) fn completion(socket: BorrowedFd<'_>) -> io::Result<Option<Completion>> {
    let mut control = Control([0; CONTROL_BYTES]);
    // SAFETY: all zeros is a message without address, control data and parts.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_control = (&raw mut control.0).cast();
    message.msg_controllen = CONTROL_BYTES as _;
    let flags = libc::MSG_ERRQUEUE | libc::MSG_DONTWAIT;
    // SAFETY: the descriptor is borrowed for the call; the kernel writes to `message` and to the control data that it
    // names, at most as many bytes as are there, and both outlive the call. There are no parts to write to.
    let answer = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(extended_error(&message).and_then(told))
}

/// The first `sock_extended_err` of a message's control data.
fn extended_error(message: &libc::msghdr) -> Option<libc::sock_extended_err> {
    // SAFETY: the kernel has set the control data's length to what it wrote, which is where the walk below ends.
    let mut at = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !at.is_null() {
        // SAFETY: the walk only returns headers that lie whole in the control data, which is aligned for them.
        let header = unsafe { &*at };
        let is_error = matches!(
            (header.cmsg_level, header.cmsg_type),
            (libc::SOL_IP, libc::IP_RECVERR) | (libc::SOL_IPV6, libc::IPV6_RECVERR)
        );
        // SAFETY: arithmetic on a length.
        let whole = unsafe { libc::CMSG_LEN(size_of::<libc::sock_extended_err>() as libc::c_uint) };
        if is_error && header.cmsg_len as usize >= whole as usize {
            // SAFETY: the header says that so many bytes follow it; integers of any value make the struct, and it is
            // read wherever it lies.
            return Some(unsafe { libc::CMSG_DATA(at).cast::<libc::sock_extended_err>().read_unaligned() });
        }
        // SAFETY: as for the first; `at` is a header of this message.
        at = unsafe { libc::CMSG_NXTHDR(message, at) };
    }
    None
}

fn told(error: libc::sock_extended_err) -> Option<Completion> {
    let ours = error.ee_errno == 0 && error.ee_origin == ORIGIN_ZEROCOPY;
    ours.then_some(Completion {
        first: error.ee_info,
        last: error.ee_data,
        copied: error.ee_code & CODE_COPIED != 0,
    })
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn an_empty_error_queue_would_block() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let error = completion(listener.as_fd()).expect_err("nothing was sent");
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn only_the_origin_of_zerocopy_is_a_completion() {
        let error = |ee_origin, ee_code| libc::sock_extended_err {
            ee_errno: 0,
            ee_origin,
            ee_type: 0,
            ee_code,
            ee_pad: 0,
            ee_info: 3,
            ee_data: 5,
        };
        let copied = told(error(ORIGIN_ZEROCOPY, CODE_COPIED)).expect("a completion");
        assert_eq!((copied.sends(), copied.copied), (3, true));
        assert_eq!(told(error(ORIGIN_ZEROCOPY, 0)).map(|told| told.copied), Some(false));
        assert_eq!(told(error(libc::SO_EE_ORIGIN_TIMESTAMPING, 0)), None);
    }
}
