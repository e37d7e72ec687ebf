//! One load on one broker, round by round, for whoever does something else beside it and looks at latencies alone.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::spread::Spread;

use super::broker::Broker;
use super::client::{Dial, Stop};
use super::latency::Latencies;
use super::load::{self, Figure, Load, Ready, race};
use super::notes::{About, notes};
use super::plan::{Case, Plan};
use super::target::Target;
use super::topic::Topic;

/// A load that is ready to run.
pub struct Alone {
    case: Case,
    load: Box<dyn Load>,
    stop: Stop,
}

/// What must be known to read a round.
#[derive(Debug, Default)]
pub struct Known {
    /// How late the client was by its own fault, at most; [`late_words`](super::late_words) says what that means.
    pub late_ms: f64,
    /// All else.
    pub notes: Vec<String>,
}

impl Known {
    /// Of both.
    pub fn add(&mut self, other: Self) {
        self.late_ms = self.late_ms.max(other.late_ms);
        self.notes.extend(other.notes);
    }
}

impl Alone {
    /// On a topic of its own, which goes with it. Brokers and cases of the plan are not looked at.
    ///
    /// # Errors
    /// A broker that cannot be reached, or does not make the topic.
    pub fn prepare(case: Case, plan: &Plan, target: &Target) -> Result<Self> {
        let (broker, stop) = meet(plan, target)?;
        Ok(Self { case, load: load::prepare(case, plan, &broker)?, stop })
    }

    /// On this topic, which is there and which nobody has written to.
    ///
    /// # Errors
    /// A broker that cannot be reached, or does not serve the topic.
    pub fn prepare_on(topic: &str, case: Case, plan: &Plan, target: &Target) -> Result<Self> {
        let (broker, stop) = meet(plan, target)?;
        let topic = Topic::lent(&broker, plan, topic)?;
        Ok(Self { case, load: load::on(topic, case, plan, &broker)?, stop })
    }

    /// Runs a round to its end: its latencies, and what must be known to read them.
    ///
    /// # Errors
    /// The first failure of the broker, which ends the round.
    pub fn run(&mut self) -> Result<(Latencies, Known)> {
        if let Ready::No(why) = self.load.before()? {
            bail!(why);
        }
        let latencies = race::run(self.load.limits(), &self.stop, self.load.runners())?.latencies;
        let known = known(self.case, &self.load.figures(), latencies.count());
        Ok((latencies, known))
    }
}

/// Of one round with these figures and so many latencies.
fn known(case: Case, figures: &[Figure], fewest_latencies: u64) -> Known {
    let once = |value: f64| Spread { min: value, median: value, max: value };
    let mut figures: BTreeMap<_, _> =
        figures.iter().map(|(name, value)| ((*name).to_owned(), once(*value))).collect();
    let late_ms = figures.remove("behind_ms").map_or(0.0, |late| late.max);
    let notes = notes(&About {
        case,
        short: None,
        cpu_unknown: None,
        uncounted: None,
        peak_since_start: false,
        figures: &figures,
        elsewhere: None,
        fewest_latencies,
        once: Vec::new(),
        over_zero: Vec::new(),
    });
    Known { late_ms, notes }
}

fn meet(plan: &Plan, target: &Target) -> Result<(Broker, Stop)> {
    let stop = Stop::default();
    let dial =
        Dial { congestion_control: plan.congestion_control.clone(), stop: stop.clone(), ..Dial::default() };
    Ok((Broker::meet(target, &dial)?, stop))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_late_a_client_was_and_that_records_never_came_is_known_of_a_round() {
        let of = |behind, missing| {
            known(Case::EndToEnd, &[("behind_ms", behind), ("missing_records", missing)], 1_000_000)
        };
        assert_eq!(of(2.5, 0.0).notes, [""; 0]);
        let known = of(2.5, 3.0);
        assert!((known.late_ms - 2.5).abs() < 1e-9, "{known:?}");
        assert!(matches!(&known.notes[..], [note] if note.starts_with("up to 3 records")), "{known:?}");
    }
}
