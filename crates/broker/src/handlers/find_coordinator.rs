//! FindCoordinator: who coordinates a group. On one node that is this node; asking creates what groups are kept in.
//!
//! Transactional ids are answered likewise: the final word that transactions are not served comes from InitProducerId,
//! where clients take it as final. Share groups are not there yet.

use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        find_coordinator_request::FindCoordinatorRequest,
        find_coordinator_response::{Coordinator, FindCoordinatorResponse},
    },
};

use crate::{cluster::Node, request::Context};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
/// From this version on a request names many keys (KIP-699).
const BATCHED: i16 = 4;

pub(crate) async fn handle(ctx: Context, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let found = find(&ctx, request.key_type).await;
    if ctx.version < BATCHED {
        let (error, node) = split(found);
        return FindCoordinatorResponse {
            error_code: error.code(),
            error_message: Some(message(error)),
            node_id: node.id,
            port: port(&node),
            host: node.host.into(),
            ..Default::default()
        };
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| {
        let (error, node) = split(found.clone());
        Coordinator {
            key,
            node_id: node.id,
            port: port(&node),
            host: node.host.into(),
            error_code: error.code(),
            ..Default::default()
        }
    });
    FindCoordinatorResponse { coordinators: coordinators.collect(), ..Default::default() }
}

async fn find(ctx: &Context, key_type: i8) -> Result<Node, ErrorCode> {
    match key_type {
        GROUP => {
            let ready = ctx.broker.coordinators().groups().ensure(&ctx.broker).await;
            ready.map_err(|_| ErrorCode::CoordinatorNotAvailable)?;
        }
        TRANSACTION => {}
        _ => return Err(ErrorCode::InvalidRequest),
    }
    ctx.broker.cluster().nodes(&ctx.peer).into_iter().next().ok_or(ErrorCode::CoordinatorNotAvailable)
}

/// With an error there is no node: id and port -1.
fn split(found: Result<Node, ErrorCode>) -> (ErrorCode, Node) {
    match found {
        Ok(node) => (ErrorCode::None, node),
        Err(error) => (error, Node { id: -1, host: String::new(), port: 0, rack: None }),
    }
}

fn port(node: &Node) -> i32 {
    if node.id < 0 { -1 } else { i32::from(node.port) }
}

fn message(error: ErrorCode) -> Str {
    if error == ErrorCode::None { "NONE".into() } else { error.message().into() }
}
