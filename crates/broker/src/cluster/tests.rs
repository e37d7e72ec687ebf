//! Changes whose client hangs up, whose store failed earlier, or that come at the same time.

use std::{collections::BTreeMap, future::poll_fn, path::Path, sync::Arc, task::Poll, time::Duration};

use async_trait::async_trait;
use pagewire_disk::checkpoint::RECOVERY_POINT_FILE;
use pagewire_disk::{Call, Disk, Errno, FailingDisk, Fault, MemoryDisk, When};
use pagewire_log::{Coming, FutureLog, Handles, LogDirOptions};
use pagewire_metadata::{
    Batch, Expect, LeaseId, Listing, MemoryStore, PutError, Revision, Store, StoreError, Versioned, Watch,
    model::{ConfigScope, TopicRecord},
};
use pagewire_wire::{
    ErrorCode, Request, Str,
    messages::{
        create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic},
        create_topics_request::{CreatableTopic, CreateTopicsRequest},
        delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
        find_coordinator_request::FindCoordinatorRequest,
        incremental_alter_configs_request::{
            AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
        },
    },
};
use pagewire_zcopy::IoPool;
use parking_lot::Mutex;
use tokio::{task::yield_now, time::timeout};

use super::{Known, NewTopic, change};
use crate::{
    coordinators::OFFSETS_TOPIC,
    net::Reply,
    testing::{Bench, ROOT, SECOND},
};

/// A type of resource, and a setting of it.
const GROUP: i8 = 32;
const HEARTBEAT_INTERVAL: &str = "consumer.heartbeat.interval.ms";
/// After so many steps every change has ended; a client hangs up after each number of them.
const STEPS: usize = 12;

/// A store whose every call waits before and after it acts.
#[derive(Debug, Default)]
struct Waiting {
    store: MemoryStore,
    /// What somebody else writes just before the next commit.
    rival: Mutex<Option<Batch>>,
}

#[async_trait]
impl Store for Waiting {
    async fn get(&self, key: &str) -> Result<Option<Versioned>, StoreError> {
        yield_now().await;
        self.store.get(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        yield_now().await;
        self.store.list(prefix).await
    }

    async fn commit(&self, batch: Batch) -> Result<Revision, PutError> {
        yield_now().await;
        let rival = self.rival.lock().take();
        if let Some(rival) = rival {
            self.store.commit(rival).await?;
        }
        let done = self.store.commit(batch).await;
        yield_now().await;
        done
    }

    async fn watch(&self, prefix: &str, after: Revision) -> Result<Watch, StoreError> {
        self.store.watch(prefix, after).await
    }

    async fn grant(&self, ttl_ms: i64) -> Result<LeaseId, StoreError> {
        self.store.grant(ttl_ms).await
    }

    async fn keep_alive(&self, lease: LeaseId) -> Result<(), PutError> {
        self.store.keep_alive(lease).await
    }

    async fn revoke(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.store.revoke(lease).await
    }
}

fn bench() -> Bench {
    bench_over(Arc::default())
}

fn bench_over(store: Arc<Waiting>) -> Bench {
    Bench::over(Arc::new(MemoryDisk::new()), IoPool::new(2, 64), store)
}

/// A heartbeat interval that group `g` has, as its members are told.
fn interval_in_force(bench: &Bench) -> i32 {
    bench.broker.group_timing("g").heartbeat_interval_ms
}

async fn interval_stored(bench: &Bench) -> i32 {
    let own = bench.broker.cluster().own_configs(&ConfigScope::Group("g".to_owned())).await;
    own.expect("a store").get(HEARTBEAT_INTERVAL).map_or(5000, |text| text.parse().expect("a number"))
}

/// Sends a request and hangs up after some steps of it.
async fn hang_up<R: Request>(bench: &Bench, request: &R, version: i16, steps: usize) {
    let Reply::Later(mut future) = bench.start(request, version) else { return };
    for _ in 0..steps {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if polled.is_ready() {
            return;
        }
        yield_now().await;
    }
}

fn creation(name: &str, num_partitions: i32) -> CreateTopicsRequest {
    let topic = CreatableTopic {
        name: Str::from(name.to_owned()),
        num_partitions,
        replication_factor: 1,
        ..Default::default()
    };
    CreateTopicsRequest { topics: vec![topic], ..Default::default() }
}

async fn create(bench: &Bench, name: &str, partitions: i32) -> i16 {
    bench.ask(&creation(name, partitions), 7).await.expect("an answer").topics[0].error_code
}

fn deletion(name: &str) -> DeleteTopicsRequest {
    let topic = DeleteTopicState { name: Some(Str::from(name.to_owned())), ..Default::default() };
    DeleteTopicsRequest { topics: vec![topic], ..Default::default() }
}

async fn delete(bench: &Bench, name: &str) -> i16 {
    bench.ask(&deletion(name), 6).await.expect("an answer").responses[0].error_code
}

fn alteration(
    resource_type: i8,
    resource: &str,
    name: &'static str,
    value: &str,
) -> IncrementalAlterConfigsRequest {
    let entry =
        AlterableConfig { name: name.into(), value: Some(Str::from(value.to_owned())), ..Default::default() };
    let resource = AlterConfigsResource {
        resource_type,
        resource_name: Str::from(resource.to_owned()),
        configs: vec![entry],
        ..Default::default()
    };
    IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() }
}

