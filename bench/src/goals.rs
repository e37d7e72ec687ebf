//! What ours is to come to beside the others, and whether it does.

use crate::broker::{FLOOR, KAFKA, OURS};
use crate::table::{Table, Verdict};

/// Beside what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum To {
    Floor,
    Kafka,
    /// Another figure of its own.
    Own(&'static str),
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
}

/// The most that a cost may be of another's.
pub(crate) const fn at_most(figure: &'static str, to: To, ratio: f64) -> Goal {
    Goal { figure, to, bound: Bound::AtMost(ratio) }
}

/// The least that a rate must be of another's.
pub(crate) const fn at_least(figure: &'static str, to: To, ratio: f64) -> Goal {
    Goal { figure, to, bound: Bound::AtLeast(ratio) }
}

impl Goal {
    /// What became of it; `None` where one of the two was not measured.
    pub(crate) fn verdict(&self, table: &Table) -> Option<Verdict> {
        let ours = table.median(OURS, self.figure)?;
        let (other, beside) = match self.to {
            To::Floor => (table.median(FLOOR, self.figure)?, format!(" of the {FLOOR}'s")),
            To::Kafka => (table.median(KAFKA, self.figure)?, format!(" of {KAFKA}'s")),
            To::Own(figure) => (table.median(OURS, figure)?, format!(" of {figure}")),
            To::Itself => (1.0, String::new()),
        };
        let reached = Some(ours / other).filter(|ratio| ratio.is_finite())?;
        let goal = format!("{} {}{beside}", table.name(self.figure), self.bound.words());
        Some(Verdict { goal, reached, met: self.bound.holds(reached) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::testing::table;

    const NAMES: &[&str] = &["cpu", "alone", "beside"];

    #[test]
    fn a_goal_is_a_ratio_of_medians_to_whom_it_names() {
        let told = table(
            NAMES,
            &[("floor", &[1.0, 1.0, 1.0]), ("pagewire", &[1.5, 2.0, 2.2]), ("kafka", &[6.0, 1.0, 1.0])],
        );
        for (goal, reached, met) in [
            (at_most("cpu", To::Floor, 1.5), 1.5, true),
            (at_most("cpu", To::Floor, 1.4), 1.5, false),
            (at_most("cpu", To::Kafka, 0.2), 0.25, false),
            (at_least("cpu", To::Kafka, 0.25), 0.25, true),
            (at_most("beside", To::Own("alone"), 1.2), 1.1, true),
            (at_most("alone", To::Itself, 1.9), 2.0, false),
        ] {
            let verdict = goal.verdict(&told).unwrap();
            assert!((verdict.reached - reached).abs() < 1e-9 && verdict.met == met, "{verdict}");
        }
    }

    #[test]
    fn nobody_is_held_against_what_was_not_measured() {
        let told = table(NAMES, &[("floor", &[0.0, 1.0, 1.0]), ("pagewire", &[1.0, 1.0, 1.0])]);
        assert!(at_most("cpu", To::Kafka, 1.0).verdict(&told).is_none());
        assert!(at_most("cpu", To::Floor, 1.0).verdict(&told).is_none(), "of nothing there is no ratio");
        assert!(at_most("other", To::Itself, 1.0).verdict(&told).is_none());
    }
}
