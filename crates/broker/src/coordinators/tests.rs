//! Shards over a disk that fails, and what clients hear of it.

use std::sync::Arc;

use bytes::Bytes;
use pagewire_coordinate::{
    ANY_ID, Answer, Commit, CommitPartition, CommitTopic, DeletedTopic, DeletedTopics, Error, GroupMember,
    GroupMetadata, Input, Limits, OffsetKey, OffsetValue, Record, Settings, Shard as Machine,
};
use pagewire_disk::{Call, Errno, FailingDisk, MemoryDisk, When};
use pagewire_log::Origin;
use pagewire_record::{BatchBuilder, Codec};
use pagewire_wire::messages::{
    delete_groups_request::DeleteGroupsRequest,
    list_groups_request::ListGroupsRequest,
    offset_commit_request::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestTopic},
};
use tokio::task::yield_now;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{OFFSETS_TOPIC, memory::GroupMemory, shard::Shard, shards::Running, timer};
use crate::{cluster::change, partition::Partition, testing::Bench};

/// A broker whose groups are loaded, on a disk that can fail.
async fn served(disk: &FailingDisk, shards: usize, configs: &[(&str, &str)]) -> Bench {
    let bench = Bench::on(Arc::new(disk.clone()));
    bench.topic("t", 10, &[]).await;
    bench.topic(OFFSETS_TOPIC, shards, configs).await;
    start(&bench).await;
    bench
}

async fn start(bench: &Bench) {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    bench.broker.coordinators().start(&bench.broker, &tasks, &stop);
    while bench.ask(&ListGroupsRequest::default(), 5).await.expect("an answer").error_code != 0 {
        yield_now().await;
    }
}

fn disk() -> FailingDisk {
    FailingDisk::new(Arc::new(MemoryDisk::new()))
}

async fn commit(bench: &Bench, group_id: &str) -> i16 {
    let partition = |partition_index| OffsetCommitRequestPartition {
        partition_index,
        committed_offset: 7,
        ..Default::default()
    };
    let mut code = 0;
    for index in 0..10 {
        let partitions = vec![partition(index)];
        let topic = OffsetCommitRequestTopic { name: "t".into(), partitions, ..Default::default() };
        let request = OffsetCommitRequest {
            group_id: group_id.to_owned().into(),
            generation_id_or_member_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        };
        let answer = bench.ask(&request, 9).await.expect("an answer");
        code = answer.topics[0].partitions[0].error_code.max(code);
    }
    code
}

/// Error code, and how many of the ten offsets are there.
async fn committed(bench: &Bench, group_id: &str) -> (i16, usize) {
    let topic = OffsetFetchRequestTopic {
        name: "t".into(),
        partition_indexes: (0..10).collect(),
        ..Default::default()
    };
    let request = OffsetFetchRequest {
        group_id: group_id.to_owned().into(),
        topics: Some(vec![topic]),
        ..Default::default()
    };
    let answer = bench.ask(&request, 7).await.expect("an answer");
    let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
    (answer.error_code, partitions.filter(|one| one.committed_offset == 7).count())
}

async fn delete(bench: &Bench, group_id: &str) -> i16 {
    let request =
        DeleteGroupsRequest { groups_names: vec![group_id.to_owned().into()], ..Default::default() };
    bench.ask(&request, 2).await.expect("an answer").results[0].error_code
}

/// A commit of Kafka's, without its topic's id.
fn append_commit(partition: &Arc<Partition>, bench: &Bench) {
    let value = OffsetValue {
        offset: 7,
        leader_epoch: -1,
        metadata: Arc::from(""),
        commit_ms: crate::clock::now_ms(),
        expire_ms: None,
        topic_id: ANY_ID,
    };
    let key = OffsetKey { group_id: "g".into(), topic: "t".into(), partition: 3 };
    let record = Record::Offset { key, value: Some(value) };
    let (key, value) = (record.encode_key().expect("a key"), record.encode_value().expect("a value"));
    let mut batch = BatchBuilder::new(Codec::None);
    batch.append(0, Some(&key), value.as_deref(), &[]).expect("a record");
    let batch = batch.build().expect("a batch");
    partition.append(batch, Origin::Coordinator, 0, bench.broker.io()).expect("appended");
}

#[tokio::test]
async fn a_listing_passes_over_groups_that_this_node_does_not_serve() {
    let bench = served(&disk(), 3, &[]).await;
    for group_id in ["a", "b", "c", "d", "e"] {
        assert_eq!(commit(&bench, group_id).await, 0);
    }
    let shard = bench.broker.coordinators().groups().shard_of(&bench.broker, "a").expect("served");
    shard.close(Error::NotCoordinator);
    let listed = bench.ask(&ListGroupsRequest::default(), 5).await.expect("an answer");
    assert_eq!(listed.error_code, 0);
    let names: Vec<&str> = listed.groups.iter().map(|group| group.group_id.as_str()).collect();
    assert!(!names.is_empty() && !names.contains(&"a"), "{names:?}");
    assert_eq!(committed(&bench, "a").await, (16, 0));
}

