//! DeleteTopics, by name or (version 6) by id. The offsets groups committed for a topic go with it.
//!
//! A topic that is named twice, by name or id or both, is not deleted.

use std::{collections::HashSet, sync::Arc};

use pagewire_wire::{
    ErrorCode, Str, Uuid as WireId,
    messages::{
        delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
        delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse},
    },
};
use tokio::task::consume_budget;
use uuid::Uuid;

use super::repeated::repeated;
use crate::{
    cluster::{Image, Refused, TopicEntry, change},
    request::Context,
};

/// Before it clients know no code for topics that must not be deleted.
const DISABLED: i16 = 3;
/// From here on a topic may be named by its id.
const BY_ID: i16 = 6;

pub(crate) async fn handle(ctx: Context, request: DeleteTopicsRequest) -> DeleteTopicsResponse {
    let asked = if ctx.version >= BY_ID {
        request.topics
    } else {
        let by_name = |name: Str| DeleteTopicState { name: Some(name), ..Default::default() };
        request.topic_names.into_iter().map(by_name).collect()
    };
    let responses = if ctx.broker.config().delete_topic_enable {
        delete_all(&ctx, asked).await
    } else {
        let code =
            if ctx.version < DISABLED { ErrorCode::InvalidRequest } else { ErrorCode::TopicDeletionDisabled };
        let refused = Refused::new(code, "Topic deletion is disabled.");
        asked.into_iter().map(|topic| result(topic.name, topic.topic_id, Err(refused.clone()))).collect()
    };
    DeleteTopicsResponse { responses, ..Default::default() }
}

async fn delete_all(ctx: &Context, asked: Vec<DeleteTopicState>) -> Vec<DeletableTopicResult> {
    let (found, mut results) = sort(&ctx.broker.image(), &asked);
    for topic in found {
        consume_budget().await;
        let (name, id) = (Str::from(topic.name.to_string()), WireId(topic.id.into_bytes()));
        let deleted = delete(ctx, Arc::clone(&topic.name), topic.id).await;
        results.push(result(Some(name), id, deleted));
    }
    results
}

/// What is asked for, once it is clear that it is one topic.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Asked<'a> {
    Name(&'a str),
    Id(WireId),
}

impl Asked<'_> {
    fn find<'i>(&self, image: &'i Image) -> Option<&'i Arc<TopicEntry>> {
        match self {
            Self::Name(name) => image.topic(name),
            Self::Id(id) => image.topic_by_id(Uuid::from_bytes(id.0)),
        }
    }

    const fn named_twice(&self) -> &'static str {
        match self {
            Self::Name(_) => "Duplicate topic name.",
            Self::Id(_) => "Duplicate topic id.",
        }
    }

    fn unknown(&self) -> Refused {
        match self {
            Self::Name(_) => Refused::new(
                ErrorCode::UnknownTopicOrPartition,
                "This server does not host this topic-partition.",
            ),
            Self::Id(_) => {
                Refused::new(ErrorCode::UnknownTopicId, "This server does not host this topic ID.")
            }
        }
    }
}

/// What is asked for in one way or the other; the rest is answered.
fn clear<'a>(asked: &'a [DeleteTopicState], results: &mut Vec<DeletableTopicResult>) -> Vec<Asked<'a>> {
    let mut clear = Vec::with_capacity(asked.len());
    for topic in asked {
        let message = match (&topic.name, topic.topic_id.is_nil()) {
            (Some(name), true) => {
                clear.push(Asked::Name(name));
                continue;
            }
            (None, false) => {
                clear.push(Asked::Id(topic.topic_id));
                continue;
            }
            (None, true) => "Neither topic name nor id were specified.",
            (Some(_), false) => "You may not specify both topic name and topic id.",
        };
        results.push(invalid(topic.name.clone(), topic.topic_id, message));
    }
    clear
}

/// Finds the topics that can be deleted, each once, and answers the rest. What is named twice in any way is not
/// deleted.
fn sort(image: &Image, asked: &[DeleteTopicState]) -> (Vec<Arc<TopicEntry>>, Vec<DeletableTopicResult>) {
    let mut results = Vec::new();
    let clear = clear(asked, &mut results);
    let twice = repeated(clear.iter().copied());
    let by_id: HashSet<WireId> =
        clear.iter().filter_map(|one| if let Asked::Id(id) = one { Some(*id) } else { None }).collect();
    let (mut found, mut answered, mut named): (Vec<Arc<TopicEntry>>, HashSet<Asked<'_>>, HashSet<Uuid>) =
        Default::default();
    for one in clear {
        if !answered.insert(one) {
            continue;
        }
        let (name, id) = match one {
            Asked::Name(name) => (Some(Str::from(name.to_owned())), WireId::NIL),
            Asked::Id(id) => (None, id),
        };
        if twice.contains(&one) {
            results.push(invalid(name, id, one.named_twice()));
            continue;
        }
        let Some(topic) = one.find(image) else {
            results.push(result(name, id, Err(one.unknown())));
            continue;
        };
        let own_id = WireId(topic.id.into_bytes());
        if matches!(one, Asked::Name(_)) && by_id.contains(&own_id) {
            named.insert(topic.id);
            let text = "The provided topic name maps to an ID that was already supplied.";
            results.push(invalid(name, own_id, text));
            continue;
        }
        found.push(Arc::clone(topic));
    }
    found.retain(|topic| !named.contains(&topic.id));
    (found, results)
}

fn invalid(name: Option<Str>, topic_id: WireId, message: &str) -> DeletableTopicResult {
    result(name, topic_id, Err(Refused::new(ErrorCode::InvalidRequest, message)))
}

fn result(name: Option<Str>, topic_id: WireId, deleted: Result<(), Refused>) -> DeletableTopicResult {
    let (code, error_message) = match deleted {
        Ok(()) => (ErrorCode::None, None),
        Err(refused) => (refused.code, Some(refused.message.into())),
    };
    DeletableTopicResult { name, topic_id, error_code: code.code(), error_message, ..Default::default() }
}

async fn delete(ctx: &Context, name: Arc<str>, id: Uuid) -> Result<(), Refused> {
    change(&ctx.broker, move |change| async move {
        change.delete_topic(&name, id).await?;
        let broker = change.done();
        broker.coordinators().forget_deleted(&broker).await;
        Ok(())
    })
    .await
}
