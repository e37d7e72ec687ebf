//! Whose turn it is in a round that goes over the log directories: each has one turn under way at most.
//!
//! A directory whose disk does not answer keeps its own turn for as long as it does not; it is passed over meanwhile, and
//! the others go on. What a directory still owes, because there was no room or its turn was under way when the round was
//! called before its time, is made up for.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;

/// Of one kind of round.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    under_way: Arc<Mutex<HashSet<PathBuf>>>,
    owed: HashSet<PathBuf>,
}

/// One directory's turn. Over when dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    dir: PathBuf,
    under_way: Arc<Mutex<HashSet<PathBuf>>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.under_way.lock().remove(&self.dir);
    }
}

impl Turns {
    /// Begins a directory's turn; `None` while its last one is under way.
    pub(crate) fn begin(&mut self, dir: &Path) -> Option<Turn> {
        if !self.under_way.lock().insert(dir.to_path_buf()) {
            return None;
        }
        self.owed.remove(dir);
        Some(Turn { dir: dir.to_path_buf(), under_way: Arc::clone(&self.under_way) })
    }

    /// A directory is to have its turn soon. Says whether that is new.
    pub(crate) fn owe(&mut self, dir: &Path) -> bool {
        self.owed.insert(dir.to_path_buf())
    }

    /// Whether a directory waits for its turn.
    pub(crate) fn owes(&self, dir: &Path) -> bool {
        self.owed.contains(dir)
    }

    /// Directories that are not among these went away: nothing is owed to them any more.
    pub(crate) fn keep(&mut self, here: &[PathBuf]) {
        self.owed.retain(|dir| here.contains(dir));
    }

    /// Whether any does.
    pub(crate) fn owes_any(&self) -> bool {
        !self.owed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_turn_at_a_time_and_the_others_have_theirs() {
        let (one, two) = (Path::new("/one"), Path::new("/two"));
        let mut turns = Turns::default();
        let held = turns.begin(two).expect("free");
        assert!(turns.begin(two).is_none() && turns.begin(one).is_some());
        assert!(turns.begin(one).is_some(), "over at once");
        assert!(turns.owe(two) && !turns.owe(two));
        assert!(turns.owes(two) && !turns.owes(one) && turns.owes_any());
        drop(held);
        assert!(turns.begin(two).is_some() && !turns.owes_any());
    }

    #[test]
    fn what_is_owed_to_a_directory_that_went_away_is_struck_out() {
        let (here, away) = (Path::new("/here"), Path::new("/away"));
        let mut turns = Turns::default();
        assert!(turns.owe(here) && turns.owe(away));
        turns.keep(&[here.to_path_buf()]);
        assert!(turns.owes(here) && !turns.owes(away));
        turns.keep(&[]);
        assert!(!turns.owes_any());
    }
}
