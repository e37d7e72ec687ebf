//! The kernel's report on sends by reference: whole for whoever waits, and not waited for where it will not come.

#![cfg(target_os = "linux")]

mod common;

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use common::{
    LIMIT, file_of, forced, framed, pattern, read_in_background, tcp_pair, transfer, transfer_over,
};
use pagewire_zcopy::{Calls, Completion, CopyReport, FileRange, OsCalls, Residency, Route};

const BYTES: usize = 3 << 20;

/// Sends by `route` to a peer that reads it all, and asks. `None` where the kernel does not have the route.
fn reported(route: Route) -> Option<CopyReport> {
    let transfer = transfer(forced(route));
    let (sender, receiver) = tcp_pair(false);
    let mut plan = framed(FileRange::new(file_of(&pattern(BYTES, 7)), 0, BYTES as u64));
    let reader = read_in_background(receiver, plan.total());
    let sent = transfer.send_blocking(&sender, &mut plan).expect("sending");
    reader.join().expect("the reader");
    let report = transfer.copy_report_within(route, &sender, 0, LIMIT).expect("asked").expect("a report");
    let counts = transfer.stats().snapshot();
    let counted = match route {
        Route::Uring => (counts.uring.operations, counts.uring.notifications, counts.uring.copied),
        _ => (counts.zerocopy.sends, counts.zerocopy.completions, counts.zerocopy.copied),
    };
    assert_eq!((report.sends, report.reported, report.copied), counted);
    if sent.by(route) == 0 {
        eprintln!("{route} is not to be had here: asserting that nothing is reported of it");
        assert_eq!(report, CopyReport::default());
        return None;
    }
    Some(report)
}

#[test]
fn every_send_is_reported_once_the_peer_has_it_all() {
    for route in [Route::Zerocopy, Route::Uring] {
        if let Some(report) = reported(route) {
            assert!(report.sends > 0 && report.silent() == 0, "{route}: {report:?}");
            assert_eq!(report.copied, report.reported, "{route}: the loopback takes no pages");
        }
    }
}

/// A kernel that reports on no send.
#[derive(Debug)]
struct Silent;

impl Calls for Silent {
    fn completion(&self, _socket: BorrowedFd<'_>) -> io::Result<Option<Completion>> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn send(&self, socket: BorrowedFd<'_>, parts: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        OsCalls.send(socket, parts, more)
    }

    fn sendfile(
        &self,
        socket: BorrowedFd<'_>,
        file: BorrowedFd<'_>,
        offset: u64,
        count: usize,
    ) -> io::Result<usize> {
        OsCalls.sendfile(socket, file, offset, count)
    }

    fn cork(&self, socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
        OsCalls.cork(socket, on)
    }

    fn read_now(&self, file: BorrowedFd<'_>, into: &mut [u8], offset: u64) -> io::Result<usize> {
        OsCalls.read_now(file, into, offset)
    }

    fn read(&self, file: BorrowedFd<'_>, into: &mut [u8], offset: u64) -> io::Result<usize> {
        OsCalls.read(file, into, offset)
    }

    fn residency(&self, file: BorrowedFd<'_>, offset: u64, len: u64) -> Residency {
        OsCalls.residency(file, offset, len)
    }
}

#[test]
fn what_was_given_up_is_not_waited_for_again() {
    let transfer = transfer_over(forced(Route::Zerocopy), Silent);
    let (sender, receiver) = tcp_pair(false);
    let mut plan = framed(FileRange::new(file_of(&pattern(BYTES, 8)), 0, BYTES as u64));
    let reader = read_in_background(receiver, plan.total());
    let sent = transfer.send_blocking(&sender, &mut plan).expect("sending");
    reader.join().expect("the reader");
    // The first socket is gone, and the next is silent about what went over that.
    drop(sender);
    let (other, _peer) = tcp_pair(false);
    let ask = |given_up, wait_max| {
        let report = transfer.copy_report_within(Route::Zerocopy, &other, given_up, wait_max);
        report.expect("asked").expect("a report")
    };
    let report = ask(0, Duration::from_millis(1));
    assert_eq!(
        (report.sends, report.reported, report.silent()),
        (sent.zerocopy.sends, 0, sent.zerocopy.sends)
    );
    // It would take a day.
    assert_eq!(ask(report.silent(), Duration::from_hours(24)), report);
}
