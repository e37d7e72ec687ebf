//! Partitions that move between log directories, of a whole broker.

use std::{
    ops::Range,
    thread,
    time::{Duration, Instant},
};

use pagewire_wire::messages::{
    alter_replica_log_dirs_request::{
        AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
    },
    offset_commit_request::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestGroup},
};

use super::{Two, with_records};
use crate::groups::{coordinator, once_loaded};
use crate::harness::{Client, batch};

const OFFSETS: &str = "__consumer_offsets";

/// Wishes partitions of a topic in a directory.
pub(super) fn wish(two: &Two, topic: &str, partitions: Range<i32>, dir: usize) {
    let path = two.dirs[dir].to_str().unwrap().to_owned().into();
    let topics = vec![AlterReplicaLogDirTopic {
        name: topic.to_owned().into(),
        partitions: partitions.collect(),
        ..Default::default()
    }];
    let dirs = vec![AlterReplicaLogDir { path, topics, ..Default::default() }];
    let request = AlterReplicaLogDirsRequest { dirs, ..Default::default() };
    let answer = two.broker.client().call(&request, 2);
    assert!(answer.results[0].partitions.iter().all(|one| one.error_code == 0), "{answer:?}");
}

/// Has partitions of a topic moved to a directory, and waits until they are there.
pub(super) fn move_all(two: &Two, topic: &str, partitions: i32, dir: usize) {
    wish(two, topic, 0..partitions, dir);
    let deadline = Instant::now() + Duration::from_mins(2);
    while two.of(dir, topic).len() < usize::try_from(partitions).unwrap() {
        assert!(Instant::now() < deadline, "{:?}", two.of(dir, topic));
        thread::sleep(Duration::from_millis(5));
    }
}

fn commit(client: &mut Client) {
    let partition = OffsetCommitRequestPartition { committed_offset: 1, ..Default::default() };
    let topic =
        OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
    let request = OffsetCommitRequest {
        group_id: "g".into(),
        generation_id_or_member_epoch: -1,
        topics: vec![topic],
        ..Default::default()
    };
    once_loaded(|| (client.call(&request, 8).topics[0].partitions[0].error_code, ()));
}

/// What the group has committed, once its coordinator has loaded it.
fn committed(client: &mut Client) -> i64 {
    let group = OffsetFetchRequestGroup { group_id: "g".into(), topics: None, ..Default::default() };
    let request = OffsetFetchRequest { groups: vec![group], ..Default::default() };
    once_loaded(|| {
        let group = client.call(&request, 8).groups.remove(0);
        let offset = group.topics.first().map_or(-1, |topic| topic.partitions[0].committed_offset);
        (group.error_code, offset)
    })
}

#[test]
fn partitions_and_what_groups_committed_move_to_another_directory_and_are_there_after_a_restart() {
    let mut two = with_records();
    let mut client = two.broker.client();
    coordinator(&mut client);
    commit(&mut client);
    let of_groups = i32::try_from(two.of(0, OFFSETS).len() + two.of(1, OFFSETS).len()).unwrap();
    for dir in [1, 0, 1] {
        move_all(&two, "t", 4, dir);
        move_all(&two, OFFSETS, of_groups, dir);
        assert_eq!(committed(&mut client), 1);
    }
    for round in 0..2 {
        for partition in 0..4 {
            assert_eq!(two.broker.client().produce("t", partition, batch(&["y"])), 1 + round);
        }
        assert_eq!(committed(&mut two.broker.client()), 1);
        two.broker.restart();
        assert_eq!((two.of(0, "t"), two.of(1, "t")), (vec![], vec![0, 1, 2, 3]));
    }
}
