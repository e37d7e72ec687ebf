//! Segments that somebody removed: what a check says, and what the next start makes of it.

use pagewire_disk::checkpoint::{HIGH_WATERMARK_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{Call, Errno, Fault, When};
use pagewire_record::BatchBuilder;

use super::*;
use crate::verify::{Fate, KnownTopic, Severity, Topics};
use crate::{ReadError, ScrubLimits};

/// A topic of two partitions, the first with four segments of three records each and an active one. Closed in order,
/// or killed after a checkpoint.
fn world(clean: bool) -> World {
    let mut world = World::new().knows("a", A);
    world.config.retention_ms = i64::MAX;
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&world.create(&dir, "a", 1), 2);
    for _ in 0..13 {
        large(&log, 60);
    }
    let bases: Vec<i64> = log.segments().iter().map(|segment| segment.base_offset).collect();
    assert_eq!(bases, [0, 3, 6, 9, 12]);
    if clean {
        assert!(dir.close_clean(0).clean);
    } else {
        log.sync().expect("synced");
        dir.write_checkpoints().expect("written");
    }
    world
}

fn large(log: &Log, bytes: usize) {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.append(1, Some(b"k"), Some(&vec![7; bytes]), &[]).expect("record");
    let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 1 };
    log.append(builder.build().expect("batch"), context).expect("append");
}

fn lose(world: &World, name: &str) {
    world.disk.remove_file(&path(name)).expect("removed");
}

fn lose_segment(world: &World, base: i64) {
    for kind in ["log", "index", "timeindex"] {
        lose(world, &format!("a-0/{base:020}.{kind}"));
    }
}

fn is_damaged(log: &Log, offset: i64, upto: i64) -> bool {
    let read = log.read(offset, 1 << 20, ReadUpTo::LogEnd, true);
    matches!(&read, Err(ReadError::Damaged { next_offset, .. }) if *next_offset == upto)
}

fn is_served(log: &Log, offset: i64) -> bool {
    log.read(offset, 1 << 20, ReadUpTo::LogEnd, true).is_ok_and(|slice| slice.range.is_some())
}

#[test]
fn a_missing_segment_is_damage_also_where_nobody_says_what_its_topics_settings_are() {
    for (clean, base, upto) in [(true, 3, 6), (false, 3, 6), (true, 0, 3), (false, 0, 3)] {
        let world = world(clean);
        assert_eq!(found(&world, None), []);
        lose_segment(&world, base);
        let findings = found(&world, None);
        let [finding] = findings.as_slice() else { panic!("{clean}, {base}: {findings:?}") };
        assert_eq!((finding.severity, finding.offset), (Severity::Damage, Some(base)), "{finding}");
        assert!(finding.what.contains(&format!("offsets {base} to {}", upto - 1)), "{finding}");
    }
}

#[test]
fn of_an_unindexed_segment_the_check_says_the_same() {
    let world = world(true);
    lose(&world, "a-0/00000000000000000003.log");
    assert!(found(&world, None).iter().any(|finding| finding.severity == Severity::Damage));
}

#[test]
fn the_offsets_of_a_first_segment_that_is_gone_are_refused_at_every_start() {
    let world = world(true);
    lose_segment(&world, 0);
    for start in 0..3 {
        let (dir, report) = world.open();
        let log = dir.get("a", 0).expect("opened");
        assert_eq!(report.loaded[0].report.holes.len(), 1, "{start}: {report:?}");
        assert_eq!((log.marks().log_start, log.marks().log_end), (0, 13));
        assert!((0..3).all(|offset| is_damaged(&log, offset, 3)) && (3..13).all(|at| is_served(&log, at)));
        assert!(dir.close_clean(0).clean);
        assert!(!found(&world, None).is_empty());
    }
}

#[test]
fn lost_segments_past_those_that_are_named_are_counted_at_every_start_and_not_told_as_damage_besides() {
    let world = world(true);
    let (dir, _) = world.open();
    (0..300).for_each(|_| large(&dir.get("a", 0).expect("opened"), 60));
    let segments = dir.get("a", 0).expect("opened").segments();
    assert!(dir.close_clean(0).clean);
    let (_, closed) = segments.split_last().expect("some");
    for segment in closed {
        world.put(format!("a-0/{:020}.log", segment.base_offset), b"");
    }
    for start in 0..3 {
        let (dir, report) = world.open();
        let told = &report.loaded[0].report;
        let (named, all) = (told.holes.len(), told.holes.total());
        assert_eq!((named, all, told.damage.len()), (64, closed.len() as u64, 0), "{start}");
        let log = dir.get("a", 0).expect("opened");
        assert!(closed.iter().all(|one| is_damaged(&log, one.base_offset, one.next_offset)), "{start}");
        let limits = ScrubLimits { interval_ms: 0, bytes: u64::MAX };
        assert!((0..1000).any(|_| dir.scrub(limits, 1_000_000).idle), "{start}: all of it is noted");
        assert!(dir.close_clean(0).clean);
    }
}

