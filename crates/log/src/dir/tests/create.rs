//! Partitions come and go.

use std::io::ErrorKind;

use pagewire_disk::checkpoint::LOG_START_FILE;
use pagewire_disk::{Call, Errno, Fault, PartitionMetadata, When};

use super::*;
use crate::ReadError;
use crate::dir::CreateError;

#[test]
fn creating_twice_answers_the_same_log() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let one = world.create(&dir, "a", 0);
    let two = world.create(&dir, "a", 0);
    assert!(Arc::ptr_eq(&one, &two));
    let metadata = PartitionMetadata::read(&*world.disk, &path("a-0/partition.metadata")).expect("read");
    assert_eq!(metadata, Some(PartitionMetadata { topic_id: A }));
}

#[test]
fn many_partitions_are_made_at_once() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let one = world.create(&dir, "a", 7);
    let partitions: Vec<i32> = (0..20).chain(5..10).collect();
    dir.create_all("a", &partitions, &world.settings("a").expect("known"), 0).expect("creates");
    assert_eq!(dir.logs().len(), 20);
    assert!(Arc::ptr_eq(&one, &dir.get("a", 7).expect("open")));
    drop(dir);
    assert_eq!(world.open().1.loaded.len(), 20);
}

#[test]
fn partitions_that_were_made_before_an_error_are_found_again() {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    failing.fail_on("a-3/", Call::Write, When::Always, Fault::Error(Errno::NOSPC));
    let (settings, partitions) = (world.settings("a").expect("known"), [0, 1, 2, 3, 4]);
    assert!(matches!(dir.create_all("a", &partitions, &settings, 0), Err(CreateError::Io { .. })));
    assert!(dir.get("a", 4).is_some() && dir.get("a", 3).is_none() && dir.offline().is_none());
    failing.heal();
    dir.create_all("a", &partitions, &settings, 0).expect("creates");
    assert_eq!(dir.logs().len(), 5);
}

#[test]
fn another_topic_of_the_name_waits_for_the_deletion_of_the_first() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 3);
    world.learns("a", Some(B));
    let settings = world.settings("a").expect("known");
    assert!(matches!(dir.create("a", 0, &settings, 0), Err(CreateError::OtherTopic { found: A })));
    assert!(dir.delete("a", 0, 0).expect("delete"));
    assert_eq!(world.create(&dir, "a", 0).marks().log_end, 0);
}

#[test]
fn a_deleted_log_never_opens_the_files_of_the_next_one() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 12);
    dir.close_clean(0);
    drop(dir);
    let (dir, _) = world.open();
    let held = dir.get("a", 0).expect("open");
    assert!(held.segments().len() > 2, "most of which nobody has opened");
    assert!(dir.delete("a", 0, 0).expect("delete"));
    world.learns("a", Some(B));
    let next = world.create(&dir, "a", 0);
    append(&next, 12);
    assert!(held.is_deleted() && !next.is_deleted());
    let before: Vec<Vec<u8>> = world.files("a-0");
    for offset in 0..8 {
        let read = held.read(offset, 1 << 20, ReadUpTo::LogEnd, true);
        assert!(
            matches!(&read, Err(ReadError::Io(error)) if error.kind() == ErrorKind::NotFound),
            "{read:?}"
        );
    }
    let _ = (held.offset_for_time(1), held.max_timestamp_offset(), held.apply_retention(i64::MAX));
    assert_eq!(world.files("a-0"), before, "nor does it change them");
    assert!(reads_all(&next));
}

#[test]
fn names_that_are_no_partitions_are_refused() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let settings = world.settings("a").expect("known");
    for (topic, partition) in [("", 0), (".", 0), ("..", 0), ("a/b", 0), ("a b", 0), ("a", -1)] {
        let refused = dir.create(topic, partition, &settings, 0);
        assert!(matches!(refused, Err(CreateError::Name { .. })), "{topic}-{partition}");
    }
    assert!(dir.create(&"x".repeat(250), 0, &settings, 0).is_err());
    assert!(dir.create(&"x".repeat(249), i32::MAX, &settings, 0).is_ok());
}

#[test]
fn an_earlier_attempt_is_taken_up() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    world.disk.create_dir_all(&path("a-0")).expect("an attempt that came no further");
    assert_eq!(world.create(&dir, "a", 0).marks().log_end, 0);
    assert_eq!(world.dirs(), ["a-0"]);
}

