//! A log directory whose disk does not answer, beside one that is well: what changes topics, ends transactions and looks at
//! directories elsewhere goes on.

use std::{path::Path, sync::Arc, time::Duration};

use pagewire_disk::{Call, Held};
use pagewire_wire::{
    ErrorCode, Request, Str,
    messages::{
        create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic},
        create_topics_request::{CreatableTopic, CreateTopicsRequest},
        delete_topics_request::{DeleteTopicState, DeleteTopicsRequest},
        describe_log_dirs_request::DescribeLogDirsRequest,
        find_coordinator_request::FindCoordinatorRequest,
        incremental_alter_configs_request::{
            AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
        },
    },
};
use pagewire_zcopy::IoPool;
use tokio::{
    task::{block_in_place, yield_now},
    time::timeout,
};

use crate::{
    cluster::change,
    config::BrokerConfig,
    coordinators::OFFSETS_TOPIC,
    described::describe,
    hang_tests::{HANGING, HELD, PATIENCE, THREADS, Two, WELL, offset_for_time},
    lanes::Lane,
    testing::{Bench, ROOT, SECOND, take_threads},
};

/// Holds as many calls in a directory as its threads can make, and more.
fn hold(two: &Two, root: &str, call: Call) -> Vec<Held> {
    (0..HELD).map(|_| two.disk.hold(root, call)).collect()
}

async fn two() -> Two {
    Two::with(IoPool::new(THREADS, 64)).await
}

fn lane(two: &Two, root: &str) -> Arc<Lane> {
    Arc::clone(two.bench.broker.cluster().lanes().of(Path::new(root)))
}

/// The first error that is answered.
async fn ask<R: Request>(
    bench: &Bench,
    request: R,
    version: i16,
    code: impl FnOnce(&R::Response) -> i16,
) -> i16 {
    let answer = timeout(PATIENCE, bench.ask(&request, version)).await.expect("in time");
    code(&answer.expect("an answer"))
}

