//! What things take in memory, about. What the allocator hands out counts, not what was asked for: maps keep room for
//! entries that are not there, and a short text costs more than its letters.

/// What a shared text takes besides its letters: two counts, and what the allocator adds.
const TEXT_BYTES: usize = 32;

/// What a deadline takes in both maps of the timers, without the texts it shares.
pub(crate) const TIMER_BYTES: usize = 192;

/// Entries of one leaf of a B-tree map.
const LEAF_ENTRIES: usize = 11;

/// A text with an allocation of its own.
pub(crate) const fn text_bytes(text: &str) -> usize {
    TEXT_BYTES + text.len()
}

/// A B-tree map or set: one leaf is there whole from the first entry on, the leaves of a larger one are half full.
pub(crate) const fn tree_bytes<Entry>(entries: usize) -> usize {
    let places = match entries {
        0 => 0,
        1..=LEAF_ENTRIES => LEAF_ENTRIES,
        _ => 2 * entries,
    };
    places * size_of::<Entry>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_entry_of_a_tree_takes_a_leaf() {
        assert_eq!(tree_bytes::<u64>(0), 0);
        assert_eq!(tree_bytes::<u64>(1), 88);
        assert_eq!(tree_bytes::<u64>(11), 88);
        assert_eq!(tree_bytes::<u64>(12), 192);
    }
}
