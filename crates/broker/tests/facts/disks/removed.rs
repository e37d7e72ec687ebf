//! One partition's directory that somebody removed from a log directory that is there.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::{STORAGE_ERROR, leaders, online, with_records};
use crate::harness::{Broker, batch};

/// A broker of one directory with two partitions, a record in each, of which the directory of the first was taken away.
fn without_a_partition() -> (Broker, TempDir) {
    let (mut broker, aside) = (Broker::start(), tempfile::tempdir().unwrap());
    let mut client = broker.client();
    client.create_topic("t", 2);
    for partition in 0..2 {
        client.produce("t", partition, batch(&["x"]));
    }
    broker.stop();
    fs::rename(broker.dir().join("t-0"), aside.path().join("t-0")).unwrap();
    broker.restart();
    (broker, aside)
}

#[test]
fn a_partition_whose_directory_was_removed_is_offline_until_it_is_put_back() {
    let (mut broker, aside) = without_a_partition();
    for _ in 0..2 {
        let mut client = broker.client();
        assert_eq!(leaders(&mut client, "t"), [(5, -1, 0), (0, 1, 1)]);
        assert_eq!(client.try_produce("t", 0, batch(&["y"]), 9).error_code, STORAGE_ERROR);
        assert!(!broker.dir().join("t-0").exists());
        let answer = online(broker.dir(), broker.dir(), false);
        assert!(answer.contains("the directories of t-0 are not there, as before"), "{answer}");
        broker.restart();
    }
    let stray = broker.dir().join("t-0-stray");
    fs::rename(aside.path().join("t-0"), &stray).unwrap();
    for _ in 0..2 {
        let answer = online(broker.dir(), broker.dir(), false);
        assert!(answer.contains("t-0-stray lies there"), "{answer}");
    }
    fs::rename(stray, broker.dir().join("t-0")).unwrap();
    let answer = online(broker.dir(), broker.dir(), false);
    assert!(answer.contains("\"partitions\":1"), "{answer}");
    let mut client = broker.client();
    assert_eq!((client.produce("t", 0, batch(&["y"])), client.produce("t", 1, batch(&["y"]))), (1, 1));
    assert!(online(broker.dir(), broker.dir(), false).contains("served already"));
}

#[test]
fn a_partition_whose_loss_is_accepted_is_made_anew_and_the_others_keep_theirs() {
    let (mut broker, _aside) = without_a_partition();
    let before = broker.client().describe_topic("t").partitions[0].leader_epoch;
    let answer = online(broker.dir(), broker.dir(), true);
    assert!(answer.contains("\"partitions\":1"), "{answer}");
    let mut client = broker.client();
    assert!(client.describe_topic("t").partitions[0].leader_epoch > before, "clients are to look");
    assert_eq!((client.produce("t", 0, batch(&["y"])), client.produce("t", 1, batch(&["y"]))), (0, 1));
    broker.restart();
    assert_eq!((broker.client().end_of("t", 0), broker.client().end_of("t", 1)), (1, 2));
}

#[test]
fn a_directory_that_is_removed_under_the_broker_comes_back_with_what_it_had_open() {
    let mut two = with_records();
    let removed = two.of(1, "t")[0];
    fs::remove_dir_all(two.dirs[1].join(format!("t-{removed}"))).unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while two.broker.client().try_produce("t", removed, batch(&["y"]), 9).error_code == 0 {
        assert!(Instant::now() < deadline, "never noticed");
        thread::sleep(Duration::from_millis(100));
    }
    let answer = two.online(false);
    assert!(answer.contains("\"partitions\":2"), "{answer}");
    let next = two.broker.client().produce("t", removed, batch(&["z"]));
    assert!(next > 0, "its records are there");
    two.broker.restart();
    assert_eq!(two.broker.client().end_of("t", removed), next + 1);
}
