//! AlterReplicaLogDirs: which log directory of this broker a partition shall be in (KIP-113).

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use pagewire_wire::{
    ErrorCode, Str,
    messages::{
        alter_replica_log_dirs_request::{AlterReplicaLogDir, AlterReplicaLogDirsRequest},
        alter_replica_log_dirs_response::{
            AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult, AlterReplicaLogDirsResponse,
        },
    },
};

use tokio::time::timeout;

use crate::{moves, request::Context};

pub(crate) async fn handle(ctx: Context, request: AlterReplicaLogDirsRequest) -> AlterReplicaLogDirsResponse {
    // Of a partition that is named twice the last directory counts, as in Kafka.
    let mut wanted: BTreeMap<(Str, i32), Str> = BTreeMap::new();
    for AlterReplicaLogDir { path, topics, .. } in request.dirs {
        for topic in topics {
            for partition in topic.partitions {
                wanted.insert((topic.name.clone(), partition), path.clone());
            }
        }
    }
    let mut topics: BTreeMap<Str, Vec<AlterReplicaLogDirPartitionResult>> = BTreeMap::new();
    for ((topic, partition), path) in wanted {
        let code = alter(&ctx, topic.clone(), partition, path).await;
        topics.entry(topic).or_default().push(AlterReplicaLogDirPartitionResult {
            partition_index: partition,
            error_code: code.code(),
            ..Default::default()
        });
    }
    let result = |(topic_name, partitions)| AlterReplicaLogDirTopicResult {
        topic_name,
        partitions,
        ..Default::default()
    };
    AlterReplicaLogDirsResponse { results: topics.into_iter().map(result).collect(), ..Default::default() }
}

/// Its disk is waited for so long. What it has not noted by then may be noted later.
const NOTED_WITHIN: Duration = Duration::from_millis(if cfg!(test) { 500 } else { 10_000 });

/// On the threads of the directory that is named.
async fn alter(ctx: &Context, topic: Str, partition: i32, path: Str) -> ErrorCode {
    let broker = Arc::clone(&ctx.broker);
    let lane = Arc::clone(broker.cluster().lanes().of(&PathBuf::from(path.as_str())));
    if lane.is_silent() {
        return ErrorCode::RequestTimedOut;
    }
    let wish = broker.moves().ask();
    let asked = move || moves::alter(&broker, &topic, partition, &path, &wish);
    match timeout(NOTED_WITHIN, lane.run(asked)).await {
        Ok(Ok(Ok(()))) => ErrorCode::None,
        Ok(Ok(Err(code))) => code,
        Ok(Err(_)) | Err(_) => ErrorCode::RequestTimedOut,
    }
}
