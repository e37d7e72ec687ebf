//! Nobody knows the recovery point: where the log ends, and which offset is the next.

use pagewire_disk::checkpoint::{HIGH_WATERMARK_FILE, RECOVERY_POINT_FILE};
use pagewire_disk::{Call, Errno, Fault, When};

use super::*;
use crate::home::Home;
use crate::scrub::Noted;
use crate::verify::Fate;
use crate::{Handles, OpenOptions, RecoveryReport};

const LOG: &str = "a-0/00000000000000000000.log";
const RECORDS: usize = 20;

/// Killed with so many records in batches of one, all of them stable, as the checkpoints said before `lost` went.
fn killed(lost: &[&str]) -> World {
    let world = World::new().knows("a", A);
    let config = LogConfig { segment_bytes: 1 << 20, ..world.config.clone() };
    let world = World { config, ..world };
    lived(&world, RECORDS);
    lose(&world, lost);
    world
}

fn lived(world: &World, records: usize) {
    let (dir, _) = world.open();
    let log = dir.get("a", 0).unwrap_or_else(|| world.create(&dir, "a", 0));
    append(&log, records);
    log.sync().expect("synced");
    dir.write_checkpoints().expect("written");
}

fn lose(world: &World, lost: &[&str]) {
    for file in lost {
        world.disk.remove_file(&path(file)).expect("removed");
    }
}

fn len(batches: u64) -> u64 {
    batches * batch(1).len() as u64
}

fn file(world: &World) -> Arc<dyn pagewire_disk::DiskFile> {
    world.disk.open(&path(LOG), OpenMode::ReadWrite).expect("there")
}

/// Where the log ends, and what the start said.
fn end(world: &World) -> (i64, RecoveryReport) {
    let (dir, report) = world.open();
    let end = log_end(&dir, "a", 0);
    assert_eq!(try_append(&dir.get("a", 0).expect("open"), 1).expect("appended").base_offset, end);
    (end, report.loaded.first().expect("loaded").report.clone())
}

fn cut_aside(world: &World) -> Vec<String> {
    world.files_of("a-0").into_iter().map(|(name, _)| name).filter(|name| name.contains(".cut")).collect()
}

#[test]
fn whole_batches_behind_a_destroyed_length_and_record_stay_and_their_offsets_are_not_given_out_again() {
    // The high watermark tells it; without that the batches do.
    for lost in [&[RECOVERY_POINT_FILE][..], &[RECOVERY_POINT_FILE, HIGH_WATERMARK_FILE]] {
        let world = killed(lost);
        file(&world).write_at(len(3) + 9, &[0xff]).expect("destroyed");
        file(&world).write_at(len(3) + 61, &[0xff; 6]).expect("destroyed");
        let of_the_log = found(&world, None).into_iter().filter(|finding| finding.path.ends_with(LOG));
        assert_eq!(of_the_log.map(|finding| finding.fate).collect::<Vec<_>>(), [Fate::Refused]);
        for start in 0..3 {
            let (end, report) = end(&world);
            assert_eq!((end, report.cuts.len()), (RECORDS as i64 + start, 0), "{report:?}");
            assert_eq!(cut_aside(&world), [""; 0]);
        }
        assert_eq!(world.disk.file_len(&path(LOG)).expect("there"), len(RECORDS as u64));
    }
}

#[test]
fn a_start_that_does_not_know_what_was_stable_leaves_its_index_on_the_disk() {
    let world = killed(&[RECOVERY_POINT_FILE]);
    let world = World { config: LogConfig { index_interval_bytes: 100, ..world.config.clone() }, ..world };
    let index = path("a-0/00000000000000000000.index");
    let entries = || world.disk.file_len(&index).expect("there") / 8;
    assert_eq!(entries(), 0, "made with a wider interval");
    // Killed: nothing wrote a checkpoint.
    drop(world.open());
    assert!(entries() as usize >= RECORDS - 2, "{}", entries());
}

#[test]
fn the_last_batch_of_which_only_the_length_is_destroyed_had_its_offset() {
    let world = killed(&[RECOVERY_POINT_FILE, HIGH_WATERMARK_FILE]);
    file(&world).write_at(len(19) + 9, &[0xff]).expect("destroyed");
    let (end, report) = end(&world);
    assert_eq!((end, report.cuts.len()), (20, 0), "{report:?}");
}

#[test]
fn what_a_high_watermark_with_a_checksum_says_was_given_out() {
    // Between two batches, and in one that could be taken for unfinished.
    for size in [len(15), len(15) + 90] {
        let world = killed(&[RECOVERY_POINT_FILE]);
        file(&world).set_len(size).expect("cut");
        let (end, report) = end(&world);
        assert_eq!((end, report.cuts.len()), (20, 0), "{report:?}");
        assert!(report.damage.iter().any(|lost| (lost.from, lost.upto) == (15, 20)), "{report:?}");
    }
}

#[test]
fn a_number_that_nobody_vouches_for_moves_the_end_of_no_log_that_ends_in_order() {
    let doubtful = [RECOVERY_POINT_FILE, crate::dir::SUMS_FILE];
    let world = killed(&doubtful);
    file(&world).set_len(len(15)).expect("cut");
    assert_eq!(end(&world).0, 15);
    // Among bytes that are no batch it counts, if they could have held as much.
    for (watermark, expected) in [(20, 20), (1_i64 << 40, 15)] {
        let world = killed(&doubtful);
        file(&world).set_len(len(15) + 90).expect("cut");
        world.put(HIGH_WATERMARK_FILE, format!("0\n1\na 0 {watermark}\n").as_bytes());
        assert_eq!(end(&world).0, expected);
    }
}