async fn create(bench: &Bench, name: &str, partitions: i32) -> i16 {
    let topic = CreatableTopic {
        name: name.to_owned().into(),
        num_partitions: partitions,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest { topics: vec![topic], timeout_ms: 1000, ..Default::default() };
    ask(bench, request, 5, |answer| answer.topics[0].error_code).await
}

async fn delete(bench: &Bench, name: &str) -> i16 {
    let topics = vec![DeleteTopicState { name: Some(name.to_owned().into()), ..Default::default() }];
    let request = DeleteTopicsRequest { topics, timeout_ms: 1000, ..Default::default() };
    ask(bench, request, 6, |answer| answer.responses[0].error_code).await
}

async fn grow(bench: &Bench, name: &str, count: i32) -> i16 {
    let topic = CreatePartitionsTopic {
        name: name.to_owned().into(),
        count,
        assignments: None,
        ..Default::default()
    };
    let request = CreatePartitionsRequest { topics: vec![topic], timeout_ms: 1000, ..Default::default() };
    ask(bench, request, 2, |answer| answer.results[0].error_code).await
}

async fn alter(bench: &Bench, name: &str, setting: &str, value: &str) -> i16 {
    let config = AlterableConfig {
        name: setting.to_owned().into(),
        config_operation: 0,
        value: Some(Str::from(value.to_owned())),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: 2,
        resource_name: name.to_owned().into(),
        configs: vec![config],
        ..Default::default()
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    ask(bench, request, 1, |answer| answer.responses[0].error_code).await
}

/// Where the partitions of a topic are.
fn homes(bench: &Bench, name: &str) -> Vec<String> {
    let image = bench.broker.image();
    let topic = image.topic(name).expect("shown");
    let hosted = topic.partitions.iter().filter_map(|entry| entry.hosted.as_ref());
    hosted.map(|partition| partition.lane().path().display().to_string()).collect()
}

async fn until_silent(lane: &Lane) {
    let silent = async {
        while !lane.is_silent() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, silent).await.expect("a disk that does not answer is told from what waits for it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_topic_is_made_in_a_directory_that_hangs_all_else_is_changed_and_what_is_new_spares_it() {
    let two = two().await;
    let bench = Arc::clone(&two.bench);
    let held = hold(&two, SECOND, Call::CreateDir);
    let making = tokio::spawn(async move { create(&bench, "hangs", 2).await });
    assert!(block_in_place(|| held[0].is_reached()));
    until_silent(&lane(&two, SECOND)).await;
    assert_eq!(create(&two.bench, "well", 2).await, 0);
    assert_eq!(homes(&two.bench, "well"), [ROOT, ROOT]);
    assert_eq!(grow(&two.bench, "well", 3).await, 0);
    assert_eq!(alter(&two.bench, "well", "cleanup.policy", "compact").await, 0);
    assert_eq!(alter(&two.bench, "t", "retention.ms", "1000").await, 0);
    assert_eq!(delete(&two.bench, "well").await, 0);
    let key = FindCoordinatorRequest { key: "group".to_owned().into(), ..Default::default() };
    ask(&two.bench, key, 3, |answer| answer.error_code).await;
    assert!(homes(&two.bench, OFFSETS_TOPIC).iter().all(|home| home == ROOT));
    let listed = change(&two.bench.broker, |change| async move { Ok(change.metadata().await) });
    let listed = listed.await.expect("a turn").expect("a store");
    let topics: Vec<_> = listed.entries.iter().filter_map(|row| row.key.strip_prefix("topics/")).collect();
    assert_eq!(topics, [OFFSETS_TOPIC, "t"], "a backup knows nothing of what is half made");
    let looked = change(&two.bench.broker, |change| async move { change.make_missing().await });
    assert_eq!(looked.await.expect("made"), (0, false));
    let catalog = two.bench.broker.cluster().catalog();
    let noted = async {
        while catalog.unmade_topics().await.expect("a store").len() > 1 {
            yield_now().await;
        }
    };
    timeout(PATIENCE, noted).await.expect("notes of what is made go");
    let unmade = catalog.unmade_topics().await.expect("a store");
    assert_eq!(unmade.first().map(|topic| &*topic.name), Some("hangs"), "a start would make it");
    assert!(!making.is_finished());
    let busy = ErrorCode::RequestTimedOut.code();
    assert_eq!(
        create(&two.bench, "hangs", 1).await,
        busy,
        "whoever is about the same topic does not wait for ever"
    );
    drop(held);
    assert_eq!(timeout(PATIENCE, making).await.expect("in time").expect("no panic"), 0);
    assert_eq!(homes(&two.bench, "hangs"), [ROOT, SECOND]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_in_a_directory_that_hangs_is_deleted_at_once_and_its_logs_when_the_disk_answers() {
    let two = two().await;
    let held = hold(&two, SECOND, Call::Rename);
    assert_eq!(delete(&two.bench, "t").await, 0);
    let cluster = two.bench.broker.cluster();
    assert!(cluster.image().topic("t").is_none());
    assert!(cluster.catalog().topic("t").await.expect("a store").is_none(), "durably");
    assert_eq!(cluster.catalog().deleted_topics().await.expect("a store").len(), 1, "a start finds the rest");
    assert_eq!(create(&two.bench, "another", 1).await, 0);
    assert_ne!(create(&two.bench, "t", 1).await, 0, "its name is not free yet");
    drop(held);
    let gone = async {
        while create(&two.bench, "t", 1).await != 0 {
            yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("the logs go when the disk answers");
    two.bench.broker.coordinators().forget_deleted(&two.bench.broker).await;
    let noted = async {
        while !cluster.catalog().deleted_topics().await.expect("a store").is_empty() {
            yield_now().await;
        }
    };
    timeout(PATIENCE, noted).await.expect("and nothing has to be looked for any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_directory_that_hangs_keeps_nobody_from_hearing_of_the_others() {
    for (hangs, answers) in [(SECOND, ROOT), (ROOT, SECOND)] {
        let two = two().await;
        let held = hold(&two, hangs, Call::Space);
        let request = DescribeLogDirsRequest { topics: None, ..Default::default() };
        let answer =
            timeout(PATIENCE, two.bench.ask(&request, 4)).await.expect("in time").expect("an answer");
        let of = |dir: &str| answer.results.iter().find(|one| &*one.log_dir == dir).expect("told").clone();
        assert!(of(answers).usable_bytes >= 0);
        assert_eq!(
            (of(hangs).usable_bytes, of(hangs).topics.len()),
            (-1, 1),
            "what is known without its disk"
        );
        assert!(held.iter().any(Held::was_reached));
        let all = timeout(PATIENCE, describe(&two.bench.broker)).await.expect("in time");
        assert_eq!(all.len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_changes_settings_of_a_topic_in_a_directory_that_hangs_hears_when_they_are_stored() {
    let two = two().await;
    let taken = take_threads(&lane(&two, SECOND), THREADS).await;
    assert_eq!(alter(&two.bench, "t", "cleanup.policy", "compact").await, 0);
    let cluster = two.bench.broker.cluster();
    let stored = async || cluster.catalog().topic("t").await.expect("a store").expect("stored").0.configs;
    assert_eq!(stored().await.get("cleanup.policy").map(String::as_str), Some("compact"));
    let is_compacted = || two.partitions.iter().all(|partition| partition.log.config().cleanup_compact);
    assert!(!is_compacted());
    let busy = ErrorCode::RequestTimedOut.code();
    assert_eq!(alter(&two.bench, "t", "max.message.bytes", "100").await, busy, "one after the other");
    drop(taken);
    let in_force = async {
        while !is_compacted() {
            yield_now().await;
        }
    };
    timeout(PATIENCE, in_force).await.expect("when the disk answers");
    // So do those who change the defaults.
    let taken = take_threads(&lane(&two, SECOND), THREADS).await;
    let config = AlterableConfig {
        name: "log.retention.ms".into(),
        config_operation: 0,
        value: Some("123456".into()),
        ..Default::default()
    };
    let resource = AlterConfigsResource { resource_type: 4, configs: vec![config], ..Default::default() };
    let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
    assert_eq!(ask(&two.bench, request, 1, |answer| answer.responses[0].error_code).await, 0);
    drop(taken);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_is_only_read_is_told_as_silent() {
    let two = two().await;
    two.fill(HANGING[0]).await;
    let held = hold(&two, SECOND, Call::Read);
    let reading = tokio::spawn(offset_for_time(Arc::clone(&two.bench), HANGING[0]));
    until_silent(&lane(&two, SECOND)).await;
    assert!(!lane(&two, ROOT).is_silent());
    drop(held);
    let found = timeout(PATIENCE, reading).await.expect("in time").expect("no panic");
    assert_eq!(found.error_code, 0);
    assert_eq!(two.produce(WELL, 1).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_changed_while_a_change_of_the_defaults_waits_for_a_disk_stays_changed() {
    let two = two().await;
    assert_eq!(create(&two.bench, "a", 4).await, 0);
    assert_eq!(homes(&two.bench, "a"), [ROOT, ROOT, SECOND, SECOND]);
    assert_eq!(alter(&two.bench, "a", "cleanup.policy", "compact").await, 0);
    let others: Vec<String> = (0..8).map(|number| format!("b{number}")).collect();
    for name in &others {
        assert_eq!(create(&two.bench, name, 1).await, 0);
    }
    // Settings of a compacted topic there wait for a thread.
    let taken = take_threads(&lane(&two, SECOND), THREADS).await;
    let before = two.bench.broker.config();
    let defaults = BrokerConfig::clone(&before);
    let broker = Arc::clone(&two.bench.broker);
    let waits = tokio::spawn(async move {
        change(&broker, |change| async move { change.put_broker_config_in_force(defaults).await }).await
    });
    let begun = async {
        while Arc::ptr_eq(&before, &two.bench.broker.config()) {
            yield_now().await;
        }
    };
    timeout(PATIENCE, begun).await.expect("it has its turn");
    // Each has the turn only because the other has left it.
    for name in &others {
        assert_eq!(alter(&two.bench, name, "max.message.bytes", "100").await, 0);
    }
    assert!(!waits.is_finished());
    drop(taken);
    timeout(PATIENCE, waits).await.expect("in time").expect("no panic").expect("changed");
    let image = two.bench.broker.image();
    for name in &others {
        assert_eq!(image.topic(name).expect("shown").config.max_message_bytes, 100, "{name}");
    }
}
