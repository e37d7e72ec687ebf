//! Lists in answers: an answer is one line of bounded length, so each list takes no more than its share of it.

use serde::Serialize;

/// The first of `items`, as many as take no more than `bytes` as JSON.
pub(crate) fn fitting<T: Serialize>(items: impl IntoIterator<Item = T>, bytes: usize) -> Vec<T> {
    let mut left = bytes;
    let fits = |item: &T| {
        // What cannot be written takes no place in the answer either.
        let takes = serde_json::to_string(item).map_or(usize::MAX, |text| text.len() + 1);
        left.checked_sub(takes).inspect(|rest| left = *rest).is_some()
    };
    items.into_iter().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_as_json_counts_as_long() {
        let items = ["a", "\u{1}\u{1}", "b"];
        assert_eq!(fitting(items, 4 + 15 + 4), items);
        assert_eq!(fitting(items, 4 + 15 + 3), items[..2]);
        assert_eq!(fitting(items, 4 + 14), ["a"]);
        assert_eq!(fitting(items, 3), [""; 0]);
    }
}
