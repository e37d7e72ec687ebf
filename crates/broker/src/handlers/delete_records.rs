//! DeleteRecords: moves the log start (KIP-107). The bytes go when whole segments lie below it.

use std::sync::Arc;

use pagewire_log::DeleteRecordsError;
use pagewire_wire::{
    ErrorCode,
    messages::{
        delete_records_request::{DeleteRecordsPartition, DeleteRecordsRequest},
        delete_records_response::{
            DeleteRecordsPartitionResult, DeleteRecordsResponse, DeleteRecordsTopicResult,
        },
    },
};

use crate::{cluster::TopicEntry, lanes::Lane, request::Context};

/// "No low watermark", beside an error.
const NONE: i64 = -1;

pub(crate) async fn handle(ctx: Context, request: DeleteRecordsRequest) -> DeleteRecordsResponse {
    let image = ctx.broker.image();
    let mut response = DeleteRecordsResponse::default();
    let (mut moved, mut answers) = (Vec::new(), Vec::new());
    for topic in request.topics {
        let entry = image.topic(&topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            tokio::task::consume_budget().await;
            let (code, low_watermark) = match delete(entry, asked).await {
                Ok((lane, name, log_start)) => {
                    moved.push((lane, name, asked.partition_index));
                    answers.push((response.topics.len(), partitions.len()));
                    (ErrorCode::None, log_start)
                }
                Err(code) => (code, NONE),
            };
            partitions.push(DeleteRecordsPartitionResult {
                partition_index: asked.partition_index,
                low_watermark,
                error_code: code.code(),
                ..Default::default()
            });
        }
        response.topics.push(DeleteRecordsTopicResult { name: topic.name, partitions, ..Default::default() });
    }
    for (at, code) in make_durable(&ctx, &moved).await {
        if let Some(&(topic_at, partition_at)) = answers.get(at)
            && let Some(topic) = response.topics.get_mut(topic_at)
            && let Some(partition) = topic.partitions.get_mut(partition_at)
        {
            // The records are gone here, but might be back after a crash.
            (partition.error_code, partition.low_watermark) = (code.code(), NONE);
        }
    }
    response
}

/// What was deleted must stay deleted after a crash: the new log starts go to disk before they are answered. Which of
/// `moved` did not, by their place, and what is to be said of them.
async fn make_durable(ctx: &Context, moved: &[(Arc<Lane>, Arc<str>, i32)]) -> Vec<(usize, ErrorCode)> {
    let mut failed = Vec::new();
    for lane in ctx.broker.cluster().lanes().all() {
        let is_in = |(_, (of, ..)): &(usize, &(Arc<Lane>, Arc<str>, i32))| Arc::ptr_eq(of, lane);
        let its = moved.iter().enumerate().filter(is_in);
        let (places, its): (Vec<usize>, Vec<_>) =
            its.map(|(at, (_, topic, partition))| (at, (Arc::clone(topic), *partition))).unzip();
        if its.is_empty() {
            continue;
        }
        let log_dirs = Arc::clone(ctx.broker.cluster().log_dirs());
        match lane.run(move || log_dirs.write_checkpoints_of(&its)).await {
            Ok(some) => {
                let at = some.into_iter().filter_map(|at| places.get(at).copied());
                failed.extend(at.map(|at| (at, ErrorCode::KafkaStorageError)));
            }
            Err(_) => failed.extend(places.into_iter().map(|at| (at, ErrorCode::RequestTimedOut))),
        }
    }
    failed
}

async fn delete(
    topic: Option<&Arc<TopicEntry>>,
    asked: &DeleteRecordsPartition,
) -> Result<(Arc<Lane>, Arc<str>, i64), ErrorCode> {
    let topic = topic.ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let partition = topic.served(asked.partition_index)?;
    if topic.internal {
        return Err(ErrorCode::InvalidTopicException);
    }
    // Only compaction needs what deletion would take away; a topic without any policy keeps nothing from it.
    if topic.config.cleanup_compact && !topic.config.cleanup_delete {
        return Err(ErrorCode::PolicyViolation);
    }
    let (log, offset) = (Arc::clone(&partition.log), asked.offset);
    let moved = partition.lane().run(move || log.delete_records_before(offset)).await;
    let moved = moved.map_err(|_| ErrorCode::RequestTimedOut)?;
    partition.wake_all();
    let done = |log_start| (Arc::clone(partition.lane()), Arc::clone(&topic.name), log_start);
    moved.map(done).map_err(|error| match error {
        DeleteRecordsError::OffsetOutOfRange { .. } => ErrorCode::OffsetOutOfRange,
        DeleteRecordsError::Offline(_) => ErrorCode::KafkaStorageError,
    })
}

#[cfg(test)]
mod tests {
    use pagewire_disk::{
        Call, Errno, FailingDisk, ForgettingDisk, OffsetCheckpoint, When, checkpoint::LOG_START_FILE,
    };

    use super::*;
    use crate::testing::{Bench, ROOT};

    fn request(offset: i64) -> DeleteRecordsRequest {
        use pagewire_wire::messages::delete_records_request::DeleteRecordsTopic;
        let partitions = vec![DeleteRecordsPartition { partition_index: 0, offset, ..Default::default() }];
        let topics =
            vec![DeleteRecordsTopic { name: "t".to_owned().into(), partitions, ..Default::default() }];
        DeleteRecordsRequest { topics, timeout_ms: 1000, ..Default::default() }
    }

    async fn delete(bench: &Bench, offset: i64) -> (i16, i64) {
        let response = bench.ask(&request(offset), 2).await.expect("an answer");
        let partition = &response.topics[0].partitions[0];
        (partition.error_code, partition.low_watermark)
    }

    #[tokio::test]
    async fn only_a_topic_that_is_compacted_and_nothing_else_keeps_its_records() {
        let refused = ErrorCode::PolicyViolation.code();
        for (policy, answer) in
            [("delete", (0, 1)), ("compact,delete", (0, 1)), ("", (0, 1)), ("compact", (refused, NONE))]
        {
            let bench = Bench::on(Arc::new(pagewire_disk::MemoryDisk::new()));
            let topic = bench.topic("t", 1, &[("cleanup.policy", policy)]).await;
            let batch = crate::testing::batch();
            topic[0].append(batch, pagewire_log::Origin::Client, 0, bench.broker.io()).expect("append");
            assert_eq!(delete(&bench, 1).await, answer, "{policy}");
        }
    }

    #[tokio::test]
    async fn what_was_deleted_stays_deleted_after_a_crash() {
        let disk = ForgettingDisk::new();
        let failing = FailingDisk::new(Arc::new(disk.clone()));
        let bench = Bench::on(Arc::new(failing.clone()));
        bench.topic("t", 1, &[]).await;
        for _ in 0..3 {
            bench.produce("t", 0, -1).await.expect("an answer");
        }
        assert_eq!(delete(&bench, 2).await, (0, 2));
        let path = std::path::Path::new(ROOT).join(LOG_START_FILE);
        let after = disk.crash(0).expect("crash");
        let kept = OffsetCheckpoint::read(&after, &path).expect("read").expect("there");
        assert_eq!(kept.get("t", 0), Some(2));
        failing.fail(Call::SyncAll, When::Always, Errno::IO);
        assert_eq!(
            delete(&bench, 3).await,
            (ErrorCode::KafkaStorageError.code(), NONE),
            "a promise nobody can keep"
        );
    }
}
