//! ListGroups with its filters.

use std::sync::Arc;

use crate::group::GroupState;
use crate::shard::Shard;

/// The name of this kind of group in ListGroups.
const GROUP_TYPE: &str = "classic";

/// A group as ListGroups answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGroup {
    /// Its id.
    pub group_id: Arc<str>,
    /// Empty if nobody ever joined.
    pub protocol_type: Arc<str>,
    /// Its state.
    pub state: GroupState,
    /// Always `classic`.
    pub group_type: &'static str,
}

impl Shard {
    /// Groups in one of these states and of one of these types. An empty filter admits all; case does not matter; a
    /// filter that only names what does not exist admits none.
    pub fn list(&self, states: &[impl AsRef<str>], types: &[impl AsRef<str>]) -> Vec<ListedGroup> {
        let admits = |filter: &mut dyn Iterator<Item = &str>, name: &str| {
            let mut filter = filter.peekable();
            filter.peek().is_none() || filter.any(|wanted| wanted.trim().eq_ignore_ascii_case(name))
        };
        if !admits(&mut types.iter().map(AsRef::as_ref), GROUP_TYPE) {
            return Vec::new();
        }
        let mut listed: Vec<ListedGroup> = self
            .groups()
            .filter(|group| admits(&mut states.iter().map(AsRef::as_ref), group.state().name()))
            .map(|group| ListedGroup {
                group_id: group.id.clone(),
                protocol_type: group.protocol_type.clone().unwrap_or_else(|| Arc::from("")),
                state: group.state(),
                group_type: GROUP_TYPE,
            })
            .collect();
        listed.sort_by(|a, b| a.group_id.cmp(&b.group_id));
        listed
    }
}
