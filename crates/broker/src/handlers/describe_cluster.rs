//! DescribeCluster: cluster id, controller, brokers (KIP-700).

use pagewire_wire::{
    ErrorCode,
    messages::{
        describe_cluster_request::DescribeClusterRequest,
        describe_cluster_response::{DescribeClusterBroker, DescribeClusterResponse},
    },
};

use super::operations;
use crate::request::Context;

/// Brokers, as opposed to controllers (KIP-919): only they have an address of their own here.
const ENDPOINTS_OF_BROKERS: i8 = 1;

pub(crate) async fn handle(ctx: Context, request: DescribeClusterRequest) -> DescribeClusterResponse {
    let identity = ctx.broker.cluster().identity();
    let mut response = DescribeClusterResponse {
        endpoint_type: request.endpoint_type,
        cluster_id: identity.cluster_id.clone().into(),
        controller_id: identity.node_id,
        cluster_authorized_operations: operations::NOT_ASKED,
        ..Default::default()
    };
    if request.endpoint_type != ENDPOINTS_OF_BROKERS {
        response.error_code = ErrorCode::MismatchedEndpointType.code();
        response.error_message =
            Some("The request was sent to a broker, but asks for controllers.".to_owned().into());
        return response;
    }
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = operations::OF_THE_CLUSTER;
    }
    let one = |node: crate::cluster::Node| DescribeClusterBroker {
        broker_id: node.id,
        host: node.host.into(),
        port: i32::from(node.port),
        rack: node.rack.map(Into::into),
        ..Default::default()
    };
    response.brokers = ctx.broker.cluster().nodes(&ctx.peer).into_iter().map(one).collect();
    response
}
