//! OffsetDelete (KIP-496): forgets committed offsets of topics that nobody in the group subscribes to.

use std::sync::Arc;

use pagewire_coordinate::{Answer, DeleteOffsets, DeleteOffsetsAnswer, Error, Input, code_of};
use pagewire_wire::{
    ErrorCode,
    messages::{
        offset_delete_request::{OffsetDeleteRequest, OffsetDeleteRequestTopic},
        offset_delete_response::{
            OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
        },
    },
};

use crate::{cluster::Image, request::Context};

pub(crate) async fn handle(ctx: Context, request: OffsetDeleteRequest) -> OffsetDeleteResponse {
    let image = ctx.broker.image();
    match delete(&ctx, &image, &request).await {
        Ok(answer) => answered(&image, &request, &answer),
        Err(error) => OffsetDeleteResponse { error_code: error.code(), ..Default::default() },
    }
}

async fn delete(
    ctx: &Context,
    image: &Image,
    request: &OffsetDeleteRequest,
) -> Result<DeleteOffsetsAnswer, Error> {
    if request.group_id.is_empty() {
        return Err(Error::InvalidGroupId);
    }
    let group_id = request.group_id.to_string();
    let topics = request.topics.iter().map(|topic| (Arc::from(&*topic.name), existing(image, topic)));
    let topics: Vec<(Arc<str>, Vec<i32>)> = topics.collect();
    let groups = ctx.broker.coordinators().groups();
    let answer = groups.ask(&ctx.broker, &group_id, |token| {
        Input::DeleteOffsets(DeleteOffsets { token, group_id: group_id.clone(), topics })
    });
    match answer.await? {
        Answer::DeleteOffsets(DeleteOffsetsAnswer { error: Some(error), .. }) => Err(error),
        Answer::DeleteOffsets(answer) => Ok(answer),
        _ => Err(Error::UnknownServerError),
    }
}

fn existing(image: &Image, topic: &OffsetDeleteRequestTopic) -> Vec<i32> {
    let Some(entry) = image.topic(&topic.name) else { return Vec::new() };
    let indexes = topic.partitions.iter().map(|one| one.partition_index);
    indexes.filter(|index| entry.partition(*index).is_some()).collect()
}

/// The machine's verdicts for what exists, in the order of the request.
fn answered(
    image: &Image,
    request: &OffsetDeleteRequest,
    answer: &DeleteOffsetsAnswer,
) -> OffsetDeleteResponse {
    let topics = request.topics.iter().zip(&answer.topics).map(|(asked, told)| {
        let entry = image.topic(&asked.name);
        let mut verdicts = told.partitions.iter();
        let partitions = asked.partitions.iter().map(|one| {
            let exists = entry.is_some_and(|entry| entry.partition(one.partition_index).is_some());
            let error_code = match exists.then(|| verdicts.next()).flatten() {
                Some((_, verdict)) => code_of(*verdict),
                None => ErrorCode::UnknownTopicOrPartition.code(),
            };
            OffsetDeleteResponsePartition {
                partition_index: one.partition_index,
                error_code,
                ..Default::default()
            }
        });
        let partitions = partitions.collect();
        OffsetDeleteResponseTopic { name: asked.name.clone(), partitions, ..Default::default() }
    });
    OffsetDeleteResponse { topics: topics.collect(), ..Default::default() }
}
