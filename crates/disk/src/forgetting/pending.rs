//! Changes of names that no sync of their directory has covered yet, and which of them a power cut spares.
//!
//! Half of the power cuts find a file system with a journal: what happened first survives first. The other half lets
//! every change fare on its own, but for what no file system does: a file is never under two names, and a name taken
//! anew has lost its old file first.

use std::collections::BTreeMap;

use super::chance::Chance;
use crate::memory::tree::{NameChange, Names, NodeId};

/// The names of all directories.
pub(super) type Directories = BTreeMap<NodeId, Names>;

/// Which changes of names a power cut spares. Counted from the oldest that is not synced; what a change builds on goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spared {
    /// This one, and what it builds on.
    Only(usize),
    /// All but this one, and those that build on it.
    AllBut(usize),
}

/// Changes not synced yet, oldest first.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending(Vec<NameChange>);

impl Pending {
    pub(super) fn add(&mut self, changes: impl IntoIterator<Item = NameChange>) {
        self.0.extend(changes);
    }

    /// Nodes that a change still to come may give a name.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.0.iter().filter_map(node)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Applies to `kept` what touches `dir`, and what that builds on.
    pub(super) fn sync_dir(&mut self, dir: NodeId, kept: &mut Directories) {
        let mut synced: Vec<bool> = self.0.iter().map(|change| touches(change, dir)).collect();
        close(&self.0, &mut synced);
        let mut synced = synced.into_iter();
        self.0.retain(|change| {
            let synced = synced.next().unwrap_or(false);
            if synced {
                apply(kept, change);
            }
            !synced
        });
    }

    /// Applies to `kept` what the power cut spared.
    pub(super) fn after_power_cut(&self, mut chance: Chance, kept: &mut Directories) {
        let mut spared: Vec<bool> = if chance.hits(128) {
            let first = chance.below(self.0.len() as u64 + 1) as usize;
            (0..self.0.len()).map(|at| at < first).collect()
        } else {
            self.0.iter().map(|_| chance.hits(128)).collect()
        };
        close(&self.0, &mut spared);
        self.keep(spared, kept);
    }

    /// Applies to `kept` what `spared` says.
    pub(super) fn after_sparing(&self, spared: Spared, kept: &mut Directories) {
        let chosen = match spared {
            Spared::Only(one) => {
                let mut chosen: Vec<bool> = (0..self.0.len()).map(|at| at == one).collect();
                close(&self.0, &mut chosen);
                chosen
            }
            Spared::AllBut(one) => {
                let mut lost: Vec<&NameChange> = Vec::new();
                let fare = |(at, change)| {
                    let is_lost = at == one || lost.iter().any(|lost| builds_on(change, lost));
                    lost.extend(is_lost.then_some(change));
                    !is_lost
                };
                self.0.iter().enumerate().map(fare).collect()
            }
        };
        self.keep(chosen, kept);
    }

    fn keep(&self, chosen: Vec<bool>, kept: &mut Directories) {
        self.0.iter().zip(chosen).filter(|(_, chosen)| *chosen).for_each(|(change, _)| apply(kept, change));
    }
}

/// Adds to the chosen changes those that they build on: earlier ones of the same file, or of the same name.
fn close(changes: &[NameChange], chosen: &mut [bool]) {
    for later in (0..changes.len()).rev() {
        if !chosen.get(later).copied().unwrap_or(false) {
            continue;
        }
        let (before, rest) = changes.split_at(later);
        let Some(change) = rest.first() else { continue };
        for (chosen, earlier) in chosen.iter_mut().zip(before) {
            *chosen |= builds_on(change, earlier);
        }
    }
}

fn builds_on(later: &NameChange, earlier: &NameChange) -> bool {
    let same_node = node(later).is_some_and(|id| node(earlier) == Some(id));
    same_node || places(later).any(|place| places(earlier).any(|before| before == place))
}

fn node(change: &NameChange) -> Option<NodeId> {
    match change {
        NameChange::Link { node, .. } | NameChange::Rename { node, .. } => Some(*node),
        NameChange::Unlink { .. } => None,
    }
}