async fn base_offset(bench: &Bench, topic: &str, index: i32) -> (i16, i64) {
    let answer = bench.produce(topic, index, 1).await.expect("an answer");
    (answer.error_code, answer.base_offset)
}

/// The topic as the store has it.
async fn stored(bench: &Bench, name: &str) -> Option<TopicRecord> {
    bench.broker.cluster().catalog.topic(name).await.expect("a store").map(|(record, _)| record)
}

#[tokio::test]
async fn a_creation_whose_client_hangs_up_happens_or_does_not() {
    let bench = bench();
    for steps in 0..STEPS {
        let name = format!("t{steps}");
        hang_up(&bench, &creation(&name, 2), 7, steps).await;
        let again = create(&bench, &name, 2).await;
        assert!(matches!(again, 0 | 36), "{again} after {steps} steps");
        assert_eq!(base_offset(&bench, &name, 1).await, (0, 0), "after {steps} steps");
    }
}

#[tokio::test]
async fn a_deletion_whose_client_hangs_up_happens_or_does_not() {
    let bench = bench();
    for steps in 0..STEPS {
        let name = format!("t{steps}");
        bench.topic(&name, 2, &[]).await;
        bench.produce(&name, 0, 1).await;
        hang_up(&bench, &deletion(&name), 6, steps).await;
        let again = delete(&bench, &name).await;
        assert!(matches!(again, 0 | 3), "{again} after {steps} steps");
        assert_eq!(stored(&bench, &name).await, None);
        assert_eq!(create(&bench, &name, 1).await, 0, "after {steps} steps");
        assert_eq!(base_offset(&bench, &name, 0).await, (0, 0), "after {steps} steps");
    }
}

#[tokio::test]
async fn a_growth_whose_client_hangs_up_happens_or_does_not() {
    let bench = bench();
    let growth = |name: &str, count| {
        let name = Str::from(name.to_owned());
        let topics = vec![CreatePartitionsTopic { name, count, assignments: None, ..Default::default() }];
        CreatePartitionsRequest { topics, ..Default::default() }
    };
    for steps in 0..STEPS {
        let name = format!("t{steps}");
        bench.topic(&name, 1, &[]).await;
        hang_up(&bench, &growth(&name, 2), 3, steps).await;
        let answer = bench.ask(&growth(&name, 3), 3).await.expect("an answer");
        assert_eq!(answer.results[0].error_code, 0, "after {steps} steps");
        assert_eq!(base_offset(&bench, &name, 2).await, (0, 0), "after {steps} steps");
        assert_eq!(stored(&bench, &name).await.expect("stored").partitions.len(), 3);
    }
}

#[tokio::test]
async fn the_topic_of_groups_is_made_though_the_first_to_ask_hangs_up() {
    for steps in 0..STEPS {
        let bench = bench();
        let request = FindCoordinatorRequest { key: "g".into(), ..Default::default() };
        hang_up(&bench, &request, 3, steps).await;
        // Its fifty partitions may take longer than a second client waits for the first: it asks again, as clients do.
        for _ in 0..100 {
            bench.ask(&request, 3).await.expect("an answer");
            if bench.broker.image().topic(OFFSETS_TOPIC).is_some() {
                break;
            }
        }
        assert!(bench.broker.image().topic(OFFSETS_TOPIC).is_some(), "after {steps} steps");
        assert!(stored(&bench, OFFSETS_TOPIC).await.is_some());
    }
}