#[test]
fn a_leader_epoch_began_where_the_log_ended() {
    let world = killed(&[]);
    world.leader_epoch.store(7, Ordering::Relaxed);
    lived(&world, 5);
    lose(&world, &[RECOVERY_POINT_FILE, crate::dir::SUMS_FILE]);
    // The high watermark says that it came further, and the epoch how far at least.
    file(&world).set_len(len(12)).expect("cut");
    let (end, report) = end(&world);
    assert_eq!((end, report.cuts.len()), (20, 0), "{report:?}");
}

#[test]
fn a_snapshot_of_producers_is_written_when_the_log_has_come_so_far() {
    let world = World::new().knows("a", A);
    lived(&world, 9);
    let bases: Vec<i64> =
        world.open().0.get("a", 0).expect("a").segments().iter().map(|one| one.base_offset).collect();
    let [first, .., last] = bases[..] else { panic!("{bases:?}") };
    for base in bases.iter().filter(|base| **base != first) {
        for suffix in ["log", "index", "timeindex"] {
            lose(&world, &[&format!("a-0/{base:020}.{suffix}")]);
        }
    }
    lose(&world, &[RECOVERY_POINT_FILE, HIGH_WATERMARK_FILE]);
    assert!(world.has(format!("a-0/{last:020}.snapshot")));
    let (end, report) = end(&world);
    assert_eq!(end, last, "{report:?}");
}

#[test]
fn a_torn_end_is_cut_wherever_it_is_torn() {
    for torn in 1..len(1) {
        let world = killed(&[]);
        let (dir, _) = world.open();
        append(&dir.get("a", 0).expect("open"), 1);
        drop(dir);
        lose(&world, &[RECOVERY_POINT_FILE]);
        file(&world).set_len(len(RECORDS as u64) + torn).expect("torn");
        let (end, report) = end(&world);
        assert_eq!((end, report.cuts.len()), (20, 1), "{torn}: {report:?}");
    }
}

/// One batch is destroyed far from the log's end, and nobody else says how far the log had come.
fn destroy_one(world: &World) {
    file(world).write_at(len(3), &[0xff; 80]).expect("destroyed");
}

/// The checkpoint of the recovery points, with these lines.
fn checkpointed(world: &World, lines: &[&str]) {
    lose(world, &[HIGH_WATERMARK_FILE, crate::dir::SUMS_FILE]);
    let text = format!("0\n{}\n{}\n", lines.len(), lines.join("\n"));
    world.put(RECOVERY_POINT_FILE, text.as_bytes());
}

#[test]
fn a_log_is_named_in_the_checkpoint_before_it_takes_a_record() {
    let world = World::new().knows("a", A);
    let (dir, _) = world.open();
    world.create(&dir, "a", 0);
    assert!(world.get(RECOVERY_POINT_FILE).ends_with("\na 0 0\n"), "{}", world.get(RECOVERY_POINT_FILE));
}

#[test]
fn of_a_partition_that_was_moved_in_before_a_kill_nobody_knows_what_was_stable() {
    let world = killed(&[]);
    destroy_one(&world);
    checkpointed(&world, &["b 0 7"]);
    let (end, report) = end(&world);
    assert_eq!((end, report.cuts.len()), (RECORDS as i64, 0), "{report:?}");
    // A young log: named, and nothing of it was ever stable.
    let world = killed(&[]);
    destroy_one(&world);
    checkpointed(&world, &["a 0 0"]);
    assert_eq!(self::end(&world).0, 3);
}

#[test]
fn a_recovery_point_that_is_not_known_stays_so_until_the_log_could_be_opened() {
    let (failing, world) = World::failing();
    let config = LogConfig { segment_bytes: 1 << 20, ..world.config.clone() };
    let world = World { config, ..world }.knows("a", A).knows("b", B);
    lived(&world, RECORDS);
    destroy_one(&world);
    lose(&world, &[RECOVERY_POINT_FILE, HIGH_WATERMARK_FILE]);
    failing.fail_on("a-0", Call::ReadDir, When::Always, Fault::Error(Errno::ACCESS));
    for _ in 0..2 {
        let (dir, report) = world.open();
        assert_eq!(report.failed.len(), 1);
        // What others did is written, and the log is not named by that.
        if dir.get("b", 0).is_none() {
            world.create(&dir, "b", 0);
        }
        append(&dir.get("b", 0).expect("open"), 1);
        dir.get("b", 0).expect("open").sync().expect("synced");
        dir.write_checkpoints().expect("written");
    }
    failing.heal();
    let (end, report) = end(&world);
    assert_eq!((end, report.cuts.len()), (RECORDS as i64, 0), "{report:?}");
}

/// Whoever writes a checkpoint may come to it before the index entries are anybody's business.
#[test]
fn a_log_that_its_start_made_stable_may_be_named_so_at_once() {
    let world = killed(&[]);
    let home = Home::new(Arc::clone(&world.disk), path("a-0"), Handles::new(64)).witnessed(false, None);
    let options = OpenOptions {
        config: world.config.clone(),
        recovery_point: 0,
        log_start_offset: 0,
        clean: false,
        leader_epoch: 0,
        now_ms: 0,
    };
    let (log, _) = Log::open_at(home, "a", 0, options, &Noted::default()).expect("opened");
    let point = log.marks().recovery_point;
    assert_eq!((point, log.evident_point(point)), (RECORDS as i64, RECORDS as i64));
}