#[tokio::test]
async fn offsets_that_cannot_be_read_send_consumers_to_look_for_their_coordinator() {
    // Where groups are not running the coordinator is not available, which OffsetFetch must not say.
    let bench = Bench::on(Arc::new(disk()));
    bench.topic(OFFSETS_TOPIC, 1, &[]).await;
    assert_eq!(committed(&bench, "g").await, (16, 0));
}

#[tokio::test]
async fn groups_whose_log_cannot_be_read_are_not_coordinated_here() {
    let disk = disk();
    let bench = Bench::on(Arc::new(disk.clone()));
    let partition = bench.topic(OFFSETS_TOPIC, 1, &[]).await.remove(0);
    for _ in 0..2 {
        append_commit(&partition, &bench);
    }
    disk.fail(Call::Read, When::Always, Errno::IO);
    let (shard, stop) = (Arc::new(shard_on(partition)), CancellationToken::new());
    let broker = Arc::clone(&bench.broker);
    let running = tokio::spawn(timer::run(Arc::clone(&shard), broker, Settings::default(), stop.clone()));
    let error = loop {
        match shard.read(&bench.broker, |_| ()) {
            Err(Error::CoordinatorLoadInProgress) => yield_now().await,
            other => break other.map(drop).expect_err("closed"),
        }
    };
    assert_eq!(error, Error::NotCoordinator);
    stop.cancel();
    running.await.expect("no panic");
}

#[tokio::test]
async fn offsets_that_were_only_read_are_stable_before_they_are_told() {
    let disk = disk();
    let bench = Bench::on(Arc::new(disk.clone()));
    bench.topic("t", 10, &[]).await;
    let partition = bench.topic(OFFSETS_TOPIC, 1, &[]).await.remove(0);
    // As a kill leaves it: in the page cache.
    append_commit(&partition, &bench);
    start(&bench).await;
    let before = disk.calls(Call::SyncData);
    assert_eq!(committed(&bench, "g").await, (0, 1));
    assert_eq!(disk.calls(Call::SyncData), before + 1);
    assert_eq!(partition.log.marks().recovery_point, 1);
}

fn shard_on(partition: Arc<Partition>) -> Shard {
    shard_of(partition, &Arc::default())
}

fn shard_of(partition: Arc<Partition>, memory: &Arc<GroupMemory>) -> Shard {
    let running = Running { tasks: TaskTracker::new(), stop: CancellationToken::new() };
    Shard::new(partition, Arc::clone(memory), Arc::default(), running)
}

/// Whether a shard takes a commit of one offset of a new group.
async fn takes_commit(shard: &Shard, bench: &Bench, group_id: &str) -> bool {
    let partitions = vec![CommitPartition { partition: 0, offset: 1, leader_epoch: -1, metadata: None }];
    let question = |token| {
        Input::Commit(Commit {
            token,
            group_id: group_id.to_owned(),
            member_id: String::new(),
            instance_id: None,
            generation: -1,
            retention_ms: None,
            knows_member_epochs: true,
            in_txn: None,
            topics: vec![CommitTopic { name: Arc::from("t"), id: ANY_ID, partitions }],
        })
    };
    match shard.ask_as(&bench.broker, Origin::Coordinator, question).await.map(|answered| answered.answer) {
        Ok(Answer::Commit(answer)) => answer.topics[0].partitions[0].1.is_none(),
        _ => false,
    }
}

#[tokio::test]
async fn shards_share_the_memory_of_their_node() {
    let bench = Bench::on(Arc::new(disk()));
    let partitions = bench.topic(OFFSETS_TOPIC, 2, &[]).await;
    let memory = Arc::new(GroupMemory::new(16 << 10));
    let shards: Vec<Shard> = partitions.into_iter().map(|partition| shard_of(partition, &memory)).collect();
    for shard in &shards {
        shard.open(Machine::new(Settings::default()), &bench.broker);
    }
    assert!(takes_commit(&shards[0], &bench, "a").await);
    let mut taken = 0;
    while taken < 100 && takes_commit(&shards[1], &bench, &format!("b{taken}")).await {
        taken += 1;
    }
    assert!((2..16).contains(&taken), "{taken}");
    assert!(!takes_commit(&shards[0], &bench, "c").await, "the other one has it");
    assert!(takes_commit(&shards[0], &bench, "a").await, "what takes no more has room");
    shards[1].close(Error::NotCoordinator);
    assert!(takes_commit(&shards[0], &bench, "c").await, "it came back");
}

