//! ListGroups with its filters.

use std::collections::HashSet;
use std::sync::Arc;

use crate::any_group::AnyGroup;
use crate::shard::Shard;

/// A group as ListGroups answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its id.
    pub group_id: Arc<str>,
    /// Empty if nobody ever joined.
    pub protocol_type: Arc<str>,
    /// Its state.
    pub state: &'static str,
    /// `classic` or `consumer`.
    pub group_type: &'static str,
}

/// Which groups are to be listed, by states and by types. Names count without regard to case and to what is blank around them.
#[derive(Clone, Debug, Default)]
pub struct GroupFilter {
    states: HashSet<String>,
    types: HashSet<String>,
}

impl GroupFilter {
    /// Admits groups in one of these states and of one of these types. To name none admits all; to name only what does not
    /// exist admits none.
    pub fn of(states: &[impl AsRef<str>], types: &[impl AsRef<str>]) -> Self {
        Self { states: names(states), types: names(types) }
    }

    fn admits(&self, group: &AnyGroup) -> bool {
        let admits = |names: &HashSet<String>, name: &str| {
            names.is_empty() || names.contains(&name.to_ascii_lowercase())
        };
        admits(&self.states, group.state_name()) && admits(&self.types, group.type_name())
    }
}

fn names(wanted: &[impl AsRef<str>]) -> HashSet<String> {
    wanted.iter().map(|name| name.as_ref().trim().to_ascii_lowercase()).collect()
}

impl Shard {
    /// The groups that the filter admits, by name.
    pub fn list(&self, filter: &GroupFilter) -> Vec<ListedGroup> {
        let admitted = self.groups().filter(|group| filter.admits(group));
        let mut listed: Vec<ListedGroup> = admitted
            .map(|group| ListedGroup {
                group_id: group.id().clone(),
                protocol_type: group.protocol_type(),
                state: group.state_name(),
                group_type: group.type_name(),
            })
            .collect();
        listed.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        listed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::Group;

    #[test]
    fn a_filter_admits_what_it_names_in_any_case_and_everything_if_it_names_nothing() {
        let empty = AnyGroup::Classic(Group::new("g".into(), 0));
        let admits = |states: &[&str], types: &[&str]| GroupFilter::of(states, types).admits(&empty);
        assert!(admits(&[], &[]) && admits(&[" empty", "DEAD", "empty"], &["CLASSIC "]));
        assert!(!admits(&["stable"], &[]) && !admits(&["empty"], &["consumer"]));
        assert!(!admits(&[""], &[]) && !admits(&[], &[""]));
    }
}
