//! Fewer points of a long series, so that a page stays small.

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
}
