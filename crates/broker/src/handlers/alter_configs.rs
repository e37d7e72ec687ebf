//! AlterConfigs: replaces all own settings of a resource at once. Old clients only; new ones change single settings.

use pagewire_wire::{
    ErrorCode,
    messages::{
        alter_configs_request::{AlterConfigsRequest, AlterConfigsResource},
        alter_configs_response::{AlterConfigsResourceResponse, AlterConfigsResponse},
    },
};

use super::resources::{Altered, LOGGERS, Wanted, Wish, alter_all};
use crate::{cluster::Refused, config, request::Context};

pub(crate) async fn handle(ctx: Context, request: AlterConfigsRequest) -> AlterConfigsResponse {
    let altered =
        alter_all(&ctx, request.resources.into_iter().map(wanted).collect(), request.validate_only).await;
    let one = |altered: Altered| AlterConfigsResourceResponse {
        error_code: altered.error_code,
        error_message: altered.error_message,
        resource_type: altered.kind,
        resource_name: altered.name,
        ..Default::default()
    };
    AlterConfigsResponse { responses: altered.into_iter().map(one).collect(), ..Default::default() }
}

fn wanted(asked: AlterConfigsResource) -> Wanted {
    let (kind, name, entries) = (asked.resource_type, asked.resource_name, asked.configs);
    if kind == LOGGERS {
        // Levels are changed one by one alone.
        let refused = Refused::new(ErrorCode::InvalidRequest, format!("Unknown resource type {kind}"));
        return Wanted { kind, name, wish: Err(refused) };
    }
    let wish: Wish = Box::new(move |_, _, _| {
        config::replace(entries.iter().map(|entry| (entry.name.as_str(), entry.value.as_deref())))
    });
    Wanted { kind, name, wish: Ok(wish) }
}
