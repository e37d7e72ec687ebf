//! Compacted segments that were cut between two batches, and logs of which nobody knows whether they were compacted.

use std::panic::{AssertUnwindSafe, catch_unwind};

use pagewire_disk::checkpoint::{CLEAN_MARK_FILE, CLEANER_FILE};
use pagewire_disk::{Call, CleanMark, Fault, When};

use super::super::sums;
use super::*;
use crate::rewritten::FILE;
use crate::verify::{Fate, KnownTopic, Severity, Topics};
use crate::{CleanError, Cleaner, CleanerLimits, ReadError, Throttle};

/// Offsets 0 to 12 in segments of three; the keys of 1 and 4 come again at 9 and 10.
const KEYS: [&str; 13] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "b", "e", "j", "k"];

pub(super) fn keyed(log: &Log, keys: &[&str]) {
    for key in keys {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.append(1, Some(key.as_bytes()), Some(&[7; 60]), &[]).expect("record");
        let context = AppendContext { leader_epoch: 0, origin: Origin::Client, now_ms: 1 };
        log.append(builder.build().expect("batch"), context).expect("append");
    }
}

pub(super) fn world() -> World {
    let world = World::new().knows("a", A);
    let config = LogConfig { cleanup_compact: true, cleanup_delete: false, ..world.config.clone() };
    World { config, ..world }
}

pub(super) fn clean(dir: &LogDir) -> Result<i64, CleanError> {
    let mut cleaner = Cleaner::new(CleanerLimits::default());
    let dirty = dir.dirtiest(0).expect("due");
    dirty.clean(&mut cleaner, 0, &Throttle::new(u64::MAX)).map(|cleaned| cleaned.clean_to)
}

/// A compacted log, closed in order: 0 and 2, 3 and 5, 6 to 8, 9 to 11 in segments that were written anew, then 12.
fn compacted() -> World {
    let world = world();
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    keyed(&log, &KEYS);
    assert_eq!(clean(&dir).expect("clean"), 12);
    let bases: Vec<i64> = log.segments().iter().map(|segment| segment.base_offset).collect();
    assert_eq!(bases, [0, 3, 6, 9, 12]);
    assert!(dir.close_clean(0).clean && world.has(format!("a-0/{FILE}")));
    world
}

/// Leaves the first so many batches of a segment.
pub(super) fn cut(world: &World, base: i64, batches: usize) {
    let file = world.disk.open(&path(&format!("a-0/{base:020}.log")), OpenMode::ReadWrite).expect("there");
    let mut bytes = vec![0; file.len().expect("length") as usize];
    file.read_exact_at(0, &mut bytes).expect("read");
    let whole = pagewire_record::batches(&bytes).map(|batch| batch.expect("whole").header.size_in_bytes());
    file.set_len(whole.take(batches).sum()).expect("cut");
}

/// The offset of the batch that a read from `offset` on begins with.
pub(super) fn first(log: &Log, offset: i64) -> Result<i64, ReadError> {
    let slice = log.read(offset, 1 << 20, ReadUpTo::LogEnd, true)?;
    let bytes = slice.range.expect("records").read_to_vec().expect("bytes");
    let first = pagewire_record::batches(&bytes).next().expect("a batch");
    Ok(first.expect("whole").header.base_offset)
}

pub(super) fn is_lost(read: &Result<i64, ReadError>, upto: i64) -> bool {
    matches!(read, Err(ReadError::Damaged { next_offset, .. }) if *next_offset == upto)
}

#[test]
fn a_compacted_log_is_whole_after_a_restart() {
    let world = compacted();
    assert_eq!(found(&world, None), []);
    let (dir, report) = world.open();
    assert_eq!(report.loaded[0].report.damage, []);
    let log = dir.get("a", 0).expect("a");
    let firsts: Vec<i64> = (0..13).map(|offset| first(&log, offset).expect("read")).collect();
    assert_eq!(firsts, [0, 2, 2, 3, 5, 5, 6, 7, 8, 9, 10, 11, 12]);
}

#[test]
fn a_compacted_segment_that_was_cut_between_two_batches_is_known_from_the_start() {
    for batches in [0, 1] {
        let world = compacted();
        cut(&world, 3, batches);
        let mut findings = found(&world, None);
        // Its indexes name what is not there.
        findings.retain(|finding| finding.path.extension().is_some_and(|extension| extension == "log"));
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.severity, finding.fate), (Severity::Damage, Fate::Refused), "{finding}");
        for _ in 0..2 {
            let (dir, report) = world.open();
            let log = dir.get("a", 0).expect("a");
            assert_eq!(report.loaded[0].report.damage.len(), 1, "{report:?}");
            assert!(is_lost(&first(&log, 4), 6) && is_lost(&first(&log, 5), 6));
            assert_eq!(first(&log, 3).ok(), (batches == 1).then_some(3));
            assert_eq!((first(&log, 1).expect("a hole"), first(&log, 6).expect("behind")), (2, 6));
            assert!(dir.close_clean(0).clean);
        }
    }
}

