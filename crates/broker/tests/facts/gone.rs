//! Partitions whose directories were removed, with what was known of them.

use std::{fs, path::Path, sync::Arc};

use pagewire_metadata::{
    Catalog, EmbeddedStore, FILE_NAME, SystemClock,
    model::{TopicRecord, UnmadeTopicRecord},
};

use crate::disks::{STORAGE_ERROR, leaders, online};
use crate::harness::{Broker, batch, runtime};

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

/// The metadata of a broker that does not run.
fn catalog(dir: &Path) -> Catalog {
    Catalog::new(Arc::new(EmbeddedStore::open(&dir.join(FILE_NAME), Arc::new(SystemClock)).unwrap()))
}

fn unmade(dir: &Path) -> Vec<UnmadeTopicRecord> {
    runtime().block_on(catalog(dir).unmade_topics()).unwrap()
}

/// As a process leaves it that was killed between the store and the disk: nobody was told of the topic.
#[test]
fn a_topic_whose_creation_broke_off_is_made_by_the_next_start_under_a_higher_epoch() {
    let mut broker = Broker::start();
    broker.client().create_topic("n", 1);
    broker.stop();
    assert_eq!(unmade(broker.dir()), [], "what is made has no note");
    let young = TopicRecord::on_one_node("young", 2, 1, 0);
    runtime().block_on(catalog(broker.dir()).create_topic(&young)).unwrap();
    broker.restart();
    let mut client = broker.client();
    assert_eq!(leaders(&mut client, "young"), [(0, 1, 1); 2]);
    assert!(client.describe_topic("n").partitions[0].leader_epoch > 0, "clients are to look");
    assert_eq!(client.produce("young", 1, batch(&["x"])), 0);
    broker.stop();
    assert_eq!(unmade(broker.dir()), []);
    fs::remove_dir_all(broker.dir().join("young-1")).unwrap();
    broker.restart();
    assert_eq!(leaders(&mut broker.client(), "young"), [(0, 1, 1), (5, -1, 0)], "from then on it is missed");
}
