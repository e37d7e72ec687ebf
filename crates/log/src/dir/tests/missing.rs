//! Segments that somebody removed: what a check says, and what the next start makes of it.

use pagewire_record::BatchBuilder;

use super::*;
use crate::ReadError;
use crate::verify::{Event, Fate, Finding, KnownTopic, Severity, Topics, VerifyOptions, verify};

/// A topic of two partitions, the first with four segments of three records each and an active one. Closed in order, or killed
/// after a checkpoint.
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
    ["log", "index", "timeindex"].iter().for_each(|kind| lose(world, &format!("a-0/{base:020}.{kind}")));
}

fn found(world: &World, topics: Option<&Topics>) -> Vec<Finding> {
    let (mut found, options) = (Vec::new(), VerifyOptions { topics, ..VerifyOptions::default() });
    let told = verify(&world.disk, root(), options, &mut |event| {
        if let Event::Found(finding) = event {
            found.push(finding);
        }
    });
    told.expect("checked");
    found.retain(|finding| finding.severity > Severity::Note);
    found
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
fn after_a_kill_a_first_segment_that_is_gone_is_told() {
    let world = world(false);
    lose_segment(&world, 0);
    let (dir, report) = world.open();
    let [hole] = report.loaded[0].report.holes.as_slice() else { panic!("{report:?}") };
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
        assert_eq!(report.loaded[0].report.holes, [], "{clean}");
    }
}

#[test]
fn a_log_that_lost_all_its_segments_goes_on_where_it_had_come_to() {
    for clean in [true, false] {
        let world = world(clean);
        [0, 3, 6, 9, 12].iter().for_each(|base| lose_segment(&world, *base));
        let findings = found(&world, None);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.severity, finding.fate), (Severity::Damage, Fate::Refused), "{finding}");
        assert!(finding.what.contains("the offsets 0 to 12"), "{finding}");
        for start in 0..3 {
            let (dir, report) = world.open();
            let log = dir.get("a", 0).expect("opened");
            let told = &report.loaded[0].report;
            assert_eq!(told.damage.len() + told.holes.len(), 1, "{clean}, {start}: {report:?}");
            let end = log.marks().log_end;
            assert_eq!(end, 13 + start, "no offset is given out twice");
            assert!((0..13).all(|offset| is_damaged(&log, offset, 13)));
            large(&log, 10);
            assert!(is_served(&log, end));
            assert!(dir.close_clean(0).clean);
        }
    }
}

#[test]
fn a_partition_without_a_directory_is_named() {
    let here = |homes| Some(Topics::from([("a".to_owned(), KnownTopic { compacted: Some(false), homes })]));
    for (clean, topics, severity) in [
        (true, None, Some(Severity::Damage)),
        (false, None, Some(Severity::Doubt)),
        (false, here(vec![None; 2]), Some(Severity::Damage)),
        (true, Some(Topics::from([("b".to_owned(), KnownTopic::default())])), None),
    ] {
        let world = world(clean);
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
    let topic = KnownTopic { compacted: None, homes: vec![None, None, None] };
    let topics = Topics::from([("a".to_owned(), topic)]);
    assert_eq!(found(&world, Some(&topics)), [], "it is not the first directory");
    world.put("metadata.redb", b"");
    let findings = found(&world, Some(&topics));
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert_eq!((finding.severity, finding.path.clone()), (Severity::Doubt, path("a-2")));
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
        assert_eq!(report.loaded[0].report.rebuilt, Vec::<PathBuf>::new());
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
