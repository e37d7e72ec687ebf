//! Partitions whose directories were removed, with what was known of them.

use std::fs;

use crate::disks::{STORAGE_ERROR, leaders, online};
use crate::harness::{Broker, batch};

/// Files that say what a directory had.
const CHECKPOINTS: [&str; 3] =
    ["recovery-point-offset-checkpoint", "replication-offset-checkpoint", "pagewire-checkpoint-sums"];

/// A broker whose partition and all that the checkpoints said of it are gone.
fn without_a_trace() -> Broker {
    let mut broker = Broker::start();
    let mut client = broker.client();
    client.create_topic("n", 1);
    client.produce("n", 0, batch(&["x"]));
    broker.stop();
    fs::remove_dir_all(broker.dir().join("n-0")).unwrap();
    for name in CHECKPOINTS {
        fs::remove_file(broker.dir().join(name)).unwrap();
    }
    fs::remove_file(broker.dir().join(".kafka_cleanshutdown")).unwrap();
    broker.restart();
    broker
}

#[test]
fn a_partition_that_the_metadata_alone_knows_to_have_been_made_is_not_made_anew_in_silence() {
    let mut broker = without_a_trace();
    for _ in 0..2 {
        let mut client = broker.client();
        assert_eq!(leaders(&mut client, "n"), [(5, -1, 0)]);
        assert_eq!(client.try_produce("n", 0, batch(&["y"]), 9).error_code, STORAGE_ERROR);
        assert!(!broker.dir().join("n-0").exists());
        broker.restart();
    }
    let before = broker.client().describe_topic("n").partitions[0].leader_epoch;
    let answer = online(broker.dir(), broker.dir(), true);
    assert!(answer.contains("\"partitions\":1"), "{answer}");
    assert!(broker.client().describe_topic("n").partitions[0].leader_epoch > before, "clients are to look");
    broker.restart();
    assert_eq!(broker.client().produce("n", 0, batch(&["y"])), 0);
}

/// A file stands where the directory belongs.
#[test]
fn one_that_cannot_be_made_anew_says_why_and_the_next_attempt_makes_it() {
    let broker = without_a_trace();
    let place = broker.dir().join("n-0");
    fs::write(&place, "in the way").unwrap();
    let answer = online(broker.dir(), broker.dir(), true);
    assert!(answer.contains("\"error\"") && answer.contains("n-0"), "{answer}");
    let again = online(broker.dir(), broker.dir(), false);
    assert!(again.contains("\"error\"") && !again.contains("served already"), "{again}");
    fs::remove_file(&place).unwrap();
    let answer = online(broker.dir(), broker.dir(), true);
    assert!(answer.contains("\"partitions\":1"), "{answer}");
    assert_eq!(broker.client().produce("n", 0, batch(&["y"])), 0);
}

#[test]
fn a_topic_whose_loss_is_known_can_be_deleted_and_made_again() {
    let broker = without_a_trace();
    let mut client = broker.client();
    crate::topics::delete(&mut client, "n");
    client.create_topic("n", 1);
    assert_eq!(client.produce("n", 0, batch(&["y"])), 0);
}
