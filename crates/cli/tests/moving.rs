//! What `pagewire cluster` shows of a partition that moves to another log directory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;
use std::path::Path;

use common::{Broker, eventually};
use pagewire_disk::checkpoint::PARTITION_METADATA_FILE;
use pagewire_disk::{OsDisk, PartitionMetadata};

const RATE: &str = "replica.alter.log.dirs.io.max.bytes.per.second=0";

#[test]
fn a_move_is_shown_with_how_far_it_is() {
    let root = tempfile::tempdir().unwrap();
    let second = root.path().join("second");
    let broker = Broker::start_on(tempfile::tempdir().unwrap(), std::slice::from_ref(&second), &[]);
    broker.run(&["topic", "create", "t", "-p", "1"]).ok();
    broker.run_with(&["produce", "t", "-q"], b"a\n").ok();
    assert!(!broker.run(&["cluster"]).ok().contains("MOVES"));
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    let dirs = [dir.path().join("data"), second.clone()];
    let at = dirs.iter().position(|dir| dir.join("t-0").exists()).unwrap();
    let (from, to) = (&dirs[at], &dirs[1 - at]);
    let named = PartitionMetadata::read(&OsDisk::new(), &from.join("t-0").join(PARTITION_METADATA_FILE));
    let id = named.unwrap().unwrap().topic_id.simple();
    // So a wish is noted.
    fs::create_dir(to.join(format!("t-0.{id}-future"))).unwrap();
    let broker = Broker::start_on(dir, std::slice::from_ref(&second), &["--set", RATE]);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let json = || -> serde_json::Value {
        serde_json::from_str(&broker.run(&["cluster", "-o", "json"]).ok()).unwrap()
    };
    eventually("it is copied", || json()["states"][0]["moves"]["copying"] == 1);
    let told = &json()["states"][0]["moves"]["some"][0];
    assert_eq!(
        (&told["topic"], &told["partition"], &told["state"]),
        (&"t".into(), &0.into(), &"copying".into())
    );
    assert_eq!((&told["from"], &told["to"]), (&text(from).into(), &text(to).into()));
    assert!(told["log_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{told}");
    let shown = broker.run(&["cluster"]).ok();
    let line = shown.lines().find(|line| line.contains("t-0")).unwrap_or_else(|| panic!("{shown}"));
    assert!(shown.contains("MOVES") && line.contains(&text(from)) && line.contains("copying"), "{shown}");
    let metrics = broker.run(&["cluster", "--metrics"]).ok();
    assert!(metrics.contains("\npagewire_moves_copying 1\n"), "{metrics}");
}
