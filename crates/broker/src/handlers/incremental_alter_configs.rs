//! IncrementalAlterConfigs: sets, deletes, appends to and subtracts from single settings (KIP-339).

use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        incremental_alter_configs_request::{
            AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
        },
        incremental_alter_configs_response::{AlterConfigsResourceResponse, IncrementalAlterConfigsResponse},
    },
};

use super::resources::{Altered, Wanted, Wish, alter_all};
use crate::{
    cluster::Refused,
    config::{self, Change, ChangeKind},
    request::Context,
};

pub(crate) async fn handle(
    ctx: Context,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let altered =
        alter_all(&ctx, request.resources.into_iter().map(wanted).collect(), request.validate_only).await;
    let one = |altered: Altered| AlterConfigsResourceResponse {
        error_code: altered.error_code,
        error_message: altered.error_message,
        resource_type: altered.kind,
        resource_name: altered.name,
        ..Default::default()
    };
    IncrementalAlterConfigsResponse {
        responses: altered.into_iter().map(one).collect(),
        ..Default::default()
    }
}

fn wanted(asked: AlterConfigsResource) -> Wanted {
    Wanted { kind: asked.resource_type, name: asked.resource_name, wish: wish(asked.configs) }
}

fn wish(entries: Vec<AlterableConfig>) -> Result<Wish, Refused> {
    let changes: Result<Vec<_>, _> = entries.into_iter().map(change).collect();
    let changes = changes?;
    Ok(Box::new(move |target, own, broker| {
        let changes: Vec<Change<'_>> = changes.iter().map(Owned::lend).collect();
        config::apply(target, own, &changes, broker)
    }))
}

/// A change that outlives its request.
struct Owned {
    name: Str,
    kind: ChangeKind,
    value: Option<Str>,
}

impl Owned {
    fn lend(&self) -> Change<'_> {
        Change { name: &self.name, kind: self.kind, value: self.value.as_deref() }
    }
}

fn change(entry: AlterableConfig) -> Result<Owned, Refused> {
    let kind = ChangeKind::from_code(entry.config_operation).ok_or_else(|| {
        let message = format!("Unknown operation {} for {}", entry.config_operation, entry.name.as_str());
        Refused::new(ErrorCode::InvalidRequest, message)
    })?;
    Ok(Owned { name: entry.name, kind, value: entry.value })
}
