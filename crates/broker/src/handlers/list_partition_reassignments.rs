//! ListPartitionReassignments: on one node nothing moves, so the list is empty. kafka-topics asks for it.

use pagewire_wire::messages::{
    list_partition_reassignments_request::ListPartitionReassignmentsRequest,
    list_partition_reassignments_response::ListPartitionReassignmentsResponse,
};

use crate::request::Context;

pub(crate) async fn handle(
    _ctx: Context,
    _request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse { error_message: None, ..Default::default() }
}
