//! Where partitions shall be made that are not there yet: Kafka remembers the directory that AlterReplicaLogDirs named, in memory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

/// So many are remembered; further wishes are answered and forgotten.
const REMEMBERED_MAX: usize = 10_000;

/// A topic's partition, and the directory.
#[derive(Default)]
pub(crate) struct Preferred(Mutex<HashMap<(String, i32), PathBuf>>);

impl Preferred {
    /// The last wish counts.
    pub(crate) fn note(&self, topic: &str, partition: i32, dir: &Path) {
        let (mut all, key) = (self.0.lock(), (topic.to_owned(), partition));
        if partition >= 0 && (all.len() < REMEMBERED_MAX || all.contains_key(&key)) {
            all.insert(key, dir.to_path_buf());
        }
    }

    /// The wish, which is none any more.
    pub(crate) fn take(&self, topic: &str, partition: i32) -> Option<PathBuf> {
        let mut all = self.0.lock();
        if all.is_empty() { None } else { all.remove(&(topic.to_owned(), partition)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_wish_counts_once_and_there_are_not_too_many() {
        let wishes = Preferred::default();
        for dir in ["/a", "/b"] {
            wishes.note("t", 0, Path::new(dir));
        }
        wishes.note("t", -1, Path::new("/a"));
        assert_eq!(wishes.take("t", 0), Some("/b".into()));
        assert_eq!((wishes.take("t", 0), wishes.take("t", -1)), (None, None));
        for partition in 0..=i32::try_from(REMEMBERED_MAX).expect("small") {
            wishes.note("t", partition, Path::new("/a"));
        }
        assert_eq!(wishes.0.lock().len(), REMEMBERED_MAX);
    }
}
