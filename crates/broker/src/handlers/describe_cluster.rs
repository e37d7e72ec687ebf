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
/// See [`ENDPOINTS_OF_BROKERS`].
const ENDPOINTS_OF_CONTROLLERS: i8 = 2;

pub(crate) async fn handle(ctx: Context, request: DescribeClusterRequest) -> DescribeClusterResponse {
    if let Some((error, message)) = refusal(request.endpoint_type) {
        return DescribeClusterResponse {
            error_code: error.code(),
            error_message: Some(message.to_owned().into()),
            ..Default::default()
        };
    }
    let identity = ctx.broker.cluster().identity();
    let mut response = DescribeClusterResponse {
        endpoint_type: request.endpoint_type,
        cluster_id: identity.cluster_id.clone().into(),
        controller_id: identity.node_id,
        cluster_authorized_operations: operations::NOT_ASKED,
        ..Default::default()
    };
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

/// Why nothing can be said of endpoints of this type. As in Kafka, the answer does not even say which cluster it is of.
fn refusal(endpoint_type: i8) -> Option<(ErrorCode, &'static str)> {
    match endpoint_type {
        ENDPOINTS_OF_BROKERS => None,
        ENDPOINTS_OF_CONTROLLERS => Some((
            ErrorCode::MismatchedEndpointType,
            "The request was sent to a broker, but asks for controllers.",
        )),
        _ => Some((
            ErrorCode::UnsupportedEndpointType,
            "Endpoints are those of brokers (1) or controllers (2).",
        )),
    }
}
