//! OffsetFetch: one group until version 7, several from 8 on (KIP-709), by topic id from 10 on. What is answered is on
//! stable storage, whether the client asks for stable offsets or not. A client that does is not told of offsets that a
//! transaction under way may change (KIP-447).
//!
//! What is asked twice is answered once: offsets may carry kilobytes of the client's text, and a request that repeats
//! itself must not cost a thousand times its size.

mod asked;

use std::sync::Arc;

use pagewire_coordinate::{ANY_ID, Error, FetchedOffset, FetchedTopic, TopicId, code_of};
use pagewire_wire::{
    ErrorCode, Uuid as WireId,
    messages::{
        offset_fetch_request::{
            OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
        },
        offset_fetch_response::{
            OffsetFetchResponse, OffsetFetchResponseGroup, OffsetFetchResponsePartition,
            OffsetFetchResponsePartitions, OffsetFetchResponseTopic, OffsetFetchResponseTopics,
        },
    },
};
use tokio::task::consume_budget;
use uuid::Uuid;

use crate::{
    cluster::Image,
    coordinators::{shared, text},
    net::Close,
    request::{Context, RESPONSE_BYTES_MAX},
};

const GROUP_ERROR: i16 = 2;
const BATCHED: i16 = 8;
const MEMBER_EPOCHS: i16 = 9;
const TOPIC_IDS: i16 = 10;
/// What the answer about one partition takes besides the client's text, about.
const PARTITION_BYTES: usize = 32;

pub(crate) async fn handle(ctx: Context, request: OffsetFetchRequest) -> Result<OffsetFetchResponse, Close> {
    let mut left = RESPONSE_BYTES_MAX;
    if ctx.version >= BATCHED {
        let mut response = OffsetFetchResponse::default();
        for group in asked::distinct(request.groups)? {
            consume_budget().await;
            response.groups.push(fetch(&ctx, &group, request.require_stable, &mut left).await?);
        }
        return Ok(response);
    }
    let topics = request.topics.map(|topics| {
        let topic = |topic: OffsetFetchRequestTopic| OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..Default::default()
        };
        topics.into_iter().map(topic).collect()
    });
    let group = OffsetFetchRequestGroup { group_id: request.group_id, topics, ..Default::default() };
    let mut response = OffsetFetchResponse::default();
    for group in asked::distinct(vec![group])? {
        response = single(fetch(&ctx, &group, request.require_stable, &mut left).await?);
    }
    Ok(response)
}

/// The shape of a response about one group.
fn single(group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let partition = |one: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: one.partition_index,
        committed_offset: one.committed_offset,
        committed_leader_epoch: one.committed_leader_epoch,
        metadata: one.metadata,
        error_code: one.error_code,
        ..Default::default()
    };
    let topics = group.topics.into_iter().map(|topic| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
        ..Default::default()
    });
    OffsetFetchResponse { topics: topics.collect(), error_code: group.error_code, ..Default::default() }
}

async fn fetch(
    ctx: &Context,
    group: &OffsetFetchRequestGroup,
    require_stable: bool,
    left: &mut usize,
) -> Result<OffsetFetchResponseGroup, Close> {
    let image = ctx.broker.image();
    let group_id = group.group_id.clone();
    let fetched = match (may_fetch(ctx, group), &group.topics) {
        (Err(error), _) => Err(error),
        (Ok(()), None) => all(ctx, &image, &group_id, require_stable).await,
        (Ok(()), Some(topics)) => some(ctx, &image, &group_id, topics, require_stable).await,
    };
    // Consumers of Kafka 3.8 and before end on COORDINATOR_NOT_AVAILABLE here; on this one they look for the coordinator.
    let fetched = fetched.map_err(|error| match error {
        Error::CoordinatorNotAvailable => Error::NotCoordinator,
        other => other,
    });
    let topics = match fetched {
        Ok(fetched) => answers(fetched, left)?,
        Err(error) if ctx.version >= GROUP_ERROR => {
            let error_code = error.code();
            return Ok(OffsetFetchResponseGroup { group_id, error_code, ..Default::default() });
        }
        // Version 1 has no place for it but each partition.
        Err(error) => group.topics.iter().flatten().map(|topic| nothing(topic, error.code())).collect(),
    };
    Ok(OffsetFetchResponseGroup { group_id, topics, ..Default::default() })
}

/// From version 9 on a member may say who it is: then it must be a member, at its own epoch.
fn may_fetch(ctx: &Context, group: &OffsetFetchRequestGroup) -> Result<(), Error> {
    if ctx.version < MEMBER_EPOCHS {
        return Ok(());
    }
    let groups = ctx.broker.coordinators().groups();
    groups.read(&ctx.broker, &group.group_id, |machine| {
        machine.may_fetch(&group.group_id, group.member_id.as_deref(), group.member_epoch)
    })?
}

