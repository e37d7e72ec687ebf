//! What people say about moving data, each tried here and now. One file per subject; a claim that cannot be tried is
//! told with the reason.

mod alignment;
mod border;
mod buffers;
mod cache;
mod clock;
mod connection;
mod cost;
mod direct;
mod dma;
mod gather;
mod kernel;
mod mapped;
mod receive;
mod registered;
mod shrunk;

use std::collections::BTreeMap;

use super::bench::Bench;
use super::compared::figures;
use crate::record::Claim;

/// What trying gave.
struct Tried {
    /// `None`: what was measured does not decide.
    holds: Option<bool>,
    evidence: String,
    figures: BTreeMap<String, f64>,
}

type Try = fn(&mut Bench<'_>) -> anyhow::Result<Tried>;

/// How many there are.
pub(super) const COUNT: usize = ALL.len();

/// What is said, and how it is tried; in the order of the explanation that most people know.
const ALL: [(&str, Try); 22] = [
    (
        "read and send crosses the border four times for each buffer and copies by CPU twice",
        border::read_and_send,
    ),
    ("one call instead of two: sendfile crosses the border twice and copies nothing", border::sendfile),
    ("sendfile costs the sender less CPU than reading and writing", cost::sendfile_or_read),
    ("splice copies nothing either, but crosses the border more often than sendfile", border::splice),
    ("mmap and send saves one copy and keeps the calls", border::mapped),
    ("a mapped file is always cheaper than reading it", cost::mapped_or_read),
    ("mmap or sendfile: a mapped file is the cheaper one to send", cost::mapped_or_sendfile),
    ("each system call is a context switch", border::switches),
    ("transferTo of a library costs no more than the bare system call", cost::transfer_to),
    ("transferFrom puts what arrives into a file without a copy", receive::transfer_from),
    ("without scatter-gather the kernel copies after all", gather::scatter_gather),
    ("MSG_ZEROCOPY does not copy", gather::zerocopy),
    ("registered buffers make io_uring's sends cheaper", registered::buffers),
    ("while the disk moves the bytes by itself (DMA) the CPU need not wait", dma::works_meanwhile),
    ("O_DIRECT is zero-copy to the network", direct::to_the_network),
    (
        "what is stored through a map (MappedByteBuffer) is in the file, and costs less than writing it",
        mapped::stores,
    ),
    ("a mapped file that shrinks kills whoever sends it", shrunk::kills),
    ("direct buffers are cheaper than heap buffers", buffers::heap_or_direct),
    (
        "there is an alignment cliff: just behind the start of a 4 KiB page memory is read into more slowly",
        alignment::cliff,
    ),
    ("on a non-blocking socket sendfile does not block", cache::cold_call),
    ("sendfile bypasses the page cache", cache::needs_the_cache),
    ("epoll uses shared memory (mmap)", kernel::epoll),
];

/// Tries all of them, until whoever looks on says stop.
pub(super) fn all(bench: &mut Bench<'_>) -> Vec<Claim> {
    let mut claims = Vec::new();
    for (claim, try_it) in ALL {
        if bench.is_stopped() {
            break;
        }
        bench.watch.step(claim);
        let tried = match try_it(bench) {
            Ok(tried) => tried,
            // Given up by whoever looks on, and nothing to tell.
            Err(_) if bench.is_stopped() => break,
            Err(error) => Tried {
                holds: None,
                evidence: format!("could not be tried: {error:#}"),
                figures: BTreeMap::new(),
            },
        };
        claims.push(Claim {
            claim: claim.to_owned(),
            holds: tried.holds,
            evidence: tried.evidence,
            figures: tried.figures,
            machine: Some(bench.machine.clone()),
        });
    }
    claims
}

/// What a verdict adds to the figures, in words.
fn words<'w>(holds: Option<bool>, true_: &'w str, false_: &'w str) -> &'w str {
    match holds {
        Some(true) => true_,
        Some(false) => false_,
        None => "the rounds do not decide",
    }
}
