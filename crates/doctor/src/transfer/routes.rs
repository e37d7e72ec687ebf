//! Every route of the transfer library, tried: a file is sent over the loopback, and what arrives is compared.

use std::fs::File;
use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use pagewire_zcopy::{
    BufferPool, CopyReport, FileRange, IoPool, PoolOptions, Route, SendPlan, Transfer, TransferOptions,
};

use super::bench::{self, FILE_BYTES};
use crate::Plan;
use crate::finding::Finding;

/// Memory for the copies of one probe.
const POOL_BYTES: usize = 16 << 20;
/// Longest wait for the kernel's report on what it copied, which it gives when the peer has acknowledged what was sent.
const REPORT_WAIT: Duration = Duration::from_millis(500);

/// What came of one route.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    /// The file went that way, byte for byte.
    Went {
        /// System calls.
        calls: u64,
        /// What the kernel reported of copying; for routes of which it does.
        report: Option<CopyReport>,
    },
    /// It went another way.
    Instead {
        /// Which.
        by: &'static str,
        /// The route is not to be had here at all; else only for this file and this socket.
        for_good: bool,
    },
    /// What arrived is not what was sent.
    Wrong,
    /// It could not be tried, or sending failed.
    Failed(String),
}

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    tried().map(|route| try_one(route, &plan.data_dir)).collect()
}

/// All of them but kernel TLS, which needs a session first and has a check of its own.
fn tried() -> impl Iterator<Item = Route> {
    Route::ALL.into_iter().filter(|route| *route != Route::Ktls)
}

fn try_one(route: Route, data_dir: &Path) -> Finding {
    match bench::sample(data_dir) {
        Ok(sample) => judge(route.name(), &probe(route, sample.file)).note(sample.elsewhere.as_deref()),
        Err(error) => judge(route.name(), &Outcome::Failed(error.to_string())),
    }
}

fn probe(route: Route, file: File) -> Outcome {
    send(route, file).unwrap_or_else(|error| Outcome::Failed(error.to_string()))
}

fn send(route: Route, file: File) -> io::Result<Outcome> {
    let buffers = BufferPool::new(PoolOptions { max_bytes: POOL_BYTES, ..PoolOptions::default() });
    let options = TransferOptions { route: Some(route), ..TransferOptions::default() };
    let transfer = Transfer::new(options, buffers, IoPool::new(1, 4));
    let mut plan = SendPlan::new();
    plan.push_file(FileRange::new(Arc::new(file), 0, FILE_BYTES));

    let (sender, receiver) = bench::sockets()?;
    let reader = thread::Builder::new().spawn(move || receive(receiver))?;
    let sent = transfer.send_blocking(&sender, &mut plan);
    // The reader reads to the end. The socket stays, to be asked what the kernel has to say of it.
    let closed = sender.shutdown(Shutdown::Write);
    let received = reader.join().map_err(|_| io::Error::other("the receiver failed"))?;
    let sent = sent.map_err(io::Error::other)?;
    closed?;
    if received? != bench::content() {
        return Ok(Outcome::Wrong);
    }
    if sent.by(route) == FILE_BYTES {
        let report = transfer.copy_report_within(route, &sender, 0, REPORT_WAIT)?;
        return Ok(Outcome::Went { calls: sent.calls, report });
    }
    let by = Route::ALL.into_iter().max_by_key(|other| sent.by(*other)).map_or("nothing", Route::name);
    Ok(Outcome::Instead { by, for_good: transfer.refused().contains(route) })
}

