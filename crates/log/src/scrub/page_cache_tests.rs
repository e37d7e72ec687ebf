//! The scrub and the page cache of a real file system: what was there stays, what was not is not there afterwards.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use pagewire_disk::OsDisk;
use pagewire_record::{BatchBuilder, Codec};
use pagewire_zcopy::{FileRange, Residency, drop_pages_blocking, residency};
use uuid::Uuid;

use super::ScrubLimits;
use crate::{AppendContext, Handles, LogConfig, LogDir, LogDirOptions, Origin, PartitionSettings};

const SEGMENT: u32 = 40 << 20;
/// More than the kernel's largest folio.
const EDGE: u64 = 4 << 20;
/// Twice more than it reads ahead.
const HOT: u64 = 20 << 20;

fn settings() -> PartitionSettings {
    let log =
        LogConfig { segment_bytes: SEGMENT, retention_ms: -1, preallocate: false, ..LogConfig::default() };
    PartitionSettings {
        topic_id: Uuid::from_u128(7),
        leader_epoch: 0,
        log,
        flush_ms: None,
        behind: Vec::new(),
    }
}

/// A log with a closed segment, and that one's file.
fn filled(root: &Path) -> (LogDir, File) {
    let options = LogDirOptions {
        cluster_id: "cluster".to_owned(),
        node_id: 1,
        threads: 1,
        handles: Handles::new(64),
        now_ms: 0,
    };
    let (dir, _) = LogDir::open(Arc::new(OsDisk::new()), root, &options, &|_, _| Some(settings()), &|_| {})
        .expect("opens");
    let log = dir.create("t", 0, &settings(), 0).expect("made");
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(0, None, Some(&vec![7; 1 << 20]), &[]).expect("a record");
    let batch: Bytes = builder.build().expect("a batch");
    while log.segments().len() < 2 {
        let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 0 };
        log.append(batch.clone(), context).expect("appended");
    }
    let file = File::open(root.join("t-0/00000000000000000000.log")).expect("there");
    file.sync_all().expect("synced");
    (dir, file)
}

fn part(file: &File, from: u64, to: u64) -> FileRange {
    FileRange::new(Arc::new(file.try_clone().expect("a descriptor")), from, to - from)
}

/// Drops all pages; `None` where the file system keeps them all the same.
fn emptied(file: &File) -> Option<u64> {
    let size = file.metadata().expect("known").len();
    drop_pages_blocking(&part(file, 0, size)).expect("advice");
    let is_cold = residency(file, 0, size) == Residency::Cold;
    if !is_cold {
        eprintln!("not tried: pages of files here cannot be dropped");
    }
    is_cold.then_some(size)
}

fn scrub_all(dir: &LogDir) {
    let limits = ScrubLimits { interval_ms: 1, bytes: 2 << 20 };
    while !dir.scrub(limits, 5000).idle {}
    assert_eq!(dir.scrub_counts().logs, 1);
}

#[test]
fn what_was_not_in_the_page_cache_is_not_there_afterwards() {
    let root = tempfile::tempdir().expect("a directory");
    let (dir, file) = filled(root.path());
    let Some(size) = emptied(&file) else { return };
    scrub_all(&dir);
    assert_ne!(residency(&file, 0, size), Residency::Resident);
    assert_eq!(residency(&file, EDGE, size - 2 * EDGE), Residency::Cold, "all but the edges at most");
}

#[test]
fn what_was_in_the_page_cache_stays() {
    let root = tempfile::tempdir().expect("a directory");
    let (dir, file) = filled(root.path());
    let Some(size) = emptied(&file) else { return };
    // The end of the file: there is nothing behind it that the kernel would read ahead.
    let hot = part(&file, size - HOT, size);
    hot.read_to_vec().expect("read");
    let before = residency(&file, size - HOT / 2, HOT / 2);
    scrub_all(&dir);
    assert_eq!(residency(&file, EDGE, size - HOT - 2 * EDGE), Residency::Cold);
    // What follows the cold part may go with it, as far as the kernel may have read ahead there.
    let after = residency(&file, size - HOT / 2, HOT / 2);
    assert_eq!(after, before, "unless the kernel itself ran out of memory");
}
