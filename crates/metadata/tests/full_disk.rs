//! A store whose disk fails under it: what was promised is kept, and it comes back by itself where that is honest.

#[cfg(target_os = "linux")]
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::{
    Call, Disk, Errno, FailingDisk, Fault, ForgettingDisk, MemoryDisk, When, create_dir_durably,
};
use pagewire_metadata::{Batch, EmbeddedStore, Expect, FILE_NAME, Store, StoreError, SystemClock};

const DIR: &str = "/data";

fn failing() -> FailingDisk {
    let disk = MemoryDisk::new();
    disk.create_dir_all(Path::new(DIR)).expect("made");
    FailingDisk::new(Arc::new(disk))
}

fn open(disk: Arc<dyn Disk>) -> EmbeddedStore {
    EmbeddedStore::open_on(disk, &Path::new(DIR).join(FILE_NAME), Arc::new(SystemClock)).expect("opens")
}

async fn put(store: &EmbeddedStore, key: &str, bytes: usize) -> Result<i64, String> {
    let batch = Batch::new().put(key, Bytes::from(vec![7; bytes]), Expect::Any);
    store.commit(batch).await.map_err(|error| error.to_string())
}

async fn has(store: &EmbeddedStore, key: &str) -> bool {
    store.get(key).await.expect("readable").is_some()
}

#[tokio::test]
async fn a_full_disk_refuses_a_change_and_takes_the_next_one_when_there_is_room() {
    for call in [Call::Write, Call::SetLen] {
        let disk = failing();
        let store = open(Arc::new(disk.clone()));
        put(&store, "before", 10).await.expect("room");
        disk.fail_on("", call, When::Always, Fault::Error(Errno::NOSPC));
        let refused = put(&store, "meanwhile", 500_000).await.expect_err("full");
        assert_eq!(refused, StoreError::Full.to_string(), "{call:?}");
        assert!(!refused.contains("re-open"), "nobody's business: {refused}");
        disk.heal();
        assert!(has(&store, "before").await, "{call:?}");
        put(&store, "after", 500_000).await.expect("room again");
        drop(store);
        let store = open(Arc::new(disk.clone()));
        assert!(has(&store, "before").await && has(&store, "after").await && !has(&store, "meanwhile").await);
    }
}

/// A request that changes nothing needs no room, and says nothing of it.
#[tokio::test]
async fn a_failed_change_is_told_with_its_time_until_one_is_made() {
    let disk = failing();
    let store = open(Arc::new(disk.clone()));
    assert_eq!(store.trouble(), None);
    disk.fail_on("", Call::SetLen, When::Always, Fault::Error(Errno::NOSPC));
    let reason = put(&store, "meanwhile", 500_000).await.expect_err("full");
    let told = store.trouble().expect("it failed");
    assert!(told.reason == reason && told.at_ms > 1_600_000_000_000, "{told:?}");
    let nothing = Batch::new().put("key", Bytes::new(), Expect::Version(77));
    store.commit(nothing).await.expect_err("there is no such version");
    assert_eq!(store.trouble(), Some(told));
    disk.heal();
    put(&store, "after", 10).await.expect("room again");
    assert_eq!(store.trouble(), None);
}

/// Blocks of the file, in bytes, and its length.
#[cfg(target_os = "linux")]
fn blocks_and_len(disk: &dyn Disk) -> (u64, u64) {
    let file = disk.open(&Path::new(DIR).join(FILE_NAME), pagewire_disk::OpenMode::Read).expect("there");
    let blocks = file.file().metadata().expect("known").blocks();
    (512 * blocks, file.len().expect("long"))
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_store_does_not_grow_into_holes_that_a_full_disk_cannot_fill() {
    let disk = failing();
    let store = open(Arc::new(disk.clone()));
    put(&store, "before", 10).await.expect("room");
    disk.fail(Call::Preallocate, When::Always, Errno::NOSPC);
    let mut refused = 0;
    for number in 0..12 {
        if let Err(error) = put(&store, &format!("k{number}"), 500_000).await {
            assert_eq!(error, StoreError::Full.to_string());
            refused += 1;
        }
        let (blocks, len) = blocks_and_len(&disk);
        assert!(blocks >= len, "{number}: {blocks} of {len}");
    }
    assert!(refused > 0 && has(&store, "before").await);
    disk.heal();
    put(&store, "after", 500_000).await.expect("room again");
}

/// What is not even to be opened for changes comes back as soon as somebody asks when it can be.
#[tokio::test]
async fn a_store_that_could_not_be_opened_again_is_tried_by_whoever_asks_next() {
    let disk = failing();
    let store = open(Arc::new(disk.clone()));
    put(&store, "before", 10).await.expect("room");
    disk.fail(Call::Write, When::Always, Errno::ROFS);
    put(&store, "meanwhile", 10).await.expect_err("read-only");
    store.get("before").await.expect_err("it cannot be repaired");
    disk.heal();
    assert!(has(&store, "before").await);
    put(&store, "after", 10).await.expect("writable again");
}

/// The n-th call of each kind fails once, for every n there is.
#[tokio::test]
async fn whichever_call_fails_what_was_acknowledged_is_there_and_the_store_goes_on() {
    for call in [Call::Write, Call::SetLen, Call::Read, Call::Len] {
        for nth in 1..16 {
            let disk = failing();
            let store = open(Arc::new(disk.clone()));
            disk.fail(call, When::Nth(nth), Errno::NOSPC);
            let mut kept = Vec::new();
            for number in 0..6 {
                let key = format!("k{number}");
                if put(&store, &key, 20_000).await.is_ok() {
                    kept.push(key);
                }
            }
            assert!(kept.len() >= 5, "one call failed: {call:?} {nth}, kept {kept:?}");
            for key in &kept {
                assert!(has(&store, key).await, "{call:?} {nth}: {key}");
            }
        }
    }
}

/// What a failed sync wrote may be in the cache and not on the disk: nothing is built on it.
#[tokio::test]
async fn after_a_failed_sync_nothing_is_promised_until_a_restart() {
    let under = ForgettingDisk::new();
    create_dir_durably(&under, Path::new(DIR)).expect("made");
    let disk = FailingDisk::new(Arc::new(under.clone()));
    let store = open(Arc::new(disk.clone()));
    put(&store, "before", 10).await.expect("synced");
    disk.fail(Call::SyncData, When::Nth(1), Errno::IO);
    put(&store, "meanwhile", 10).await.expect_err("not synced");
    let refused = put(&store, "after", 10).await.expect_err("nor this one, though the disk seems well");
    assert!(refused.contains("start the broker again"), "{refused}");
    let crashed = under.crash(0).expect("crash");
    drop(store);
    let store = open(Arc::new(crashed));
    assert!(has(&store, "before").await && !has(&store, "after").await);
}
