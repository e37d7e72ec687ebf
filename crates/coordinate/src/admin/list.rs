//! ListGroups with its filters.

use std::sync::Arc;

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

impl Shard {
    /// Groups in one of these states and of one of these types. An empty filter admits all; case does not matter; a
    /// filter that only names what does not exist admits none.
    pub fn list(&self, states: &[impl AsRef<str>], types: &[impl AsRef<str>]) -> Vec<ListedGroup> {
        let admits = |filter: &mut dyn Iterator<Item = &str>, name: &str| {
            let mut filter = filter.peekable();
            filter.peek().is_none() || filter.any(|wanted| wanted.trim().eq_ignore_ascii_case(name))
        };
        let mut listed: Vec<ListedGroup> = self
            .groups()
            .filter(|group| admits(&mut states.iter().map(AsRef::as_ref), group.state_name()))
            .filter(|group| admits(&mut types.iter().map(AsRef::as_ref), group.type_name()))
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