#[tokio::test]
async fn a_shard_whose_place_another_took_writes_nothing_more_even_if_it_is_loaded_then() {
    let bench = Bench::on(Arc::new(disk()));
    let partition = bench.topic(OFFSETS_TOPIC, 1, &[]).await.remove(0);
    let shard = shard_on(Arc::clone(&partition));
    shard.end(Error::NotCoordinator);
    shard.open(Machine::new(Settings::default()), &bench.broker);
    shard.close(Error::CoordinatorNotAvailable);
    assert!(!shard.is_open() && !takes_commit(&shard, &bench, "a").await);
    assert_eq!(shard.read(&bench.broker, |_| ()).map(drop), Err(Error::NotCoordinator));
    assert_eq!(partition.log.marks().log_end, 0);
}

#[tokio::test]
async fn shards_of_a_topic_that_grew_have_ended_before_others_read_what_they_wrote() {
    let bench = served(&disk(), 1, &[]).await;
    assert_eq!(commit(&bench, "a").await, 0);
    let groups = bench.broker.coordinators().groups();
    let old = groups.shard_of(&bench.broker, "a").expect("served");
    let grown = change(&bench.broker, |change| async move { change.add_partitions(OFFSETS_TOPIC, 3).await });
    assert_eq!(grown.await.expect("grown").partitions.len(), 3);
    groups.shard_of(&bench.broker, "a").expect("served");
    assert!(!takes_commit(&old, &bench, "a").await);
}

#[tokio::test]
async fn others_may_act_between_parts_of_the_look_for_deleted_topics() {
    let bench = Bench::on(Arc::new(disk()));
    let partition = bench.topic(OFFSETS_TOPIC, 1, &[]).await.remove(0);
    let limits = Limits { look_steps: 1, ..Limits::default() };
    let shard = shard_on(partition);
    shard.open(Machine::new(Settings { limits, ..Settings::default() }), &bench.broker);
    for group_id in ["a", "b", "c"] {
        assert!(takes_commit(&shard, &bench, group_id).await);
    }
    let topics: DeletedTopics = [DeletedTopic { name: Arc::from("t"), id: ANY_ID }].into_iter().collect();
    let left = || shard.read(&bench.broker, Machine::offset_count).expect("open").0;
    let (written, meanwhile) = tokio::join!(shard.topics_deleted(&topics), async { left() });
    assert!(written);
    assert_eq!((meanwhile, left()), (2, 0));
}

/// A group of one member whose session ends as soon as it begins.
fn replay_fleeting_group(machine: &mut Machine, group_id: &str) {
    let member = GroupMember {
        member_id: Arc::from("m"),
        instance_id: None,
        client_id: Arc::from("c"),
        client_host: Arc::from("/h"),
        rebalance_timeout_ms: 1_000,
        session_timeout_ms: 0,
        subscription: Bytes::new(),
        assignment: Bytes::new(),
    };
    let value = GroupMetadata {
        protocol_type: Arc::from("consumer"),
        generation: 1,
        protocol: Some(Arc::from("range")),
        leader: Some(Arc::from("m")),
        state_since_ms: None,
        members: vec![member],
    };
    let record = Record::Group { group_id: Arc::from(group_id), value: Some(value) };
    let (key, value) = (record.encode_key().expect("a key"), record.encode_value().expect("a value"));
    machine.replay(&key, value.as_deref(), 0).expect("readable");
}

#[tokio::test]
async fn others_may_have_the_lock_between_two_things_that_are_due() {
    let bench = Bench::on(Arc::new(disk()));
    let partition = bench.topic(OFFSETS_TOPIC, 1, &[]).await.remove(0);
    let mut machine = Machine::new(Settings::default());
    for group_id in ["a", "b", "c"] {
        replay_fleeting_group(&mut machine, group_id);
    }
    let shard = Arc::new(shard_on(Arc::clone(&partition)));
    shard.open(machine, &bench.broker);
    for written in 1..=3 {
        assert!(shard.on_time(&bench.broker), "open");
        assert_eq!(partition.log.marks().log_end, written, "one group at a time is written as empty");
        assert_eq!(
            shard.alarm.until_ms() <= crate::clock::steady_ms(),
            written < 3,
            "more is due already until all are"
        );
    }
}

#[tokio::test]
async fn a_clean_up_is_written_in_parts_that_the_log_takes() {
    let bench = served(&disk(), 1, &[("max.message.bytes", "300")]).await;
    assert_eq!(commit(&bench, "g").await, 0);
    assert_eq!(delete(&bench, "g").await, 0);
    assert_eq!(committed(&bench, "g").await, (0, 0));
}

#[tokio::test]
async fn a_part_that_cannot_be_written_ends_a_clean_up() {
    let disk = disk();
    let bench = served(&disk, 1, &[("max.message.bytes", "300")]).await;
    assert_eq!(commit(&bench, "g").await, 0);
    // The first part finds no space; those after it would.
    disk.fail(Call::Write, When::Nth(1), Errno::NOSPC);
    assert_eq!(delete(&bench, "g").await, 16);
    assert_eq!(committed(&bench, "g").await, (0, 10), "nothing is half gone");
    disk.heal();
    assert_eq!(delete(&bench, "g").await, 0);
}
