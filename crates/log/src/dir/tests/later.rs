//! A log that cannot be opened at the start is opened later, by all that was known of it.

use pagewire_disk::{Call, DamageCheckpoint, DamageEntry, Errno, FailingDisk, Fault, When};

use super::*;

/// A log of five records, `a-0`, left as `stop` does.
fn stopped(stop: impl Fn(&Log, &LogDir)) -> (FailingDisk, World) {
    let (failing, world) = World::failing();
    let world = world.knows("a", A);
    let (dir, _) = world.open();
    let log = world.create(&dir, "a", 0);
    append(&log, 5);
    stop(&log, &dir);
    (failing, world)
}

fn in_order(_: &Log, dir: &LogDir) {
    assert!(dir.close_clean(0).clean);
}

fn killed(log: &Log, dir: &LogDir) {
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
}

/// Opens the directory while that log cannot be listed, which is over then.
fn without_it(failing: &FailingDisk, world: &World) -> LogDir {
    failing.fail_on("a-0", Call::ReadDir, When::Always, Fault::Error(Errno::IO));
    let (dir, _) = world.open();
    failing.heal();
    assert_eq!(dir.unopened(), [("a".to_owned(), 0)]);
    dir
}

/// Cuts the log's last file, within its first batch.
fn cut(world: &World) {
    let names = world.files_of("a-0").into_iter().map(|(name, _)| name);
    let last = names.filter(|name| name.strip_suffix(".log").is_some()).max().expect("a segment");
    let file = world.disk.open(&path("a-0").join(last), OpenMode::ReadWrite).expect("opened");
    file.set_len(10).expect("cut");
}

#[test]
fn a_log_that_is_opened_later_does_not_end_below_what_it_had_held() {
    for stop in [in_order, killed] {
        let (failing, world) = stopped(stop);
        let dir = without_it(&failing, &world);
        cut(&world);
        let log = world.create(&dir, "a", 0);
        assert_eq!(log.marks().log_end, 5, "no offset is given out twice");
        try_append(&log, 1).expect("goes on");
        drop((log, dir));
        assert_eq!(log_end(&world.open().0, "a", 0), 6);
    }
}

/// The directory's name cannot be synced when the log is opened.
#[test]
fn a_log_that_was_opened_and_is_not_served_waits_with_all_that_was_known_of_it() {
    let (failing, world) = stopped(in_order);
    let dir = without_it(&failing, &world);
    let settings = world.settings("a").expect("known");
    failing.fail(Call::SyncDir, When::Always, Errno::MFILE);
    assert!(dir.create("a", 0, &settings, 0).is_err() && dir.get("a", 0).is_none());
    assert_eq!(dir.unopened(), [("a".to_owned(), 0)]);
    failing.heal();
    cut(&world);
    assert_eq!(world.create(&dir, "a", 0).marks().log_end, 5, "no offset is given out twice");
    assert!(dir.unopened().is_empty());
}

#[test]
fn what_was_known_of_a_log_is_written_down_while_it_waits() {
    let (failing, world) = stopped(in_order);
    let place =
        DamageEntry { topic: "a".into(), partition: 0, segment: 0, size: 1, from: 0, to: 1, offset: 0 };
    let notes = DamageCheckpoint { entries: vec![place] };
    notes.write(&*world.disk, root()).expect("written");
    let dir = without_it(&failing, &world);
    assert!(dir.close_clean(0).clean);
    assert_eq!(DamageCheckpoint::read(&*world.disk, root()).expect("read"), notes);
    assert_eq!(log_end(&world.open().0, "a", 0), 5);
}
