//! Since when log directories are offline: those that are here know the moment, of those that are away the first look
//! counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;

/// When each was first seen to be offline.
#[derive(Debug, Default)]
pub(crate) struct OfflineSince(Mutex<BTreeMap<PathBuf, i64>>);

impl OfflineSince {
    /// These are offline, each since this time or an earlier one that was noted, and no others.
    pub(crate) fn note(&self, offline: impl Iterator<Item = (PathBuf, i64)>) {
        let mut since = self.0.lock();
        let now = offline.map(|(path, at)| (since.get(&path).copied().unwrap_or(at), path));
        *since = now.map(|(at, path)| (path, at)).collect::<BTreeMap<_, _>>();
    }

    /// When that was seen of this one.
    pub(crate) fn of(&self, path: &Path) -> Option<i64> {
        self.0.lock().get(path).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_look_counts_until_it_is_online_again() {
        let (since, path) = (OfflineSince::default(), PathBuf::from("/a"));
        let note = |paths: &[&Path], at| since.note(paths.iter().map(|path| (path.to_path_buf(), at)));
        note(&[&path], 10);
        note(&[&path], 20);
        assert_eq!(since.of(&path), Some(10));
        note(&[], 30);
        assert_eq!(since.of(&path), None);
        note(&[&path], 40);
        assert_eq!(since.of(&path), Some(40));
    }
}
