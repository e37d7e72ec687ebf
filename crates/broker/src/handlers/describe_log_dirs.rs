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

use crate::{described::describe, request::Context};

pub(crate) async fn handle(ctx: Context, request: DescribeLogDirsRequest) -> DescribeLogDirsResponse {
    let dirs = describe(&ctx.broker).await;
    let results = dirs.iter().map(|(dir, _)| result(dir, request.topics.as_deref())).collect();
    DescribeLogDirsResponse { results, ..Default::default() }
}

fn result(dir: &DirDescription, asked: Option<&[DescribableLogDirTopic]>) -> DescribeLogDirsResult {
    let wanted = asked.map(wanted);
    let mut topics: BTreeMap<&str, Vec<DescribeLogDirsPartition>> = BTreeMap::new();
    let logs = dir.logs.iter().filter(|log| match &wanted {
        None => true,
        Some(wanted) => wanted.contains(&(&*log.topic, log.partition)),
    });
    for log in logs {
        topics.entry(&log.topic).or_default().push(partition(log));
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

fn topic((name, partitions): (&str, Vec<DescribeLogDirsPartition>)) -> DescribeLogDirsTopic {
    DescribeLogDirsTopic { name: Str::from(name.to_owned()), partitions, ..Default::default() }
}
