//! Where records go on behind damage: what a check says, and a start, is where reads go on.

use pagewire_disk::checkpoint::DAMAGE_FILE;

use super::*;
use crate::ReadError;
use crate::verify::{Fate, Onward};

/// A log of 20 batches of one record, three to a segment, left in order.
fn left() -> World {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 20);
    let bases: Vec<i64> = log.segments().iter().map(|segment| segment.base_offset).collect();
    assert_eq!(bases[..3], [0, 3, 6]);
    assert!(dir.close_clean(0).clean);
    world
}

/// A byte in the records of each of these offsets is another.
fn damage(world: &World, offsets: &[i64]) {
    for offset in offsets {
        harm(world, *offset, 66);
    }
}

/// The byte at this place in the batch of an offset is another.
fn harm(world: &World, offset: i64, place: u64) {
    let (base, before) = (offset / 3 * 3, (offset % 3) as u64 * batch(1).len() as u64);
    let file = world.disk.open(&path(&format!("a-0/{base:020}.log")), OpenMode::ReadWrite).expect("there");
    file.write_at(before + place, &[0xff]).expect("damaged");
}

fn of_the_log(world: &World) -> Vec<(Option<i64>, Option<Onward>)> {
    let found = found(world, None).into_iter();
    let records = found.filter(|found| found.path.extension().is_some_and(|kind| kind == "log"));
    records.map(|found| (found.offset, found.onward)).collect()
}

#[test]
fn a_check_says_at_which_offset_the_first_good_records_behind_damage_are() {
    // In a segment; its last; all up to the middle of the next; a whole one and the first of the next; the log's last.
    let cases: [(&[i64], Option<i64>); 5] =
        [(&[4], Some(5)), (&[5], Some(6)), (&[5, 6, 7], Some(8)), (&[3, 4, 5, 6], Some(7)), (&[19], None)];
    for (damaged, next) in cases {
        let world = left();
        damage(&world, damaged);
        let (found, expected) = (of_the_log(&world), next.map_or(Onward::Nowhere, Onward::At));
        assert_eq!(found.first(), Some(&(Some(damaged[0]), Some(expected))), "{damaged:?}");
        assert!(found.iter().all(|(_, onward)| *onward == Some(expected)), "{damaged:?}: {found:?}");
        let (dir, _) = world.open();
        let log = dir.get("a", 0).expect("open");
        let is_read = |offset: i64| log.read(offset, 1, ReadUpTo::LogEnd, true).is_ok();
        assert_eq!((damaged[0]..20).find(|offset| is_read(*offset)), next, "{damaged:?}");
    }
}

#[test]
fn behind_a_lost_segment_records_go_on_with_the_next_good_batch() {
    let world = left();
    for kind in ["log", "index", "timeindex"] {
        world.disk.remove_file(&path(&format!("a-0/{:020}.{kind}", 3))).expect("removed");
    }
    damage(&world, &[6]);
    let found = found(&world, None);
    let hole = found.iter().find(|finding| finding.path.ends_with("a-0")).expect("a hole");
    assert_eq!((hole.offset, hole.onward), (Some(3), Some(Onward::At(7))), "{hole}");
}

#[test]
fn what_is_cut_has_nothing_behind_it() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    append(&world.create(&dir, "a", 0), 2);
    drop(dir);
    damage(&world, &[0]);
    let found = found(&world, None);
    let cut = found.iter().find(|finding| matches!(finding.fate, Fate::Cut { .. })).expect("cut");
    assert_eq!(cut.onward, None, "{cut}");
}

#[test]
fn a_start_that_comes_to_damage_names_the_offset_at_which_it_begins() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 20);
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
    drop((dir, log));
    for entry in world.disk.read_dir(&path("a-0")).expect("listed") {
        if entry.name.ends_with(".snapshot") {
            world.disk.remove_file(&path("a-0").join(entry.name)).expect("removed");
        }
    }
    // In the header: a start reads no more of what was synced.
    harm(&world, 6, 16);
    let (dir, report) = world.open();
    let notes = &report.loaded[0].report.notes;
    let says = |words: &str| notes.iter().any(|note| note.contains(words));
    assert!(says("the offsets 6 to 6") && !says("the offsets 0 to"), "{notes:?}");
    assert_eq!(
        report.loaded[0].report.noted().count(),
        notes.iter().len() - 1,
        "it was told where it was found"
    );
    let log = dir.get("a", 0).expect("open");
    let read = log.read(6, 1, ReadUpTo::LogEnd, true);
    assert!(matches!(read, Err(ReadError::Damaged { offset: 6, next_offset: 7, .. })), "{read:?}");
}

#[test]
fn a_list_of_damaged_places_that_is_damaged_is_a_finding_and_is_written_anew() {
    let world = left();
    damage(&world, &[4]);
    let (dir, _) = world.open();
    let log = dir.get("a", 0).expect("open");
    log.read(4, 1, ReadUpTo::LogEnd, true).expect_err("damaged");
    assert!(dir.close_clean(0).clean);
    let good = world.get(DAMAGE_FILE);
    world.put(DAMAGE_FILE, b"garbage");
    let of_it = |findings: Vec<Finding>| {
        findings.into_iter().find(|finding| finding.path.ends_with(DAMAGE_FILE)).map(|finding| finding.fate)
    };
    assert_eq!(of_it(found(&world, None)), Some(Fate::Renewed));
    let (dir, report) = world.open();
    let said = notices(&report);
    assert!(said.iter().any(|said| said.contains(DAMAGE_FILE) && said.contains("written anew")), "{said:?}");
    // What a list says that is there is what is known. Before anything was read, that is nothing.
    assert!(!world.has(DAMAGE_FILE));
    assert_eq!(of_it(found(&world, None)), None);
    dir.get("a", 0).expect("open").read(4, 1, ReadUpTo::LogEnd, true).expect_err("found again");
    assert!(dir.close_clean(0).clean);
    assert_eq!(world.get(DAMAGE_FILE), good);
}
