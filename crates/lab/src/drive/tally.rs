//! The rounds of one broker in one case, and what they come to.

use std::collections::BTreeMap;

use crate::record::{DriveCell, Machine};
use crate::spread::Spread;

use super::broker::Broker;
use super::latency::{Latencies, TOLD};
use super::load::race::Lap;
use super::meter::Figures;
use super::plan::{Case, Plan};

/// A log of which less than this share came from the disk was not cold.
const COLD: f64 = 0.9;

/// What was measured so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rounds: Vec<Round>,
    all: Latencies,
    timeline: Vec<(f64, f64)>,
    /// Seconds of the rounds so far.
    elapsed: f64,
}

#[derive(Debug)]
struct Round {
    figures: Figures,
    latency_us: BTreeMap<&'static str, f64>,
}

impl Tally {
    /// One more round.
    pub(super) fn add(&mut self, lap: &Lap, figures: Figures) {
        let told = TOLD.iter().filter(|_| !lap.latencies.is_empty());
        let latency_us = told.map(|(name, at)| (*name, lap.latencies.percentile_us(*at))).collect();
        self.rounds.push(Round { figures, latency_us });
        self.all.add(&lap.latencies);
        self.timeline.extend(lap.timeline.iter().map(|(at, rate)| (self.elapsed + at, *rate)));
        self.elapsed += lap.seconds;
    }

    /// Whether no round was measured.
    pub(super) fn is_empty(&self) -> bool {
        self.rounds.is_empty()
    }

    /// What the rounds come to; `first` is the broker to compare with.
    pub(super) fn cell(
        &self,
        (case, plan): (Case, &Plan),
        broker: &Broker,
        first: Option<&Self>,
        machine: &Machine,
    ) -> DriveCell {
        let figures = spreads(self.rounds.iter().map(|round| &round.figures));
        let mut notes = Vec::new();
        if let Err(why) = &broker.process {
            notes.push(format!("CPU unknown: {why}"));
        }
        let from_disk = figures.get("disk_bytes_per_byte").map(|share| share.median);
        if let (Case::FetchCold, Some(share)) = (case, from_disk.filter(|share| *share < COLD)) {
            notes.push(format!("not cold: {:.0} % of the bytes came from the disk", share * 100.0));
        }
        if figures.get("missing_records").is_some_and(|missing| missing.max > 0.0) {
            notes.push("some records never came: their latency counts to the end of the round".to_owned());
        }
        DriveCell {
            broker: broker.name.clone(),
            case: case.name().to_owned(),
            settings: plan.settings(case),
            figures,
            latency_us: spreads(self.rounds.iter().map(|round| &round.latency_us)),
            distribution: if self.all.is_empty() { Vec::new() } else { self.all.distribution() },
            timeline: self.timeline.clone(),
            rounds: self.rounds.len(),
            ratio_to_first: first.map(|first| self.ratios(first)).unwrap_or_default(),
            process: broker.pid(),
            notes,
            machine: machine.clone(),
        }
    }

    /// Each round's figures divided by those of the other's same round: what disturbed both cancels out.
    fn ratios(&self, first: &Self) -> BTreeMap<String, Spread> {
        let pairs = self.rounds.iter().zip(&first.rounds);
        let ratios: Vec<BTreeMap<String, f64>> = pairs.map(|(own, other)| own.divided_by(other)).collect();
        spreads(ratios.iter())
    }
}

impl Round {
    fn divided_by(&self, other: &Self) -> BTreeMap<String, f64> {
        let divide = |name: String, own: f64, other: Option<&f64>| {
            let ratio = own / other?;
            ratio.is_finite().then_some((name, ratio))
        };
        let figures = self.figures.iter();
        let figures =
            figures.filter_map(|(name, own)| divide((*name).to_owned(), *own, other.figures.get(name)));
        let latencies = self.latency_us.iter();
        let latencies = latencies
            .filter_map(|(name, own)| divide(format!("{name}_us"), *own, other.latency_us.get(name)));
        figures.chain(latencies).collect()
    }
}

/// The spread of each name over the rounds that have it.
fn spreads<'a, K: ToString + Ord + 'a>(
    rounds: impl Iterator<Item = &'a BTreeMap<K, f64>>,
) -> BTreeMap<String, Spread> {
    let mut samples: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, value) in rounds.flatten() {
        samples.entry(name.to_string()).or_default().push(*value);
    }
    samples.into_iter().filter_map(|(name, values)| Some((name, Spread::of(&values)?))).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tally(rounds: &[(f64, u64)]) -> Tally {
        let mut tally = Tally::default();
        for (cpu, us) in rounds {
            let mut lap = Lap { seconds: 1.0, timeline: vec![(0.5, 1.0)], ..Lap::default() };
            lap.latencies.record(Duration::from_micros(*us));
            tally.add(&lap, Figures::from([("cpu_s_per_gb", *cpu)]));
        }
        tally
    }

    #[test]
    fn ratios_are_of_the_same_round_and_timelines_follow_each_other() {
        let first = tally(&[(1.0, 100), (10.0, 100), (2.0, 100)]);
        let own = tally(&[(2.0, 100), (20.0, 200), (4.0, 50)]);
        let ratios = own.ratios(&first);
        assert_eq!(ratios["cpu_s_per_gb"], Spread { min: 2.0, median: 2.0, max: 2.0 });
        let p50 = ratios["p50_us"];
        assert!((p50.min - 0.5).abs() < 0.01 && (p50.max - 2.0).abs() < 0.01, "{p50:?}");
        assert_eq!(own.timeline, [(0.5, 1.0), (1.5, 1.0), (2.5, 1.0)]);
    }

    #[test]
    fn a_figure_that_only_some_rounds_have_keeps_its_spread_and_nothing_is_divided_by_nothing() {
        let own = tally(&[(2.0, 1)]);
        assert!(own.ratios(&tally(&[(0.0, 1)])).keys().all(|name| name != "cpu_s_per_gb"));
        assert!(own.ratios(&Tally::default()).is_empty());
    }
}
