//! The newest segment is gone, and no checkpoint knows of it: its index tells.

use pagewire_disk::checkpoint::RECOVERY_POINT_FILE;
use pagewire_disk::{Call, Errno, FailingDisk, Fault, When};

use super::*;
use crate::ReadError;

/// Two segments of ninety batches, and so many entries of the second that some are on the disk without a sync.
const SEGMENT: i64 = 90;
/// Those are, and the first batch has none.
const WRITTEN: i64 = 64;

/// Killed, without its newest segment, before any checkpoint named it.
fn without_its_newest_segment() -> World {
    let world = World::new().knows("a", A);
    let bytes = SEGMENT as u32 * batch(1).len() as u32;
    let config = LogConfig { segment_bytes: bytes, index_interval_bytes: 100, ..world.config.clone() };
    let world = World { config, ..world };
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 2 * SEGMENT as usize);
    assert_eq!(log.segments().last().map(|last| last.base_offset), Some(SEGMENT));
    drop(dir);
    world.put(RECOVERY_POINT_FILE, b"0\n0\n");
    world.disk.remove_file(&of(SEGMENT, "log")).expect("removed");
    world
}

fn of(base: i64, suffix: &str) -> PathBuf {
    path(&format!("a-0/{base:020}.{suffix}"))
}

fn is_lost(log: &Log, offset: i64) -> bool {
    matches!(log.read(offset, 1, ReadUpTo::LogEnd, true), Err(ReadError::Damaged { .. }))
}

#[test]
fn a_lost_newest_segment_is_told_by_its_index_and_its_offsets_are_not_given_out_again() {
    let world = without_its_newest_segment();
    let told = |world: &World| {
        let found = found(world, None).into_iter();
        found.filter(|finding| finding.path == of(SEGMENT, "index")).map(|finding| finding.severity).collect()
    };
    let before: Vec<Severity> = told(&world);
    assert_eq!(before, [Severity::Damage]);
    let upto = SEGMENT + WRITTEN + 1;
    // Killed again and again, before anything of what is new is stable.
    for start in 0..3 {
        let (dir, report) = world.open();
        let log = dir.get("a", 0).expect("open");
        let said = &report.loaded.first().expect("loaded").report;
        assert_eq!((log.marks().log_end, said.cuts.len()), (upto + start, 0), "{said:?}");
        assert!(said.damage.iter().any(|lost| (lost.from, lost.upto) == (SEGMENT, upto)), "{said:?}");
        assert!((SEGMENT..upto).all(|offset| is_lost(&log, offset)), "start {start}");
        assert_eq!(try_append(&log, 1).expect("appended").base_offset, upto + start);
    }
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("open");
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    drop((dir, log));
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("open");
    assert!(is_lost(&log, SEGMENT) && !is_lost(&log, upto) && log.marks().log_end == upto + 3);
    assert!(!world.disk.exists(&of(SEGMENT, "index")).expect("seen"), "the recovery point says it now");
}

/// Nobody knows what was stable, so the first start makes it so; where it cannot, the next one has to find as much as it did.
#[test]
fn an_index_without_its_segment_stays_until_a_recovery_point_is_known() {
    let before = without_its_newest_segment();
    let failing = FailingDisk::new(Arc::clone(&before.disk));
    let world = before.moved_to(Arc::new(failing.clone()));
    let upto = SEGMENT + WRITTEN + 1;
    failing.fail_on(".log", Call::SyncData, When::Always, Fault::Error(Errno::NOSPC));
    for start in 0..2 {
        let (dir, report) = world.open();
        let log = dir.get("a", 0).expect("open");
        assert!(log.offline().is_some() && log.marks().log_end == upto, "start {start}: {report:?}");
        dir.write_checkpoints().expect("written");
        assert!(world.disk.exists(&of(SEGMENT, "index")).expect("seen"), "start {start}");
    }
    failing.heal();
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("open");
    assert_eq!(log.marks().log_end, upto);
    assert!((SEGMENT..upto).all(|offset| is_lost(&log, offset)));
}

