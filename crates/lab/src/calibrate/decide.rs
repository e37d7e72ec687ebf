//! From costs to thresholds. Pure.
//!
//! At each measured length the route that the defaults have stays, unless another is clearly cheaper in most rounds; so
//! noise between two calibrations does not turn the answer over. What is compared is the ratio within each round,
//! because what disturbed a round disturbed both. A change is made between two lengths; which of them keeps the old
//! route is measured, what lies between goes with the shorter.

use pagewire_zcopy::{Route, STEPS_MAX, Step, Thresholds};

use crate::spread::Spread;

/// The middle of the ratios to the route that the defaults have must be at most this.
pub const MARGIN: f64 = 0.9;

/// What one route cost at one length.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounds {
    /// Bytes of a piece.
    pub bytes: u64,
    /// The route.
    pub route: Route,
    /// Microseconds of the sender's CPU for each, round by round.
    pub cpu_us: Vec<f64>,
}

/// The thresholds that follow from `costs`, starting from those in `default`. `None` without costs, or if they flicker
/// so much between lengths that they make no ladder.
pub fn decide(costs: &[Rounds], default: &Thresholds) -> Option<Thresholds> {
    let mut sizes: Vec<u64> = costs.iter().map(|cost| cost.bytes).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut steps: Vec<Step> = Vec::new();
    for bytes in sizes {
        let route = cheapest(costs, bytes, default.route_for(bytes))?;
        match steps.last_mut() {
            Some(last) if last.route == route => last.up_to_bytes = bytes,
            _ => steps.push(Step { up_to_bytes: bytes, route }),
        }
    }
    steps.last_mut()?.up_to_bytes = u64::MAX;
    if steps.len() > STEPS_MAX {
        return None;
    }
    Thresholds::new(&steps).ok()
}

/// What a route cost in relation to another at the same length: the middle of the rounds' ratios.
pub(super) fn ratio(costs: &[Rounds], one: &Rounds, other: Route) -> Option<f64> {
    let other = costs.iter().find(|cost| (cost.bytes, cost.route) == (one.bytes, other))?;
    Spread::of_ratios(&one.cpu_us, &other.cpu_us).map(|ratios| ratios.median)
}

fn cheapest(costs: &[Rounds], bytes: u64, default: Route) -> Option<Route> {
    let of_size = || costs.iter().filter(move |cost| cost.bytes == bytes);
    let least = |by: &dyn Fn(&Rounds) -> Option<f64>| {
        let found = of_size().filter_map(|cost| Some((cost.route, by(cost)?)));
        found.min_by(|(_, one), (_, other)| one.total_cmp(other))
    };
    match least(&|cost| ratio(costs, cost, default)) {
        Some((best, ratio)) => Some(if ratio <= MARGIN { best } else { default }),
        // The kernel has refused it: there is nothing to be held on to.
        None => least(&|cost| Spread::of(&cost.cpu_us).map(|spread| spread.median)).map(|(best, _)| best),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(bytes: u64, route: Route, us: f64) -> Rounds {
        Rounds { bytes, route, cpu_us: vec![us] }
    }

    fn ladder(costs: &[(u64, f64, f64)]) -> String {
        let both = |&(bytes, copy, sendfile): &(u64, f64, f64)| {
            [cost(bytes, Route::Copy, copy), cost(bytes, Route::Sendfile, sendfile)]
        };
        let costs: Vec<Rounds> = costs.iter().flat_map(both).collect();
        decide(&costs, &Thresholds::default()).map(|found| found.to_string()).unwrap_or_default()
    }

    #[test]
    fn noise_does_not_turn_the_default_over_and_a_clear_difference_does() {
        assert_eq!(ladder(&[(8192, 1.05, 1.0), (16384, 1.0, 1.05)]), "8192 copy\nmax sendfile\n");
        assert_eq!(
            ladder(&[(8192, 1.0, 2.0), (16384, 1.0, 1.2), (32768, 2.0, 1.0)]),
            "16384 copy\nmax sendfile\n"
        );
        assert_eq!(
            ladder(&[(4096, 1.0, 2.0), (8192, 2.0, 1.0), (16384, 2.0, 1.0)]),
            "4096 copy\nmax sendfile\n"
        );
    }

    #[test]
    fn rounds_are_compared_each_with_itself_and_not_by_their_middles() {
        // The machine gets slower from round to round. In each, sendfile is dearer than copy by a fifth.
        let copy = vec![1.0, 2.0, 3.0, 100.0, 100.0];
        let sendfile: Vec<f64> = copy.iter().map(|us| us * 1.2).collect();
        let rounds = |route, cpu_us| Rounds { bytes: 1 << 20, route, cpu_us };
        let costs = [rounds(Route::Copy, copy.clone()), rounds(Route::Sendfile, sendfile)];
        assert_eq!(decide(&costs, &Thresholds::default()).unwrap().to_string(), "max copy\n");
        // By the middles alone sendfile would cost a hundredth. In four rounds of five it is no cheaper.
        let lucky = vec![0.95, 1.9, 2.85, 0.03, 95.0];
        let costs = [rounds(Route::Sendfile, copy), rounds(Route::Copy, lucky)];
        assert_eq!(decide(&costs, &Thresholds::default()).unwrap().to_string(), "max sendfile\n");
    }

    #[test]
    fn one_route_for_everything_is_one_step() {
        assert_eq!(ladder(&[(1024, 2.0, 1.0), (1 << 20, 9.0, 1.0)]), "max sendfile\n");
    }

    #[test]
    fn a_default_that_was_refused_is_not_held_on_to() {
        let costs = [cost(1024, Route::Copy, 1.0), cost(1 << 20, Route::Copy, 9.0)];
        assert_eq!(decide(&costs, &Thresholds::default()).unwrap().to_string(), "max copy\n");
    }

    #[test]
    fn no_costs_and_flickering_ones_make_no_thresholds() {
        assert_eq!(decide(&[], &Thresholds::default()), None);
        let flicker: Vec<(u64, f64, f64)> = (0..2 * STEPS_MAX as u64)
            .map(|at| if at % 2 == 0 { (at + 1, 1.0, 9.0) } else { (at + 1, 9.0, 1.0) })
            .collect();
        assert_eq!(ladder(&flicker), "");
    }
}
