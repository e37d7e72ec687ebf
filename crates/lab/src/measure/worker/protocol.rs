//! What the lab says to its two processes, and what they answer: one JSON object a line, over their standard input and
//! output. Orders are done in turn; each has one answer.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use pagewire_zcopy::Route;
use serde::{Deserialize, Serialize};

use crate::measure::gauge::Usage;
use crate::measure::way::Way;
use crate::record::{ColdHow, KernelWord, PagesFrom, Receiver};

/// What a worker is told to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    /// Stay on this CPU. -> `Done`
    Pin(usize),
    /// Have it scheduled so that waking does not interrupt the other one.
    Calm,
    /// Enter a network namespace of its own. -> `Done`
    Isolate,
    /// Make a pair of interfaces, the other end in the namespace of this process. -> `Done`
    Wire { peer: u32, scatter_gather: bool },
    /// Give this end of the pair its address. -> `Done`
    Address { scatter_gather: bool },
    /// Choose a congestion control that does not pace. -> `Congestion`
    Congestion,
    /// Say which offloads this interface has. -> `Offloads`
    Offloads(String),
    /// Write a file of so many bytes into this directory, for what is sent. -> `Prepared`
    Prepare { dir: PathBuf, bytes: u64 },
    /// Drop that file from the page cache, to see whether it can be. -> `Chilled`
    Chill,
    /// Send. -> `Sent`
    Send(Send),
    /// Send a file that nobody reads yet. -> `Queued`
    Queue(Queue),
    /// Overwrite that file in place. -> `Done`
    Overwrite,
    /// Listen on a free port. -> `Listening`
    Listen(IpAddr),
    /// Receive what a `Send` sends. -> `Received`
    Receive(Receive),
    /// Accept a connection and read nothing. -> `Done`
    Park,
    /// Wait until so many bytes have come over the parked connection, as far as they do. -> `Done`
    Await(u64),
    /// Read so many bytes of the parked connection. -> `Counted`
    Count(u64),
}

/// A worker's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Answer {
    Done,
    Congestion {
        chosen: String,
        default: String,
    },
    Offloads(std::collections::BTreeMap<String, String>),
    Prepared {
        syscalls_counted: bool,
        pages_from: PagesFrom,
    },
    Chilled(ColdHow),
    Sent(Sent),
    Queued(Queued),
    Listening(u16),
    Received(Received),
    /// How many of the bytes were the new ones.
    Counted(u64),
    /// It could not be done; these are the words why.
    Failed(String),
}

/// A stream of responses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Send {
    pub(crate) way: Way,
    pub(crate) to: SocketAddr,
    pub(crate) congestion: String,
    pub(crate) load: Load,
    /// Drop the file from the page cache first; else see to it that it is there.
    pub(crate) cold: bool,
    /// Count the pages that the kernel allocates meanwhile.
    pub(crate) trace_pages: bool,
}

/// How much is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Load {
    /// File bytes of one response.
    pub(crate) bytes: u64,
    /// Bytes of memory in front of each.
    pub(crate) header_bytes: u64,
    /// Responses that are measured.
    pub(crate) responses: u64,
}

/// Bytes at the file's end that are sent to warm up, and never measured.
pub(crate) const WARM_BYTES: u64 = 4 << 20;
/// As many small responses are warm enough.
const WARM_RESPONSES_MAX: u64 = 256;

impl Load {
    /// The file's bytes while it is measured: what figures are about.
    pub(crate) fn file_bytes(self) -> u64 {
        self.bytes * self.responses
    }

    /// Everything that goes over the socket while it is measured.
    pub(crate) fn total(self) -> u64 {
        (self.bytes + self.header_bytes) * self.responses
    }

    /// What is sent before, to warm up.
    pub(crate) fn warm(self) -> Self {
        let bytes = self.bytes.min(WARM_BYTES);
        Self { bytes, responses: (WARM_BYTES / bytes.max(1)).clamp(1, WARM_RESPONSES_MAX), ..self }
    }
}

/// What sending took.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) usage: Usage,
    /// When the first measured byte was sent.
    pub(crate) began_ns: u64,
    /// Counted by the kernel, where it may be asked.
    pub(crate) syscalls: Option<u64>,
    /// Counted by the way itself.
    pub(crate) calls: u64,
    /// Busy time of the CPU that both processes are kept on, where they are; in ticks, so only sums of many tell.
    pub(crate) busy_ns: Option<u64>,
    /// File bytes by route of the library, indexed by [`Route::index`].
    pub(crate) took: [u64; Route::COUNT],
    /// File bytes that really went this way.
    pub(crate) by_way: u64,
    /// Why not all.
    pub(crate) refusal: Option<String>,
    /// Bytes of pages allocated, or why that is not known. `None` where it was not asked for.
    pub(crate) allocated: Option<Result<u64, String>>,
    /// How it is known that the file was cold, where it was to be.
    pub(crate) cold_how: Option<ColdHow>,
    /// What the kernel says about copying.
    pub(crate) word: Option<KernelWord>,
}

/// The receiving half of a `Send`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Receive {
    pub(crate) load: Load,
    pub(crate) receiver: Receiver,
}

/// What receiving took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Received {
    pub(crate) usage: Usage,
    /// When the last byte had arrived.
    pub(crate) ended_ns: u64,
}

/// The first half of the aliasing test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Queue {
    pub(crate) way: Way,
    pub(crate) to: SocketAddr,
    pub(crate) congestion: String,
    pub(crate) bytes: u64,
    /// Drop the file from the page cache first.
    pub(crate) cold: bool,
}

/// What came of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Queued {
    /// Bytes that really went this way.
    pub(crate) by_way: u64,
    pub(crate) refusal: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warming_up_stays_within_the_files_tail() {
        for bytes in [1, 100, 1 << 10, 1 << 20, 3 << 20, 64 << 20] {
            let warm = Load { bytes, header_bytes: 60, responses: 9 }.warm();
            assert!(warm.bytes <= WARM_BYTES && warm.responses >= 1, "{bytes}");
            assert!(warm.bytes * warm.responses <= WARM_BYTES, "{bytes}");
        }
    }

    #[test]
    fn an_order_is_a_line_and_comes_back() {
        let order = Order::Send(Send {
            way: Way::FLOOR,
            to: "127.0.0.1:1".parse().unwrap(),
            congestion: "reno".into(),
            load: Load { bytes: 10, header_bytes: 2, responses: 3 },
            cold: true,
            trace_pages: false,
        });
        let line = serde_json::to_string(&order).unwrap();
        assert!(!line.contains('\n') && line.contains("sendfile-bare"), "{line}");
        match serde_json::from_str(&line).unwrap() {
            Order::Send(send) => assert_eq!((send.way, send.load.total()), (Way::FLOOR, 36)),
            other => panic!("{other:?}"),
        }
    }
}
