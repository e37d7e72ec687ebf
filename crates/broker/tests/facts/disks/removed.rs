//! One partition's directory that somebody removed from a log directory that is there.

use std::fs;

use tempfile::TempDir;

use super::{STORAGE_ERROR, leaders, online};
use crate::harness::{Broker, FetchAt, Fetched, batch};

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

/// Whatever of the answer is between the first two backquotes, as a shell runs it.
fn run_what_it_says(answer: &str) {
    let command = answer.split('`').nth(1).expect("a command").replace("\\\"", "\"");
    let ended = std::process::Command::new("sh").args(["-c", &command]).status().expect("a shell");
    assert!(ended.success(), "{command}");
}

#[test]
fn files_that_only_the_broker_still_has_are_not_closed_before_all_of_them_are_back() {
    const BATCHES: i64 = 12;
    for written_to in [false, true] {
        let broker = Broker::start();
        let mut client = broker.client();
        client.create_topic_with("t", 1, &[("segment.bytes", "1048576")]);
        let large = "x".repeat(300_000);
        for _ in 0..BATCHES {
            client.produce("t", 0, batch(&[&large]));
        }
        let dir = broker.dir().join("t-0");
        fs::remove_dir_all(&dir).unwrap();
        // A roll, or the look of every few seconds, whichever comes first, takes the log offline.
        let mut code = 0;
        for _ in 0..100 {
            code = client.try_produce("t", 0, batch(&[&large]), 9).error_code;
            if code != 0 || !written_to {
                break;
            }
        }
        assert!(code == STORAGE_ERROR || !written_to, "{code}");
        let refused = (0..600).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            online(broker.dir(), broker.dir(), false).contains("only this broker still has them open")
        });
        assert!(refused, "it takes some seconds until that is noticed");
        assert!(!dir.exists(), "nothing was opened anew");
        run_what_it_says(&online(broker.dir(), broker.dir(), false));
        let answer = online(broker.dir(), broker.dir(), false);
        assert!(answer.contains("\"partitions\":1"), "{answer}");
        let mut client = broker.client();
        assert_eq!(client.list_offset("t", 0, -2, 7).1, 0);
        assert!(client.end_of("t", 0) >= BATCHES);
        assert!(!client.fetch(&FetchAt::now("t", &[(0, 0)]), 12).records().is_empty());
        client.produce("t", 0, batch(&["y"]));
    }
}
