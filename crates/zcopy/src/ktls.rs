//! Kernel TLS: whether this machine has it, and whether a socket uses it.
//!
//! <https://docs.kernel.org/networking/tls.html>
//!
//! The kernel's module makes itself known as an upper protocol of TCP, `tls`, and may be loaded by the first use. A
//! socket is asked only where that has been seen; so on a machine without it, plans do not pay a system call for the
//! question. Somebody may load it later: the kernel is looked at again each time so many sockets were not asked.

use std::io;

/// Why the kernel cannot encrypt what a socket sends.
#[derive(Debug, thiserror::Error)]
pub enum KtlsMissing {
    /// This library was built without its feature `ktls`, or for a system other than Linux.
    #[error("this program was built without kernel TLS")]
    NotBuilt,
    /// The kernel does not know the upper protocol `tls`.
    #[error(
        "the kernel has no TLS (CONFIG_TLS), or its module `tls` is not loaded and this user may not load it"
    )]
    NoModule,
    /// Asking failed.
    #[error("asking for kernel TLS failed: {0}")]
    Io(#[from] io::Error),
}

#[cfg(all(target_os = "linux", feature = "ktls"))]
pub(crate) use probe::encrypts;
#[cfg(all(target_os = "linux", feature = "ktls"))]
pub use probe::ktls_available;
#[cfg(not(all(target_os = "linux", feature = "ktls")))]
pub(crate) use unasked::encrypts;
#[cfg(not(all(target_os = "linux", feature = "ktls")))]
pub use unasked::ktls_available;

/// Without the feature, and on systems other than Linux, nobody is asked.
#[cfg(not(all(target_os = "linux", feature = "ktls")))]
mod unasked {
    use super::KtlsMissing;
    use crate::SocketRef;

    /// Whether the kernel can encrypt what a TCP socket sends: this program was not built to ask.
    ///
    /// # Errors
    /// [`KtlsMissing::NotBuilt`], always.
    #[doc(alias = "kTLS")]
    pub fn ktls_available() -> Result<(), KtlsMissing> {
        Err(KtlsMissing::NotBuilt)
    }

    /// Whether the kernel encrypts what a socket sends.
    pub(crate) fn encrypts(_: SocketRef<'_>) -> bool {
        false
    }
}

