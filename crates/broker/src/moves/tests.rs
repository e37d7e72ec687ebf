//! Facts about partitions that move between two log directories of a broker.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pagewire_disk::{Call, Disk, Errno, FailingDisk, Fault, MemoryDisk, OpenMode, When};
use pagewire_log::FutureLog;
use pagewire_metadata::{MemoryStore, Store, model::PartitionRecord};
use pagewire_wire::messages::{
    alter_replica_log_dirs_request::{
        AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
    },
    describe_log_dirs_request::DescribeLogDirsRequest,
};
use pagewire_wire::{ErrorCode, Str};
use pagewire_zcopy::IoPool;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Shown, Standing};
use crate::cluster::{OwnConfigs, change};
use crate::partition::Partition;
use crate::testing::{Bench, ROOT, SECOND, fetch, take_threads};

pub(super) const RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second";

/// I/O threads of a directory.
pub(super) const THREADS: usize = 4;

/// A broker on two directories, of which the first is home, with the topic `t` of one partition there.
pub(crate) struct World {
    pub(crate) bench: Bench,
    pub(crate) disk: FailingDisk,
    pub(super) stop: CancellationToken,
}

impl World {
    pub(crate) async fn new() -> Self {
        let world = Self::on(&[ROOT, SECOND]);
        world.bench.topic("t", 1, &[]).await;
        world
    }

    /// Without a topic.
    pub(super) fn on(roots: &[&str]) -> Self {
        Self::over(roots, Arc::new(MemoryStore::default()))
    }

    /// Without a topic, and with its metadata in `store`.
    pub(super) fn over(roots: &[&str], store: Arc<dyn Store>) -> Self {
        let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
        let on: Arc<dyn Disk> = Arc::new(disk.clone());
        let bench = Bench::on_all_over(roots, on, IoPool::new(THREADS, 64), store);
        let stop = CancellationToken::new();
        bench.broker.moves().start(&TaskTracker::new(), &stop);
        Self { bench, disk, stop }
    }

    /// With the topic `t` of one partition in this one of its directories.
    pub(super) async fn with_a_topic_in(self, dir: &str) -> Self {
        assert_eq!(self.alter("t", 0, dir).await, ErrorCode::UnknownTopicOrPartition);
        self.bench.topic("t", 1, &[]).await;
        self
    }

    /// Where it is, and where it is not.
    pub(crate) fn here_and_there(&self) -> (&'static str, &'static str) {
        if self.is_in(ROOT) { (ROOT, SECOND) } else { (SECOND, ROOT) }
    }

    pub(crate) async fn alter(&self, topic: &str, partition: i32, dir: &str) -> ErrorCode {
        let topics = vec![AlterReplicaLogDirTopic {
            name: Str::from(topic.to_owned()),
            partitions: vec![partition],
            ..Default::default()
        }];
        let dirs = vec![AlterReplicaLogDir { path: Str::from(dir.to_owned()), topics, ..Default::default() }];
        let request = AlterReplicaLogDirsRequest { dirs, ..Default::default() };
        let response = self.bench.ask(&request, 2).await.expect("answered");
        let code = response.results[0].partitions[0].error_code;
        ErrorCode::from_code(code).expect("a code of the table")
    }

    /// What DescribeLogDirs says of `t` in a directory: size, lag, and whether it is only coming.
    async fn described(&self, dir: &str) -> Vec<(i64, i64, bool)> {
        let response = self
            .bench
            .ask(&DescribeLogDirsRequest { topics: None, ..Default::default() }, 4)
            .await
            .expect("answered");
        let of_dir = response.results.into_iter().filter(|result| result.log_dir == *dir);
        let partitions = of_dir.flat_map(|result| result.topics).flat_map(|topic| topic.partitions);
        partitions.map(|one| (one.partition_size, one.offset_lag, one.is_future_key)).collect()
    }

    pub(crate) fn partition(&self) -> Arc<Partition> {
        let image = self.bench.broker.image();
        Arc::clone(image.topic("t").expect("there").hosted(0).expect("served"))
    }

    pub(super) fn hosted(&self) -> Option<Arc<Partition>> {
        self.bench.broker.image().topic("t")?.hosted(0).cloned()
    }

    pub(super) fn is_in(&self, dir: &str) -> bool {
        self.partition().log.dir().parent().is_some_and(|parent| parent.as_os_str() == dir)
    }

