//! What ours is to come to beside the others, and whether it does.

use pagewire_lab::record::DriveCell;
use pagewire_lab::spread::Spread;

use super::LoadCase;
use super::table::figure;

/// Beside whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    Floor,
    Kafka,
    /// The figure itself.
    Itself,
}

impl To {
    /// The name of the broker it is beside.
    fn broker(self) -> Option<&'static str> {
        match self {
            Self::Floor => Some(crate::broker::FLOOR),
            Self::Kafka => Some(crate::broker::KAFKA),
            Self::Itself => None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Bound {
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
pub(super) struct Goal {
    pub(super) figure: &'static str,
    pub(super) to: To,
    pub(super) bound: Bound,
}

impl Goal {
    /// What was reached; `None` where that broker was not measured.
    fn reached(&self, cells: &[DriveCell]) -> Option<f64> {
        let median = |name: &str| {
            let cell = cells.iter().find(|cell| cell.broker == name)?;
            figure(cell, self.figure).map(|Spread { median, .. }| median)
        };
        let ours = median(crate::broker::OURS)?;
        match self.to.broker() {
            None => Some(ours),
            Some(other) => Some(ours / median(other)?).filter(|ratio| ratio.is_finite()),
        }
    }
}

/// Prints each goal and whether it is met: a miss in the same words.
pub(super) fn print(case: &LoadCase, cells: &[DriveCell]) {
    for goal in case.goals {
        let Some(reached) = goal.reached(cells) else { continue };
        let beside = goal.to.broker().map(|other| format!(" of {other}'s")).unwrap_or_default();
        let met = if goal.bound.holds(reached) { "met" } else { "MISSED" };
        println!("goal {met}: {} {}{beside}; it is {reached:.2}", goal.figure, goal.bound.words());
    }
}
