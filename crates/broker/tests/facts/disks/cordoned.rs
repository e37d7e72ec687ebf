//! Log directories that get no new partitions (KIP-1066).

use pagewire_wire::messages::{
    alter_replica_log_dirs_request::{
        AlterReplicaLogDir, AlterReplicaLogDirTopic, AlterReplicaLogDirsRequest,
    },
    describe_log_dirs_request::DescribeLogDirsRequest,
};

use super::{Two, with_records};
use crate::configs::{BROKER, SET, change};

/// INVALID_REPLICATION_FACTOR.
const NO_PLACE: i16 = 38;
/// INVALID_REPLICA_ASSIGNMENT.
const NOT_THERE: i16 = 39;
/// INVALID_REQUEST.
const REFUSED: i16 = 42;

fn cordon(two: &Two, dirs: &str) -> (i16, String) {
    let dirs: &'static str = dirs.to_owned().leak();
    change(&mut two.broker.client(), (BROKER, "1"), &[("cordoned.log.dirs", SET, Some(dirs))], false)
}

fn path(two: &Two, dir: usize) -> String {
    two.dirs[dir].display().to_string()
}

fn cordoned(two: &Two) -> Vec<bool> {
    let request = DescribeLogDirsRequest { topics: None, ..Default::default() };
    let described = two.broker.client().call(&request, 5).results;
    two.dirs
        .iter()
        .map(|dir| {
            let path = dir.to_str().unwrap();
            described.iter().find(|one| one.log_dir == path).unwrap().is_cordoned
        })
        .collect()
}

/// Wishes the first partition of a topic in a directory; the answer's code.
fn wish(two: &Two, topic: &'static str, dir: usize) -> i16 {
    let topics =
        vec![AlterReplicaLogDirTopic { name: topic.into(), partitions: vec![0], ..Default::default() }];
    let dirs = vec![AlterReplicaLogDir { path: path(two, dir).into(), topics, ..Default::default() }];
    let request = AlterReplicaLogDirsRequest { dirs, ..Default::default() };
    two.broker.client().call(&request, 2).results[0].partitions[0].error_code
}

#[test]
fn a_cordoned_directory_gets_no_new_partitions_and_none_that_move() {
    let mut two = with_records();
    assert_ne!(wish(&two, "earlier", 1), 0, "it is noted for when the topic is made");
    assert_eq!(cordon(&two, &path(&two, 1)).0, 0);
    two.broker.client().create_topic("earlier", 1);
    assert_eq!(two.of(1, "earlier"), [0; 0]);
    for _ in 0..2 {
        assert_eq!(cordoned(&two), [false, true]);
        two.broker.restart();
    }
    two.broker.client().create_topic("new", 4);
    assert_eq!((two.of(0, "new"), two.of(1, "new")), (vec![0, 1, 2, 3], vec![]));
    assert_eq!(wish(&two, "new", 1), NOT_THERE);
    let there = two.of(1, "t");
    assert!(!there.is_empty());
    for partition in there {
        assert_eq!(
            two.broker.client().produce("t", partition, crate::harness::batch(&["y"])),
            1,
            "it is served"
        );
    }
    // What does not exist yet, and is wished there, goes elsewhere as well.
    assert_ne!(wish(&two, "later", 1), 0);
    two.broker.client().create_topic("later", 1);
    assert_eq!(two.of(1, "later"), [0; 0]);
    assert_eq!(cordon(&two, "").0, 0);
    two.broker.client().create_topic("newer", 4);
    assert_eq!(two.of(1, "newer"), [0, 1, 2, 3], "where the fewest are");
}

#[test]
fn where_all_directories_are_cordoned_no_partition_is_made() {
    let two = with_records();
    let mut client = two.broker.client();
    for all in ["*".to_owned(), format!("{},{}", path(&two, 0), path(&two, 1))] {
        assert_eq!(cordon(&two, &all).0, 0);
        assert_eq!(cordoned(&two), [true, true]);
        let refused = client.try_create_topic("new", 1, 1, &[]);
        assert_eq!(refused.error_code, NO_PLACE, "{refused:?}");
        assert!(refused.error_message.is_some_and(|said| said.contains("cordoned.log.dirs")));
    }
}

#[test]
fn only_directories_of_the_broker_are_cordoned() {
    let two = with_records();
    let (code, said) = cordon(&two, "/nowhere");
    assert_eq!(code, REFUSED, "{said}");
    assert!(said.contains("must be present in log.dirs or log.dir. Missing entries : /nowhere"), "{said}");
    assert_eq!(cordoned(&two), [false, false]);
}