#[test]
fn what_was_not_compacted_yet_has_no_holes_in_a_compacted_log_either() {
    let world = compacted();
    let (dir, _) = world.open();
    keyed(&dir.get("a", 0).expect("a"), &["l", "m", "n", "o"]);
    assert!(dir.close_clean(0).clean);
    cut(&world, 12, 2);
    let findings = found(&world, None);
    assert!(findings.iter().any(|finding| finding.what.contains("they are lost")), "{findings:?}");
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("a");
    assert!(is_lost(&first(&log, 14), 15));
    assert_eq!((first(&log, 13).expect("before"), first(&log, 15).expect("behind")), (13, 15));
}

#[test]
fn compaction_stops_at_a_lost_end_and_leaves_it_as_it_is() {
    for base in [3, 12] {
        let world = compacted();
        let (dir, _) = world.open();
        (0..3).for_each(|_| keyed(&dir.get("a", 0).expect("a"), &KEYS));
        assert!(dir.close_clean(0).clean);
        cut(&world, base, 1);
        let (dir, _) = world.open();
        let stopped = clean(&dir).expect_err("lost");
        assert!(stopped.is_lasting() && stopped.to_string().contains("missing"), "{stopped}");
        assert!(is_lost(&first(&dir.get("a", 0).expect("a"), base + 1), base + 3));
    }
}

