//! A loss that is known once stays known, whoever comes by: readers, the cleaner, the scrub, a start, a backup.

use std::time::Duration;

use super::lengths::{clean, cut, first, is_lost, keyed, world};
use super::*;
use crate::backup::{CopyOptions, Refused, note};
use crate::rewritten::FILE;
use crate::{RecoveryReport, ScrubLimits, Stretch};

/// Offsets 0 to 12 in segments of three, and 13 and 14 in the last of these, of a topic that is compacted. Closed in
/// order, and never cleaned.
fn never_cleaned() -> World {
    let world = world();
    let (dir, _) = world.open();
    keyed(
        &world.create(&dir, "a", 0),
        &["a", "b", "c", "d", "e", "f", "g", "h", "i", "b", "e", "j", "k", "l", "m"],
    );
    assert!(dir.close_clean(0).clean);
    world
}

/// Nobody knows where compaction was, as in a directory that was Kafka's.
fn unknown(world: World) -> World {
    world.disk.remove_file(&path(&format!("a-0/{FILE}"))).expect("removed");
    world
}

fn scrub(dir: &LogDir) {
    while !dir.scrub(ScrubLimits { interval_ms: 0, bytes: u64::MAX }, 1_000_000).idle {}
}

fn report(report: &LoadReport) -> &RecoveryReport {
    &report.loaded.first().expect("loaded").report
}

#[test]
fn the_lost_end_of_a_log_stays_known_whatever_comes_by() {
    for world in [never_cleaned(), unknown(never_cleaned())] {
        cut(&world, 12, 1);
        for start in 0..4 {
            let (dir, found) = world.open();
            let log = dir.get("a", 0).expect("a");
            if start == 0 {
                assert_eq!(report(&found).damage.len(), 1, "{found:?}");
            }
            let told = |what: &str| {
                assert!(is_lost(&first(&log, 13), 15) && is_lost(&first(&log, 14), 15), "{start}: {what}");
            };
            told("the start");
            keyed(&log, &["n", "o", "p", "q"]);
            told("an append");
            let stopped = clean(&dir).expect_err("lost");
            assert!(stopped.is_lasting() && stopped.to_string().contains("missing"), "{stopped}");
            scrub(&dir);
            told("the scrub");
            assert_eq!(first(&log, 12).expect("before"), 12);
            assert_eq!(first(&log, 15).expect("behind"), 15);
            if start != 1 {
                assert!(dir.close_clean(0).clean);
            }
        }
    }
}

#[test]
fn a_log_that_was_never_compacted_has_no_hole_though_its_topic_is() {
    for at_once in [true, false] {
        let world = if at_once { never_cleaned() } else { compacted_from_now_on() };
        cut(&world, 3, 1);
        for _ in 0..2 {
            let (dir, _) = world.open();
            let log = dir.get("a", 0).expect("a");
            assert!(is_lost(&first(&log, 4), 6), "by a read");
            scrub(&dir);
            assert_eq!(log.damage().len(), 1);
            keyed(&log, &["n", "o", "p", "q"]);
            assert!(clean(&dir).expect_err("lost").to_string().contains("missing"));
            assert_eq!((first(&log, 3).expect("before"), first(&log, 6).expect("behind")), (3, 6));
            assert!(dir.close_clean(0).clean);
        }
    }
}

/// The same log, of a topic that was not compacted when it was written.
fn compacted_from_now_on() -> World {
    let compacted = world();
    let config = LogConfig { cleanup_compact: false, retention_ms: -1, ..compacted.config.clone() };
    let mut world = World { config, ..compacted };
    let (dir, _) = world.open();
    keyed(
        &world.create(&dir, "a", 0),
        &["a", "b", "c", "d", "e", "f", "g", "h", "i", "b", "e", "j", "k", "l", "m"],
    );
    assert!(!world.has(format!("a-0/{FILE}")));
    world.config.cleanup_compact = true;
    dir.set_settings("a", &world.settings("a").expect("known"));
    assert!(world.has(format!("a-0/{FILE}")));
    assert!(dir.close_clean(0).clean);
    world
}