#[test]
fn after_a_kill_a_first_segment_that_is_gone_is_told() {
    let world = world(false);
    lose_segment(&world, 0);
    let (dir, report) = world.open();
    let [hole] = &*report.loaded[0].report.holes else { panic!("{report:?}") };
    assert_eq!((hole.from, hole.upto), (0, 3));
    let log = dir.get("a", 0).expect("opened");
    assert_eq!((log.marks().log_start, log.marks().log_end), (3, 13));
}

#[test]
fn what_retention_and_deletion_took_is_no_loss() {
    for clean in [true, false] {
        let mut world = world(true);
        let (dir, _) = world.open();
        dir.get("a", 0).expect("opened").delete_records_before(7).expect("deleted");
        world.config.retention_bytes = 1;
        dir.retain(5);
        if clean {
            assert!(dir.close_clean(5).clean);
        }
        drop(dir);
        assert_eq!(found(&world, None), [], "{clean}");
        let (_, report) = world.open();
        assert_eq!(*report.loaded[0].report.holes, [], "{clean}");
    }
}

#[test]
fn a_log_that_lost_all_its_segments_goes_on_where_it_had_come_to() {
    for clean in [true, false] {
        let world = world(clean);
        for base in [0, 3, 6, 9, 12] {
            lose_segment(&world, base);
        }
        let findings = found(&world, None);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.severity, finding.fate), (Severity::Damage, Fate::Refused), "{finding}");
        assert!(finding.what.contains("the offsets 0 to 12"), "{finding}");
        for start in 0..3 {
            let (dir, report) = world.open();
            let log = dir.get("a", 0).expect("opened");
            let told = &report.loaded[0].report;
            assert!(told.damage.len() + told.holes.len() > 0, "{clean}, {start}: {report:?}");
            let end = log.marks().log_end;
            assert_eq!(end, 13 + start, "no offset is given out twice");
            assert!((0..13).all(|offset| is_damaged(&log, offset, 13)));
            large(&log, 10);
            assert!(is_served(&log, end));
            assert!(dir.close_clean(0).clean);
        }
    }
}

/// A log synced up to 16 whose process was killed between the two files that say so: the watermark is one of 13. Then
/// what lay behind 12 was lost.
fn killed_between_the_checkpoints() -> World {
    let world = world(false);
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("opened");
    let before = world.get(HIGH_WATERMARK_FILE);
    (0..3).for_each(|_| large(&log, 60));
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    drop((log, dir));
    world.put(HIGH_WATERMARK_FILE, before.as_bytes());
    for base in [12, 15] {
        lose_segment(&world, base);
    }
    world
}

#[test]
fn a_certain_recovery_point_moves_the_end_though_the_watermark_lags_behind_it() {
    let world = killed_between_the_checkpoints();
    let findings = found(&world, None);
    assert!(
        findings.iter().any(|finding| finding.what.contains("the offsets 12 to 15 are missing")),
        "{findings:?}"
    );
    for start in 0..2 {
        let (dir, report) = world.open();
        let log = dir.get("a", 0).expect("opened");
        assert!(!report.loaded[0].report.damage.is_empty(), "{start}: {report:?}");
        assert_eq!(log.marks().log_end, 16 + start, "no offset is given out twice");
        assert!((12..16).all(|offset| is_damaged(&log, offset, 16)));
        large(&log, 10);
        assert!(dir.close_clean(0).clean);
    }
}

#[test]
fn of_a_log_without_a_segment_one_witness_is_enough_for_where_it_goes_on() {
    let checkpoints = [RECOVERY_POINT_FILE, HIGH_WATERMARK_FILE];
    // Each of them alone, and what it knows of: the snapshot of the newest segment was made as that began.
    for (witness, upto) in [(checkpoints[0], 13), (checkpoints[1], 13), ("snapshot", 12), ("epochs", 11)] {
        let world = without_a_segment(witness);
        let findings = found(&world, None);
        let lost = findings
            .iter()
            .find(|finding| finding.what.contains(&format!("the offsets 0 to {} are lost", upto - 1)));
        assert!(lost.is_some_and(|lost| lost.fate == Fate::Refused), "{witness}: {findings:?}");
        // Killed right after it was opened, and after it was written to and not synced.
        for start in 0..3 {
            let (dir, report) = world.open();
            let log = dir.get("a", 0).expect("opened");
            let end = upto + (start - 1).max(0);
            assert_eq!(log.marks().log_end, end, "{witness}, start {start}: no offset is given out twice");
            assert!((0..upto).all(|offset| is_damaged(&log, offset, upto)), "{witness}, start {start}");
            let told = &report.loaded[0].report;
            let is_told = told.damage.len() + told.holes.len() > 0;
            assert!(start > 0 || is_told, "{witness}: {report:?}");
            if start > 0 {
                large(&log, 10);
                assert!(is_served(&log, end), "{witness}, start {start}");
            }
        }
    }
}

