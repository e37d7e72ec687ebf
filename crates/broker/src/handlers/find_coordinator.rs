//! FindCoordinator: who coordinates a group or a transactional id. On one node that is this node; asking creates what they
//! are kept in. Share groups are not there yet.

use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        find_coordinator_request::FindCoordinatorRequest,
        find_coordinator_response::{Coordinator, FindCoordinatorResponse},
    },
};

use crate::{
    cluster::{Node, Refused},
    coordinators::{OFFSETS_TOPIC, TRANSACTIONS_TOPIC},
    request::Context,
};

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
/// From this version on a request names many keys (KIP-699).
const BATCHED: i16 = 4;

pub(crate) async fn handle(ctx: Context, request: FindCoordinatorRequest) -> FindCoordinatorResponse {
    let ready = ready(&ctx, request.key_type).await;
    let find = |key: &str| match &ready {
        Ok(node) => placed(&ctx, request.key_type, key).map(|()| node.clone()),
        Err(refused) => Err(refused.clone()),
    };
    if ctx.version < BATCHED {
        let (code, words, node) = split(find(&request.key));
        return FindCoordinatorResponse {
            error_code: code.code(),
            error_message: Some(words.unwrap_or_else(|| "NONE".into())),
            node_id: node.id,
            port: port(&node),
            host: node.host.into(),
            ..Default::default()
        };
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| {
        let (code, error_message, node) = split(find(&key));
        Coordinator {
            key,
            node_id: node.id,
            port: port(&node),
            host: node.host.into(),
            error_code: code.code(),
            error_message,
            ..Default::default()
        }
    });
    FindCoordinatorResponse { coordinators: coordinators.collect(), ..Default::default() }
}

/// The node, once what the keys are kept in is there.
async fn ready(ctx: &Context, key_type: i8) -> Result<Node, Refused> {
    let coordinators = ctx.broker.coordinators();
    let ready = match key_type {
        GROUP => coordinators.groups().ensure(&ctx.broker).await,
        TRANSACTION => coordinators.transaction_coordinator().ensure(&ctx.broker).await,
        _ => return Err(refused(ErrorCode::InvalidRequest)),
    };
    ready.map_err(|refused| unavailable(refused.message))?;
    let node = ctx.broker.cluster().nodes(&ctx.peer).into_iter().next();
    node.ok_or_else(|| refused(ErrorCode::CoordinatorNotAvailable))
}

/// Whether the partition that keeps a key is served; it is not while its log directory is away.
fn placed(ctx: &Context, key_type: i8, key: &str) -> Result<(), Refused> {
    let coordinators = ctx.broker.coordinators();
    let (serves, topic) = if key_type == GROUP {
        (coordinators.groups().serves(&ctx.broker, key), OFFSETS_TOPIC)
    } else {
        (coordinators.transaction_coordinator().serves(&ctx.broker, key), TRANSACTIONS_TOPIC)
    };
    let offline = || unavailable(format!("the partition of {topic} that keeps it is offline"));
    serves.then_some(()).ok_or_else(offline)
}

fn unavailable(words: impl Into<String>) -> Refused {
    Refused::new(ErrorCode::CoordinatorNotAvailable, words)
}

fn refused(code: ErrorCode) -> Refused {
    Refused::new(code, code.message())
}

/// With an error there is no node: id and port -1.
fn split(found: Result<Node, Refused>) -> (ErrorCode, Option<Str>, Node) {
    match found {
        Ok(node) => (ErrorCode::None, None, node),
        Err(refused) => {
            let nobody = Node { id: -1, host: String::new(), port: 0, rack: None };
            (refused.code, Some(refused.message.into()), nobody)
        }
    }
}

fn port(node: &Node) -> i32 {
    if node.id < 0 { -1 } else { i32::from(node.port) }
}