/// Its index had no entry on the disk yet, so nothing tells it from what a power cut leaves of records that nobody was promised:
/// the log goes on where it ends. What else knows how far it had come is heard.
#[test]
fn a_lost_newest_segment_whose_index_is_empty_is_told_by_whatever_else_knows_of_it() {
    let reached = SEGMENT + 40;
    for (file, content) in [
        ("a-0/leader-epoch-checkpoint", format!("0\n2\n0 0\n3 {reached}\n")),
        ("replication-offset-checkpoint", format!("0\n1\na 0 {reached}\n")),
    ] {
        let world = without_its_newest_segment();
        empty_indexes(&world);
        world.disk.remove_file(&path(crate::dir::SUMS_FILE)).expect("no sum speaks against it");
        world.put(file, content.as_bytes());
        let findings = found(&world, None);
        let told = findings.iter().find(|finding| finding.path == of(SEGMENT, "index"));
        assert!(told.is_some_and(|told| told.what.contains(&(reached - 1).to_string())), "{findings:?}");
        let (dir, report) = world.open();
        assert_eq!(log_end(&dir, "a", 0), SEGMENT);
        let said = format!("ends at offset {SEGMENT}, but had reached {reached}");
        assert!(notices(&report).iter().any(|notice| notice.contains(&said)), "{file}: {report:?}");
    }
}

fn empty_indexes(world: &World) {
    for suffix in ["index", "timeindex"] {
        world.disk.open(&of(SEGMENT, suffix), OpenMode::ReadWrite).expect("there").set_len(0).expect("cut");
    }
}

#[test]
fn an_empty_index_is_of_a_segment_that_was_being_made() {
    let world = without_its_newest_segment();
    empty_indexes(&world);
    let (dir, report) = world.open();
    assert_eq!(log_end(&dir, "a", 0), SEGMENT, "{report:?}");
    assert!(!world.disk.exists(&of(SEGMENT, "index")).expect("seen"));
}

#[test]
fn a_bit_of_an_index_whose_segment_is_gone_moves_no_end_out_of_reach() {
    let world = without_its_newest_segment();
    let file = world.disk.open(&of(SEGMENT, "index"), OpenMode::ReadWrite).expect("there");
    let at = file.len().expect("len") - 8;
    let mut byte = [0];
    file.read_exact_at(at, &mut byte).expect("read");
    file.write_at(at, &[byte[0] ^ 0x40]).expect("written");
    let (dir, report) = world.open();
    assert_eq!(log_end(&dir, "a", 0), SEGMENT + WRITTEN + 1, "{report:?}");
}

/// Nothing is left of the log but that index, and the start that goes on behind it dies at any step.
#[test]
fn an_index_that_alone_tells_how_far_a_lost_log_had_come_is_heard_though_the_start_that_heard_it_died() {
    for (stop, is_certain) in (0..40).flat_map(|stop| [(stop, false), (stop, true)]) {
        let before = without_its_newest_segment();
        if is_certain {
            let (dir, _) = before.open();
            dir.write_checkpoints().expect("written");
        }
        for (name, _) in before.files_of("a-0") {
            if name != "partition.metadata" && path(&format!("a-0/{name}")) != of(SEGMENT, "index") {
                before.disk.remove_file(&path(&format!("a-0/{name}"))).expect("removed");
            }
        }
        let failing = FailingDisk::new(Arc::clone(&before.disk));
        let world = before.moved_to(Arc::new(failing.clone()));
        let upto = SEGMENT + WRITTEN + 1;
        for call in [Call::Open, Call::Write, Call::SetLen, Call::SyncDir, Call::Rename, Call::RemoveFile] {
            failing.fail(call, When::From(stop + 1), Errno::IO);
        }
        drop(world.try_open());
        failing.heal();
        let (dir, report) = world.open();
        let log = dir.get("a", 0).unwrap_or_else(|| panic!("{stop}: {report:?}"));
        assert_eq!((log.marks().log_start, log.marks().log_end), (0, upto), "{stop}: {report:?}");
        let said = &report.loaded.first().expect("loaded").report;
        assert!(said.damage.iter().any(|lost| (lost.from, lost.upto) == (0, upto)), "{stop}: {said:?}");
        assert!((0..upto).all(|offset| is_lost(&log, offset)), "{stop}");
    }
}
