//! DescribeAcls, CreateAcls, DeleteAcls: there is no authorizer, so all three are answered as Apache Kafka answers
//! without one. MirrorMaker asks, and leaves rules alone where security is switched off; where nobody knew the
//! question, it would complain at every round.

use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        create_acls_request::CreateAclsRequest,
        create_acls_response::{AclCreationResult, CreateAclsResponse},
        delete_acls_request::DeleteAclsRequest,
        delete_acls_response::{DeleteAclsFilterResult, DeleteAclsResponse},
        describe_acls_request::DescribeAclsRequest,
        describe_acls_response::DescribeAclsResponse,
    },
};

use crate::request::Context;

/// Kafka's words to those who ask for rules, and to those who would change them.
const NONE_TO_TELL: &str = "No Authorizer is configured on the broker";
const NONE_TO_CHANGE: &str = "No Authorizer is configured.";

pub(crate) async fn describe(_ctx: Context, _request: DescribeAclsRequest) -> DescribeAclsResponse {
    let (error_code, error_message) = refusal(NONE_TO_TELL);
    DescribeAclsResponse { error_code, error_message, ..Default::default() }
}

pub(crate) async fn create(_ctx: Context, request: CreateAclsRequest) -> CreateAclsResponse {
    let refused = |_| {
        let (error_code, error_message) = refusal(NONE_TO_CHANGE);
        AclCreationResult { error_code, error_message, ..Default::default() }
    };
    CreateAclsResponse { results: request.creations.iter().map(refused).collect(), ..Default::default() }
}

pub(crate) async fn delete(_ctx: Context, request: DeleteAclsRequest) -> DeleteAclsResponse {
    let refused = |_| {
        let (error_code, error_message) = refusal(NONE_TO_CHANGE);
        DeleteAclsFilterResult { error_code, error_message, ..Default::default() }
    };
    DeleteAclsResponse { filter_results: request.filters.iter().map(refused).collect(), ..Default::default() }
}

fn refusal(words: &'static str) -> (i16, Option<Str>) {
    (ErrorCode::SecurityDisabled.code(), Some(Str::from(words)))
}
