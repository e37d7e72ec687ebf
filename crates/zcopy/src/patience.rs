//! Patience with a socket that says it is ready, and then is not.
//!
//! Once in a while that is so: somebody else was quicker, or the kernel was short of memory. But a message in a
//! socket's error queue makes every wait end at once (`POLLERR`), and tokio takes an error together with room to write
//! for a closed write side, which it never forgets: a loop of waiting and trying would spin for ever. So rounds without
//! fruit are counted; after some of them the error queue is emptied, and after very many the sending fails.

use std::io;
use std::time::Duration;

use crate::Transfer;
#[cfg(target_os = "linux")]
use crate::completions::{Cleared, Completions, clear_error_queue};
#[cfg(not(target_os = "linux"))]
use crate::missing::{Cleared, Completions, clear_error_queue};
use crate::os::SocketRef;

/// Every so many rounds the error queue is emptied.
const CLEAR_EVERY: u32 = 64;
/// So many are too many: some tenths of a second of spinning on an event loop, and a minute of a thread that rests.
const ROUNDS_MAX: u32 = 1 << 16;
/// Short to whoever waits for a socket, and long for a CPU.
const REST: Duration = Duration::from_millis(1);

/// Waits that ended, and attempts behind them that came to nothing, in a row.
#[derive(Debug, Default)]
pub(crate) struct Fruitless {
    rounds: u32,
}

impl Fruitless {
    /// One more. To be called after each attempt that found a socket not ready.
    pub(crate) fn again(&mut self) -> Result<(), io::Error> {
        self.rounds += 1;
        if self.rounds < ROUNDS_MAX {
            return Ok(());
        }
        Err(io::Error::other("the socket keeps saying that it is ready, and never is"))
    }

    /// Something was moved.
    pub(crate) fn over(&mut self) {
        self.rounds = 0;
    }

    /// For a thread of its own, before it waits again: a moment's rest if the last waits were no rest at all.
    pub(crate) fn rest(&self) {
        if self.rounds > CLEAR_EVERY {
            std::thread::sleep(REST);
        }
    }

    /// Whether it is time to look for what ends all waits.
    fn is_suspicious(&self) -> bool {
        self.rounds > 0 && self.rounds.is_multiple_of(CLEAR_EVERY)
    }
}

/// Waits until a socket is ready: `false` where only its error queue ended the wait.
type Wait = fn(SocketRef<'_>) -> io::Result<bool>;

impl Transfer {
    /// After an attempt that found `socket` not ready: counts it, and now and then empties the error queue. Answers
    /// with what that said of sends with `MSG_ZEROCOPY`.
    ///
    /// # Errors
    /// When it has been so too often in a row.
    pub(crate) fn bear_with(
        &self,
        socket: SocketRef<'_>,
        fruitless: &mut Fruitless,
    ) -> io::Result<Completions> {
        fruitless.again()?;
        Ok(if fruitless.is_suspicious() {
            self.clear_error_queue(socket).done
        } else {
            Completions::default()
        })
    }

    /// The same, and then the `wait`, for a thread that may.
    ///
    /// # Errors
    /// As [`bear_with`](Self::bear_with), and what waiting reports.
    pub(crate) fn wait_with(
        &self,
        socket: SocketRef<'_>,
        fruitless: &mut Fruitless,
        wait: Wait,
    ) -> io::Result<Completions> {
        let mut done = self.bear_with(socket, fruitless)?;
        fruitless.rest();
        if !wait(socket)? {
            // What is in the error queue makes no room, and would end every wait until somebody reads it.
            done.add(self.clear_error_queue(socket).done);
        }
        Ok(done)
    }

    fn clear_error_queue(&self, socket: SocketRef<'_>) -> Cleared {
        clear_error_queue(self.calls(), self.stats(), socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_without_fruit_end_in_an_error_and_one_with_fruit_begins_anew() {
        let mut fruitless = Fruitless::default();
        for _ in 1..ROUNDS_MAX {
            fruitless.again().expect("patience");
        }
        fruitless.over();
        fruitless.again().expect("patience anew");
        for _ in 2..ROUNDS_MAX {
            fruitless.again().expect("patience");
        }
        assert!(fruitless.again().is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn messages_that_nobody_asks_for_are_taken_out_of_the_error_queue() {
        use std::io::Read;
        use std::net::{TcpListener, TcpStream};
        use std::os::fd::AsFd;
        use std::sync::Arc;

        use rustix::event::{PollFd, PollFlags, poll};

        use crate::sys::{SocketOption, set_socket_option};
        use crate::{Calls, FileRange, MapAccess, MappedFile, OsCalls};

        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let socket = TcpStream::connect(listener.local_addr().expect("its address")).expect("connecting");
        let (mut peer, _) = listener.accept().expect("accepting");
        let file = Arc::new(std::fs::File::open("/proc/self/exe").expect("a file"));
        let map = MappedFile::new(&FileRange::new(file, 0, 4096), MapAccess::Read).expect("a map");
        if OsCalls.enable_zerocopy(socket.as_fd()).is_err() {
            eprintln!("without MSG_ZEROCOPY nothing fills the error queue here");
            return;
        }
        let n = OsCalls.send_zerocopy(socket.as_fd(), &map.part(0, 4096), false).expect("sending");
        peer.read_exact(&mut vec![0; n]).expect("reading");
        let has_error = |wait: bool| {
            let limit = rustix::event::Timespec { tv_sec: if wait { 30 } else { 0 }, tv_nsec: 0 };
            poll(&mut [PollFd::new(&socket, PollFlags::empty())], Some(&limit)).expect("polling") > 0
        };
        assert!(has_error(true), "the kernel tells of the send");
        // As of other users of the queue: the socket does not say that it has completions.
        set_socket_option(socket.as_fd(), SocketOption::Zerocopy, &0i32.to_ne_bytes()).expect("setting");
        let transfer = Transfer::shared();
        assert_eq!(transfer.reap_completions(&socket).expect("asking").completed, 0);
        let mut fruitless = Fruitless::default();
        for _ in 1..CLEAR_EVERY {
            transfer.bear_with(socket.as_fd(), &mut fruitless).expect("patience");
        }
        assert!(has_error(false), "a few rounds are nothing special");
        transfer.bear_with(socket.as_fd(), &mut fruitless).expect("patience");
        assert!(!has_error(false));
        assert!(!transfer.clear_error_queue(socket.as_fd()).is_any);
    }
}
