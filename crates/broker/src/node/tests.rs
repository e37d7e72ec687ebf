//! What starting and stopping leave behind.

use std::{path::Path, sync::mpsc};

use pagewire_disk::checkpoint::CLEAN_MARK_FILE;

use super::*;
use crate::config::{Origin, Sources};

fn config(dir: &Path, listener: &str) -> BrokerConfig {
    let mut sources = Sources::new();
    for (key, value) in
        [("log.dirs", dir.to_str().expect("text")), ("listeners", listener), ("pagewire.io.threads", "1")]
    {
        sources.add(key, value, Origin::Flag);
    }
    BrokerConfig::load(sources).expect("settings").0
}

const ANY_PORT: &str = "PLAINTEXT://127.0.0.1:0";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_leaves_a_clean_directory_clean() {
    let (dir, other) = (tempfile::tempdir().expect("dir"), tempfile::tempdir().expect("dir"));
    let node = Node::start(config(dir.path(), ANY_PORT)).await.expect("starts");
    node.stop().await.expect("stops");
    let node = Node::start(config(other.path(), ANY_PORT)).await.expect("starts");
    let taken = format!("PLAINTEXT://{}", node.addresses()[0]);
    let refused = Node::start(config(dir.path(), &taken)).await;
    assert!(matches!(refused, Err(StartError::Bind { .. })));
    assert!(dir.path().join(CLEAN_MARK_FILE).exists());
    node.stop().await.expect("stops");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_is_clean_though_the_io_pool_waits_for_the_disk() {
    let dir = tempfile::tempdir().expect("dir");
    let node = Node::start(config(dir.path(), ANY_PORT)).await.expect("starts");
    let (io, (release, gate)) = (node.broker.io().clone(), mpsc::channel::<()>());
    let slow = move || gate.recv().is_err();
    io.submit(move || assert!(slow(), "until the end")).expect("room");
    while io.submit(|| ()).is_ok() {}
    node.stop().await.expect("stops");
    assert!(dir.path().join(CLEAN_MARK_FILE).exists());
    assert_eq!(io.queued(), 0, "what nobody waits for any more");
    drop(release);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_that_somebody_removed_are_missed_before_anybody_changes_them_and_rescued_by_the_stop() {
    let dir = tempfile::tempdir().expect("dir");
    let file = dir.path().join(pagewire_metadata::FILE_NAME);
    let node = Node::start(config(dir.path(), ANY_PORT)).await.expect("starts");
    let cluster_id = node.broker.cluster().identity().cluster_id.clone();
    std::fs::remove_file(&file).expect("removed");
    let missed = async {
        while node.broker.cluster().catalog().store().trouble().is_none() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), missed).await.expect("missed");
    node.stop().await.expect("stops");
    std::fs::rename(dir.path().join("metadata.redb.rescued"), &file).expect("put back");
    let node = Node::start(config(dir.path(), ANY_PORT)).await.expect("starts");
    assert_eq!(node.broker.cluster().identity().cluster_id, cluster_id);
    node.stop().await.expect("stops");
}

/// Of a directory that a node has served, with this change of its `meta.properties`.
async fn restarted(change: impl Fn(&str) -> String) -> (Result<Node, StartError>, String, String) {
    let dir = tempfile::tempdir().expect("dir");
    let file = dir.path().join("meta.properties");
    let node = Node::start(config(dir.path(), ANY_PORT)).await.expect("starts");
    node.stop().await.expect("stops");
    let before = std::fs::read_to_string(&file).expect("text");
    std::fs::write(&file, change(&before)).expect("written");
    let node = Node::start(config(dir.path(), ANY_PORT)).await;
    (node, before, std::fs::read_to_string(&file).expect("text"))
}

/// The value of `key` with the lowest bit of its second last character flipped.
fn flipped(text: &str, key: &str) -> String {
    let change = |line: &str| {
        let Some(value) = line.strip_prefix(key) else { return format!("{line}\n") };
        let at = value.len().saturating_sub(2);
        let flip = |(index, byte): (usize, u8)| char::from(if index == at { byte ^ 1 } else { byte });
        format!("{key}{}\n", value.bytes().enumerate().map(flip).collect::<String>())
    };
    text.lines().map(change).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_with_a_flipped_bit_is_written_anew_as_the_metadata_has_it() {
    for key in ["cluster.id=", "directory.id="] {
        let is_text = |text: &str| flipped(text, key);
        let (node, before, after) = restarted(is_text).await;
        node.expect("starts").stop().await.expect("stops");
        assert_ne!(flipped(&before, key), before, "{key}");
        assert_eq!(after, before, "{key}");
    }
    let (node, before, after) = restarted(|text| text.replace("node.id=1", "node.id=3")).await;
    node.expect("starts").stop().await.expect("stops");
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_that_is_lost_is_written_anew_with_its_directory_id() {
    let (node, before, after) = restarted(|_| "\0\0".to_owned()).await;
    node.expect("starts").stop().await.expect("stops");
    assert_eq!(after, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_that_differs_in_two_things_is_anothers_and_is_refused() {
    let change = |text: &str| flipped(text, "cluster.id=").replace("node.id=1", "node.id=3");
    let (node, before, after) = restarted(change).await;
    let refused = node.map(|_| ()).expect_err("another's").to_string();
    assert!(refused.contains("meta.properties") && refused.contains("is damaged"), "{refused}");
    assert_eq!(after, change(&before), "left as it is");
}