#[cfg(all(target_os = "linux", feature = "ktls"))]
mod probe {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd};
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use rustix::io::Errno;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

    use super::KtlsMissing;
    use crate::sys::{SocketOption, set_socket_option, socket_option};

    const TLS: &[u8] = b"tls";
    /// `TCP_ULP_NAME_MAX` of the kernel.
    const NAME_MAX: usize = 16;
    /// Version and cipher, the head of every `tls_crypto_info`. Asked for so little, the kernel hands out no keys.
    const CRYPTO_HEAD_BYTES: usize = 4;

    /// So many sockets that were not asked later, the kernel is looked at again: a file of procfs, some 20 us.
    const SOCKETS_TO_LOOK: u32 = 1024;
    /// What is known of the kernel.
    static KERNEL: Kernel = Kernel::unknown();

    /// Whether a kernel has TLS, as far as that was seen. A module that is in use stays, so once seen is enough.
    struct Kernel {
        present: AtomicBool,
        /// Sockets that would have been asked, had it been there.
        unasked: AtomicU32,
    }

    impl Kernel {
        const fn unknown() -> Self {
            Self { present: AtomicBool::new(false), unasked: AtomicU32::new(0) }
        }

        fn note(&self, present: bool) {
            self.present.store(present, Ordering::Relaxed);
        }

        /// Whether it has, with a `look` at the first socket, and at every so many others until it was seen.
        fn has_tls(&self, look: impl FnOnce() -> bool) -> bool {
            if self.present.load(Ordering::Relaxed) {
                return true;
            }
            let unasked = self.unasked.fetch_add(1, Ordering::Relaxed);
            if unasked.is_multiple_of(SOCKETS_TO_LOOK) {
                self.note(look());
            }
            self.present.load(Ordering::Relaxed)
        }
    }

    /// Whether the kernel can encrypt what a TCP socket sends. Found out by asking for it on a socket that is connected
    /// to nothing, which is refused one way (`ENOTCONN`) or the other (`ENOENT`); the module is loaded if that is
    /// allowed.
    ///
    /// The answer is remembered for all transfers of this process. That the module was loaded later is noticed after
    /// some thousand plans; a program that knows of it asks again.
    ///
    /// # Errors
    /// [`KtlsMissing`] says why not.
    ///
    /// ```
    /// match pagewire_zcopy::ktls_available() {
    ///     Ok(()) => println!("sendfile works on TLS sockets too, once they are set up"),
    ///     Err(missing) => println!("{missing}"),
    /// }
    /// ```
    #[doc(alias = "kTLS")]
    #[doc(alias = "TCP_ULP")]
    pub fn ktls_available() -> Result<(), KtlsMissing> {
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(io::Error::from)?;
        let answer = match set_socket_option(socket.as_fd(), SocketOption::UpperProtocol, TLS) {
            Ok(()) => Ok(()),
            Err(error) => match Errno::from_io_error(&error) {
                Some(Errno::NOTCONN) => Ok(()),
                Some(Errno::NOENT | Errno::NOPROTOOPT | Errno::OPNOTSUPP) => Err(KtlsMissing::NoModule),
                _ => return Err(error.into()),
            },
        };
        KERNEL.note(answer.is_ok());
        answer
    }

    /// Whether the kernel encrypts what `socket` sends: it is TCP, hands its bytes to TLS, and TLS has keys to send
    /// with.
    pub(crate) fn encrypts(socket: BorrowedFd<'_>) -> bool {
        KERNEL.has_tls(is_loaded) && hands_to_tls(socket) && has_keys(socket)
    }

    /// Whether the kernel has TLS loaded.
    fn is_loaded() -> bool {
        let there = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_ulp");
        // Where /proc cannot be read, sockets are asked.
        there.map_or(true, |names| names.split_whitespace().any(|name| name == "tls"))
    }

    fn hands_to_tls(socket: BorrowedFd<'_>) -> bool {
        let mut name = [0; NAME_MAX];
        let Ok(len) = socket_option(socket, SocketOption::UpperProtocol, &mut name) else { return false };
        name.get(..len).is_some_and(|name| name.split(|&byte| byte == 0).next() == Some(TLS))
    }

    fn has_keys(socket: BorrowedFd<'_>) -> bool {
        let mut head = [0; CRYPTO_HEAD_BYTES];
        socket_option(socket, SocketOption::TlsTransmit, &mut head).is_ok()
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_kernel_that_learns_tls_later_is_seen_to_have_it() {
            let kernel = Kernel::unknown();
            let mut looks = 0;
            for _ in 0..SOCKETS_TO_LOOK {
                assert!(!kernel.has_tls(|| {
                    looks += 1;
                    false
                }));
            }
            assert_eq!(looks, 1, "sockets do not pay for a look each");
            assert!(kernel.has_tls(|| true), "loaded meanwhile");
            assert!(kernel.has_tls(|| unreachable!("once seen is enough")));
        }
    }
}

#[cfg(all(test, target_os = "linux", feature = "ktls"))]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_plain_socket_is_plain_and_the_machine_says_whether_it_has_it() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        assert!(!encrypts(listener.as_fd()));
        let listed = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_available_ulp");
        match ktls_available() {
            Ok(()) => assert!(listed.map_or(true, |names| names.contains("tls")), "it is loaded now"),
            Err(KtlsMissing::NoModule) => {
                assert!(listed.map_or(true, |names| !names.contains("tls")));
                eprintln!("no kernel TLS here: what encrypts is tested through the seam");
            }
            Err(other) => panic!("{other}"),
        }
        assert!(!encrypts(listener.as_fd()), "knowing more of the kernel does not change the socket");
        let (unix, _other) = std::os::unix::net::UnixStream::pair().expect("a pair");
        assert!(!encrypts(unix.as_fd()));
    }
}
