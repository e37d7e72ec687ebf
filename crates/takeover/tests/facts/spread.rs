//! An import into several directories.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;

use pagewire_disk::OsDisk;
use pagewire_log::{Handles, LockedDir, LogDirOptions, LogDirs, PartitionSettings};
use pagewire_takeover::{Dynamic, How, ImportError, Options, Settings};

use crate::kafka::{CLUSTER, Kafka};
use crate::support::{Known, Made, made, options, run};

/// Five partitions of different sizes; their ends.
fn filled() -> (Kafka, Vec<i64>) {
    let mut kafka = Kafka::new(1);
    let orders = kafka.topic("orders", 5);
    let ends = [60, 9, 8, 8, 0]
        .into_iter()
        .zip(0..)
        .map(|(batches, index)| kafka.fill("orders", orders, index, batches));
    let ends = ends.collect();
    kafka.stop();
    (kafka, ends)
}

fn into(kafka: &Kafka, names: &[&str]) -> Options {
    let others = names.iter().map(|name| kafka.root.path().join(name)).collect();
    Options { others, ..options(kafka) }
}

fn all(options: &Options) -> Vec<PathBuf> {
    std::iter::once(&options.to).chain(&options.others).cloned().collect()
}

/// As a broker opens them.
fn opened(dirs: &[PathBuf], made: &Made) -> LogDirs {
    let options = LogDirOptions {
        cluster_id: CLUSTER.to_owned(),
        node_id: 1,
        threads: 1,
        handles: Handles::new(64),
        now_ms: 6,
    };
    let settings = |_: &str, _| {
        let log = Known.log(&std::collections::BTreeMap::new(), &Dynamic::default());
        Some(PartitionSettings {
            topic_id: made.topics[0].topic_id,
            leader_epoch: 0,
            log,
            flush_ms: None,
            behind: Vec::new(),
        })
    };
    let lock = |dir: &PathBuf| (dir.clone(), LockedDir::lock(Arc::new(OsDisk::new()), dir));
    let (dirs, report) =
        LogDirs::load(dirs.iter().map(lock).collect(), &options, &settings, &|_| ()).unwrap();
    assert!(report.clean && report.failed.is_empty() && report.notices.is_empty(), "{report:?}");
    dirs
}

#[test]
fn partitions_are_spread_by_their_bytes_and_the_metadata_says_where() {
    let (kafka, ends) = filled();
    let options = into(&kafka, &["b", "c"]);
    let report = run(&options).unwrap();
    assert_eq!((report.to.clone(), report.others.len()), (kafka.to(), 2));
    let has = |at: usize, index: i32| all(&options)[at].join(format!("orders-{index}")).exists();
    assert!(has(0, 0) && (1..5).all(|index| !has(0, index)), "the largest alone");
    assert!(has(1, 1), "the next one");
    let made = made(&kafka.to());
    let dirs = opened(&all(&options), &made);
    for (index, end) in (0..).zip(ends) {
        assert_eq!(dirs.get("orders", index).unwrap().marks().log_end, end);
        let placed = made.topics[0].partitions[index as usize].directory;
        assert_eq!(dirs.directory_of("orders", index), Some(placed), "{index}");
    }
    assert!(options.others.iter().all(|dir| !dir.join("metadata.redb").exists()));
    assert!(all(&options).iter().all(|dir| !dir.with_extension("importing").exists()));
}

/// A start that finds nothing there then knows that something is away.
#[test]
fn the_metadata_says_where_the_other_directories_are() {
    let (kafka, _) = filled();
    let options = into(&kafka, &["b", "c"]);
    run(&options).unwrap();
    let made = made(&kafka.to());
    for dir in &options.others {
        let id = LockedDir::lock(Arc::new(OsDisk::new()), dir).unwrap().directory_id();
        assert_eq!((made.log_dirs.id_at(dir.to_str().unwrap()), id.is_some()), (id, true));
    }
    assert_eq!(made.log_dirs.iter().count(), 2, "without its metadata nothing is served");
}

#[test]
fn places_in_one_another_or_taken_are_refused_before_anything_is_made() {
    let (kafka, _) = filled();
    symlink(kafka.root.path(), kafka.root.path().join("link")).unwrap();
    for name in ["pagewire", "pagewire/b", "link/pagewire", "."] {
        let refused = run(&into(&kafka, &[name])).map(drop);
        assert!(
            matches!(refused, Err(ImportError::Nested(..) | ImportError::NotEmpty(_))),
            "{name}: {refused:?}"
        );
    }
    fs::create_dir(kafka.root.path().join("b")).unwrap();
    fs::write(kafka.root.path().join("b/mine"), "").unwrap();
    assert!(matches!(run(&into(&kafka, &["b"])), Err(ImportError::NotEmpty(_))));
    // The second cannot be begun: nothing is left of the first.
    fs::create_dir(kafka.root.path().join("c.importing")).unwrap();
    fs::write(kafka.root.path().join("c.importing/mine"), "").unwrap();
    assert!(matches!(run(&into(&kafka, &["c"])), Err(ImportError::InTheWay(_))));
    assert!(!kafka.to().exists() && !kafka.to().with_extension("importing").exists());
    assert!(kafka.root.path().join("c.importing/mine").exists());
}

#[test]
fn what_is_in_each_directory_is_linked_as_in_one() {
    let (kafka, _) = filled();
    let report = run(&Options { how: How::Link, ..into(&kafka, &["b"]) }).unwrap();
    assert!(report.placed.linked > 0, "{report:?}");
}
