//! ListGroups, with the filters of KIP-518 (states) and KIP-848 (types).

use pagewire_coordinate::{GroupFilter, ListedGroup as Machine};
use pagewire_wire::messages::{
    list_groups_request::ListGroupsRequest,
    list_groups_response::{ListGroupsResponse, ListedGroup},
};

use crate::{
    coordinators::{shared, text},
    request::Context,
};

pub(crate) async fn handle(ctx: Context, request: ListGroupsRequest) -> ListGroupsResponse {
    let filter = GroupFilter::of(&request.states_filter, &request.types_filter);
    match ctx.broker.coordinators().groups().list(&ctx.broker, &filter).await {
        Ok(listed) => {
            ListGroupsResponse { groups: listed.iter().map(listing).collect(), ..Default::default() }
        }
        Err(error) => ListGroupsResponse { error_code: error.code(), ..Default::default() },
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