#[tokio::test]
async fn settings_are_in_force_if_they_are_stored_though_the_client_hangs_up() {
    let bench = bench();
    let partition = bench.topic("t", 1, &[]).await.remove(0);
    let cluster = bench.broker.cluster();
    let scope = ConfigScope::Broker(cluster.identity().node_id);
    let node = cluster.identity().node_id.to_string();
    for steps in 0..STEPS {
        let bytes = (1000 + steps).to_string();
        hang_up(&bench, &alteration(2, "t", "max.message.bytes", &bytes), 1, steps).await;
        hang_up(&bench, &alteration(4, &node, "log.retention.ms", &bytes), 1, steps).await;
        let interval = (5000 + steps).to_string();
        hang_up(&bench, &alteration(GROUP, "g", HEARTBEAT_INTERVAL, &interval), 1, steps).await;
        // Whoever comes after them waits until they are done.
        assert_eq!(create(&bench, &format!("u{steps}"), 1).await, 0);
        let own = stored(&bench, "t").await.expect("stored").configs;
        let entry = bench.broker.image().topic("t").cloned().expect("there");
        assert_eq!(entry.own_configs, own, "after {steps} steps");
        if let Some(bytes) = own.get("max.message.bytes") {
            assert_eq!(partition.config().max_message_bytes.to_string(), *bytes, "after {steps} steps");
        }
        let own = cluster.own_configs(&scope).await.expect("a store");
        assert_eq!(*bench.broker.config().layers.this_broker(), own, "after {steps} steps");
        assert_eq!(interval_in_force(&bench), interval_stored(&bench).await, "after {steps} steps");
    }
    assert_ne!(interval_in_force(&bench), 5000, "some did not hang up early");
    assert!(!cluster.own_configs(&scope).await.expect("a store").is_empty(), "some did not hang up early");
}

#[tokio::test]
async fn a_group_goes_by_what_is_stored_though_the_change_failed() {
    let store = Arc::<Waiting>::default();
    let bench = bench_over(Arc::clone(&store));
    let set = async |interval: &str| {
        let answer = bench.ask(&alteration(GROUP, "g", HEARTBEAT_INTERVAL, interval), 1).await;
        answer.expect("an answer").responses[0].error_code
    };
    let stored = async || store.get("configs/group/g").await.expect("a store").expect("set").value;
    assert_eq!(set("6000").await, 0);
    let six = stored().await;
    assert_eq!((set("7000").await, interval_in_force(&bench)), (0, 7000));
    // Somebody else changes the record between the look and the write.
    *store.rival.lock() = Some(Batch::new().put("configs/group/g", six, Expect::Any));
    assert_ne!(set("8000").await, 0);
    assert_eq!((interval_in_force(&bench), interval_stored(&bench).await), (6000, 6000));
}

#[tokio::test]
async fn settings_changed_at_the_same_time_are_all_in_force() {
    let bench = bench();
    let cluster = bench.broker.cluster();
    let node = cluster.identity().node_id.to_string();
    let (all, this) = (
        alteration(4, "", "log.retention.ms", "1000000"),
        alteration(4, &node, "message.max.bytes", "700000"),
    );
    let other = alteration(4, &node, "log.segment.bytes", "2000000");
    let answers = tokio::join!(bench.ask(&all, 1), bench.ask(&this, 1), bench.ask(&other, 1));
    for answer in [answers.0, answers.1, answers.2] {
        assert_eq!(answer.expect("an answer").responses[0].error_code, 0);
    }
    let config = bench.broker.config();
    let of = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(*config.layers.all_brokers(), of(&[("log.retention.ms", "1000000")]));
    let expected = of(&[("message.max.bytes", "700000"), ("log.segment.bytes", "2000000")]);
    assert_eq!(*config.layers.this_broker(), expected);
}

#[tokio::test]
async fn a_topic_that_is_stored_only_is_finished_by_the_next_creation() {
    let bench = bench();
    let catalog = &bench.broker.cluster().catalog;
    let node = bench.broker.cluster().identity().node_id;
    for name in ["same", "other"] {
        catalog.create_topic(&TopicRecord::on_one_node(name, 2, node, 0)).await.expect("a store");
    }
    assert_eq!(create(&bench, "same", 2).await, 0, "as it would have been");
    assert_eq!(create(&bench, "other", 5).await, 36, "another one is there, from now on");
    for name in ["same", "other"] {
        assert_eq!(base_offset(&bench, name, 1).await, (0, 0));
        assert_eq!(delete(&bench, name).await, 0);
    }
    assert_eq!(create(&bench, "other", 5).await, 0);
}

