//! What ours is to come to beside the others, and whether it does.

use std::fmt::{self, Display};

use pagewire_lab::drive::words;
use serde::{Deserialize, Serialize};

use crate::broker::{FLOOR, KAFKA, OURS};
use crate::deliveries;
use crate::table::{Table, short};

/// Latencies, in the names that the lab gives them.
const LATENCIES: [&str; 4] = ["p50", "p99", "p99.9", "max"];

/// Beside what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Floor,
    Kafka,
    /// The figure itself.
    Itself,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(most) => value <= most,
            Self::AtLeast(least) => value >= least,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtMost(most) => format!("at most {most:.2}"),
            Self::AtLeast(least) => format!("at least {least:.2}"),
        }
    }
}

/// A ratio of medians, or a figure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Goal {
    pub(crate) figure: &'static str,
    pub(crate) to: To,
    pub(crate) bound: Bound,
    /// Whether it means nothing where files are in memory.
    on_disk: bool,
}

/// The most that a cost may be of another's.
pub(crate) const fn at_most(figure: &'static str, to: To, ratio: f64) -> Goal {
    Goal { figure, to, bound: Bound::AtMost(ratio), on_disk: false }
}

/// The least that a rate must be of another's.
pub(crate) const fn at_least(figure: &'static str, to: To, ratio: f64) -> Goal {
    Goal { figure, to, bound: Bound::AtLeast(ratio), on_disk: false }
}

/// How many rounds a goal is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) ours: usize,
    pub(crate) others: usize,
}

impl Asked {
    /// So many of everybody.
    pub(crate) fn of_all(rounds: usize) -> Self {
        Self { ours: rounds, others: rounds }
    }

    fn of(self, broker: &str) -> usize {
        if broker == OURS { self.ours } else { self.others }
    }
}

/// A goal, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Verdict {
    /// In words, without the case.
    pub(crate) goal: String,
    #[serde(flatten)]
    pub(crate) became: Became,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Became {
    Measured {
        reached: f64,
        met: bool,
    },
    /// For this reason.
    Unmeasured {
        not_measured: String,
    },
}

/// A miss, and what was not measured, in the same words as what is met.
impl Display for Verdict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.became {
            Became::Measured { reached, met } => {
                let met = if *met { "met" } else { "MISSED" };
                write!(out, "goal {met}: {}; it is {}", self.goal, short(*reached))
            }
            Became::Unmeasured { not_measured } => {
                write!(out, "goal NOT MEASURED: {}; {not_measured}", self.goal)
            }
        }
    }
}

/// What a figure is called, whether or not it was measured.
pub(crate) fn name(figure: &str) -> String {
    if LATENCIES.contains(&figure) {
        return format!("{figure} ms");
    }
    deliveries::name(figure).unwrap_or_else(|| words::name(figure)).to_owned()
}

impl Goal {
    /// The same of files that must lie on a disk.
    pub(crate) const fn on_disk(self) -> Self {
        Self { on_disk: true, ..self }
    }

    /// Whether it is judged where files lie in memory.
    pub(crate) fn is_of_a_disk(&self) -> bool {
        self.on_disk
    }

    /// In words, without the case.
    pub(crate) fn words(&self) -> String {
        let beside = match self.to {
            To::Floor => format!(" of the {FLOOR}'s"),
            To::Kafka => format!(" of {KAFKA}'s"),
            To::Itself => String::new(),
        };
        format!("{} {}{beside}", name(self.figure), self.bound.words())
    }

    /// Why it is not judged, whatever was measured.
    pub(crate) fn not_judged(&self, why: &str) -> Verdict {
        Verdict { goal: self.words(), became: Became::Unmeasured { not_measured: why.to_owned() } }
    }

    /// What became of it where so many rounds were asked for; `why` is what kept the case from being measured whole. The middle of
    /// fewer rounds is another figure: whoever failed would be judged by those in which it did well.
    pub(crate) fn verdict(&self, table: &Table, asked: Asked, why: Option<&str>) -> Verdict {
        let became = match (self.reached(table), self.fewer(table, asked)) {
            (Ok(reached), None) => Became::Measured { reached, met: self.bound.holds(reached) },
            (Ok(_), Some(fewer)) => {
                let because = why.map(|why| format!(": {why}")).unwrap_or_default();
                Became::Unmeasured { not_measured: format!("{fewer}{because}") }
            }
            (Err(missing), _) => Became::Unmeasured { not_measured: why.map_or(missing, str::to_owned) },
        };
        Verdict { goal: self.words(), became }
    }

    /// Whether a broker is one of its sides.
    pub(crate) fn is_of(&self, broker: &str) -> bool {
        broker == OURS || self.other() == Some(broker)
    }

