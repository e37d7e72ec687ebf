//! What a power cut leaves, on the disk that forgets.

use std::collections::BTreeSet;
use std::path::Path;

use pagewire_disk::{
    CleanMark, Disk, ForgettingDisk, OffsetCheckpoint, OpenMode, create_dir_durably, read_small,
    write_atomically,
};

const SEEDS: u64 = 64;

fn disk() -> ForgettingDisk {
    let disk = ForgettingDisk::new();
    create_dir_durably(&disk, Path::new("/data")).expect("root");
    disk
}

fn content(disk: &dyn Disk, path: &str) -> Option<Vec<u8>> {
    read_small(disk, Path::new(path), 1 << 20).expect("read")
}

#[test]
fn synced_bytes_under_a_synced_name_survive_every_crash() {
    let disk = disk();
    let file = disk.open(Path::new("/data/a"), OpenMode::Create).expect("create");
    file.write_at(0, b"kept").expect("write");
    file.sync_data().expect("sync");
    disk.sync_dir(Path::new("/data")).expect("sync dir");
    for seed in 0..SEEDS {
        assert_eq!(content(&disk.crash(seed).expect("crash"), "/data/a").expect("name"), b"kept");
    }
}

#[test]
fn a_name_is_lost_when_only_its_bytes_were_synced() {
    let disk = disk();
    let file = disk.open(Path::new("/data/a"), OpenMode::Create).expect("create");
    file.write_at(0, b"kept").expect("write");
    file.sync_data().expect("sync");
    assert_eq!(content(&disk.crash(0).expect("crash"), "/data/a"), None);
    let left: BTreeSet<_> =
        (1..SEEDS).map(|seed| content(&disk.crash(seed).expect("crash"), "/data/a")).collect();
    assert_eq!(left, BTreeSet::from([None, Some(b"kept".to_vec())]), "by seed, lost or there whole");
}

#[test]
fn bytes_are_lost_when_only_their_name_was_synced() {
    let disk = disk();
    let file = disk.open(Path::new("/data/a"), OpenMode::Create).expect("create");
    disk.sync_dir(Path::new("/data")).expect("sync dir");
    file.write_at(0, b"lost").expect("write");
    assert_eq!(content(&disk.crash(0).expect("crash"), "/data/a").expect("name"), b"");
    let left: BTreeSet<_> =
        (1..SEEDS).map(|seed| content(&disk.crash(seed).expect("crash"), "/data/a").expect("name")).collect();
    assert!(left.contains(b"lost".as_slice()) && left.contains(b"\0\0\0\0".as_slice()), "{left:?}");
}

#[test]
fn sectors_written_after_the_last_sync_may_or_may_not_be_there() {
    let disk = disk();
    let file = disk.open(Path::new("/data/a"), OpenMode::Create).expect("create");
    disk.sync_dir(Path::new("/data")).expect("sync dir");
    file.write_at(0, &[1; 3 * 512]).expect("write");
    file.sync_data().expect("sync");
    file.write_at(0, &[2; 3 * 512]).expect("write");
    let mut mixtures = BTreeSet::new();
    for seed in 0..4 * SEEDS {
        let bytes = content(&disk.crash(seed).expect("crash"), "/data/a").expect("name");
        let sectors: Vec<u8> = bytes.chunks(512).map(|sector| sector[0]).collect();
        assert!(
            bytes.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])),
            "whole sectors"
        );
        mixtures.insert(sectors);
    }
    assert_eq!(mixtures.len(), 8, "every mixture of three sectors happens");
}

#[test]
fn files_reach_the_platter_in_any_order() {
    let disk = disk();
    let paths = ["/data/a", "/data/b"].map(Path::new);
    let files = paths.map(|path| disk.open(path, OpenMode::Create).expect("create"));
    disk.sync_dir(Path::new("/data")).expect("sync dir");
    for file in &files {
        file.write_at(0, b"x").expect("write");
    }
    let left: BTreeSet<_> = (1..8 * SEEDS)
        .map(|seed| disk.crash(seed).expect("crash"))
        .map(|after| ["/data/a", "/data/b"].map(|path| content(&after, path).expect("name") == b"x"))
        .collect();
    assert_eq!(left.len(), 4, "none, the first, the second, both: {left:?}");
}