/// The names that a change gives or takes.
fn places(change: &NameChange) -> impl Iterator<Item = (NodeId, &str)> {
    let (one, other) = match change {
        NameChange::Link { dir, name, .. } | NameChange::Unlink { dir, name } => ((*dir, name), None),
        NameChange::Rename { from, to, .. } => ((from.0, &from.1), Some((to.0, &to.1))),
    };
    std::iter::once(one).chain(other).map(|(dir, name)| (dir, name.as_str()))
}

fn touches(change: &NameChange, id: NodeId) -> bool {
    places(change).any(|(dir, _)| dir == id)
}

fn apply(kept: &mut Directories, change: &NameChange) {
    match change {
        NameChange::Link { dir, name, node } => {
            kept.entry(*dir).or_default().insert(name.clone(), *node);
        }
        NameChange::Unlink { dir, name } => {
            kept.entry(*dir).or_default().remove(name);
        }
        NameChange::Rename { from, to, node } => {
            kept.entry(from.0).or_default().remove(&from.1);
            kept.entry(to.0).or_default().insert(to.1.clone(), *node);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const DIR: NodeId = 1;

    fn rename(from: &str, to: &str, node: NodeId) -> NameChange {
        NameChange::Rename { from: (DIR, from.to_owned()), to: (DIR, to.to_owned()), node }
    }

    /// What the directory may hold after a power cut, if it held `kept` and `changes` were pending.
    fn outcomes(kept: &[(&str, NodeId)], changes: &[NameChange]) -> BTreeSet<Vec<(String, NodeId)>> {
        let kept: Names = kept.iter().map(|(name, node)| ((*name).to_owned(), *node)).collect();
        let mut pending = Pending::default();
        pending.add(changes.iter().cloned());
        let outcome = |seed| {
            let mut directories = Directories::from([(DIR, kept.clone())]);
            pending.after_power_cut(Chance::new(seed), &mut directories);
            directories.remove(&DIR).unwrap_or_default().into_iter().collect()
        };
        (1..500).map(outcome).collect()
    }

    fn named(names: &[(&str, NodeId)]) -> Vec<(String, NodeId)> {
        names.iter().map(|(name, node)| ((*name).to_owned(), *node)).collect()
    }

    #[test]
    fn renames_of_different_files_fare_apart() {
        let found = outcomes(&[("a", 7), ("b", 8)], &[rename("a", "x", 7), rename("b", "y", 8)]);
        let all = [[("a", 7), ("b", 8)], [("b", 8), ("x", 7)], [("a", 7), ("y", 8)], [("x", 7), ("y", 8)]];
        assert_eq!(found, all.iter().map(|names| named(names)).collect());
    }

    #[test]
    fn one_change_alone_comes_with_what_it_builds_on_and_is_missing_with_what_builds_on_it() {
        let kept = [("a", 7), ("b", 8)];
        let mut pending = Pending::default();
        pending.add([rename("a", "x", 7), rename("b", "y", 8), rename("x", "z", 7)]);
        let left = |spared| {
            let kept: Names = kept.iter().map(|(name, node)| ((*name).to_owned(), *node)).collect();
            let mut directories = Directories::from([(DIR, kept)]);
            pending.after_sparing(spared, &mut directories);
            directories.remove(&DIR).unwrap_or_default().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(left(Spared::Only(1)), named(&[("a", 7), ("y", 8)]));
        assert_eq!(left(Spared::Only(2)), named(&[("b", 8), ("z", 7)]));
        assert_eq!(left(Spared::AllBut(0)), named(&[("a", 7), ("y", 8)]));
        assert_eq!(left(Spared::AllBut(2)), named(&[("x", 7), ("y", 8)]));
    }

    #[test]
    fn a_file_is_never_under_two_names_nor_under_none() {
        let found = outcomes(&[("a", 7)], &[rename("a", "b", 7), rename("b", "c", 7)]);
        assert_eq!(found, ["a", "b", "c"].map(|name| named(&[(name, 7)])).into());
    }

    #[test]
    fn a_name_taken_anew_has_lost_its_old_file_first() {
        let link = NameChange::Link { dir: DIR, name: "a".to_owned(), node: 8 };
        let found = outcomes(&[("a", 7)], &[rename("a", "old", 7), link]);
        let all = [named(&[("a", 7)]), named(&[("old", 7)]), named(&[("a", 8), ("old", 7)])];
        assert_eq!(found, all.into());
    }
}
