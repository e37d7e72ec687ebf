//! What routes and claims are tried with: the two processes, somebody who looks on, and what is known so far.
//!
//! Whatever is measured ends within a moment when whoever looks on says stop, with an error that nobody is told.

use std::path::Path;

use anyhow::{Context, bail, ensure};

use super::compared::Compared;
use crate::measure::way::Way;
use crate::measure::worker::Program;
use crate::measure::worker::protocol::Load;
use crate::measure::{Aliasing, Pair, Run, Sample};
use crate::record::{Link, Machine, ProofLine, Receiver, Residency};
use crate::watch::Watch;

/// The file that the streams of the proof are taken from.
const FILE_BYTES: u64 = 32 << 20;
/// What an aliasing test queues whole while nobody reads.
const ALIASING_BYTES: u64 = 64 << 10;
/// What surely copies, and so has to keep its old bytes, or the test proves nothing.
const CONTROL: &str = "copy";
/// Responses of 1 MiB: large enough that the price of calls does not matter.
const STREAM: Load = Load { bytes: 1 << 20, header_bytes: 0, responses: 64 };
/// As many of them as cost 50 ms of CPU where a GB costs a tenth of a second: less is mostly noise.
const COMPARED: Load = Load { responses: 512, ..STREAM };
/// A stream long enough that pages for its copies stand out from those for everything else.
const TRACED: Load = Load { bytes: 1 << 20, header_bytes: 0, responses: 16 };
/// Rounds of which the middle one is taken.
pub(super) const ROUNDS: usize = 9;

/// What things are tried with.
pub(super) struct Bench<'b> {
    pair: Pair,
    /// An order failed: the workers may be gone, or about to answer something that nobody asks any more.
    is_spoilt: bool,
    program: &'b Program,
    /// Where files are made.
    pub(super) dir: &'b Path,
    /// Where this is.
    pub(super) machine: Machine,
    pub(super) watch: &'b mut dyn Watch,
    /// What is known of the routes.
    pub(super) routes: Vec<ProofLine>,
}

/// The aliasing test of a way, beside that of what surely copies.
pub(super) struct Tested {
    pub(super) test: Aliasing,
    pub(super) control: f64,
}

impl<'b> Bench<'b> {
    /// Starts the two processes.
    pub(super) fn start(
        program: &'b Program,
        dir: &'b Path,
        watch: &'b mut dyn Watch,
    ) -> anyhow::Result<Self> {
        let machine = crate::machine::here(dir);
        let pair = Pair::start(program, Link::Loopback, dir, FILE_BYTES, &*watch)?;
        let machine = machine.with_network(&pair.congestion, &pair.congestion_default, &pair.offloads);
        Ok(Self { pair, is_spoilt: false, program, dir, machine, watch, routes: Vec::new() })
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.watch.is_stopped()
    }

    /// An error once the work is to end.
    pub(super) fn go_on(&self) -> anyhow::Result<()> {
        ensure!(!self.is_stopped(), "stopped");
        Ok(())
    }

    /// Other processes, over another link.
    pub(super) fn pair_over(&self, link: Link, file_bytes: u64) -> anyhow::Result<Pair> {
        Pair::start(self.program, link, self.dir, file_bytes, &*self.watch)
    }

    /// Does something with the two processes; with new ones, where the last order failed.
    fn with_pair<T>(
        &mut self,
        act: impl FnOnce(&mut Pair, &dyn Watch) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        self.go_on()?;
        if self.is_spoilt {
            self.pair = self.pair_over(Link::Loopback, FILE_BYTES)?;
        }
        let done = act(&mut self.pair, &*self.watch);
        self.is_spoilt = done.is_err();
        done
    }

    fn run(&mut self, way: Way, load: Load, trace_pages: bool) -> anyhow::Result<Sample> {
        let (residency, receiver) = (Residency::Hot, Receiver::Drain);
        let run = Run { way, load, residency, receiver, trace_pages };
        self.with_pair(|pair, watch| pair.run(run, watch))
    }

    /// One hot stream by `way`, drained.
    pub(super) fn stream(&mut self, way: &str) -> anyhow::Result<Sample> {
        self.stream_of(way, STREAM)
    }