#[test]
fn a_kill_takes_nothing_that_was_written_and_makes_nothing_safe() {
    let disk = disk();
    let file = disk.open(Path::new("/data/a"), OpenMode::Create).expect("create");
    file.write_at(0, b"written").expect("write");
    let after = disk.killed();
    assert_eq!(content(&after, "/data/a").expect("name"), b"written");
    assert!(
        disk.is_dead() && file.write_at(0, b"ghost").is_err() && disk.read_dir(Path::new("/data")).is_err()
    );
    assert_eq!(content(&after, "/data/a").expect("name"), b"written");
    assert_eq!(content(&after.crash(0).expect("crash"), "/data/a"), None, "the power went after the kill");
}

#[test]
fn a_process_dies_in_its_nth_change_wherever_that_is() {
    let (mut torn, mut done, mut undone) = (BTreeSet::new(), 0, 0);
    for seed in 0..SEEDS {
        let disk = disk();
        let before = disk.changes();
        disk.die_in(2, seed);
        let file = disk.open(Path::new("/data/a"), OpenMode::Create).expect("the first");
        file.write_at(0, b"0123456789").expect_err("the second");
        assert!(disk.is_dead());
        assert_eq!(disk.changes(), before + 2);
        file.sync_data().expect_err("and all later ones");
        torn.insert(content(&disk.killed(), "/data/a").expect("name").len());

        let disk = self::disk();
        disk.die_in(1, seed);
        disk.open(Path::new("/data/a"), OpenMode::Create).expect_err("dead");
        let there = disk.killed().exists(Path::new("/data/a")).expect("look");
        (done, undone) = (done + u64::from(there), undone + u64::from(!there));
    }
    assert!(torn.len() > 8, "writes end anywhere: {torn:?}");
    assert!(done > 0 && undone > 0, "a call that nobody heard of happened or not");
}

#[test]
fn a_directory_is_removed_file_by_file() {
    let mut left = BTreeSet::new();
    for seed in 0..SEEDS {
        let disk = disk();
        create_dir_durably(&disk, Path::new("/data/t-0")).expect("create");
        for name in ["/data/t-0/a", "/data/t-0/b"] {
            write_atomically(&disk, Path::new(name), b"1").expect("write");
        }
        disk.die_in(1, seed);
        disk.remove_dir_all(Path::new("/data/t-0")).expect_err("dead");
        left.insert(disk.killed().read_dir(Path::new("/data/t-0")).expect("list").len());
    }
    assert_eq!(left, BTreeSet::from([0, 1, 2]));
}

#[test]
fn a_removal_is_undone_until_the_directory_is_synced() {
    let disk = disk();
    write_atomically(&disk, Path::new("/data/a"), b"1").expect("write");
    disk.remove_file(Path::new("/data/a")).expect("remove");
    assert_eq!(content(&disk.crash(0).expect("crash"), "/data/a").expect("came back"), b"1");
    disk.sync_dir(Path::new("/data")).expect("sync dir");
    for seed in 0..SEEDS {
        assert_eq!(content(&disk.crash(seed).expect("crash"), "/data/a"), None);
    }
}

#[test]
fn a_renamed_directory_keeps_its_content_under_one_of_its_names() {
    let disk = disk();
    create_dir_durably(&disk, Path::new("/data/t-0")).expect("create");
    write_atomically(&disk, Path::new("/data/t-0/a"), b"1").expect("write");
    disk.rename(Path::new("/data/t-0"), Path::new("/data/t-0.x-delete")).expect("rename");
    for seed in 0..SEEDS {
        let after = disk.crash(seed).expect("crash");
        let names = [content(&after, "/data/t-0/a"), content(&after, "/data/t-0.x-delete/a")];
        assert_eq!(names.iter().flatten().count(), 1, "seed {seed}: {names:?}");
    }
}

