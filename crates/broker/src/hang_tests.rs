//! A log directory whose disk does not answer, beside one that is well: calls to the second are held until the first did
//! all that was asked of it.

use std::{path::Path, sync::Arc, time::Duration};

use pagewire_disk::{Call, FailingDisk, Held, MemoryDisk, OffsetCheckpoint, checkpoint::RECOVERY_POINT_FILE};
use pagewire_log::Marks;
use pagewire_wire::messages::{
    list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic},
    list_offsets_response::ListOffsetsPartitionResponse,
};
use pagewire_zcopy::IoPool;
use tokio::task::{JoinSet, block_in_place};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    background,
    partition::Partition,
    testing::{Bench, ROOT, SECOND},
};

/// Nobody waits longer for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Looks for what comes by itself.
const LOOKS_MAX: u32 = 1_000_000;
/// Calls that are held in the second directory, more than its threads.
const HELD: usize = 8;
/// I/O threads of a directory.
const THREADS: usize = 2;
/// ListOffsets.
const LIST_OFFSETS: i16 = 7;

/// A partition in the first directory, and those in the second.
const WELL: i32 = 0;
const HANGING: [i32; THREADS] = [2, 3];

/// A broker on two directories whose disk can be held, with a topic that has partitions in both.
struct Two {
    disk: FailingDisk,
    bench: Arc<Bench>,
    partitions: Vec<Arc<Partition>>,
}

impl Two {
    async fn with(io: IoPool) -> Self {
        let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
        let bench = Arc::new(Bench::on_two(Arc::new(disk.clone()), io));
        let configs = [("internal.segment.bytes", "200"), ("retention.bytes", "1"), ("retention.ms", "-1")];
        let partitions = bench.topic("t", 4, &configs).await;
        for (partition, root) in partitions.iter().zip([ROOT, ROOT, SECOND, SECOND]) {
            assert_eq!(partition.lane().path(), Path::new(root));
        }
        Self { disk, bench, partitions }
    }

    async fn produce(&self, partition: i32, acks: i16) -> i16 {
        let answer = self.bench.produce("t", partition, acks).await.expect("an answer");
        answer.error_code
    }

    /// Enough for some segments to be removable.
    async fn fill(&self, partition: i32) {
        for _ in 0..4 {
            assert_eq!(self.produce(partition, 1).await, 0);
        }
    }

    fn marks(&self, partition: i32) -> Marks {
        self.partitions[usize::try_from(partition).expect("a number")].log.marks()
    }

    fn checkpointed(&self, root: &str, partition: i32) -> i64 {
        let path = Path::new(root).join(RECOVERY_POINT_FILE);
        let points = OffsetCheckpoint::read(&self.disk, &path).expect("readable");
        points.and_then(|points| points.get("t", partition)).unwrap_or(0)
    }
}

async fn offset_for_time(bench: Arc<Bench>, partition_index: i32) -> ListOffsetsPartitionResponse {
    let asked = ListOffsetsPartition {
        partition_index,
        current_leader_epoch: -1,
        timestamp: 1000,
        ..Default::default()
    };
    let topic = ListOffsetsTopic { name: "t".into(), partitions: vec![asked], ..Default::default() };
    let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
    let answer = bench.ask(&request, LIST_OFFSETS).await.expect("an answer");
    answer.topics[0].partitions[0].clone()
}

/// Lets others go on until it is so.
async fn until(is_so: impl Fn() -> bool, what: &str) {
    for _ in 0..LOOKS_MAX {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{what}");
}

#[tokio::test(start_paused = true)]
async fn a_directory_that_does_not_answer_keeps_no_other_from_retention_and_checkpoints() {
    for call in [Call::Rename, Call::SyncDir, Call::Open] {
        let two = Two::with(IoPool::new(4, 64)).await;
        two.fill(HANGING[0]).await;
        let held: Vec<Held> = (0..HELD).map(|_| two.disk.hold(SECOND, call)).collect();
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        background::start(&two.bench.broker, &tasks, &stop);
        two.bench.broker.tell_settings_changed();
        until(|| held.iter().any(Held::was_reached), "a call of the rounds").await;
        for _ in 0..3 {
            let before = two.marks(WELL);
            two.fill(WELL).await;
            two.bench.broker.tell_settings_changed();
            until(|| two.marks(WELL).log_start > before.log_start, "retention of the first directory").await;
            until(|| two.checkpointed(ROOT, WELL) > before.log_end, "checkpoints of the first directory")
                .await;
        }
        drop(held);
        until(
            || two.marks(HANGING[0]).log_start > 0 && two.checkpointed(SECOND, HANGING[0]) > 0,
            "the second directory, which answers again",
        )
        .await;
        stop.cancel();
        tasks.close();
        tasks.wait().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn syncs_and_lookups_that_hang_in_one_directory_leave_the_threads_of_the_others_alone() {
    let two = Two::with(IoPool::new(THREADS, 64)).await;
    for partition in [WELL].into_iter().chain(HANGING) {
        two.fill(partition).await;
    }
    let mut hanging = JoinSet::new();
    let mut all_held = Vec::new();
    for partition in HANGING {
        for (call, acks) in [(Call::SyncData, Some(-1)), (Call::Read, None)] {
            let (held, bench) =
                (two.disk.hold(&format!("{SECOND}/t-{partition}"), call), Arc::clone(&two.bench));
            hanging.spawn(async move {
                match acks {
                    Some(acks) => _ = bench.produce("t", partition, acks).await,
                    None => _ = offset_for_time(bench, partition).await,
                }
            });
            assert!(block_in_place(|| held.is_reached()), "{call:?}");
            all_held.push(held);
        }
    }
    let answered = async {
        assert_eq!(two.produce(WELL, -1).await, 0);
        let found = offset_for_time(Arc::clone(&two.bench), WELL).await;
        assert_eq!((found.error_code, found.offset), (0, 0));
        two.bench.topic("another", 1, &[]).await;
    };
    tokio::time::timeout(PATIENCE, answered).await.expect("the first directory answers");
    drop(all_held);
    tokio::time::timeout(PATIENCE, hanging.join_all()).await.expect("so does the second, when it is let go");
}