    /// Beside whom, if that is a broker.
    fn other(&self) -> Option<&'static str> {
        match self.to {
            To::Floor => Some(FLOOR),
            To::Kafka => Some(KAFKA),
            To::Itself => None,
        }
    }

    /// Of which side there are fewer rounds than were asked for.
    fn fewer(&self, table: &Table, asked: Asked) -> Option<String> {
        [Some(OURS), self.other()].into_iter().flatten().find_map(|broker| {
            let (rounds, asked) = (table.rounds(broker, self.figure)?, asked.of(broker));
            (rounds < asked).then(|| format!("{broker} has {rounds} of {asked} rounds"))
        })
    }

    /// The ratio, or which part of it is missing.
    fn reached(&self, table: &Table) -> Result<f64, String> {
        let of = |broker: &str, figure: &str| {
            let missing = || format!("there is no {} of {broker} in this run", name(figure));
            table.median(broker, figure).ok_or_else(missing)
        };
        let ours = of(OURS, self.figure)?;
        let other = self.other().map_or(Ok(1.0), |other| of(other, self.figure))?;
        let ratio = ours / other;
        if ratio.is_finite() { Ok(ratio) } else { Err("of nothing there is no ratio".to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::testing::table;

    const NAMES: &[&str] = &["cpu", "alone"];
    const ONE: Asked = Asked { ours: 1, others: 1 };

    #[test]
    fn a_goal_is_a_ratio_of_medians_to_whom_it_names() {
        let told = table(NAMES, &[("floor", &[1.0, 1.0]), ("pagewire", &[1.5, 2.0]), ("kafka", &[6.0, 1.0])]);
        for (goal, reached, met) in [
            (at_most("cpu", To::Floor, 1.5), 1.5, true),
            (at_most("cpu", To::Floor, 1.4), 1.5, false),
            (at_most("cpu", To::Kafka, 0.2), 0.25, false),
            (at_least("cpu", To::Kafka, 0.25), 0.25, true),
            (at_most("alone", To::Itself, 1.9), 2.0, false),
        ] {
            let verdict = goal.verdict(&told, ONE, None);
            let Became::Measured { reached: it, met: is_met } = verdict.became else { panic!("{verdict}") };
            assert!((it - reached).abs() < 1e-9 && is_met == met, "{it}");
        }
    }

    #[test]
    fn a_goal_that_was_not_measured_says_why() {
        let told = table(NAMES, &[("floor", &[0.0, 1.0]), ("pagewire", &[1.0, 1.0])]);
        for (goal, why, said) in [
            (at_most("cpu", To::Kafka, 1.0), None, "there is no cpu of kafka in this run"),
            (at_most("cpu", To::Floor, 1.0), None, "of nothing there is no ratio"),
            (at_most("p99", To::Itself, 1.0), None, "there is no p99 ms of pagewire in this run"),
            (at_most("cpu", To::Kafka, 1.0), Some("it cannot be had here"), "it cannot be had here"),
        ] {
            let verdict = goal.verdict(&told, ONE, why);
            assert_eq!(verdict.became, Became::Unmeasured { not_measured: said.to_owned() });
            let line = format!("goal NOT MEASURED: {}; {said}", goal.words());
            assert_eq!(verdict.to_string(), line);
            let read: Verdict = serde_json::from_str(&serde_json::to_string(&verdict).unwrap()).unwrap();
            assert_eq!(read, verdict);
        }
    }

    #[test]
    fn what_was_measured_is_told_though_something_else_was_not() {
        let told = table(NAMES, &[("floor", &[1.0, 1.0]), ("pagewire", &[1.0, 1.0])]);
        let verdict = at_most("cpu", To::Floor, 1.0).verdict(&told, ONE, Some("kafka broke"));
        assert_eq!(verdict.became, Became::Measured { reached: 1.0, met: true });
    }

    #[test]
    fn a_side_with_fewer_rounds_than_were_asked_for_is_not_judged() {
        let told = table(NAMES, &[("floor", &[1.0, 1.0]), ("pagewire", &[1.0, 1.0])]);
        let judged = |to, ours, others, why| {
            at_most("cpu", to, 1.0).verdict(&told, Asked { ours, others }, why).became
        };
        let not_measured = |said: &str| Became::Unmeasured { not_measured: said.to_owned() };
        let ours = "pagewire has 1 of 3 rounds";
        assert_eq!(judged(To::Floor, 3, 1, None), not_measured(ours));
        assert_eq!(judged(To::Itself, 3, 1, None), not_measured(ours));
        let why = "pagewire in round 2/3: it is gone";
        assert_eq!(judged(To::Itself, 3, 1, Some(why)), not_measured(&format!("{ours}: {why}")));
        assert_eq!(judged(To::Floor, 1, 3, None), not_measured("floor has 1 of 3 rounds"));
        // The other side's rounds are not a part of it.
        assert_eq!(judged(To::Itself, 1, 3, None), Became::Measured { reached: 1.0, met: true });
    }

    #[test]
    fn what_is_measured_once_beside_the_rounds_is_judged_by_that() {
        let mut told = table(NAMES, &[("pagewire", &[1.0, 1.0])]);
        for cell in told.rows[0].cells.iter_mut().flatten() {
            cell.samples.clear();
        }
        let verdict = at_most("cpu", To::Itself, 1.0).verdict(&told, Asked::of_all(3), None);
        assert_eq!(verdict.became, Became::Measured { reached: 1.0, met: true });
    }
}
