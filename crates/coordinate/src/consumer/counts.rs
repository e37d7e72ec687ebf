//! Things that are counted by name; what counts zero is not there.

use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<Arc<str>, usize>);

impl Counts {
    pub(crate) fn add(&mut self, name: &Arc<str>) {
        *self.0.entry(name.clone()).or_default() += 1;
    }

    pub(crate) fn take(&mut self, name: &str) {
        if let Some(count) = self.0.get_mut(name) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(name);
            }
        }
    }

    pub(crate) fn of(&self, name: &str) -> usize {
        self.0.get(name).copied().unwrap_or(0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, usize)> {
        self.0.iter().map(|(name, count)| (name, *count))
    }
}
