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