#[test]
fn where_somebody_else_stopped_last_lengths_say_nothing_and_go() {
    let world = compacted();
    cut(&world, 3, 1);
    world.put(CLEAN_MARK_FILE, br#"{"version":0,"brokerEpoch":7}"#);
    assert!(CleanMark::is_anothers(&*world.disk, root()).expect("seen"));
    assert_eq!(found(&world, None), []);
    for _ in 0..2 {
        let (dir, report) = world.open();
        assert_eq!(report.loaded[0].report.damage, []);
        assert_eq!(first(&dir.get("a", 0).expect("a"), 4).expect("compacted by somebody else"), 6);
        assert!(!world.has(format!("a-0/{FILE}")));
        assert!(dir.close_clean(0).clean);
    }
}

#[test]
fn damaged_lengths_say_nothing() {
    let world = compacted();
    let file = world.disk.open(&path(&format!("a-0/{FILE}")), OpenMode::ReadWrite).expect("there");
    for at in 0..file.len().expect("length") {
        let mut byte = [0];
        file.read_exact_at(at, &mut byte).expect("read");
        file.write_at(at, &[byte[0] ^ 0x10]).expect("harmed");
        assert_eq!(found(&world, None).len(), 1);
        let (dir, report) = world.open();
        assert_eq!(report.loaded[0].report.damage, [], "{at}");
        assert_eq!(first(&dir.get("a", 0).expect("a"), 4).expect("read over"), 5);
        assert!(dir.close_clean(0).clean);
        file.write_at(at, &byte).expect("mended");
    }
}

/// The same log, of a topic that is compacted no more.
fn deleting(world: World) -> World {
    let config = LogConfig { cleanup_compact: false, retention_ms: -1, ..world.config.clone() };
    World { config, ..world }
}

#[test]
fn a_log_that_was_compacted_once_is_read_over_its_holes_without_the_word_of_the_cleaner() {
    for lost in [None, Some(&b"garbage"[..])] {
        for lengths in [true, false] {
            let world = deleting(compacted());
            match lost {
                Some(bytes) => world.put(CLEANER_FILE, bytes),
                None => world.disk.remove_file(&path(CLEANER_FILE)).expect("removed"),
            }
            if !lengths {
                world.disk.remove_file(&path(&format!("a-0/{FILE}"))).expect("removed");
            }
            for _ in 0..3 {
                let (dir, report) = world.open();
                assert_eq!(report.loaded[0].report.damage, []);
                let log = dir.get("a", 0).expect("a");
                let firsts: Vec<i64> = (0..7).map(|offset| first(&log, offset).expect("read")).collect();
                assert_eq!(firsts, [0, 2, 2, 3, 5, 5, 6]);
                assert!(dir.close_clean(0).clean);
            }
        }
    }
}

#[test]
fn a_new_directory_knows_that_none_of_its_logs_was_compacted() {
    let world = deleting(world());
    let (dir, _) = world.open();
    keyed(&world.create(&dir, "a", 0), &KEYS);
    drop(dir);
    cut(&world, 3, 1);
    let (dir, _) = world.open();
    assert_eq!(log_end(&dir, "a", 0), 4, "never stable, and no hole");
}

#[test]
fn a_check_knows_from_the_topics_settings_what_a_hole_is() {
    let world = deleting(world());
    let (dir, _) = world.open();
    keyed(&world.create(&dir, "a", 0), &KEYS);
    assert!(dir.close_clean(0).clean);
    cut(&world, 3, 1);
    let told = |compacted: Option<bool>| {
        let topics = compacted.map(|compacted| {
            Topics::from([(
                "a".to_owned(),
                KnownTopic { compacted: Some(compacted), ..KnownTopic::default() },
            )])
        });
        let findings = found(&world, topics.as_ref());
        let holes = findings.iter().filter(|finding| finding.what.contains("offsets 4 to 5 are missing"));
        holes.map(|finding| finding.severity).collect::<Vec<_>>()
    };
    assert_eq!(told(None), [Severity::Damage], "the cleaner's checkpoint names no log");
    assert_eq!(told(Some(false)), [Severity::Damage]);
    assert_eq!(told(Some(true)), []);
    world.put("cleaner-offset-checkpoint", b"garbage");
    assert_eq!(told(None), [Severity::Doubt], "nobody knows");
}

#[test]
fn a_log_start_that_is_not_believed_is_told_once() {
    let world = deleting(world());
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    keyed(&log, &KEYS);
    log.delete_records_before(4).expect("deleted");
    assert!(dir.close_clean(0).clean);
    assert_eq!(found(&world, None), []);
    world.put("log-start-offset-checkpoint", b"0\n1\na 0 5\n");
    let findings = found(&world, None);
    let [finding] = findings.as_slice() else { panic!("{findings:?}") };
    assert!(finding.path.ends_with("log-start-offset-checkpoint"), "{finding}");
}

#[test]
fn a_segment_that_is_gone_behind_a_compacted_one_is_noticed_at_every_start() {
    for base in [3, 9] {
        let world = compacted();
        for kind in ["log", "index", "timeindex"] {
            world.disk.remove_file(&path(&format!("a-0/{base:020}.{kind}"))).expect("removed");
        }
        let findings = found(&world, None);
        let [finding] = findings.as_slice() else { panic!("{findings:?}") };
        assert_eq!((finding.severity, finding.fate), (Severity::Damage, Fate::Refused), "{finding}");
        for _ in 0..2 {
            let (dir, report) = world.open();
            let log = dir.get("a", 0).expect("a");
            assert_eq!(report.loaded[0].report.damage.len(), 1, "{report:?}");
            assert!((base..base + 3).all(|offset| is_lost(&first(&log, offset), base + 3)));
            assert_eq!((first(&log, 1).expect("a hole"), first(&log, 12).expect("behind")), (2, 12));
            assert!(dir.close_clean(0).clean);
        }
    }
}
/// A compacted log that was closed in order, and lost the end of a segment since.
fn cut_between_two_batches() -> World {
    let world = compacted();
    cut(&world, 3, 1);
    world
}

fn knows_the_loss(world: &World) -> Vec<String> {
    let (dir, report) = world.open();
    assert!(is_lost(&first(&dir.get("a", 0).expect("a"), 4), 6), "{report:?}");
    assert!(world.has(format!("a-0/{FILE}")));
    notices(&report)
}

#[test]
fn a_mark_that_is_taken_away_takes_no_evidence_with_it() {
    let world = cut_between_two_batches();
    world.disk.remove_file(&path(CLEAN_MARK_FILE)).expect("taken away");
    let said = knows_the_loss(&world);
    assert!(said.len() == 1 && said[0].contains("checked as after a kill"), "{said:?}");
    assert_eq!(knows_the_loss(&world).len(), 0, "once");
}

/// What is no mark of anybody's.
const DAMAGED_MARKS: [&[u8]; 5] =
    [b"", &[0; 31], b"garbage", br#"{"version":0,"brokerEpoch":-3}"#, br#"{"version":0,"brokerEpoch":"#];

#[test]
fn a_mark_that_is_damaged_is_called_that_and_takes_no_evidence_with_it() {
    for bytes in DAMAGED_MARKS {
        let world = cut_between_two_batches();
        world.put(CLEAN_MARK_FILE, bytes);
        let told = found(&world, None);
        let mark = told.iter().find(|finding| finding.path.ends_with(CLEAN_MARK_FILE));
        let mark = mark.unwrap_or_else(|| panic!("{told:?}"));
        assert_eq!((mark.severity, mark.fate), (Severity::Damage, Fate::Removed), "{mark}");
        let said = knows_the_loss(&world);
        assert!(said.len() == 1 && said[0].contains("is damaged"), "{said:?}");
        assert!(said[0].contains("checked as after a kill"), "{said:?}");
        assert_eq!(knows_the_loss(&world).len(), 0, "once");
    }
}

#[test]
fn a_start_that_is_killed_as_it_takes_a_damaged_mark_takes_no_evidence_with_it() {
    for bytes in DAMAGED_MARKS {
        for (call, file) in [(Call::RemoveFile, CLEAN_MARK_FILE), (Call::Rename, sums::FILE)] {
            let world = cut_between_two_batches();
            world.put(CLEAN_MARK_FILE, bytes);
            let failing = FailingDisk::new(Arc::clone(&world.disk));
            failing.fail_on(file, call, When::Nth(1), Fault::Panic);
            let killed = world.moved_to(Arc::new(failing));
            catch_unwind(AssertUnwindSafe(|| drop(killed.try_open()))).expect_err("killed");
            let said = knows_the_loss(&world);
            assert!(said.len() == 1 && said[0].contains("checked as after a kill"), "{call:?}: {said:?}");
        }
    }
}

#[test]
fn a_damaged_mark_that_we_did_not_leave_is_anothers() {
    for bytes in DAMAGED_MARKS {
        let world = cut_between_two_batches();
        let (dir, _) = world.open();
        drop(dir);
        world.put(CLEAN_MARK_FILE, bytes);
        let (_, report) = world.open();
        let said = notices(&report).concat();
        assert!(said.contains("another program has had this directory"), "{said}");
        assert_eq!(
            (report.clean, said.contains("is damaged")),
            (bytes.is_empty(), !bytes.is_empty()),
            "{said}"
        );
    }
}

#[test]
fn a_damaged_checkpoint_takes_no_evidence_with_it_where_nobody_else_can_have_been() {
    for file in ["recovery-point-offset-checkpoint", "replication-offset-checkpoint", CLEANER_FILE] {
        for bytes in [&b"garbage"[..], b"0\n1\na 0 1\n"] {
            let world = cut_between_two_batches();
            world.put(file, bytes);
            let said = knows_the_loss(&world);
            assert!(said.iter().any(|said| said.contains(file)), "{said:?}");
        }
    }
}

#[test]
fn what_is_forgotten_because_another_program_may_have_written_is_told_and_named() {
    let world = cut_between_two_batches();
    world.disk.remove_file(&path(CLEAN_MARK_FILE)).expect("taken, as a Kafka does");
    world.put("replication-offset-checkpoint", b"0\n1\na 0 12\n");
    let (dir, report) = world.open();
    assert_eq!(first(&dir.get("a", 0).expect("a"), 4).expect("read over"), 6);
    let said = notices(&report);
    assert!(
        said.iter().any(|said| said.contains("/data/a-0") && said.contains("another program")),
        "{said:?}"
    );
}

#[test]
fn a_directory_that_cannot_be_read_keeps_no_other_from_being_opened() {
    let world = cut_between_two_batches().knows("b", B);
    let (dir, _) = world.open();
    world.create(&dir, "b", 0);
    assert!(dir.close_clean(0).clean);
    world.put(CLEAN_MARK_FILE, br#"{"version":0,"brokerEpoch":7}"#);
    // Whatever lies in the file's place: it cannot be removed.
    world.disk.remove_file(&path(&format!("a-0/{FILE}"))).expect("removed");
    world.disk.create_dir_all(&path(&format!("a-0/{FILE}"))).expect("made");
    let (dir, report) = world.open();
    assert!(dir.get("b", 0).is_some() && dir.get("a", 0).is_none(), "{report:?}");
    assert_eq!(report.failed.len(), 1);
}

/// What is said of the list of compacted segments, by the start and by a check before it.
fn why_it_is_forgotten(world: &World) -> [String; 2] {
    let mut found = Vec::new();
    let told = verify(&world.disk, root(), VerifyOptions::default(), &mut |event| {
        if let Event::Found(finding) = event
            && finding.path.ends_with(FILE)
        {
            found.push(finding.what);
        }
    });
    told.expect("checked");
    let (_, report) = world.open();
    let said = notices(&report).into_iter().filter(|said| said.contains("compaction took"));
    [found.concat(), said.collect()]
}

#[test]
fn checkpoints_that_are_damaged_are_named_as_the_cause_why_compaction_is_forgotten() {
    let (recovery, high_watermark) = ("recovery-point-offset-checkpoint", "replication-offset-checkpoint");
    let world = cut_between_two_batches();
    world.put(recovery, b"0\n1\na 0 11\n");
    world.put(high_watermark, b"0\n1\na 0 12\n");
    for said in why_it_is_forgotten(&world) {
        let names = said.contains(recovery) && said.contains(high_watermark);
        assert!(names && said.contains("are not what was written last: damaged, or"), "{said}");
    }

    let world = cut_between_two_batches();
    drop(world.open());
    world.put(recovery, b"garbage");
    for said in why_it_is_forgotten(&world) {
        assert!(said.starts_with(&format!("{recovery} is damaged, or")), "{said}");
    }
}