    pub(super) async fn until(&self, what: &str, is_so: impl AsyncFn() -> bool) {
        let looked = async {
            while !is_so().await {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), looked).await.unwrap_or_else(|_| panic!("never {what}"));
    }

    /// The only move, as it stands.
    pub(super) fn shown(&self) -> Option<Shown> {
        self.bench.broker.moves().shown(&self.bench.broker).pop()
    }

    pub(super) async fn until_nothing_moves(&self) {
        self.until("done", async || self.bench.broker.moves().wanted.lock().is_empty()).await;
    }

    /// What the store has of it.
    pub(super) async fn stored(&self) -> PartitionRecord {
        let topic = self.bench.broker.cluster().catalog().topic("t").await.expect("a store");
        topic.expect("stored").0.partitions.remove(0)
    }

    pub(super) async fn stored_directory(&self) -> Option<uuid::Uuid> {
        self.stored().await.directory
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_moves_while_it_is_served() {
    let world = World::new().await;
    let (first, second) = if world.is_in(ROOT) { (ROOT, SECOND) } else { (SECOND, ROOT) };
    for acks in [1, -1] {
        let produced = world.bench.produce("t", 0, acks).await.expect("answered");
        assert_eq!(produced.error_code, 0);
    }
    let old = world.partition();
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    world.until("moved", async || world.is_in(second)).await;
    world.until_nothing_moves().await;
    let produced = world.bench.produce("t", 0, -1).await.expect("answered");
    assert_eq!((produced.error_code, produced.base_offset), (0, 2));
    let fetched = world.bench.ask(&fetch("t", 1, 0, 0), 12).await.expect("answered");
    assert_eq!(fetched.responses[0].partitions[0].high_watermark, 3);
    assert_eq!(world.described(first).await, []);
    assert_eq!(
        world.described(second).await.iter().map(|one| (one.1, one.2)).collect::<Vec<_>>(),
        [(0, false)]
    );
    let dirs = world.bench.broker.cluster().log_dirs();
    assert_eq!(Some(world.stored_directory().await), dirs.directory_of("t", 0), "the store knows");
    // Who had found the old one waits for nothing that was acknowledged, and appends elsewhere.
    assert!(old.stable(2, world.bench.broker.io()).await.is_ok());
    // Back, and to where it is.
    assert_eq!(world.alter("t", 0, first).await, ErrorCode::None);
    world.until("moved back", async || world.is_in(first)).await;
    assert_eq!(world.alter("t", 0, first).await, ErrorCode::None);
    assert_eq!(world.partition().log.marks().log_end, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_records_gets_those_that_come_after_the_move() {
    let world = World::new().await;
    let other = if world.is_in(ROOT) { SECOND } else { ROOT };
    let waiting = world.bench.start(&fetch("t", 1, 0, i32::MAX), 12);
    let waiting = tokio::spawn(
        crate::testing::finish::<pagewire_wire::messages::fetch_request::FetchRequest>(waiting, 12),
    );
    assert_eq!(world.alter("t", 0, other).await, ErrorCode::None);
    world.until("moved", async || world.is_in(other)).await;
    assert_eq!(world.bench.produce("t", 0, 1).await.expect("answered").error_code, 0);
    let fetched = tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("in time");
    let fetched = fetched.expect("no panic").expect("answered");
    assert_eq!(fetched.responses[0].partitions[0].high_watermark, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_is_shown_while_it_lasts_and_ends_when_the_partition_is_wanted_where_it_is() {
    let world = World::new().await;
    let (first, second) = if world.is_in(ROOT) { (ROOT, SECOND) } else { (SECOND, ROOT) };
    world.bench.produce("t", 0, 1).await.expect("answered");
    world.bench.set(RATE, "0");
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    assert_eq!(world.described(second).await, [(0, 1, true)]);
    assert_eq!(world.described(first).await.len(), 1);
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None, "it is on its way");
    assert_eq!(world.alter("t", 0, first).await, ErrorCode::None);
    assert_eq!(world.described(second).await, []);
    let target = world.bench.broker.cluster().log_dirs().here().find(|dir| dir.path().as_os_str() == second);
    let target = target.expect("here");
    world.until("dropped", async || target.futures().expect("listed").is_empty()).await;
    // Once more, as fast as it goes.
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    world.bench.set(RATE, "9223372036854775807");
    world.until("moved", async || world.is_in(second)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_moves_after_the_change_of_its_topic_that_waits_for_a_disk() {
    let world = World::new().await;
    if world.is_in(ROOT) {
        assert_eq!(world.alter("t", 0, SECOND).await, ErrorCode::None);
        world.until("moved", async || world.is_in(SECOND)).await;
    }
    let broker = Arc::clone(&world.bench.broker);
    // Settings of a compacted topic wait for a thread of its directory.
    let taken = take_threads(broker.cluster().lanes().of(Path::new(SECOND)), THREADS).await;
    let compacted = tokio::spawn(async move {
        let wish = |own: &OwnConfigs, _: &_| {
            let mut own = own.clone();
            own.insert("cleanup.policy".into(), "compact".into());
            Ok(own)
        };
        change(&broker, move |change| async move { change.topic_configs("t", wish, || {}).await }).await
    });
    let stored = async || {
        let topic = world.bench.broker.cluster().catalog().topic("t").await.expect("a store");
        !topic.expect("stored").0.configs.is_empty()
    };
    world.until("stored", stored).await;
    assert_eq!(world.alter("t", 0, ROOT).await, ErrorCode::None);
    let moved = world.until("moved", async || world.is_in(ROOT));
    assert!(tokio::time::timeout(Duration::from_secs(1), moved).await.is_err(), "the topic is another's");
    drop(taken);
    compacted.await.expect("no panic").expect("changed");
    world.until("moved", async || world.is_in(ROOT)).await;
    assert_eq!(world.bench.produce("t", 0, 1).await.expect("answered").error_code, 0);
    assert!(world.partition().log.dir().starts_with(ROOT));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_a_stop_breaks_off_is_noted_for_the_next_start() {
    let world = World::new().await;
    let second = if world.is_in(ROOT) { SECOND } else { ROOT };
    world.bench.set(RATE, "0");
    world.bench.produce("t", 0, 1).await.expect("answered");
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    world.stop.cancel();
    world.until_nothing_moves().await;
    let dirs = world.bench.broker.cluster().log_dirs();
    let (adopted, noted) = dirs.adopt_futures(&|_| None, 0);
    assert_eq!((adopted.len(), noted.len()), (0, 1));
    assert_eq!(noted[0].0.as_os_str(), second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_move_is_refused_as_in_kafka() {
    let world = World::new().await;
    let refused = async |topic, partition, dir| world.alter(topic, partition, dir).await;
    assert_eq!(refused("t", 0, "/nowhere").await, ErrorCode::LogDirNotFound);
    assert_eq!(refused("t", 0, "second").await, ErrorCode::LogDirNotFound, "not by a relative path");
    assert_eq!(refused("t", 1, SECOND).await, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(refused("t", -1, SECOND).await, ErrorCode::UnknownTopicOrPartition);
    assert_eq!(refused("nobody", 0, SECOND).await, ErrorCode::UnknownTopicOrPartition);
    let long = "x".repeat(249);
    world.bench.topic(&long, 1, &[]).await;
    assert_eq!(refused(&long, 0, SECOND).await, ErrorCode::InvalidTopicException);
    let second = world.bench.broker.cluster().log_dirs().here().nth(1).expect("here");
    second.take_offline(std::io::ErrorKind::Other, "sick");
    assert_eq!(refused("t", 0, SECOND).await, ErrorCode::KafkaStorageError);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_is_made_later_is_made_where_it_was_wished() {
    let world = World::new().await;
    for (partition, dir) in [(0, SECOND), (1, SECOND), (2, ROOT)] {
        assert_eq!(world.alter("later", partition, dir).await, ErrorCode::UnknownTopicOrPartition);
    }
    let made = world.bench.topic("later", 3, &[]).await;
    let dirs: Vec<_> = made.iter().map(|one| one.log.dir().parent().expect("a root").to_path_buf()).collect();
    assert_eq!(dirs, [SECOND, SECOND, ROOT].map(std::path::PathBuf::from));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_that_fails_leaves_the_partition_where_it_is() {
    let world = World::new().await;
    let (first, second) = if world.is_in(ROOT) { (ROOT, SECOND) } else { (SECOND, ROOT) };
    let inside = format!("{second}/t-0");
    world.bench.produce("t", 0, 1).await.expect("answered");
    world.disk.fail_on(&inside, Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    world.until_nothing_moves().await;
    assert!(world.is_in(first));
    assert_eq!(world.bench.produce("t", 0, 1).await.expect("answered").error_code, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_panics_is_tried_again_and_keeps_its_directory_from_no_other() {
    let world = World::new().await;
    let (first, second) = if world.is_in(ROOT) { (ROOT, SECOND) } else { (SECOND, ROOT) };
    let inside = format!("{second}/t-0");
    world.bench.produce("t", 0, 1).await.expect("answered");
    world.disk.fail_on(&inside, Call::Write, When::Always, Fault::Panic);
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    world.until_nothing_moves().await;
    assert!(world.is_in(first), "not for ever");
    assert_eq!(world.bench.produce("t", 0, 1).await.expect("answered").error_code, 0);
    world.disk.heal();
    world.disk.fail_on(&inside, Call::Write, When::Nth(1), Fault::Panic);
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    world.until("moved", async || world.is_in(second)).await;
    world.until_nothing_moves().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_waits_for_compaction_that_is_at_the_log_and_says_so() {
    let world = World::new().await;
    let (_, second) = world.here_and_there();
    for _ in 0..2 {
        world.bench.produce("t", 0, -1).await.expect("answered");
        assert!(world.partition().log.roll_if_due(i64::MAX).expect("rolled"));
    }
    // A closed segment that is not the one that the log has: so it is while another one takes its place.
    let first = world.partition().log.dir().join("00000000000000000000.log");
    let file = world.disk.open(&first, OpenMode::ReadWrite).expect("there");
    let bytes = file.len().expect("told");
    file.set_len(bytes + 1).expect("grown");
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    let waits = async || world.shown().is_some_and(|one| one.waits_for == Some("compaction of its log"));
    world.until("waiting", waits).await;
    // Also for longer than one attempt lasts.
    let broke_off = async || world.shown().is_some_and(|one| one.last_failure.is_some());
    world.until("tried again", broke_off).await;
    let shown = world.shown().expect("wished").last_failure.unwrap_or_default();
    assert!(shown.contains("changes faster than it can be copied"), "{shown}");
    file.set_len(bytes).expect("as it was");
    world.until("moved", async || world.is_in(second)).await;
    world.until_nothing_moves().await;
    let gauges = world.bench.broker.moves().gauges();
    assert_eq!((gauges.copying, gauges.waiting, gauges.done, gauges.failed), (0, 0, 1, 0));
    assert!(gauges.copied_bytes >= bytes && world.shown().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_was_given_up_is_shown_until_it_is_wished_again() {
    let world = World::new().await;
    let (first, second) = world.here_and_there();
    world.bench.produce("t", 0, 1).await.expect("answered");
    world.disk.fail_on(&format!("{second}/t-0"), Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    world.until_nothing_moves().await;
    let given_up = async || world.shown().is_some_and(|one| one.state == Standing::GivenUp);
    world.until("given up", given_up).await;
    let shown = serde_json::to_value(world.shown().expect("shown")).expect("JSON");
    assert_eq!((&shown["topic"], &shown["from"], &shown["to"]), (&"t".into(), &first.into(), &second.into()));
    assert!(shown["last_failure"].as_str().is_some_and(|why| why.contains("No space")), "{shown}");
    assert_eq!(world.bench.broker.moves().gauges().failed, 1);
    // Or where it is.
    assert_eq!(world.alter("t", 0, first).await, ErrorCode::None);
    assert!(world.shown().is_none());
    world.disk.heal();
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    world.until("moved", async || world.is_in(second)).await;
    world.until_nothing_moves().await;
    assert!(world.shown().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_somebody_puts_a_segment_into_is_made_anew() {
    let world = World::new().await;
    let (_, second) = world.here_and_there();
    world.bench.produce("t", 0, -1).await.expect("answered");
    world.bench.set(RATE, "0");
    assert_eq!(world.alter("t", 0, second).await, ErrorCode::None);
    let topic_id = world.bench.broker.image().topic("t").expect("there").id;
    let future = FutureLog { topic: "t".to_owned(), topic_id, partition: 0 };
    let copy = Path::new(second).join(future.dir_name().expect("a name"));
    let begun = async || world.disk.exists(&copy.join("00000000000000000000.log")).expect("looked");
    world.until("begun", begun).await;
    world.disk.open(&copy.join("00000000000000000099.log"), OpenMode::CreateNew).expect("made");
    world.bench.set(RATE, "9223372036854775807");
    world.until("moved", async || world.is_in(second)).await;
    let log = Arc::clone(&world.partition().log);
    assert_eq!((log.marks().log_start, log.marks().log_end, log.damage().len()), (0, 1, 0));
    assert!(!world.disk.exists(&log.dir().join("00000000000000000099.log")).expect("looked"));
}
