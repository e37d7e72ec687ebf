//! DescribeLogDirs: what each partition takes on disk, and what is left (KIP-113, KIP-827).

use std::{
    collections::{BTreeMap, HashSet},
    io::ErrorKind,
};

use pagewire_log::{DirDescription, LogDescription};
use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        describe_log_dirs_request::{DescribableLogDirTopic, DescribeLogDirsRequest},
        describe_log_dirs_response::{
            DescribeLogDirsPartition, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
        },
    },
};

use crate::{broker::Broker, described::describe, moves::Underway, request::Context};

pub(crate) async fn handle(ctx: Context, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let dirs = describe(&ctx.broker).await;
    let broker = &ctx.broker;
    let results = dirs.iter().map(|(dir, _)| result(broker, dir, request.topics.as_deref())).collect();
    DescribeLogDirsResponse { results, ..Default::default() }
}

fn result(
    broker: &Broker,
    dir: &DirDescription,
    asked: Option<&[DescribableLogDirTopic]>,
) -> DescribeLogDirsResult {
    let wanted = asked.map(wanted);
    let is_wanted =
        |topic: &str, partition| wanted.as_ref().is_none_or(|wanted| wanted.contains(&(topic, partition)));
    let coming = broker.moves().to(&dir.path);
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    for log in dir.logs.iter().filter(|log| is_wanted(&log.topic, log.partition)) {
        topics.entry(&log.topic).or_default().push(partition(log));
    }
    for one in coming.iter().filter(|one| is_wanted(&one.topic, one.partition)) {
        topics.entry(&one.topic).or_default().push(future(broker, one));
    }
    // A full disk is said by its bytes: nothing is wrong with it.
    let is_sick = dir.offline.as_ref().is_some_and(|why| why.kind != ErrorKind::StorageFull);
    // There are no words for a log that takes no writes alone, or is not served. Kafka takes its directory offline for that.
    let has_sick_log = dir.logs.iter().any(|log| log.offline.is_some()) || !dir.missing.is_empty();
    let error = if is_sick || has_sick_log { ErrorCode::KafkaStorageError } else { ErrorCode::None };
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    DescribeLogDirsResult {
        error_code: error.code(),
        log_dir: Str::from(dir.path.display().to_string()),
        topics: topics.into_iter().map(topic).collect(),
        total_bytes: dir.space.map_or(-1, |space| bytes(space.total_bytes)),
        usable_bytes: dir.space.map_or(-1, |space| bytes(space.usable_bytes)),
        is_cordoned: broker.config().is_cordoned(&dir.path),
        ..Default::default()
    }
}

fn wanted(asked: &[DescribableLogDirTopic]) -> HashSet<(&str, i32)> {
    asked
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|index| (topic.topic.as_str(), *index)))
        .collect()
}

fn partition(log: &LogDescription) -> DescribeLogDirsPartition {
    DescribeLogDirsPartition {
        partition_index: log.partition,
        partition_size: i64::try_from(log.size_bytes).unwrap_or(i64::MAX),
        ..Default::default()
    }
}

/// A partition that moves here: how much of it has come, and how far it is behind.
fn future(broker: &Broker, one: &Underway) -> DescribeLogDirsPartition {
    let image = broker.image();
    let hosted = image.topic_by_id(one.topic_id).and_then(|topic| topic.hosted(one.partition));
    DescribeLogDirsPartition {
        partition_index: one.partition,
        partition_size: i64::try_from(one.size_bytes).unwrap_or(i64::MAX),
        offset_lag: hosted.map_or(0, |hosted| one.lag(&hosted.log)),
        is_future_key: true,
        ..Default::default()
    }
}

fn topic((name, partitions): (&str, Vec<DescribeLogDirsPartition>)) -> DescribeLogDirsTopic {
    DescribeLogDirsTopic { name: Str::from(name.to_owned()), partitions, ..Default::default() }
}