fn receive(mut socket: TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than there should be would show.
    Read::by_ref(&mut socket).take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn judge(route: &str, outcome: &Outcome) -> Finding {
    let check = format!("route {route}");
    match outcome {
        Outcome::Went { calls, report } => {
            let calls = if *calls == 1 { "1 call".to_owned() } else { format!("{calls} calls") };
            let found = format!("sent {} KiB in {calls}, byte for byte", FILE_BYTES >> 10);
            Finding::ok(check, found + &said(*report))
        }
        Outcome::Instead { by, for_good } => {
            let reach = if *for_good { "refused here" } else { "refused for this file and socket" };
            Finding::better(check, format!("{reach}; sent by {by} instead"), advice(route))
        }
        Outcome::Wrong => Finding::broken(
            check,
            "what arrived is not what was sent",
            "this is a fault of the kernel or of this program: do not use this route, and report it",
        ),
        // Every broker can copy; without another route it does.
        Outcome::Failed(error) if route == Route::Copy.name() => {
            Finding::broken(check, format!("could not be tried: {error}"), "see what the other lines say")
        }
        Outcome::Failed(error) => {
            Finding::better(check, format!("could not be tried: {error}"), advice(route))
        }
    }
}

/// What the kernel said of copying. The loopback never takes pages as they are; a card may.
fn said(report: Option<CopyReport>) -> String {
    match report {
        None => String::new(),
        Some(CopyReport { reported: 0, .. }) => "; the kernel does not say whether it copied".to_owned(),
        Some(CopyReport { copied: 0, .. }) => "; the kernel says that it did not copy".to_owned(),
        Some(CopyReport { reported, copied, .. }) => format!(
            "; the kernel says that it copied {copied} of {reported} sends after all, as it does on the loopback: a card \
             may spare that"
        ),
    }
}

/// What it takes to have a route, and whether it is missed.
fn advice(route: &str) -> &'static str {
    match route {
        "sendfile" => {
            "without it every byte is copied twice by the CPU, at two to three times the cost: allow sendfile(2) in the \
             sandbox's filter, or keep data on a file system that has it"
        }
        "splice" => "not missed where sendfile works: allow splice(2) in the sandbox's filter to have it",
        "mmap" => {
            "not missed where sendfile works: the file system does not map files, or the sandbox forbids it"
        }
        "zerocopy" => {
            "not missed where sendfile works: MSG_ZEROCOPY needs a kernel and sandbox that allow it, and locked memory \
             (ulimit -l)"
        }
        "uring" => "not missed where sendfile works; the line io_uring says what refuses it",
        "direct" => "missed only where catching up must not disturb the page cache; see the line O_DIRECT",
        _ => "not missed where sendfile works",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn a_route_that_is_refused_is_no_fault_and_says_what_was_taken() {
        let outcome = Outcome::Instead { by: "copy", for_good: true };
        for route in Route::ALL {
            let finding = judge(route.name(), &outcome);
            assert!(finding.state == State::CouldBeBetter && !finding.advice.is_empty(), "{finding:?}");
            assert!(finding.found.contains("copy"), "{finding:?}");
        }
    }

    #[test]
    fn the_kernels_own_word_about_copying_is_told() {
        let found = |report| judge("zerocopy", &Outcome::Went { calls: 1, report }).found;
        let said = |copied, reported| found(Some(CopyReport { sends: 4, reported, copied }));
        assert!(said(4, 4).contains("copied 4 of 4 sends after all"));
        assert!(said(0, 4).contains("did not copy"));
        assert!(said(0, 0).contains("does not say"));
        assert!(!found(None).contains("kernel"));
    }

    #[test]
    fn bytes_that_arrive_wrong_are_broken() {
        assert_eq!(judge("copy", &Outcome::Wrong).state, State::Broken);
    }

    #[test]
    fn only_copying_must_be_possible() {
        let failed = Outcome::Failed("no loopback".to_owned());
        for route in Route::ALL {
            let (finding, must) = (judge(route.name(), &failed), route == Route::Copy);
            assert_eq!(finding.state, if must { State::Broken } else { State::CouldBeBetter }, "{finding:?}");
            assert!(!finding.advice.is_empty(), "{finding:?}");
        }
    }

    #[test]
    fn a_route_that_was_not_tried_beside_the_data_says_where() {
        // Nobody can make a file there.
        let finding = try_one(Route::Copy, Path::new("/proc"));
        assert!(finding.found.contains("; tried in "), "{finding:?}");
    }

    #[test]
    fn every_route_is_really_tried_and_copy_always_works() {
        let dir = tempfile::tempdir().expect("a directory");
        for route in tried() {
            let outcome = probe(route, bench::sample(dir.path()).expect("a file").file);
            let worked = matches!(outcome, Outcome::Went { calls: 1.., .. });
            assert!(
                worked || (route != Route::Copy && matches!(outcome, Outcome::Instead { .. })),
                "{outcome:?}"
            );
            if let Outcome::Went { report: Some(report), .. } = outcome {
                assert!(report.sends > 0 && report.silent() == 0, "{route}: the peer has it all: {report:?}");
            }
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("listed").count(), 0, "nothing is left behind");
    }
}
