//! Where each partition was wished last, since the start: a directory that is away meanwhile keeps the note of an earlier wish.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use uuid::Uuid;

use super::Key;

/// When so many are kept, those of deleted topics are dropped for the first time.
const KEPT_MAX: usize = 64;

/// Of partitions that there are, and of no more others than of these.
#[derive(Default)]
pub(super) struct Last(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    wished: HashMap<Key, PathBuf>,
    /// When as many are kept, those of deleted topics are dropped.
    max: usize,
}

impl Last {
    /// This is the last wish from now on. `is_there`: whether there is a topic of that id.
    pub(super) fn note(&self, key: Key, to: &Path, is_there: impl Fn(Uuid) -> bool) {
        let mut kept = self.0.lock();
        kept.wished.insert(key, to.to_path_buf());
        if kept.wished.len() >= kept.max.max(KEPT_MAX) {
            kept.wished.retain(|(topic_id, _), _| is_there(*topic_id));
            kept.max = kept.wished.len() * 2;
        }
    }

    /// Whether it was wished in another directory than that one.
    pub(super) fn is_elsewhere(&self, key: Key, to: &Path) -> bool {
        self.0.lock().wished.get(&key).is_some_and(|last| last != to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_of_deleted_topics_are_not_kept_for_ever() {
        let last = Last::default();
        let is_there = |topic_id: Uuid| topic_id.as_u128() < 70;
        for number in 0..1000 {
            last.note((Uuid::from_u128(number), 0), Path::new("/a"), is_there);
        }
        assert!(last.0.lock().wished.len() < 300);
        assert!(last.is_elsewhere((Uuid::from_u128(69), 0), Path::new("/b")));
        assert!(!last.is_elsewhere((Uuid::from_u128(69), 0), Path::new("/a")));
    }
}
