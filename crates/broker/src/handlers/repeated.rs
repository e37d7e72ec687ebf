//! What a request names more than once. Answers about a thing named twice are the same thing twice, and a small request
//! could ask for a huge answer that way.

use std::{collections::HashSet, hash::Hash};

/// What stands in `items` more than once. Takes as many steps as there are items.
pub(super) fn repeated<T: Copy + Eq + Hash>(items: impl IntoIterator<Item = T>) -> HashSet<T> {
    let mut seen = HashSet::new();
    items.into_iter().filter(|item| !seen.insert(*item)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_repeated_from_its_second_time_on() {
        assert_eq!(repeated([1, 2, 3, 2, 2, 1]), HashSet::from([1, 2]));
        assert!(repeated::<i32>([]).is_empty());
        // Comparing each with each would be 10^11 steps.
        assert_eq!(repeated((0..300_000).map(|n| n / 2)).len(), 150_000);
    }
}