/// What is known of a topic, or what is answered in its place.
enum Found {
    Offsets(FetchedTopic, WireId),
    Nothing(OffsetFetchResponseTopics),
}

/// Puts what was found into words, which copies the clients' texts: not more of them than may be answered.
fn answers(found: Vec<Found>, left: &mut usize) -> Result<Vec<OffsetFetchResponseTopics>, Close> {
    let mut topics = Vec::with_capacity(found.len());
    for found in found {
        topics.push(match found {
            Found::Nothing(topic) => topic,
            Found::Offsets(topic, id) => {
                let bytes = topic.partitions.iter().map(|one| one.metadata.len() + PARTITION_BYTES).sum();
                *left = left.checked_sub(bytes).ok_or_else(|| {
                    Close::because(format_args!("the offsets have more than {RESPONSE_BYTES_MAX} bytes"))
                })?;
                answer(topic, id)
            }
        });
    }
    Ok(topics)
}

async fn all(
    ctx: &Context,
    image: &Image,
    group_id: &str,
    require_stable: bool,
) -> Result<Vec<Found>, Error> {
    let groups = ctx.broker.coordinators().groups();
    let id_of = |name: &str| image.topic(name).map_or(ANY_ID, |entry| entry.id.into_bytes());
    let fetched = groups
        .read_stable(&ctx.broker, group_id, |machine| {
            machine.fetch_all_offsets(group_id, id_of, require_stable)
        })
        .await?;
    let topic = |topic: FetchedTopic| {
        let id = image.topic(&topic.name).map_or(WireId::NIL, |entry| WireId(entry.id.into_bytes()));
        // Without its id a topic cannot be told to a client that knows only ids.
        (ctx.version < TOPIC_IDS || !id.is_nil()).then_some(Found::Offsets(topic, id))
    };
    Ok(fetched.into_iter().filter_map(topic).collect())
}

async fn some(
    ctx: &Context,
    image: &Image,
    group_id: &str,
    topics: &[OffsetFetchRequestTopics],
    require_stable: bool,
) -> Result<Vec<Found>, Error> {
    let named: Vec<(Option<Arc<str>>, TopicId)> =
        topics.iter().map(|topic| name_of(ctx, image, topic)).collect();
    let groups = ctx.broker.coordinators().groups();
    let fetched = groups.read_stable(&ctx.broker, group_id, |machine| {
        let fetch = |((name, id), topic): (&(Option<Arc<str>>, TopicId), &OffsetFetchRequestTopics)| {
            let partitions = &topic.partition_indexes;
            let name = name.as_ref()?;
            Some(machine.fetch_offsets(group_id, name, *id, partitions, require_stable))
        };
        named.iter().zip(topics).map(fetch).collect::<Vec<Option<FetchedTopic>>>()
    });
    let answers = fetched.await?.into_iter().zip(topics).map(|(fetched, asked)| match fetched {
        Some(fetched) => Found::Offsets(fetched, asked.topic_id),
        None => Found::Nothing(nothing(asked, ErrorCode::UnknownTopicId.code())),
    });
    Ok(answers.collect())
}

fn name_of(ctx: &Context, image: &Image, topic: &OffsetFetchRequestTopics) -> (Option<Arc<str>>, TopicId) {
    if ctx.version < TOPIC_IDS {
        // A namesake's offsets are not this topic's.
        let id = image.topic(&topic.name).map_or(ANY_ID, |entry| entry.id.into_bytes());
        return (Some(Arc::from(&*topic.name)), id);
    }
    let name = image.topic_by_id(Uuid::from_bytes(topic.topic_id.0)).map(|entry| Arc::clone(&entry.name));
    (name, topic.topic_id.0)
}

fn answer(topic: FetchedTopic, topic_id: WireId) -> OffsetFetchResponseTopics {
    let partition = |one: FetchedOffset| OffsetFetchResponsePartitions {
        partition_index: one.partition,
        committed_offset: one.offset,
        committed_leader_epoch: one.leader_epoch,
        metadata: Some(shared(&one.metadata)),
        error_code: code_of(one.error),
        ..Default::default()
    };
    let partitions = topic.partitions.into_iter().map(partition).collect();
    OffsetFetchResponseTopics { name: shared(&topic.name), topic_id, partitions, ..Default::default() }
}

fn nothing(topic: &OffsetFetchRequestTopics, error_code: i16) -> OffsetFetchResponseTopics {
    let partition = |index: &i32| OffsetFetchResponsePartitions {
        partition_index: *index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(text("")),
        error_code,
        ..Default::default()
    };
    OffsetFetchResponseTopics {
        name: topic.name.clone(),
        topic_id: topic.topic_id,
        partitions: topic.partition_indexes.iter().map(partition).collect(),
        ..Default::default()
    }
}