#[test]
fn epochs_of_a_log_without_a_segment_that_are_damaged_are_told_before_they_are_written_anew() {
    let world = without_a_segment("snapshot");
    let epochs = "a-0/leader-epoch-checkpoint";
    world.put(epochs, b"0\n2\n0 0\n7 1");
    let (dir, report) = world.open();
    let notes = &report.loaded.iter().find(|loaded| loaded.topic == "a").expect("loaded").report.notes;
    assert!(notes.iter().any(|note| note.contains(epochs) && note.contains("is damaged")), "{report:?}");
    drop(dir);
    let (_, report) = world.open();
    assert!(!notices(&report).iter().any(|note| note.contains("is damaged")), "{report:?}");
}

#[test]
fn epochs_of_a_log_without_a_segment_that_cannot_be_read_are_not_written_over() {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 7);
    dir.write_checkpoints().expect("written");
    drop(dir);
    let segments =
        world.files_of("a-0").into_iter().map(|(name, _)| name).filter(|name| name.starts_with('0'));
    segments.for_each(|name| lose(&world, &format!("a-0/{name}")));
    let epochs = "0\n2\n0 0\n7 5\n";
    world.put("a-0/leader-epoch-checkpoint", epochs.as_bytes());
    failing.fail_on("leader-epoch-checkpoint", Call::Read, When::Always, Fault::Error(Errno::IO));
    let _ = world.try_open();
    failing.heal();
    assert_eq!(world.get("a-0/leader-epoch-checkpoint"), epochs);
}

/// Killed, and of one partition nothing is left but its identity and one thing that says how far it had come.
fn without_a_segment(witness: &str) -> World {
    let world = world(false);
    let names = world.files_of("a-0").into_iter().map(|(name, _)| name);
    let newest = format!("{:020}.snapshot", 12);
    let stays = |name: &str| name == "partition.metadata" || witness == "snapshot" && name == newest;
    names.filter(|name| !stays(name)).for_each(|name| lose(&world, &format!("a-0/{name}")));
    for file in [crate::dir::SUMS_FILE, RECOVERY_POINT_FILE, HIGH_WATERMARK_FILE] {
        if file != witness {
            lose(&world, file);
        }
    }
    if witness == "epochs" {
        world.put("a-0/leader-epoch-checkpoint", b"0\n2\n0 0\n7 11\n");
    }
    world
}

/// The recovery point is known, and lies before what was lost: without the word of the start that went on behind it the next one
/// would take what it wrote for a log that was torn.
#[test]
fn where_a_log_without_a_segment_goes_on_is_known_though_the_start_that_found_it_died_at_any_step() {
    let left = [(false, false), (true, false), (true, true)];
    for (stop, (is_certain, has_epochs)) in (0..40).flat_map(|stop| left.map(|left| (stop, left))) {
        let (failing, world) = World::failing();
        let world = world.knows("a", A);
        let (dir, _) = world.open();
        append(&world.create(&dir, "a", 0), 7);
        if is_certain {
            // That the epochs are of this log: the starts are certain.
            dir.write_checkpoints().expect("written");
        }
        drop(dir);
        let stays = |name: &str| {
            name.ends_with("snapshot")
                || name == "partition.metadata"
                || has_epochs && name == "leader-epoch-checkpoint"
        };
        for (name, _) in world.files_of("a-0") {
            if !stays(&name) {
                lose(&world, &format!("a-0/{name}"));
            }
        }
        let snapshots = world.files_of("a-0").into_iter().map(|(name, _)| name);
        let newest: i64 =
            snapshots.filter_map(|name| name.strip_suffix(".snapshot")?.parse().ok()).max().expect("one");
        assert!(newest > 3);
        let reached = if is_certain { 7 } else { newest };
        for call in [Call::Open, Call::Write, Call::SetLen, Call::SyncDir, Call::Rename, Call::RemoveFile] {
            failing.fail(call, When::From(stop + 1), Errno::IO);
        }
        let stopped = world.try_open();
        failing.heal();
        drop(stopped);
        let (dir, report) = world.open();
        let log = dir.get("a", 0).unwrap_or_else(|| panic!("{stop}: {report:?}"));
        assert_eq!(log.marks().log_end, reached, "{stop}: {report:?}");
        let start = log.marks().log_start;
        // Where the log began the epochs know, which are written first where they are gone.
        assert!(start == 0 || start == reached && !is_certain, "{stop}: {report:?}");
        assert!((start..reached).all(|offset| is_damaged(&log, offset, reached)), "{stop}");
    }
}