    fn stream_of(&mut self, way: &str, load: Load) -> anyhow::Result<Sample> {
        let way = named(way)?;
        let sample = self.run(way, load, false)?;
        if sample.sent.by_way == 0 {
            bail!(sample.sent.refusal.unwrap_or_else(|| format!("{} is not to be had here", way.name())));
        }
        Ok(sample)
    }

    /// A stream, with the pages that the kernel allocated for it where it lets us see them.
    pub(super) fn traced(&mut self, way: Way) -> anyhow::Result<Sample> {
        self.run(way, TRACED, true)
    }

    /// Streams by two ways, in turn.
    pub(super) fn streams(&mut self, one: &str, other: &str) -> anyhow::Result<Rounds> {
        let mut rounds = Rounds::default();
        for _ in 0..ROUNDS {
            rounds.one.push(self.stream_of(one, COMPARED)?);
            rounds.other.push(self.stream_of(other, COMPARED)?);
        }
        Ok(rounds)
    }

    /// CPU seconds of the sender per GB of two ways, measured in turn.
    pub(super) fn compare(&mut self, one: &str, other: &str) -> anyhow::Result<Compared> {
        self.streams(one, other)?.by(Sample::cpu_s_per_gb)
    }

    /// The aliasing test of `way`, and of its control before it.
    pub(super) fn test(&mut self, way: Way) -> anyhow::Result<Tested> {
        self.with_pair(|pair, watch| tested(pair, way, watch))
    }

    /// The share of what `way` had sent that changed with the file, of a test whose control kept still.
    pub(super) fn aliased(&mut self, way: &str) -> anyhow::Result<f64> {
        let Tested { test, control } = self.test(named(way)?)?;
        if test.queued.by_way < test.bytes {
            bail!(test.queued.refusal.unwrap_or_else(|| format!("{way} did not carry all of it")));
        }
        ensure!(control <= 0.0, "the copying control changed with the file as well");
        Ok(test.aliased)
    }

    /// The line that a route got; an error without the route.
    pub(super) fn route(&self, name: &str) -> anyhow::Result<&ProofLine> {
        let line = self.routes.iter().find(|line| line.route == name).context("the route was not tried")?;
        match &line.why {
            Some(why) if line.cpu_copies.is_none() => bail!("{why}"),
            _ => Ok(line),
        }
    }
}

/// The aliasing test of `way` over `pair`, and of its control before it.
pub(super) fn tested(pair: &mut Pair, way: Way, watch: &dyn Watch) -> anyhow::Result<Tested> {
    let control = pair.alias(named(CONTROL)?, ALIASING_BYTES, watch).context("the copying control")?;
    Ok(Tested { test: pair.alias(way, ALIASING_BYTES, watch)?, control: control.aliased })
}

fn named(way: &str) -> anyhow::Result<Way> {
    Way::from_name(way).with_context(|| format!("there is no way called {way}"))
}

/// Bytes of pages that were allocated for each byte sent, where the kernel lets us see that.
pub(super) fn allocated_per_byte(sample: &Sample) -> Option<f64> {
    let bytes = sample.sent.allocated.clone()?.ok()?;
    Some(bytes as f64 / sample.load.total() as f64)
}

/// Samples of two ways, in the order in which they were taken.
#[derive(Default)]
pub(super) struct Rounds {
    one: Vec<Sample>,
    other: Vec<Sample>,
}

impl Rounds {
    /// The two held against each other, by this.
    pub(super) fn by(&self, figure: fn(&Sample) -> f64) -> anyhow::Result<Compared> {
        let of = |samples: &[Sample]| samples.iter().map(figure).collect::<Vec<f64>>();
        Compared::of(&of(&self.one), &of(&self.other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::testing::sample;

    #[test]
    fn pages_are_told_per_byte_and_only_where_they_were_seen() {
        let mut one = sample(1000);
        assert_eq!(allocated_per_byte(&one), None);
        one.sent.allocated = Some(Err("no".into()));
        assert_eq!(allocated_per_byte(&one), None);
        one.sent.allocated = Some(Ok(500));
        assert_eq!(allocated_per_byte(&one), Some(0.5));
    }
}
