//! Fewer points of a long series, so that a page stays small.
//!
//! ```text
//!   a distribution   . . . . . . . . .   ->  .   .   .   .   .     evenly spaced points of it
//!   a rate           _ _ - _ . _ - _ _   ->  [ _ ][ . ][ _ ]       stretches: mean, least and largest of each
//! ```
//!
//! A distribution only rises, so that what lies between two of its points is known. A rate may stand still for one
//! point alone: nothing of it may be left out.

use crate::spread::Spread;

/// At most so many points of a line are drawn and put into its table.
pub(super) const POINTS_MAX: usize = 100;

/// Evenly spaced ones, the first and the last among them; all of them where they are few.
pub(super) fn thin<T: Copy>(points: &[T], most: usize) -> Vec<T> {
    if points.len() <= most || most < 2 {
        return points.to_vec();
    }
    let last = points.len() - 1;
    (0..most).filter_map(|at| points.get(at * last / (most - 1)).copied()).collect()
}

/// A rate over some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretch {
    /// When it begins, in seconds.
    pub(super) begin: f64,
    /// When it ends.
    pub(super) end: f64,
    /// Least, mean and largest rate of it.
    pub(super) rate: Spread,
}

/// A rate over time in at most so many stretches, given as when each of its points ends and the rate up to then since
/// the point before.
pub(super) fn stretches(points: &[(f64, f64)], most: usize) -> Vec<Stretch> {
    let count = points.len().min(most);
    let mut began = 0.0;
    let one = |at: usize| {
        let points = points.get(at * points.len() / count..(at + 1) * points.len() / count)?;
        let stretch = stretch(points, began)?;
        began = stretch.end;
        Some(stretch)
    };
    (0..count).filter_map(one).collect()
}

fn stretch(points: &[(f64, f64)], begin: f64) -> Option<Stretch> {
    let (end, _) = *points.last()?;
    let rates: Vec<f64> = points.iter().map(|point| point.1).collect();
    let Spread { min, max, .. } = Spread::of(&rates)?;
    let mut since = begin;
    let mut moved = 0.0;
    for (until, rate) in points {
        moved += rate * (until - since);
        since = *until;
    }
    // Where no time has passed there is nothing to weigh by.
    let mean = if end > begin { moved / (end - begin) } else { f64::midpoint(min, max) };
    Some(Stretch { begin, end, rate: Spread { min, median: mean.max(min).min(max), max } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_stay_and_few_stay_all() {
        let many: Vec<usize> = (0..1001).collect();
        let kept = thin(&many, 101);
        assert_eq!((kept.len(), kept.first(), kept.last()), (101, Some(&0), Some(&1000)));
        assert!(kept.is_sorted());
        assert_eq!(thin(&[1, 2, 3], 100), [1, 2, 3]);
        assert!(thin::<u8>(&[], 100).is_empty());
    }

    /// Four points a second at this rate.
    fn steady(points: usize, rate: f64) -> Vec<(f64, f64)> {
        (1..=points).map(|at| (at as f64 / 4.0, rate)).collect()
    }

    #[test]
    fn a_moment_of_standing_still_stays_wherever_it_is() {
        for at in 0..360 {
            let mut points = steady(360, 400.0);
            points[at].1 = 0.0;
            let kept = stretches(&points, POINTS_MAX);
            let stalled: Vec<&Stretch> = kept.iter().filter(|stretch| stretch.rate.min < 1.0).collect();
            let [one] = stalled.as_slice() else { panic!("{at}: {stalled:?}") };
            assert!(one.rate.median < 310.0 && one.rate.max > 399.0, "{at}: {one:?}");
            assert!((one.end - points[at].0).abs() < 1.0, "{at}: {one:?}");
        }
    }

    #[test]
    fn few_points_are_stretches_of_their_own_and_time_is_covered_to_its_end() {
        let points = [(0.25, 3.0), (0.5, 1.0)];
        let kept = stretches(&points, POINTS_MAX);
        assert_eq!(kept.iter().map(|stretch| (stretch.end, stretch.rate.median)).collect::<Vec<_>>(), points);
        assert!(kept.iter().all(|stretch| stretch.rate.min >= stretch.rate.max));
        let kept = stretches(&steady(1001, 1.0), POINTS_MAX);
        assert_eq!((kept.len(), kept.last().map(|last| last.end)), (POINTS_MAX, Some(250.25)));
        assert!(stretches(&[], POINTS_MAX).is_empty());
    }

    #[test]
    fn a_mean_is_weighed_by_time() {
        let kept = stretches(&[(1.0, 10.0), (4.0, 2.0)], 1);
        let rate = Spread { min: 2.0, median: 4.0, max: 10.0 };
        assert_eq!(kept, [Stretch { begin: 0.0, end: 4.0, rate }]);
    }

    #[test]
    fn what_is_no_number_or_no_time_makes_no_panic() {
        for points in [vec![(f64::NAN, f64::NAN); 200], vec![(0.0, 1.0); 200]] {
            assert_eq!(stretches(&points, POINTS_MAX).len(), POINTS_MAX);
        }
    }
}