#[test]
fn data_that_stands_in_the_way_is_set_aside() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 3);
    append(&world.create(&dir, "a", 1), 3);
    dir.close_clean(0);
    world.learns("a", None);
    let (dir, _) = world.open();
    world.disk.remove_file(&path("a-1/partition.metadata")).expect("remove");
    world.learns("a", Some(B));
    for partition in 0..2 {
        let log = world.create(&dir, "a", partition);
        assert_eq!((log.marks().log_start, log.marks().log_end), (0, 0));
    }
    let dirs = world.dirs();
    assert_eq!(dirs.iter().filter(|name| name.ends_with("-stray")).count(), 2, "{dirs:?}");
}

#[test]
fn a_deleted_partition_refuses_writes_and_goes_after_a_while() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 3);
    let slice = log.read(0, 1 << 20, ReadUpTo::LogEnd, true).expect("read");
    assert!(dir.delete("a", 0, 100).expect("delete"));
    assert!(!dir.delete("a", 0, 100).expect("nothing to delete"));
    assert!(dir.get("a", 0).is_none());
    assert!(matches!(try_append(&log, 1), Err(AppendError::Offline(_))));
    let dirs = world.dirs();
    assert!(
        matches!(dirs.as_slice(), [name] if name.starts_with("a-0.") && name.ends_with("-delete")),
        "{dirs:?}"
    );
    assert_eq!(dir.unlink_due(149).expect("unlink"), 0);
    assert_eq!(dir.unlink_due(150).expect("unlink"), 1);
    assert!(world.dirs().is_empty());
    assert_eq!(slice.range.expect("range").read_to_vec().expect("still readable").len() % batch(1).len(), 0);
    assert!(dir.offline().is_none(), "a deleted log is no sick disk");
}

/// Two directories of one topic's partition can wait at a time: one that came back with a power cut, and was made anew.
#[test]
fn a_deleted_directory_is_named_by_its_topic_if_the_name_is_free() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    for _ in 0..2 {
        append(&world.create(&dir, "a", 0), 1);
        assert!(dir.delete("a", 0, 0).expect("delete"));
    }
    let dirs = world.dirs();
    let own = format!("a-0.{}-delete", A.simple());
    assert!(dirs.len() == 2 && dirs.contains(&own), "{dirs:?}");
    assert_eq!(dir.unlink_due(50).expect("unlink"), 2);
    assert!(world.dirs().is_empty());
}

#[test]
fn a_topic_is_deleted_as_far_as_the_disk_lets_it() {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    dir.create_all("a", &[0, 1, 2], &world.settings("a").expect("known"), 0).expect("creates");
    failing.fail_on("a-1", Call::Rename, When::Always, Fault::Error(Errno::NOSPC));
    assert!(dir.delete_all("a", &[0, 1, 2, 3], 0).is_err());
    assert!(dir.logs().is_empty() && dir.offline().is_none());
    failing.heal();
    world.learns("a", Some(B));
    assert_eq!(world.create(&dir, "a", 1).marks().log_end, 0);
    assert_eq!(dir.unlink_due(50).expect("unlink"), 2);
    assert_eq!(dir.delete_all("a", &[1, 1, 2], 0).expect("delete"), 1);
}

#[test]
fn a_new_topic_never_inherits_the_offsets_of_an_old_one() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 9);
    log.sync().expect("sync");
    log.delete_records_before(8).expect("delete records");
    dir.write_checkpoints().expect("checkpoints");
    assert!(world.get(LOG_START_FILE).contains("a 0 8"));
    dir.delete("a", 0, 0).expect("delete");
    world.learns("a", Some(B));
    append(&world.create(&dir, "a", 0), 2);
    drop(dir);
    let (dir, report) = world.open();
    let log = dir.get("a", 0).expect("open");
    assert_eq!((log.marks().log_start, log.marks().log_end), (0, 2), "{:?}", notices(&report));
    assert!(reads_all(&log));
}

#[test]
fn new_settings_reach_every_partition() {
    let world = World::new().knows("a", A).knows("b", B);
    let (dir, _) = world.open();
    let logs = [world.create(&dir, "a", 0), world.create(&dir, "a", 1), world.create(&dir, "b", 0)];
    let mut settings = world.settings("a").expect("known");
    settings.log.retention_ms = 77;
    dir.set_settings("a", &settings);
    assert_eq!(logs.map(|log| log.config().retention_ms), [77, 77, 1000]);
}

#[test]
fn sizes_are_described() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 3);
    world.create(&dir, "a", 1);
    let described = dir.describe();
    assert!(described.offline.is_none() && described.space.is_some() && described.path == root());
    let sizes: Vec<_> =
        described.logs.iter().map(|log| (&*log.topic, log.partition, log.size_bytes)).collect();
    assert_eq!(sizes, [("a", 0, 3 * batch(1).len() as u64), ("a", 1, 0)]);
    assert!(described.logs.iter().all(|log| log.topic_id == A));
}
