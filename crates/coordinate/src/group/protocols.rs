//! Which protocols a group can agree on, and which one its members choose.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::{Group, GroupState};
use crate::input::Protocol;

impl Group {
    /// Whether a member that offers these may join: any with at least one protocol for an empty group, else the type
    /// must be the group's and one of the protocols must be offered by all members.
    pub(crate) fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.is(GroupState::Empty) {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|offer| self.support.get(&offer.name).copied().unwrap_or(0) == self.len())
    }

    /// Each member votes for the first of its protocols that all offer; most votes win, the lower name among equals.
    pub(crate) fn choose_protocol(&self) -> Option<Arc<str>> {
        let candidates: HashSet<&Arc<str>> =
            self.support.iter().filter(|(_, count)| **count == self.len()).map(|(name, _)| name).collect();
        let mut votes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for vote in self.members().filter_map(|(_, member)| member.vote(&candidates)) {
            *votes.entry(vote).or_default() += 1;
        }
        let most = votes.values().copied().max()?;
        votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.clone())
    }

    pub(super) fn count_support(&mut self, protocols: &[Protocol]) {
        for name in distinct(protocols) {
            *self.support.entry(name.clone()).or_default() += 1;
        }
    }

    pub(super) fn discount_support(&mut self, protocols: &[Protocol]) {
        for name in distinct(protocols) {
            if let Some(count) = self.support.get_mut(name) {
                *count -= 1;
                if *count == 0 {
                    self.support.remove(name);
                }
            }
        }
    }
}

/// A name offered twice counts once.
fn distinct(protocols: &[Protocol]) -> HashSet<&Arc<str>> {
    protocols.iter().map(|offer| &offer.name).collect()
}
