//! ListGroups, with the filters of KIP-518 (states) and KIP-848 (types).

use std::collections::HashSet;

use foldhash::fast::RandomState;
use pagewire_coordinate::ListedGroup as Machine;
use pagewire_wire::{
    Str,
    messages::{
        list_groups_request::ListGroupsRequest,
        list_groups_response::{ListGroupsResponse, ListedGroup},
    },
};

use crate::{
    coordinators::{shared, text},
    request::Context,
};

pub(crate) async fn handle(ctx: Context, request: ListGroupsRequest) -> ListGroupsResponse {
    let groups = ctx.broker.coordinators().groups();
    let (states, types) = (Filter::of(&request.states_filter), Filter::of(&request.types_filter));
    // Not the machine's own filters: it would hold every group against every word of the request.
    match groups.list(&ctx.broker, &NOTHING, &NOTHING).await {
        Ok(listed) => {
            let admitted =
                listed.iter().filter(|group| states.admits(group.state) && types.admits(group.group_type));
            ListGroupsResponse { groups: admitted.map(listing).collect(), ..Default::default() }
        }
        Err(error) => ListGroupsResponse { error_code: error.code(), ..Default::default() },
    }
}

const NOTHING: [&str; 0] = [];

/// Names that are let through, without regard to case; all if none is given.
struct Filter(HashSet<String, RandomState>);

impl Filter {
    fn of(names: &[Str]) -> Self {
        Self(names.iter().map(|name| name.trim().to_ascii_lowercase()).collect())
    }

    fn admits(&self, name: &str) -> bool {
        self.0.is_empty() || self.0.contains(&name.to_ascii_lowercase())
    }
}

fn listing(group: &Machine) -> ListedGroup {
    ListedGroup {
        group_id: shared(&group.group_id),
        protocol_type: shared(&group.protocol_type),
        group_state: text(group.state),
        group_type: text(group.group_type),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_admits_what_it_names_in_any_case_and_everything_if_it_names_nothing() {
        let filter = Filter::of(&[" stable".into(), "DEAD".into(), "stable".into()]);
        assert!(filter.admits("Stable") && filter.admits("Dead") && !filter.admits("Empty"));
        assert!(Filter::of(&[]).admits("Empty"));
        assert!(!Filter::of(&["".into()]).admits("Empty"));
    }
}
