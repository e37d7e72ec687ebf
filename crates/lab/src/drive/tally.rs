//! The rounds of one broker in one case, and what they come to.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::{DriveCell, Machine};
use crate::spread::Spread;

use super::broker::Broker;
use super::calls::Counted;
use super::latency::{Latencies, TOLD};
use super::load::race::Lap;
use super::meter::Figures;
use super::notes::{About, notes, unlike};
use super::plan::{Case, Plan};

/// What was measured so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    rounds: Vec<Round>,
    /// Figures that were measured once, before the rounds.
    once: Figures,
    /// What was counted in rounds of their own: of each, nothing where it could not be.
    counted: Vec<Figures>,
    /// Why it could not be.
    uncounted: Option<String>,
    all: Latencies,
    timeline: Vec<(f64, f64)>,
    /// Seconds of the rounds so far.
    elapsed: f64,
}

#[derive(Debug)]
struct Round {
    figures: Figures,
    latency_us: BTreeMap<&'static str, f64>,
    latencies: u64,
}

impl Tally {
    /// With these figures, which no round measures again.
    pub(super) fn with(once: Figures) -> Self {
        Self { once, ..Self::default() }
    }

    /// One more round.
    pub(super) fn add(&mut self, lap: &Lap, figures: Figures) {
        let told = TOLD.iter().filter(|_| !lap.latencies.is_empty());
        let latency_us = told.map(|(name, at)| (*name, lap.latencies.percentile_us(*at))).collect();
        self.rounds.push(Round { figures, latency_us, latencies: lap.latencies.count() });
        self.all.add(&lap.latencies);
        self.timeline.extend(lap.timeline.iter().map(|(at, rate)| (self.elapsed + at, *rate)));
        self.elapsed += lap.seconds;
    }

    /// One more round in which calls were to be counted.
    pub(super) fn count(&mut self, counted: Counted) {
        self.counted.push(counted.unwrap_or_else(|why| {
            self.uncounted = Some(why);
            Figures::new()
        }));
    }

    /// How many rounds were measured.
    pub(super) fn rounds(&self) -> usize {
        self.rounds.len()
    }

    /// What the rounds come to; `first` is the broker to compare with, `short` why there are fewer of them than were
    /// asked for.
    pub(super) fn cell(
        &self,
        (case, plan): (Case, &Plan),
        (broker, first): (&Broker, Option<&Self>),
        short: Option<&str>,
        machine: &Machine,
    ) -> DriveCell {
        let figures = self.rounds.iter().map(|round| &round.figures);
        let figures = spreads(figures.chain([&self.once]).chain(&self.counted));
        let about = About {
            case,
            short,
            cpu_unknown: broker.process.as_ref().err().map(String::as_str),
            uncounted: self.uncounted.as_deref(),
            peak_since_start: broker.pid().is_some() && !broker.forgets_peak,
            figures: &figures,
            elsewhere: self.most("elsewhere_cpu_cores"),
            fewest_latencies: self.rounds.iter().map(|round| round.latencies).min().unwrap_or_default(),
            once: self.once.keys().copied().collect(),
            over_zero: first.map(|first| self.over_zero(first)).unwrap_or_default(),
        };
        let (notes, unlike) = (notes(&about), unlike(&about));
        let counted = self.counted.iter().map(by_name);
        let rounds: Vec<_> = self.rounds.iter().map(Round::by_name).chain(counted).collect();
        DriveCell {
            broker: broker.name.clone(),
            case: case.name().to_owned(),
            settings: plan.settings(case),
            figures,
            latency_us: spreads(self.rounds.iter().map(|round| &round.latency_us)),
            distribution: if self.all.is_empty() { Vec::new() } else { self.all.distribution() },
            timeline: self.timeline.clone(),
            rounds: self.rounds.len(),
            samples: samples(rounds.iter()),
            ratio_to_first: first.map(|first| self.ratios(first)).unwrap_or_default(),
            process: broker.pid(),
            notes,
            unlike,
            machine: machine.clone(),
        }
    }

    /// The round in which a figure is largest, from 1, with that.
    fn most(&self, name: &str) -> Option<(usize, f64)> {
        let all = (1..).zip(&self.rounds).filter_map(|(at, round)| Some((at, *round.figures.get(name)?)));
        all.max_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// Each round's figures divided by those of the other's same round: what disturbed both cancels out.
    fn ratios(&self, first: &Self) -> BTreeMap<String, Spread> {
        let pairs = self.rounds.iter().zip(&first.rounds);
        let ratios = pairs.map(|(own, other)| own.divided_by(other));
        let once = divided(&self.once, &first.once);
        let counted = self.counted.iter().zip(&first.counted).map(|(own, other)| divided(own, other));
        let ratios: Vec<BTreeMap<String, f64>> = ratios.chain([once]).chain(counted).collect();
        spreads(ratios.iter())
    }

    /// Figures that a round has no ratio of, because the other's was zero and this one's was not, or should not be.
    fn over_zero(&self, first: &Self) -> Vec<String> {
        let pairs = self.rounds.iter().zip(&first.rounds).map(|(own, other)| (&own.figures, &other.figures));
        let zero = |(own, other): (&Figures, &Figures)| {
            let none = own
                .iter()
                .filter(|(name, own)| other.get(*name) == Some(&0.0) && (**own > 0.0 || name.contains(CPU)));
            none.map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>()
        };
        let names: BTreeSet<String> = pairs.chain([(&self.once, &first.once)]).flat_map(zero).collect();
        names.into_iter().collect()
    }
}

/// What costs nothing was not seen.
const CPU: &str = "cpu_";

impl Round {
    /// Figures and latencies.
    fn by_name(&self) -> BTreeMap<String, f64> {
        let figures = by_name(&self.figures).into_iter();
        figures.chain(self.latency_us.iter().map(|(name, us)| (format!("{name}_us"), *us))).collect()
    }

