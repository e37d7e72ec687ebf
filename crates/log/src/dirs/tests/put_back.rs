//! Segments that somebody removed under the broker, and that it has open.

use std::fs;

use pagewire_disk::OsDisk;

use super::*;

/// The machine's own disk, on which one of two directories has a log of five segments of a record each.
struct Removing {
    world: World,
    dirs: LogDirs,
    own: PathBuf,
    place: tempfile::TempDir,
}

impl Removing {
    fn new() -> Self {
        let place = tempfile::tempdir().expect("a directory");
        let paths = ["a", "b"].map(|name| place.path().join(name)).to_vec();
        let world = World { disk: FailingDisk::new(Arc::new(OsDisk::new())), paths };
        let (dirs, _) = world.open();
        let of_b = dirs.here().nth(1).expect("it").directory_id();
        dirs.create_all("t", &[(0, of_b)], &settings(), 0).expect("made");
        let log = dirs.get("t", 0).expect("served");
        log.set_config(LogConfig { segment_bytes: 80, ..LogConfig::default() });
        (0..5).for_each(|_| append(&dirs, 0));
        assert_eq!(log.segments().len(), 5);
        log.sync().expect("synced");
        dirs.here().for_each(|dir| assert!(dir.write_checkpoints().is_ok()));
        let own = place.path().join("b/t-0");
        Self { world, dirs, own, place }
    }

    fn segment(&self, base: i64) -> PathBuf {
        self.own.join(format!("{base:020}.log"))
    }

    fn look(&self) -> Option<Arc<str>> {
        self.dirs.here().for_each(|dir| dir.look());
        Some(self.dirs.get("t", 0)?.offline()?.reason)
    }

    fn taken_in(&self) -> Result<TakenIn, TakeInError> {
        self.world.take_in(
            &self.dirs,
            self.place.path().join("b").to_str().expect("text"),
            Coming::Back(None),
        )
    }

    /// From where to where the log reaches once it is opened anew, and that all of it can be read.
    fn back(&self) -> (i64, i64) {
        self.dirs.serve(self.taken_in().expect("well")).expect("alone");
        let log = self.dirs.get("t", 0).expect("served");
        let marks = log.marks();
        for offset in marks.log_start..marks.log_end {
            let read = log.read(offset, 1 << 20, crate::ReadUpTo::LogEnd, true).expect("read");
            assert!(read.range.is_some_and(|range| !range.is_empty()), "{offset}");
        }
        append(&self.dirs, 0);
        (marks.log_start, marks.log_end)
    }
}

#[test]
fn a_log_whose_directory_was_removed_comes_back_with_all_its_segments_that_are_open() {
    let it = Removing::new();
    fs::remove_dir_all(&it.own).expect("removed");
    let why = it.look().expect("offline");
    assert!(why.contains("pagewire log online") && why.contains("puts back"), "{why}");
    assert_eq!(it.back(), (0, 5));
}

#[test]
fn one_segment_that_somebody_brought_back_does_not_cost_the_others() {
    let it = Removing::new();
    let (newest, aside) = (it.segment(4), it.place.path().join("aside"));
    fs::copy(&newest, &aside).expect("copied");
    fs::remove_dir_all(&it.own).expect("removed");
    it.look().expect("offline");
    fs::create_dir(&it.own).and_then(|()| fs::copy(&aside, &newest)).expect("brought back");
    assert_eq!(it.back(), (0, 5));
}

#[test]
fn a_log_that_lacks_a_segment_which_nobody_has_open_is_not_opened_in_silence() {
    let it = Removing::new();
    it.dirs.here().for_each(|dir| dir.take_offline(std::io::ErrorKind::Other, "as the test wants"));
    it.dirs.serve(it.taken_in().expect("well")).expect("alone");
    // Closed segments are opened when they are read.
    append(&it.dirs, 0);
    let log = it.dirs.get("t", 0).expect("served");
    let is_open =
        |base| log.segments.load().iter().any(|one| one.base_offset == base && one.open_file().is_some());
    let unread = (0..5).find(|base| !is_open(*base)).expect("one that nobody has open");
    let end = log.segments().iter().find(|one| one.base_offset == unread).expect("it").next_offset - 1;
    fs::remove_file(it.segment(unread)).expect("removed");
    assert_eq!(it.look(), None, "nothing is saved by taking no writes");
    append(&it.dirs, 0);
    it.dirs.here().for_each(|dir| dir.take_offline(std::io::ErrorKind::Other, "as the test wants"));
    let refused = it.taken_in().map(drop).expect_err("it is lost").to_string();
    assert!(refused.contains(&format!("offsets {unread} to {end}, is missing")), "{refused}");
    assert!(!it.dirs.here().any(|dir| dir.is_given_up()), "what is open goes on");
}

#[test]
fn a_closed_segment_that_is_removed_is_told_and_comes_back() {
    for base in [0, 2] {
        let it = Removing::new();
        fs::remove_file(it.segment(base)).expect("removed");
        let why = it.look().expect("noticed");
        assert!(why.contains(&format!("{base:020}.log was removed")), "{why}");
        assert_eq!(it.back(), (0, 5));
    }
}

#[test]
fn a_roll_that_meets_the_removal_first_tells_the_same_way_back() {
    let it = Removing::new();
    fs::remove_dir_all(&it.own).expect("removed");
    assert!(try_append(&it.dirs, 0).is_err());
    let why = it.dirs.get("t", 0).expect("served").offline().expect("offline").reason;
    assert!(why.contains("was removed or replaced") && why.contains("pagewire log online"), "{why}");
    assert_eq!(it.back(), (0, 5));
}

#[test]
fn a_directory_that_was_moved_is_not_made_anew_from_what_is_open() {
    let it = Removing::new();
    fs::rename(&it.own, it.place.path().join("b/elsewhere")).expect("moved");
    let told = try_append(&it.dirs, 0).map(drop).expect_err("it rolls").to_string();
    assert!(told.contains("was moved away to"), "{told}");
    it.dirs.serve(it.taken_in().expect("the others")).expect("alone");
    assert!(!it.own.exists() && it.dirs.get("t", 0).is_none());
}

#[test]
fn what_has_no_room_to_come_back_leaves_nothing_half_and_comes_back_when_there_is() {
    let it = Removing::new();
    fs::remove_dir_all(&it.own).expect("removed");
    it.look().expect("offline");
    it.world.disk.fail_on(
        "00000000000000000002.log.tmp",
        Call::Write,
        When::Always,
        Fault::Error(Errno::NOSPC),
    );
    assert!(it.taken_in().is_err());
    let left: Vec<_> =
        fs::read_dir(&it.own).expect("there").flatten().map(|entry| entry.file_name()).collect();
    let halves = left.iter().filter(|name| name.to_string_lossy().ends_with(".tmp")).count();
    assert_eq!((left.len(), halves), (2, 0), "{left:?}");
    it.world.disk.heal();
    assert_eq!(it.back(), (0, 5));
}