#[tokio::test]
async fn what_could_not_be_made_at_a_start_for_want_of_room_is_made_when_there_is_some() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = Bench::with(Arc::new(disk.clone()), IoPool::new(4, 64));
    let node = bench.broker.cluster().identity().node_id;
    let catalog = &bench.broker.cluster().catalog;
    catalog.create_topic(&TopicRecord::on_one_node("t", 2, node, 0)).await.expect("a store");
    disk.fail_on("t-1", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    // Killed before its logs were made.
    let bench = bench.killed_and_started_on(Arc::new(disk.clone())).await;
    assert!(!crate::node::make_what_wants(&bench.broker).await, "there is no room yet");
    assert_eq!(base_offset(&bench, "t", 0).await, (0, 0));
    assert_ne!(base_offset(&bench, "t", 1).await.0, 0);
    disk.heal();
    assert!(crate::node::make_what_wants(&bench.broker).await, "nothing waits any more");
    assert_eq!(base_offset(&bench, "t", 1).await, (0, 0));
}

#[tokio::test]
async fn topics_of_one_request_are_written_down_at_once_and_none_is_seen_before() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let bench = Bench::with(Arc::new(disk.clone()), IoPool::new(4, 64));
    let written = || disk.traffic(RECOVERY_POINT_FILE).syncs;
    let before = written();
    let new = |name: String| NewTopic { name, partitions: 2, configs: BTreeMap::new() };
    let some: Vec<NewTopic> = (0..20).map(|at| new(format!("t{at}"))).collect();
    let created = change(&bench.broker, |change| async move { Ok(change.create_topics(some).await) }).await;
    assert!(created.expect("a turn").iter().all(Result::is_ok));
    assert_eq!(written() - before, 1);
    assert_eq!(base_offset(&bench, "t19", 1).await, (0, 0));
    disk.fail_on(RECOVERY_POINT_FILE, Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    let some = ["u", "a.b", "a_b"].map(|name| new(name.to_owned())).to_vec();
    let created = change(&bench.broker, |change| async move { Ok(change.create_topics(some).await) }).await;
    let codes: Vec<_> =
        created.expect("a turn").into_iter().map(|one| one.map_err(|refused| refused.code).err()).collect();
    let storage = Some(ErrorCode::KafkaStorageError);
    assert_eq!(codes, [storage, storage, Some(ErrorCode::InvalidTopicException)]);
    assert!(bench.broker.image().topic("u").is_none());
    disk.heal();
    assert_eq!(create(&bench, "u", 2).await, 0, "nothing of it is left");
}

#[tokio::test]
async fn a_topic_that_is_not_stored_any_more_can_be_deleted() {
    let bench = bench();
    bench.topic("t", 1, &[]).await;
    let catalog = &bench.broker.cluster().catalog;
    let (record, version) = catalog.topic("t").await.expect("a store").expect("stored");
    catalog.delete_topic(&record, version).await.expect("a store");
    assert_eq!(delete(&bench, "t").await, 0);
    assert_eq!(create(&bench, "t", 1).await, 0);
}

#[tokio::test]
async fn a_node_that_stops_waits_for_the_change_under_way_and_begins_no_other() {
    let bench = bench();
    hang_up(&bench, &creation("t", 1), 7, 1).await;
    bench.broker.cluster().finish_changes().await;
    assert!(bench.broker.image().topic("t").is_some());
    assert_eq!(create(&bench, "u", 1).await, 7);
}

#[tokio::test]
async fn a_caller_that_is_not_polled_any_more_keeps_no_change_waiting() {
    let bench = bench();
    let started = |name| match bench.start(&creation(name, 1), 7) {
        Reply::Later(future) => future,
        Reply::Now(_) => panic!("a creation waits"),
    };
    let (mut first, mut second) = (started("a"), started("b"));
    // Both are on their way, and their connections are busy with something else from now on.
    for future in [&mut first, &mut second] {
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        assert!(polled.is_pending());
    }
    assert_eq!(create(&bench, "c", 1).await, 0);
    // While one works on its disk, another may be done first.
    bench.broker.cluster().finish_changes().await;
    assert!(["a", "b", "c"].iter().all(|name| bench.broker.image().topic(name).is_some()));
}

