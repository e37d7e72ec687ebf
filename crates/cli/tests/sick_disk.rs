//! A broker of which one of two disks goes away under it and comes back: a real mount in a namespace of its own.

#![allow(clippy::unwrap_used, reason = "a test that fails says so")]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use common::namespace::{in_a_small_file_system, system};
use common::{Broker, eventually};
use serde_json::Value;

const PARTITIONS: i32 = 4;

/// Whether a record was acknowledged, by all.
fn produce(broker: &Broker, partition: i32, value: &str) -> bool {
    let partition = partition.to_string();
    let args = ["produce", "t", "-q", "--partition", &partition, "--timeout", "3"];
    let run = broker.run_with(&args, format!("{value}\n").as_bytes());
    let taken = run.code == Some(0);
    assert!(taken || run.err.contains("KAFKA_STORAGE_ERROR"), "{run:?}");
    taken
}

fn consumed(broker: &Broker) -> BTreeSet<String> {
    broker.run(&["consume", "t", "--timeout", "10"]).ok().lines().map(str::to_owned).collect()
}

/// What the broker says of its directory at `path`, and its metrics.
fn state(broker: &Broker, path: &Path) -> (Value, Value) {
    let cluster: Value = serde_json::from_str(&broker.run(&["cluster", "-o", "json"]).ok()).unwrap();
    let state = cluster["states"][0].clone();
    let dirs = state["log_dirs"].as_array().unwrap();
    let dir = dirs.iter().find(|dir| dir["path"] == path.to_str().unwrap()).unwrap().clone();
    (dir, state["metrics"].clone())
}

#[test]
fn a_disk_that_goes_away_ends_its_own_partitions_and_comes_back_with_all_that_was_acknowledged() {
    let test = "a_disk_that_goes_away_ends_its_own_partitions_and_comes_back_with_all_that_was_acknowledged";
    let Some(place) = in_a_small_file_system(test, "64m") else { return };
    let (kept, disk) = (Path::new(&place).join("kept"), Path::new(&place).join("disk"));
    for dir in [&kept, &disk] {
        fs::create_dir(dir).unwrap();
    }
    let (kept, mounted) = (kept.to_str().unwrap(), disk.to_str().unwrap());
    system("mount", &["-t", "tmpfs", "-o", "size=32m", "none", kept]);
    // What is on it stays when it is unmounted here, as on a disk.
    system("mount", &["--bind", kept, mounted]);
    let broker = Broker::start_on(tempfile::tempdir_in(&place).unwrap(), std::slice::from_ref(&disk), &[]);
    broker.run(&["topic", "create", "t", "-p", &PARTITIONS.to_string()]).ok();
    let mut acknowledged = BTreeSet::new();
    let mut write = |broker: &Broker, partition: i32, round: &str| {
        let value = format!("{round} in {partition}");
        let taken = produce(broker, partition, &value);
        if taken {
            acknowledged.insert(value);
        }
        taken
    };
    assert!((0..PARTITIONS).all(|partition| write(&broker, partition, "before")));
    let lost = |partition: i32| Path::new(kept).join(format!("t-{partition}")).exists();
    assert_eq!((0..PARTITIONS).filter(|partition| lost(*partition)).count(), 2);

    system("umount", &["-l", mounted]);
    // What is acknowledged until it is noticed is on the disk all the same.
    let mut round = 0;
    let some = (0..PARTITIONS).find(|partition| lost(*partition)).unwrap();
    eventually("writes are refused", || {
        round += 1;
        !write(&broker, some, &format!("round {round}"))
    });
    for partition in 0..PARTITIONS {
        assert_eq!(write(&broker, partition, "without it"), !lost(partition), "partition {partition}");
    }
    let (dir, metrics) = state(&broker, &disk);
    assert!(dir["offline_since_ms"].is_i64() && dir["offline"].is_string(), "{dir}");
    assert_eq!(metrics["pagewire_log_dirs_offline"], 1);
    let text = broker.run(&["cluster", "--metrics"]).ok();
    let of_dir = format!("pagewire_log_dir_offline{{dir=\"{mounted}\"}} 1");
    assert!(
        text.lines().any(|line| line == of_dir) && text.contains("# HELP pagewire_log_dirs_offline "),
        "{text}"
    );
    let told = broker.run(&["cluster"]).ok();
    assert!(
        told.lines()
            .any(|line| line.contains(mounted) && line.contains("offline") && line.contains("since 2")),
        "{told}"
    );
    let home = broker.dir.path().join("data");
    let online = ["log", "online", "--data-dir", home.to_str().unwrap(), mounted];
    assert!(broker.run(&online).failed(1).contains("not mounted"));
    assert_eq!(fs::read_dir(&disk).unwrap().count(), 0, "nothing is made below the mount point");

    system("mount", &["--bind", kept, mounted]);
    let said = broker.run(&online).ok();
    assert!(said.contains("2 partitions are served again"), "{said}");
    assert!((0..PARTITIONS).all(|partition| write(&broker, partition, "after")));
    let (dir, metrics) = state(&broker, &disk);
    assert!(dir["offline_since_ms"].is_null() && dir["offline"].is_null(), "{dir}");
    assert_eq!(metrics["pagewire_log_dirs_offline"], 0);
    let missing: Vec<_> = acknowledged.difference(&consumed(&broker)).cloned().collect();
    assert!(missing.is_empty(), "acknowledged and lost: {missing:?}");
    broker.signal("TERM");
    let (code, dir) = broker.wait();
    assert_eq!(code, Some(0));
    let again = Broker::start_on(dir, std::slice::from_ref(&disk), &[]);
    assert_eq!(acknowledged.difference(&consumed(&again)).count(), 0, "nor by a restart");
}
