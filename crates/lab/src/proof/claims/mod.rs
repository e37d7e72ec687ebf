//! What people say about moving data, each tried here and now. One file per subject; a claim that cannot be tried is
//! told with the reason.

mod border;
mod buffers;
mod cache;
mod compared;
mod direct;
mod gather;
mod kernel;
mod receive;
mod shrunk;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};

use self::compared::Compared;
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
    /// `None`: what was measured does not decide.
    pub(super) holds: Option<bool>,
    pub(super) evidence: String,
    pub(super) figures: BTreeMap<String, f64>,
}

type Try = fn(&mut Bench<'_>) -> anyhow::Result<Tried>;

/// How many there are.
pub(super) const COUNT: usize = ALL.len();

/// What is said, and how it is tried; in the order of the explanation that most people know.
const ALL: [(&str, Try); 18] = [
    (
        "read and send crosses the border four times for each buffer and copies by CPU twice",
        border::read_and_send,
    ),
    ("one call instead of two: sendfile crosses the border twice and copies nothing", border::sendfile),
    ("sendfile costs the sender less CPU than reading and writing", border::sendfile_cost),
    ("mmap and send saves one copy and keeps the calls", border::mapped),
    ("each system call is a context switch", border::switches),
    ("transferTo of a library costs no more than the bare system call", border::transfer_to),
    ("transferFrom puts what arrives into a file without a copy", receive::transfer_from),
    ("without scatter-gather the kernel copies after all", gather::scatter_gather),
    ("MSG_ZEROCOPY does not copy", gather::zerocopy),
    ("while the disk moves the bytes by itself (DMA) the CPU need not wait", direct::idle),
    ("O_DIRECT is zero-copy to the network", direct::to_the_network),
    ("a mapped file is always cheaper than reading it", border::mapped_or_read),
    ("a mapped file that shrinks kills whoever sends it", shrunk::kills),
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
                holds: tried.holds,
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
/// Of what changed with the file after it had been sent: more than this share means no copy, less than the other a copy.
const BY_REFERENCE: f64 = 0.99;
const COPIED: f64 = 0.01;
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

    /// Streams by two ways, in turn.
    fn streams(&mut self, one: &str, other: &str) -> anyhow::Result<Rounds> {
        let mut rounds = Rounds::default();
        for _ in 0..ROUNDS {
            rounds.one.push(self.stream(one)?);
            rounds.other.push(self.stream(other)?);
        }
        Ok(rounds)
    }

    /// CPU seconds of the sender per GB of two ways, measured in turn.
    fn compare(&mut self, one: &str, other: &str) -> anyhow::Result<Compared> {
        self.streams(one, other)?.by(Sample::cpu_s_per_gb)
    }

    /// The line that a route got. Without the route, or with a control that changed as well, nothing is known.
    fn route(&self, name: &str) -> anyhow::Result<&ProofLine> {
        let line = self.routes.iter().find(|line| line.route == name).context("there is no such route")?;
        if let Some(why) = &line.why {
            bail!("{why}");
        }
        ensure!(
            line.control.is_some_and(|share| share < COPIED),
            "the copying control changed with the file as well"
        );
        Ok(line)
    }

    /// The share of what that route had sent that changed with the file.
    fn aliased(&self, name: &str) -> anyhow::Result<f64> {
        self.route(name)?.aliased.context("nothing was overwritten")
    }
}

/// Samples of two ways, in the order in which they were taken.
#[derive(Default)]
struct Rounds {
    one: Vec<Sample>,
    other: Vec<Sample>,
}

impl Rounds {
    fn by(&self, figure: fn(&Sample) -> f64) -> anyhow::Result<Compared> {
        let of = |samples: &[Sample]| samples.iter().map(figure).collect::<Vec<f64>>();
        Compared::of(&of(&self.one), &of(&self.other))
    }
}

/// Whether bytes of which this share changed with the file had been copied; `None` where only some had.
fn is_copied(aliased: f64) -> Option<bool> {
    if aliased > BY_REFERENCE {
        Some(false)
    } else if aliased < COPIED {
        Some(true)
    } else {
        None
    }
}

/// Figures by name.
fn figures<const N: usize>(named: [(&str, f64); N]) -> BTreeMap<String, f64> {
    named.into_iter().map(|(name, figure)| (name.to_owned(), figure)).collect()
}