#[test]
fn a_partition_without_a_directory_is_named() {
    let here = |homes| {
        let topic = KnownTopic { id: None, compacted: Some(false), homes, unmade: false };
        Some(Topics::from([("a".to_owned(), topic)]))
    };
    for (clean, topics, severity) in [
        (true, None, Some(Severity::Damage)),
        (false, None, Some(Severity::Doubt)),
        (false, here(vec![None; 2]), Some(Severity::Damage)),
        (true, Some(Topics::from([("b".to_owned(), KnownTopic::default())])), None),
        (true, here(vec![None, Some(B)]), None),
        (false, here(Vec::new()), Some(Severity::Damage)),
    ] {
        let world = world(clean);
        world.put("metadata.redb", b"");
        world.disk.rename(&path("a-1"), Path::new("/elsewhere")).expect("moved");
        let findings = found(&world, topics.as_ref());
        let told: Vec<_> = findings.iter().map(|finding| (finding.severity, finding.path.clone())).collect();
        let expected: Vec<_> = severity.map(|severity| (severity, path("a-1"))).into_iter().collect();
        assert_eq!(told, expected, "{findings:?}");
    }
}

#[test]
fn a_partition_that_only_the_metadata_knows_is_named_by_the_directory_that_should_have_it() {
    let world = world(false);
    let topic = KnownTopic { id: None, compacted: None, homes: vec![None, None, None], unmade: false };
    let young = Topics::from([("a".to_owned(), KnownTopic { unmade: true, ..topic.clone() })]);
    let topics = Topics::from([("a".to_owned(), topic)]);
    assert_eq!(found(&world, Some(&topics)), [], "it is not the first directory");
    world.put("metadata.redb", b"");
    let findings = found(&world, Some(&topics));
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.severity, finding.path.clone()), (Severity::Damage, path("a-2")));
    assert_eq!(found(&world, Some(&young)), [], "it may never have been made");
}

#[test]
fn a_segment_of_one_long_batch_has_no_index_entry_and_needs_none() {
    let mut world = World::new().knows("a", A);
    world.config.segment_bytes = 1 << 20;
    let (dir, _) = world.open();
    large(&world.create(&dir, "a", 0), 100_000);
    assert!(dir.close_clean(0).clean);
    for _ in 0..2 {
        assert_eq!(found(&world, None), []);
        let (dir, report) = world.open();
        assert!(report.loaded[0].report.rebuilt.is_empty(), "{report:?}");
        assert!(is_served(&dir.get("a", 0).expect("opened"), 0));
        assert!(dir.close_clean(0).clean);
    }
}

#[test]
fn an_index_that_lost_all_its_entries_is_rebuilt() {
    let mut world = World::new().knows("a", A);
    world.config.segment_bytes = 1 << 20;
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    (0..3).for_each(|_| large(&log, 5000));
    assert!(dir.close_clean(0).clean);
    world.put("a-0/00000000000000000000.index", b"");
    let (_, report) = world.open();
    assert_eq!(report.loaded[0].report.rebuilt.len(), 2, "{report:?}");
}

/// Killed before the first checkpoint; then the newest segments go.
#[test]
fn a_snapshot_that_is_newer_than_the_end_of_a_log_tells_what_is_lost() {
    let world = World::new().knows("t", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "t", 0), 7);
    drop(dir);
    let bases = || {
        let names = world.disk.read_dir(&path("t-0")).expect("listed").into_iter().map(|entry| entry.name);
        let mut bases: Vec<i64> = names.filter_map(|name| name.strip_suffix(".log")?.parse().ok()).collect();
        bases.sort_unstable();
        bases
    };
    let newest = bases()[1..].to_vec();
    for base in &newest {
        world.disk.remove_file(&path(&format!("t-0/{base:020}.log"))).expect("gone");
    }
    let found = found(&world, None);
    assert!(
        found.iter().any(|one| one.severity == Severity::Damage && one.what.contains("is lost")),
        "{found:?}"
    );
    let (dir, report) = world.open();
    let lost = notices(&report).into_iter().find(|told| told.contains("had reached")).expect("told");
    let (end, reached) = (newest[0], newest.last().expect("several"));
    assert!(
        lost.contains(&format!("ends at offset {end}, but had reached {reached}: what was at")),
        "{lost}"
    );
    drop(dir);
    let (_, report) = world.open();
    assert!(notices(&report).iter().all(|told| !told.contains("had reached")), "once");
}