#[tokio::test]
async fn a_caller_that_is_not_polled_any_more_keeps_no_producer_id_waiting() {
    let bench = bench();
    let mut callers: Vec<_> = (0..3).map(|_| Box::pin(bench.broker.cluster().next_producer_id())).collect();
    for caller in &mut callers {
        let polled = poll_fn(|context| Poll::Ready(caller.as_mut().poll(context))).await;
        assert!(polled.is_pending(), "there is no block yet");
    }
    let mut ids = vec![bench.broker.cluster().next_producer_id().await.expect("an id")];
    for caller in callers {
        ids.push(caller.await.expect("an id"));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn partitions_that_cannot_be_stored_leave_no_logs() {
    let store = Arc::<Waiting>::default();
    let bench = bench_over(Arc::clone(&store));
    bench.topic("t", 1, &[]).await;
    let found = store.list("").await.expect("a store").entries;
    let topic = found.into_iter().find(|entry| entry.key.ends_with("/t")).expect("stored");
    // Somebody else changes the record between the look and the write, when the logs are there already.
    *store.rival.lock() = Some(Batch::new().put(topic.key, topic.value.value, Expect::Any));
    let grown = change(&bench.broker, |change| async move { change.add_partitions("t", 3).await });
    let refused = grown.await.map(drop).expect_err("a conflict");
    assert_eq!(refused.code, pagewire_wire::ErrorCode::RequestTimedOut, "{refused}");
    assert!(store.rival.lock().is_none(), "somebody else was there");
    let log_dir = bench.home();
    assert_eq!(log_dir.logs().len(), 1, "those that were made are gone");
    let request = CreatePartitionsRequest {
        topics: vec![CreatePartitionsTopic {
            name: "t".into(),
            count: 3,
            assignments: None,
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(bench.ask(&request, 3).await.expect("an answer").results[0].error_code, 0);
    assert_eq!(base_offset(&bench, "t", 2).await, (0, 0));
}

#[tokio::test]
async fn logs_of_a_deleted_namesake_that_are_still_open_make_way() {
    let bench = bench();
    bench.topic("t", 2, &[]).await;
    // A deletion that could not take them away: the I/O pool was full.
    let cluster = bench.broker.cluster();
    let (record, version) = cluster.catalog.topic("t").await.expect("a store").expect("stored");
    cluster.catalog.delete_topic(&record, version).await.expect("a store");
    cluster.image.store(Arc::new(cluster.image().without("t")));
    assert_eq!(create(&bench, "t", 1).await, 0);
    assert_eq!(base_offset(&bench, "t", 0).await, (0, 0));
}

#[tokio::test]
async fn a_directory_that_comes_back_is_shown_whole_however_busy_the_io_pool_is() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let bench = Bench::with(Arc::clone(&disk), IoPool::new(1, 1));
    for name in ["t", "u", "v"] {
        bench.topic(name, 2, &[]).await;
    }
    bench.home().take_offline(std::io::ErrorKind::Other, "as the test wants");
    let cluster = bench.broker.cluster();
    let topics: Vec<TopicRecord> =
        cluster.catalog.topics().await.expect("a store").0.into_iter().map(|(topic, _)| topic).collect();
    let known = Known::of(&topics, &bench.broker.config());
    let options = as_its_node(cluster);
    let settings = |topic: &str, partition| known.settings(topic, partition);
    let taken =
        cluster.log_dirs.take_in(Path::new(ROOT), &disk, Coming::Back(None), options, &settings, &|_| {});
    let taken = taken.expect("well");
    // The pool's thread is at something, and so is its queue.
    let (go_on, waits) = std::sync::mpsc::channel::<()>();
    bench.broker.io().submit(move || _ = waits.recv()).expect("idle");
    while bench.broker.io().submit(|| ()).is_ok() {}
    let online = change(&bench.broker, |change| async move { change.serve(taken, 9, false).await });
    let online = online.await.expect("nothing refuses it");
    drop(go_on);
    assert_eq!(online.partitions.len(), 6);
    let shown = bench.broker.image();
    assert!(
        shown.hosted().all(|partition| partition.log.offline().is_none() && partition.leader_epoch() == 9)
    );
    assert_eq!(shown.hosted().count(), 6);
}

/// How the node opens a directory.
fn as_its_node(cluster: &super::Cluster) -> LogDirOptions {
    LogDirOptions {
        cluster_id: cluster.identity.cluster_id.clone(),
        node_id: cluster.identity.node_id,
        threads: 1,
        handles: Handles::new(64),
        now_ms: 0,
    }
}

#[tokio::test]
async fn a_directory_that_comes_back_does_not_wait_for_a_topic_of_which_there_is_only_a_wish_in_it() {
    let disk: Arc<dyn Disk> = Arc::new(MemoryDisk::new());
    let bench = Bench::on_two(Arc::clone(&disk), IoPool::new(1, 64));
    bench.topic("t", 1, &[]).await;
    let cluster = bench.broker.cluster();
    let home = cluster.log_dirs.get("t", 0).is_some_and(|log| log.dir().starts_with(ROOT));
    let (back, at) = if home { (SECOND, 1) } else { (ROOT, 0) };
    let topics = cluster.topic_records().await.expect("a store");
    let dir = cluster.log_dirs.here().nth(at).expect("two");
    let wish = FutureLog { topic: "t".to_owned(), topic_id: topics[0].topic_id, partition: 0 };
    dir.note_future(&wish).expect("noted");
    dir.take_offline(std::io::ErrorKind::Other, "as the test wants");
    let known = Known::of(&topics, &bench.broker.config());
    let (options, settings) = (as_its_node(cluster), |topic: &str, index| known.settings(topic, index));
    let taken =
        cluster.log_dirs.take_in(Path::new(back), &disk, Coming::Back(None), options, &settings, &|_| {});
    let taken = taken.expect("well");
    // A switch of it waits for a disk.
    let claimed = change(&bench.broker, |change| async move { Ok(change.claim_at_last("t").await) });
    let _claimed = claimed.await.unwrap_or_else(|_| panic!("nobody else has it"));
    let online = change(&bench.broker, |change| async move { change.serve(taken, 9, false).await });
    let served = timeout(Duration::from_mins(1), online).await.expect("it waits for nobody");
    assert!(served.is_ok_and(|online| online.report.failed.is_empty()));
}

#[tokio::test]
async fn a_log_whose_sync_fails_again_is_not_counted_among_those_that_came_back() {
    let disk = FailingDisk::new(Arc::new(MemoryDisk::new()));
    let shared: Arc<dyn Disk> = Arc::new(disk.clone());
    let bench = Bench::on(Arc::clone(&shared));
    bench.topic("t", 2, &[]).await;
    assert_eq!((base_offset(&bench, "t", 0).await, base_offset(&bench, "t", 1).await), ((0, 0), (0, 0)));
    bench.home().take_offline(std::io::ErrorKind::Other, "as the test wants");
    let cluster = bench.broker.cluster();
    let topics = cluster.topic_records().await.expect("a store");
    let known = Known::of(&topics, &bench.broker.config());
    let options = as_its_node(cluster);
    let settings = |topic: &str, partition| known.settings(topic, partition);
    // Nobody knows how far they were stable, so they are made so when they are opened.
    disk.remove_file(&Path::new(ROOT).join(RECOVERY_POINT_FILE)).expect("there");
    disk.fail_on("t-1/", Call::SyncData, When::Always, Fault::Error(Errno::NOSPC));
    let taken =
        cluster.log_dirs.take_in(Path::new(ROOT), &shared, Coming::Back(None), options, &settings, &|_| {});
    let taken = taken.expect("well");
    let online = change(&bench.broker, |change| async move { change.serve(taken, 9, false).await });
    let online = online.await.expect("served");
    assert_eq!(online.partitions, [("t".to_owned(), 0)]);
    assert_eq!(
        online.read_only.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>(),
        [("t".to_owned(), 1)]
    );
}

#[tokio::test]
async fn many_topics_of_a_request_are_shown_together_and_none_of_their_notes_stays() {
    /// More than fit into one batch of the store.
    const COUNT: usize = 300;
    let bench = bench();
    let before = bench.broker.image();
    let topic = |n| CreatableTopic {
        name: format!("t-{n}").into(),
        num_partitions: 1,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: (0..COUNT).map(topic).collect(), ..Default::default() };
    let answer = bench.ask(&request, 7).await.expect("an answer");
    assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
    let (after, cluster) = (bench.broker.image(), bench.broker.cluster());
    assert_eq!(after.topics().len() - before.topics().len(), COUNT);
    assert!(
        after
            .topics()
            .all(|topic| after.topic_by_id(topic.id).is_some_and(|found| Arc::ptr_eq(found, topic)))
    );
    let copies = after.version() - before.version() - COUNT as u64;
    assert_eq!(
        (copies, after.last_created()),
        (1, after.version()),
        "a version for each topic, and one copy"
    );
    cluster.finish_changes().await;
    assert!(cluster.catalog.unmade_topics().await.expect("a store").is_empty());
}
