//! `getsockopt(2)` and `setsockopt(2)` for options that rustix has no name for.
//!
//! <https://man7.org/linux/man-pages/man2/getsockopt.2.html>, and for the options
//! <https://docs.kernel.org/networking/msg_zerocopy.html> and <https://docs.kernel.org/networking/tls.html>.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The options, and nothing else, so that none is asked for with a value of the wrong kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SocketOption {
    /// `SO_ZEROCOPY`, an `int`: whether `MSG_ZEROCOPY` means anything.
    Zerocopy,
    /// `SO_RCVLOWAT`, an `int`: a reader is woken for no fewer bytes.
    ReceiveLowWater,
    /// `TCP_ULP`, a name: the protocol that TCP hands its bytes to, such as `tls`.
    #[cfg(feature = "ktls")]
    UpperProtocol,
    /// `TLS_TX`, a `tls_crypto_info`: how the kernel encrypts what is sent.
    #[cfg(feature = "ktls")]
    TlsTransmit,
}

impl SocketOption {
    fn level_and_name(self) -> (libc::c_int, libc::c_int) {
        match self {
            Self::Zerocopy => (libc::SOL_SOCKET, linux_raw_sys::net::SO_ZEROCOPY as libc::c_int),
            Self::ReceiveLowWater => (libc::SOL_SOCKET, libc::SO_RCVLOWAT),
            #[cfg(feature = "ktls")]
            Self::UpperProtocol => (libc::IPPROTO_TCP, libc::TCP_ULP),
            #[cfg(feature = "ktls")]
            Self::TlsTransmit => (libc::SOL_TLS, TLS_TX),
        }
    }
}

/// `linux/tls.h`; libc does not name it.
#[cfg(feature = "ktls")]
const TLS_TX: libc::c_int = 1;

/// Reads `option` into `into`. Returns how many bytes the kernel wrote.
pub(crate) fn socket_option(
    socket: BorrowedFd<'_>,
    option: SocketOption,
    into: &mut [u8],
) -> io::Result<usize> {
    let (level, name) = option.level_and_name();
    let mut len = libc::socklen_t::try_from(into.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is borrowed for the call; the kernel writes at most `len` bytes, which is what `into` has,
    // and the count of them to `len`, which is alive.
    let answer =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, into.as_mut_ptr().cast(), &raw mut len) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok((len as usize).min(into.len()))
}

/// Sets `option` to `value`.
pub(crate) fn set_socket_option(
    socket: BorrowedFd<'_>,
    option: SocketOption,
    value: &[u8],
) -> io::Result<()> {
    let (level, name) = option.level_and_name();
    let len = libc::socklen_t::try_from(value.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the descriptor is borrowed for the call; the kernel reads `len` bytes, which is what `value` has.
    let answer = unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, value.as_ptr().cast(), len) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    fn zerocopy_of(socket: BorrowedFd<'_>) -> i32 {
        let mut value = [9; 4];
        assert_eq!(socket_option(socket, SocketOption::Zerocopy, &mut value).expect("asking"), 4);
        i32::from_ne_bytes(value)
    }

    #[test]
    fn an_option_that_was_set_is_read_back_and_a_unix_socket_refuses_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let socket = listener.as_fd();
        assert_eq!(zerocopy_of(socket), 0);
        set_socket_option(socket, SocketOption::Zerocopy, &1i32.to_ne_bytes()).expect("setting");
        assert_eq!(zerocopy_of(socket), 1);
        let (unix, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        let refused = set_socket_option(unix.as_fd(), SocketOption::Zerocopy, &1i32.to_ne_bytes());
        assert_eq!(refused.map_err(|error| error.raw_os_error()), Err(Some(libc::EOPNOTSUPP)));
    }

    #[test]
    fn a_value_of_the_wrong_length_is_an_error() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        assert!(set_socket_option(listener.as_fd(), SocketOption::Zerocopy, &[1]).is_err());
    }
}
