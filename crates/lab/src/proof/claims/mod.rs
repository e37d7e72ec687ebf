//! What people say about moving data, each tried here and now. One file per subject; a claim that cannot be tried is
//! told with the reason.

mod border;
mod buffers;
mod cache;
mod direct;
mod gather;
mod kernel;

use std::collections::BTreeMap;
use std::path::Path;

use crate::measure::way::Way;
use crate::measure::worker::Program;
use crate::measure::worker::protocol::Load;
use crate::measure::{Pair, Run, Sample};
use crate::record::{Claim, ProofLine, Receiver, Residency};
use crate::watch::Watch;

/// What claims are tried with.
pub(super) struct Bench<'b> {
    pub(super) pair: &'b mut Pair,
    pub(super) program: &'b Program,
    pub(super) dir: &'b Path,
    pub(super) routes: &'b [ProofLine],
}

/// What trying gave.
pub(super) struct Tried {
    pub(super) holds: bool,
    pub(super) evidence: String,
    pub(super) figures: BTreeMap<String, f64>,
}

type Try = fn(&mut Bench<'_>) -> anyhow::Result<Tried>;

/// How many there are.
pub(super) const COUNT: usize = ALL.len();

/// What is said, and how it is tried; in the order of the explanation that most people know.
const ALL: [(&str, Try); 15] = [
    (
        "read and send crosses the border four times for each buffer and copies by CPU twice",
        border::read_and_send,
    ),
    ("one call instead of two: sendfile crosses the border twice and copies nothing", border::sendfile),
    ("mmap and send saves one copy and keeps the calls", border::mapped),
    ("each system call is a context switch", border::switches),
    ("transferTo of a library costs no more than the bare system call", border::transfer_to),
    ("without scatter-gather the kernel copies after all", gather::scatter_gather),
    ("MSG_ZEROCOPY does not copy", gather::zerocopy),
    ("while the disk moves the bytes by itself (DMA) the CPU need not wait", direct::idle),
    ("O_DIRECT is zero-copy to the network", direct::to_the_network),
    ("a mapped file is always cheaper than reading it", border::mapped_or_read),
    ("direct buffers are cheaper than heap buffers", buffers::heap_or_direct),
    ("a buffer that is not page-aligned is read into more slowly", buffers::alignment),
    ("on a non-blocking socket sendfile does not block", cache::cold_call),
    ("sendfile bypasses the page cache", cache::needs_the_cache),
    ("epoll uses shared memory (mmap)", kernel::epoll),
];

/// Tries all of them.
pub(super) fn all(bench: &mut Bench<'_>, watch: &mut dyn Watch, claims: &mut Vec<Claim>) {
    for (claim, try_it) in ALL {
        if watch.is_stopped() {
            return;
        }
        watch.step(claim);
        claims.push(match try_it(bench) {
            Ok(tried) => Claim {
                claim: claim.to_owned(),
                holds: Some(tried.holds),
                evidence: tried.evidence,
                figures: tried.figures,
            },
            Err(error) => Claim {
                claim: claim.to_owned(),
                holds: None,
                evidence: format!("could not be tried: {error:#}"),
                figures: BTreeMap::new(),
            },
        });
    }
}

/// Rounds of which the middle one is taken.
const ROUNDS: usize = 9;
/// Responses of 1 MiB: large enough that the price of calls does not matter.
const STREAM: Load = Load { bytes: 1 << 20, header_bytes: 0, responses: 64 };

impl Bench<'_> {
    /// One hot stream by `way`, drained.
    fn stream(&mut self, way: &str) -> anyhow::Result<Sample> {
        let way = Way::from_name(way).ok_or_else(|| anyhow::anyhow!("there is no way called {way}"))?;
        let (residency, receiver) = (Residency::Hot, Receiver::Drain);
        let sample = self.pair.run(Run { way, load: STREAM, residency, receiver, trace_pages: false })?;
        if sample.sent.by_way == 0 {
            anyhow::bail!(
                sample.sent.refusal.unwrap_or_else(|| format!("{} is not to be had here", way.name()))
            );
        }
        Ok(sample)
    }

    /// Middle CPU seconds per GB of several ways, measured in turn.
    fn compare<const N: usize>(&mut self, ways: [&str; N]) -> anyhow::Result<[f64; N]> {
        let mut all = [const { Vec::new() }; N];
        for _ in 0..ROUNDS {
            for (way, samples) in ways.iter().zip(&mut all) {
                samples.push(self.stream(way)?.cpu_s_per_gb());
            }
        }
        Ok(all.map(|samples| crate::spread::Spread::of(&samples).map_or(0.0, |spread| spread.median)))
    }

    /// The line that a route got.
    fn route(&self, name: &str) -> Option<&ProofLine> {
        self.routes.iter().find(|line| line.route == name)
    }
}

/// Figures by name.
fn figures<const N: usize>(named: [(&str, f64); N]) -> BTreeMap<String, f64> {
    named.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect()
}
