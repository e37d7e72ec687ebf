//! From costs to thresholds. Pure.
//!
//! At each measured length the route that is in force stays, unless another is clearly cheaper; so noise between two
//! calibrations does not turn the answer over. A change is made between two lengths; which of them keeps the old route
//! is measured, what lies between goes with the shorter.

use pagewire_zcopy::{Route, STEPS_MAX, Step, Thresholds};

use super::Cost;

/// Another route must cost at most this share of the one in force.
pub const MARGIN: f64 = 0.9;

/// The thresholds that follow from `costs`, starting from those in `default`. `None` without costs, or if they flicker
/// so much between lengths that they make no ladder.
pub fn decide(costs: &[Cost], default: &Thresholds) -> Option<Thresholds> {
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

fn cheapest(costs: &[Cost], bytes: u64, default: Route) -> Option<Route> {
    let of_size: Vec<(Route, f64)> = costs
        .iter()
        .filter(|cost| cost.bytes == bytes)
        .filter_map(|cost| Some((Route::from_name(&cost.route)?, cost.cpu_us.median)))
        .collect();
    let &(best, cost) = of_size.iter().min_by(|(_, a), (_, b)| a.total_cmp(b))?;
    let in_force = of_size.iter().find(|(route, _)| *route == default).map(|&(_, cost)| cost);
    Some(if in_force.is_some_and(|in_force| cost > in_force * MARGIN) { default } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spread::Spread;

    fn cost(bytes: u64, route: Route, us: f64) -> Cost {
        Cost { bytes, route: route.name().to_owned(), cpu_us: Spread { min: us, median: us, max: us } }
    }

    fn ladder(costs: &[(u64, f64, f64)]) -> String {
        let both = |&(bytes, copy, sendfile): &(u64, f64, f64)| {
            [cost(bytes, Route::Copy, copy), cost(bytes, Route::Sendfile, sendfile)]
        };
        let costs: Vec<Cost> = costs.iter().flat_map(both).collect();
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
