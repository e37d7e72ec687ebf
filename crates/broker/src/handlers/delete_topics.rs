//! DeleteTopics, by name or (version 6) by id. The offsets groups committed for a topic go with it.

use std::sync::Arc;

use pagewire_wire::{
    ErrorCode, Str, Uuid as WireId,
    messages::{
        delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
        delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse},
    },
};
use tokio::task::consume_budget;
use uuid::Uuid;

use crate::{
    cluster::{Refused, change},
    dispatch::Context,
};

pub(crate) async fn handle(ctx: Context, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let asked = if ctx.version >= 6 {
        request.topics
    } else {
        let by_name = |name: Str| DeleteTopicState { name: Some(name), ..Default::default() };
        request.topic_names.into_iter().map(by_name).collect()
    };
    let mut response = DeleteTopicsResponse::default();
    for topic in asked {
        consume_budget().await;
        let (name, id, deleted) = delete(&ctx, &topic).await;
        let (code, message) = match deleted {
            Ok(()) => (ErrorCode::None, None),
            Err(refused) => (refused.code, Some(refused.message.into())),
        };
        response.responses.push(DeletableTopicResult {
            name: name.or(topic.name),
            topic_id: id,
            error_code: code.code(),
            error_message: message,
            ..Default::default()
        });
    }
    response
}

async fn delete(ctx: &Context, asked: &DeleteTopicState) -> (Option<Str>, WireId, Result<(), Refused>) {
    let image = ctx.broker.image();
    let by_id = !asked.topic_id.is_nil();
    if by_id == asked.name.is_some() {
        let message = "exactly one of topic name and topic id must be given";
        return (None, asked.topic_id, Err(Refused::new(ErrorCode::InvalidRequest, message)));
    }
    let found = match &asked.name {
        Some(name) => image.topic(name),
        None => image.topic_by_id(Uuid::from_bytes(asked.topic_id.0)),
    };
    let Some(topic) = found else {
        let refused = if by_id {
            Refused::new(ErrorCode::UnknownTopicId, "This server does not host this topic ID.")
        } else {
            Refused::new(
                ErrorCode::UnknownTopicOrPartition,
                "This server does not host this topic-partition.",
            )
        };
        return (None, asked.topic_id, Err(refused));
    };
    let (name, id) = (Some(Str::from(topic.name.to_string())), WireId(topic.id.into_bytes()));
    if !ctx.broker.config().delete_topic_enable {
        let refused = Refused::new(
            ErrorCode::TopicDeletionDisabled,
            "Topic deletion is disabled (delete.topic.enable).",
        );
        return (name, id, Err(refused));
    }
    let gone = [(Arc::clone(&topic.name), topic.id)];
    let deleted = change(&ctx.broker, |change| async move {
        let [(name, id)] = &gone;
        change.delete_topic(name, *id).await?;
        let broker = change.done();
        broker.coordinators().topics_deleted(&broker, &gone).await;
        Ok(())
    });
    (name, id, deleted.await)
}