#[test]
fn what_was_missing_before_anybody_might_have_compacted_is_missing_afterwards() {
    let compacted = world();
    let config = LogConfig { cleanup_compact: false, retention_ms: -1, ..compacted.config.clone() };
    let mut world = World { config, ..compacted };
    let (dir, _) = world.open();
    keyed(&world.create(&dir, "a", 0), &["a", "b", "c", "d", "e", "f", "g"]);
    assert!(dir.close_clean(0).clean);
    drop_batch(&world, 3, 0);
    cut(&world, 0, 2);
    let (dir, _) = world.open();
    scrub(&dir);
    assert!(dir.close_clean(0).clean);
    assert!(world.get("pagewire-damage-checkpoint").starts_with("0\n2\n"));
    // The word of the cleaner is lost, so each log may have been compacted.
    world.put("cleaner-offset-checkpoint", b"garbage");
    world.config.cleanup_compact = true;
    for _ in 0..3 {
        let (dir, _) = world.open();
        let log = dir.get("a", 0).expect("a");
        assert!(is_lost(&first(&log, 2), 3) && is_lost(&first(&log, 3), 4));
        assert_eq!((first(&log, 1).expect("before"), first(&log, 4).expect("behind")), (1, 4));
        scrub(&dir);
        assert!(is_lost(&first(&log, 2), 3) && is_lost(&first(&log, 3), 4));
        assert!(clean(&dir).expect_err("lost").to_string().contains("missing"));
        assert!(dir.close_clean(0).clean);
    }
}

/// Takes one batch out of a segment.
fn drop_batch(world: &World, base: i64, at: usize) {
    let file = world.disk.open(&path(&format!("a-0/{base:020}.log")), OpenMode::ReadWrite).expect("there");
    let mut bytes = vec![0; file.len().expect("length") as usize];
    file.read_exact_at(0, &mut bytes).expect("read");
    let one = bytes.len() / 3;
    bytes.drain(at * one..(at + 1) * one);
    file.set_len(0).expect("cut");
    file.write_at(0, &bytes).expect("written");
}

#[test]
fn a_file_that_was_put_right_is_served_again() {
    let world = never_cleaned();
    let whole = world.files_of("a-0");
    cut(&world, 12, 1);
    let (dir, _) = world.open();
    assert!(is_lost(&first(&dir.get("a", 0).expect("a"), 13), 15));
    assert!(dir.close_clean(0).clean);
    for (name, bytes) in whole {
        world.put(format!("a-0/{name}"), &bytes);
    }
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("a");
    scrub(&dir);
    let firsts: Vec<i64> = (0..15).map(|offset| first(&log, offset).expect("read")).collect();
    assert_eq!(firsts, (0..15).collect::<Vec<_>>());
}

/// What a backup of the log says to be damaged or lost.
fn backed_up(dir: &LogDir, to: &str, verify: bool) -> Vec<Stretch> {
    let options = CopyOptions {
        links: true,
        verify,
        earlier: &|_| None,
        pace: &|_| Ok(()),
        refused: Refused::default(),
    };
    let mut noted = note([dir], Duration::ZERO).expect("nobody appends");
    let copied = noted.take(A, 0).expect("there").copy(Path::new(to), &options);
    let copied = copied.expect("copied").expect("there");
    copied.files.into_iter().flat_map(|file| file.damage).collect()
}

#[test]
fn a_backup_tells_of_records_that_are_known_to_be_lost_whether_it_looks_or_not() {
    for world in [never_cleaned(), unknown(never_cleaned())] {
        cut(&world, 12, 1);
        let (dir, _) = world.open();
        let log = dir.get("a", 0).expect("a");
        keyed(&log, &["n"]);
        for (to, verify) in [("/copy/trusting", false), ("/copy/looking", true)] {
            let lost = backed_up(&dir, to, verify);
            assert_eq!(lost, log.damage(), "{to}");
            let [lost] = &lost[..] else { panic!("{lost:?}") };
            assert_eq!((lost.offset, lost.next_offset), (13, 15));
        }
    }
}

#[test]
fn a_backup_finds_lost_records_that_nobody_knew_of() {
    let world = never_cleaned();
    cut(&world, 3, 1);
    drop_batch(&world, 6, 0);
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("a");
    assert_eq!(log.damage(), []);
    let lost = backed_up(&dir, "/copy/a", true);
    assert_eq!(lost.iter().map(|lost| (lost.offset, lost.next_offset)).collect::<Vec<_>>(), [(4, 6), (6, 7)]);
    assert_eq!(log.damage(), lost, "readers know");
}
