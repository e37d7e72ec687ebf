//! DeleteGroups: empty groups go with their offsets.

use std::collections::BTreeSet;

use pagewire_coordinate::{Answer, DeleteGroups, Error, Input, code_of};
use pagewire_wire::{
    Str,
    messages::{
        delete_groups_request::DeleteGroupsRequest,
        delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse},
    },
};

use crate::request::Context;

pub(crate) async fn handle(ctx: Context, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let names: BTreeSet<Str> = request.groups_names.into_iter().collect();
    let mut response = DeleteGroupsResponse::default();
    match ctx.broker.coordinators().groups().by_shard(&ctx.broker, names.clone()) {
        Ok(shards) => {
            for names in shards {
                response.results.append(&mut delete(&ctx, names).await);
            }
        }
        Err(error) => response.results.extend(names.into_iter().map(|name| result(name, Some(error)))),
    }
    response
}

/// Deletes groups of one shard.
async fn delete(ctx: &Context, names: Vec<Str>) -> Vec<DeletableGroupResult> {
    let Some(first) = names.first().map(ToString::to_string) else { return Vec::new() };
    let group_ids: Vec<String> = names.iter().map(ToString::to_string).collect();
    let groups = ctx.broker.coordinators().groups();
    let question = |token| Input::DeleteGroups(DeleteGroups { token, group_ids });
    match groups.ask(&ctx.broker, &first, question).await {
        Ok(Answer::DeleteGroups(verdicts)) => {
            verdicts.into_iter().map(|(name, verdict)| result(name.into(), verdict)).collect()
        }
        Ok(_) => names.into_iter().map(|name| result(name, Some(Error::UnknownServerError))).collect(),
        Err(error) => names.into_iter().map(|name| result(name, Some(error))).collect(),
    }
}

fn result(group_id: Str, error: Option<Error>) -> DeletableGroupResult {
    DeletableGroupResult { group_id, error_code: code_of(error), ..Default::default() }
}