#[test]
fn an_atomic_write_is_old_or_new_whenever_the_power_goes() {
    let disk = disk();
    let path = Path::new("/data/checkpoint");
    let checkpoint = |offset| {
        let mut checkpoint = OffsetCheckpoint::new();
        checkpoint.set("orders", 0, offset);
        checkpoint
    };
    checkpoint(1).write(&disk, path).expect("write");
    // The steps of an atomic write, with the power going after each of them.
    let bytes = checkpoint(2).render();
    let temporary = Path::new("/data/checkpoint.tmp");
    let crashed_at = |step: &str, allowed: &[i64]| {
        for seed in 0..SEEDS {
            let after = disk.crash(seed).expect("crash");
            let found = OffsetCheckpoint::read(&after, path).expect("whole").expect("there").get("orders", 0);
            assert!(allowed.contains(&found.expect("entry")), "{step}, seed {seed}: {found:?}");
        }
    };
    let file = disk.open(temporary, OpenMode::Create).expect("create");
    crashed_at("create", &[1]);
    file.write_at(0, bytes.as_bytes()).expect("write");
    crashed_at("write", &[1]);
    file.sync_all().expect("sync");
    crashed_at("sync", &[1]);
    disk.rename(temporary, path).expect("rename");
    crashed_at("rename", &[1, 2]);
    disk.sync_dir(Path::new("/data")).expect("sync dir");
    crashed_at("sync dir", &[2]);
    checkpoint(3).write(&disk, path).expect("write");
    crashed_at("the real one", &[3]);
}

#[test]
fn a_taken_clean_mark_never_comes_back() {
    let disk = disk();
    CleanMark::write(&disk, Path::new("/data")).expect("write");
    assert!(CleanMark::take(&disk, Path::new("/data")).expect("take"));
    for seed in 0..SEEDS {
        assert!(!CleanMark::exists(&disk.crash(seed).expect("crash"), Path::new("/data")).expect("exists"));
    }
}

#[test]
fn a_crashed_disk_can_crash_again_and_lives_apart() {
    let disk = disk();
    write_atomically(&disk, Path::new("/data/a"), b"1").expect("write");
    let after = disk.crash(0).expect("crash");
    write_atomically(&after, Path::new("/data/a"), b"2").expect("write");
    assert_eq!(content(&after.crash(0).expect("crash"), "/data/a").expect("name"), b"2");
    assert_eq!(content(&disk, "/data/a").expect("name"), b"1");
}

#[test]
fn a_file_of_two_names_is_one_file_after_a_power_cut_too() {
    let disk = disk();
    let file = disk.open(Path::new("/data/a"), OpenMode::Create).expect("create");
    file.write_at(0, b"kept").expect("write");
    file.sync_data().expect("sync");
    disk.sync_dir(Path::new("/data")).expect("sync dir");
    assert_eq!(file.names().expect("names"), 1);
    file.hard_link(Path::new("/data/b")).expect("link");
    assert!(file.hard_link(Path::new("/data/b")).is_err(), "the name is taken");
    assert_eq!(content(&disk.crash(0).expect("crash"), "/data/b"), None, "its directory was not synced");
    disk.sync_dir(Path::new("/data")).expect("sync dir");
    disk.remove_file(Path::new("/data/a")).expect("remove");
    for seed in 0..SEEDS {
        let after = disk.crash(seed).expect("crash");
        let file = after.open(Path::new("/data/b"), OpenMode::ReadWrite).expect("there");
        file.write_at(0, b"K").expect("write");
        match content(&after, "/data/a") {
            Some(bytes) => assert_eq!((bytes, file.names().expect("names")), (b"Kept".to_vec(), 2)),
            None => assert_eq!(file.names().expect("names"), 1),
        }
    }
    disk.remove_file(Path::new("/data/b")).expect("remove");
    assert!(file.hard_link(Path::new("/data/c")).is_err(), "it has no name any more");
}

#[test]
fn who_dies_before_a_sync_of_a_directory_leaves_all_of_its_names_on_their_way() {
    let names = |stable: u64| {
        let disk = disk();
        disk.die_before_dir_sync(stable + 1);
        let made = ["a", "b", "c"].into_iter().try_for_each(|name| {
            disk.open(&Path::new("/data").join(name), OpenMode::Create)?;
            disk.sync_dir(Path::new("/data"))
        });
        assert!(made.is_err() && disk.is_dead());
        disk.crash(0).expect("crash").read_dir(Path::new("/data")).expect("names").len()
    };
    assert_eq!([0, 1, 2].map(names), [0, 1, 2]);
}
