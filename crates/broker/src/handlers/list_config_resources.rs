//! ListConfigResources: what has settings (KIP-1142). Topics and this broker always have, a group has if some were set for it;
//! client metrics, which the first version alone is about, are not served.

use std::collections::BTreeSet;

use pagewire_metadata::{CatalogError, model::ConfigScope};
use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        list_config_resources_request::ListConfigResourcesRequest,
        list_config_resources_response::{ConfigResource, ListConfigResourcesResponse},
    },
};

use super::resources::{BROKER, CLIENT_METRICS, GROUP, LOGGERS, TOPIC};
use crate::request::Context;

/// From here on a request says which types it is about; before, it is about client metrics.
const TYPES_FROM: i16 = 1;
/// All there are, in the order of their codes.
const TYPES: [i8; 5] = [TOPIC, BROKER, LOGGERS, CLIENT_METRICS, GROUP];

pub(crate) async fn handle(ctx: Context, request: ListConfigResourcesRequest) -> ListConfigResourcesResponse {
    let asked: BTreeSet<i8> = if ctx.version < TYPES_FROM {
        [CLIENT_METRICS].into()
    } else if request.resource_types.is_empty() {
        TYPES.into()
    } else {
        request.resource_types.into_iter().collect()
    };
    let mut response = ListConfigResourcesResponse::default();
    if asked.iter().any(|kind| !TYPES.contains(kind)) {
        response.error_code = ErrorCode::UnsupportedVersion.code();
        return response;
    }
    for kind in asked {
        match names(&ctx, kind).await {
            Ok(names) => response.config_resources.extend(names.into_iter().map(|name| ConfigResource {
                resource_name: Str::from(name),
                resource_type: kind,
                ..Default::default()
            })),
            Err(error) => {
                tracing::warn!(%error, "the settings of groups cannot be listed");
                let error_code = ErrorCode::KafkaStorageError.code();
                return ListConfigResourcesResponse { error_code, ..Default::default() };
            }
        }
    }
    response
}

async fn names(ctx: &Context, kind: i8) -> Result<Vec<String>, CatalogError> {
    let cluster = ctx.broker.cluster();
    Ok(match kind {
        TOPIC => {
            let mut names: Vec<_> = ctx.broker.image().topics().map(|topic| topic.name.to_string()).collect();
            names.sort_unstable();
            names
        }
        BROKER | LOGGERS => vec![cluster.identity().node_id.to_string()],
        GROUP => {
            let configs = cluster.catalog().configs().await?;
            let set = configs.into_iter().filter(|(_, (record, _))| !record.configs.is_empty());
            set.filter_map(|(scope, _)| if let ConfigScope::Group(id) = scope { Some(id) } else { None })
                .collect()
        }
        _ => Vec::new(),
    })
}
