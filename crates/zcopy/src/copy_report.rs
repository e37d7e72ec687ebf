//! Waiting until the kernel has said of each send by reference whether it copied the bytes after all. It says so when
//! the peer has acknowledged them: in a socket's error queue (`MSG_ZEROCOPY`), or in the ring (`send_zc`).

use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use crate::{Route, StatsSnapshot, Transfer};

/// How often a ring is looked at: it wakes nobody who waits for a report.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// What the kernel said of the sends by one route of one [`Transfer`], since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyReport {
    /// Sends that were to take pages as they are: calls with `MSG_ZEROCOPY`, operations `send_zc`.
    pub sends: u64,
    /// Of these, sends that the kernel has reported on.
    pub reported: u64,
    /// Of these, sends whose bytes it copied after all.
    pub copied: u64,
}

impl CopyReport {
    /// Sends that it has not reported on.
    pub fn silent(self) -> u64 {
        self.sends.saturating_sub(self.reported)
    }

    fn of(route: Route, counts: &StatsSnapshot) -> Option<Self> {
        match route {
            Route::Zerocopy => {
                let told = counts.zerocopy;
                Some(Self { sends: told.sends, reported: told.completions, copied: told.copied })
            }
            Route::Uring => {
                let told = counts.uring;
                Some(Self { sends: told.operations, reported: told.notifications, copied: told.copied })
            }
            _ => None,
        }
    }
}

impl Transfer {
    /// The kernel's report on everything sent by `route`, waiting for what is still open for `wait_max` at most. `None`
    /// for a route that the kernel reports nothing of: only [`Route::Zerocopy`] and [`Route::Uring`] are told of.
    ///
    /// `socket` is the one that was sent over last; only its error queue is read. `given_up` sends are not waited for:
    /// hand in [`CopyReport::silent`] of the last report where a socket is gone, for it answers no more.
    ///
    /// Blocks its thread. The whole of a socket's bytes must be read by the peer, or the wait takes all of its time.
    ///
    /// # Errors
    /// As [`Transfer::reap_completions_within`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use pagewire_zcopy::{Route, Transfer};
    ///
    /// # let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    /// let report = Transfer::shared().copy_report_within(Route::Uring, &socket, 0, Duration::from_secs(1))?;
    /// if let Some(report) = report.filter(|report| report.reported > 0) {
    ///     println!("{} of {} sends were copied after all", report.copied, report.reported);
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn copy_report_within(
        &self,
        route: Route,
        socket: impl AsFd,
        given_up: u64,
        wait_max: Duration,
    ) -> io::Result<Option<CopyReport>> {
        let report = || CopyReport::of(route, &self.stats().snapshot());
        let Some(open) = report().map(|report| report.silent().saturating_sub(given_up)) else {
            return Ok(None);
        };
        if route == Route::Zerocopy {
            self.reap_completions_within(socket, open, wait_max)?;
            return Ok(report());
        }
        let began = Instant::now();
        let wait = || {
            let is_time = began.elapsed() < wait_max;
            if is_time {
                thread::sleep(LOOK_AGAIN);
            }
            is_time
        };
        // Looking at the counters is what takes the ring's reports in.
        Ok(Some(look_until_whole(given_up, || report().unwrap_or_default(), wait)))
    }
}

/// Looks and waits by turns, until no more than `given_up` are silent or `wait` says that time is up.
fn look_until_whole(
    given_up: u64,
    mut look: impl FnMut() -> CopyReport,
    mut wait: impl FnMut() -> bool,
) -> CopyReport {
    loop {
        let report = look();
        if report.silent() <= given_up || !wait() {
            return report;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last of so many reports of 5 sends, and how many waits it took where `waits_max` are allowed.
    fn looked(given_up: u64, reported: &[u64], waits_max: usize) -> (u64, usize) {
        let (mut reported, mut waits) = (reported.iter(), 0);
        let look = || CopyReport { sends: 5, reported: reported.next().copied().unwrap_or(0), copied: 0 };
        let wait = || {
            waits += 1;
            waits <= waits_max
        };
        (look_until_whole(given_up, look, wait).reported, waits)
    }

    #[test]
    fn it_is_waited_for_what_is_open_and_not_for_what_was_given_up_nor_for_ever() {
        assert_eq!(looked(0, &[0, 3, 5], 9), (5, 2));
        assert_eq!(looked(2, &[0, 3, 5], 9), (3, 1), "two are never told of");
        assert_eq!(looked(0, &[5], 9), (5, 0));
        assert_eq!(looked(0, &[1, 1, 1, 1], 3), (1, 4), "the time limit holds");
    }

    #[test]
    fn routes_that_the_kernel_says_nothing_of_have_no_report() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        for route in Route::ALL {
            let report = Transfer::shared().copy_report_within(route, &socket, 0, Duration::ZERO);
            let is_told_of = matches!(route, Route::Zerocopy | Route::Uring);
            assert_eq!(report.expect("asked").is_some(), is_told_of, "{route}");
        }
    }
}