    fn divided_by(&self, other: &Self) -> BTreeMap<String, f64> {
        let latencies = divided(&self.latency_us, &other.latency_us).into_iter();
        let latencies = latencies.map(|(name, ratio)| (format!("{name}_us"), ratio));
        divided(&self.figures, &other.figures).into_iter().chain(latencies).collect()
    }
}

fn by_name(figures: &Figures) -> BTreeMap<String, f64> {
    figures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

/// What both have, the one divided by the other; of nothing there is no ratio.
fn divided(own: &Figures, other: &Figures) -> BTreeMap<String, f64> {
    let divide = |(name, own): (&&str, &f64)| {
        let ratio = own / other.get(name)?;
        ratio.is_finite().then(|| ((*name).to_owned(), ratio))
    };
    own.iter().filter_map(divide).collect()
}

/// The spread of each name over the rounds that have it.
fn spreads<'a, K: ToString + Ord + 'a>(
    rounds: impl Iterator<Item = &'a BTreeMap<K, f64>>,
) -> BTreeMap<String, Spread> {
    let samples = samples(rounds).into_iter();
    samples.filter_map(|(name, values)| Some((name, Spread::of(&values)?))).collect()
}

/// What each name had in the rounds that have it.
fn samples<'a, K: ToString + Ord + 'a>(
    rounds: impl Iterator<Item = &'a BTreeMap<K, f64>>,
) -> BTreeMap<String, Vec<f64>> {
    let mut samples: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, value) in rounds.flatten() {
        samples.entry(name.to_string()).or_default().push(*value);
    }
    samples
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::drive::testing::broker;

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
    fn a_cell_keeps_what_each_round_came_to() {
        let tally = tally(&[(3.0, 100), (1.0, 300), (2.0, 200)]);
        let rounds: Vec<_> = tally.rounds.iter().map(Round::by_name).collect();
        let kept = samples(rounds.iter());
        assert_eq!(kept["cpu_s_per_gb"], [3.0, 1.0, 2.0]);
        assert_eq!(kept["p99.9_us"].len(), 3);
    }

    #[test]
    fn the_round_in_which_a_figure_is_largest_is_known_by_its_number() {
        let tally = tally(&[(2.0, 1), (3.0, 1), (1.0, 1)]);
        assert_eq!([tally.most("cpu_s_per_gb"), tally.most("of_nobody")], [Some((2, 3.0)), None]);
    }

    #[test]
    fn a_figure_that_only_some_rounds_have_keeps_its_spread_and_nothing_is_divided_by_nothing() {
        let own = tally(&[(2.0, 1)]);
        let idle = tally(&[(0.0, 1)]);
        assert!(own.ratios(&idle).keys().all(|name| name != "cpu_s_per_gb"));
        assert_eq!(own.over_zero(&idle), ["cpu_s_per_gb"]);
        assert_eq!(idle.over_zero(&own), [""; 0]);
        assert!(own.ratios(&Tally::default()).is_empty());
    }

    #[test]
    fn calls_are_of_the_rounds_in_which_they_were_counted_and_compared_within_each() {
        let counted = |calls: &[Option<f64>]| {
            let mut tally = tally(&[(1.0, 100)]);
            for calls in calls {
                let figures = calls.map(|calls| Figures::from([("syscalls_per_request", calls)]));
                tally.count(figures.ok_or_else(|| "refused".to_owned()));
            }
            tally
        };
        let own = counted(&[Some(4.0), None, Some(6.0)]);
        let first = counted(&[Some(1.0), Some(100.0), Some(2.0)]);
        let cell = own.cell(
            (Case::Produce, &Plan::default()),
            (&broker("own"), Some(&first)),
            None,
            &crate::machine::here(std::path::Path::new("/")),
        );
        assert_eq!((cell.rounds, &cell.samples["syscalls_per_request"][..]), (1, &[4.0, 6.0][..]));
        assert_eq!(cell.samples["cpu_s_per_gb"], [1.0], "nothing else is taken of them");
        let spread = |min, median, max| Spread { min, median, max };
        assert_eq!(cell.figures["syscalls_per_request"], spread(4.0, 5.0, 6.0));
        assert_eq!(cell.ratio_to_first["syscalls_per_request"], spread(3.0, 3.5, 4.0));
        assert_eq!((own.uncounted.as_deref(), first.uncounted), (Some("refused"), None));
    }

    #[test]
    fn what_was_measured_once_is_given_once_and_compared_once() {
        let with = |rate| {
            let mut tally = Tally::with(Figures::from([("connects_per_s", rate)]));
            tally.add(&Lap { seconds: 1.0, ..Lap::default() }, Figures::from([("cpu_cores", 1.0)]));
            tally
        };
        let (own, first) = (with(3.0), with(2.0));
        assert_eq!(own.ratios(&first)["connects_per_s"], Spread { min: 1.5, median: 1.5, max: 1.5 });
        assert!(own.rounds.iter().all(|round| !round.figures.contains_key("connects_per_s")));
    }
}
