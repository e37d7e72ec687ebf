//! What a start takes away is away for good before anything is written in its place, and what it keeps beside the log is there
//! before the log lacks it: whichever names a power cut takes back.

use std::path::Path;
use std::sync::Arc;

use pagewire_disk::{Call, Disk, Errno, FailingDisk, Fault, ForgettingDisk, OpenMode, When, read_small};
use pagewire_log::{Log, LogError, OpenOptions};

use super::with_recovery_point;
use crate::support::*;

/// What is left when nothing reached the disk but what was synced.
fn cut(disk: &ForgettingDisk) -> ForgettingDisk {
    disk.crash(0).expect("crash")
}

/// Two whole segments and more behind a first one, all of it stable; no checkpoint says so.
fn filled() -> (ForgettingDisk, Bench) {
    let disk = ForgettingDisk::new();
    let bench = Bench::on(Arc::new(disk.clone()), options());
    bench.append(sequenced(9, 0, 0, 1));
    bench.fill(60);
    bench.log.sync().expect("sync");
    (disk, bench)
}

fn flip(disk: &ForgettingDisk, file: &str, at: u64) {
    let file = disk.open(&path(file), OpenMode::ReadWrite).expect("open");
    let mut byte = [0];
    file.read_exact_at(at, &mut byte).expect("read");
    file.write_at(at, &[byte[0] ^ 0xff]).and_then(|()| file.sync_data()).expect("flipped");
}

fn with_suffix(disk: &ForgettingDisk, suffix: &str) -> Vec<String> {
    names(disk).into_iter().filter(|name| name.ends_with(suffix)).collect()
}

fn remove(disk: &ForgettingDisk, files: impl IntoIterator<Item = String>) {
    files.into_iter().for_each(|file| disk.remove_file(&path(&file)).expect("removed"));
    disk.sync_dir(Path::new(DIR)).expect("for good");
}

/// The log may soon have grown up to where they begin, and be followed by records of another time. Snapshots of producers that go
/// with them would hide it: these stay away for good.
#[test]
fn segments_behind_a_cut_do_not_come_back() {
    let (disk, bench) = filled();
    let first = bench.log.segments()[0];
    drop(bench);
    remove(&disk, with_suffix(&disk, ".snapshot"));
    // Nothing good lies behind it in its file, so nothing else is done there.
    flip(&disk, &name(0, "log"), first.size_bytes - 1);
    let bench = Bench::on(Arc::new(disk.clone()), options());
    assert!(bench.report.cuts.len() > 2, "{:?}", bench.report);
    assert_eq!(with_suffix(&cut(&disk), ".log"), [name(0, "log")]);
}

/// It would tell of producers that never were. A younger one of the log's own would hide it: that is made stable with its name.
#[test]
fn a_snapshot_of_producers_from_past_the_end_does_not_come_back() {
    let (disk, bench) = filled();
    let segments = bench.log.segments();
    let end = segments[1].next_offset;
    drop(bench);
    let files = |base: i64| ["log", "index", "timeindex"].map(|suffix| name(base, suffix));
    let gone = segments[2..].iter().flat_map(|segment| files(segment.base_offset));
    remove(&disk, gone.chain([name(end, "snapshot")]));
    let past = |disk: &ForgettingDisk| {
        with_suffix(disk, ".snapshot").into_iter().filter(|file| *file > name(end, "snapshot")).count()
    };
    assert!(past(&cut(&disk)) > 0);
    let bench = Bench::on(Arc::new(disk.clone()), with_recovery_point(end, false));
    assert_eq!(bench.log.marks().log_end, end, "{:?}", bench.report);
    assert_eq!(past(&cut(&disk)), 0);
}

#[test]
fn what_is_cut_off_is_beside_the_log_before_the_log_lacks_it() {
    let (filled, bench) = filled();
    let active = *bench.log.segments().last().expect("active");
    let (log, aside) = (name(active.base_offset, "log"), ".cut");
    drop(bench);
    // Of its first batch; those behind it are good.
    flip(&filled, &log, 70);
    let mut steps = 0;
    for stop in 1.. {
        let disk = cut(&filled);
        disk.die_in(stop, 1);
        let opened = Log::open(Arc::new(disk.clone()), Path::new(DIR), "t", 0, options());
        let left = cut(&disk);
        let len = left.file_len(&path(&log)).expect("a file");
        let kept: u64 = (with_suffix(&left, aside).iter())
            .map(|name| {
                read_small(&left, &path(name), 1 << 20).expect("read").map_or(0, |bytes| bytes.len() as u64)
            })
            .sum();
        assert!(len == active.size_bytes || kept == active.size_bytes, "step {stop}: {len} and {kept} bytes");
        if !disk.is_dead() {
            assert_eq!((opened.is_ok(), len, kept), (true, 0, active.size_bytes));
            break;
        }
        steps = stop;
    }
    assert!(steps > 3, "{steps}");
}

/// Retention would rely on it, and knows only of those that this process writes.
#[test]
fn a_snapshot_that_a_start_cannot_make_stable_is_no_success() {
    let (disk, bench) = filled();
    drop(bench);
    let failing = FailingDisk::new(Arc::new(disk.killed()));
    failing.fail_on(".snapshot", Call::SyncData, When::Nth(1), Fault::Error(Errno::IO));
    let open = || Log::open(Arc::new(failing.clone()), Path::new(DIR), "t", 0, options());
    assert!(matches!(open(), Err(LogError::Io { .. })), "it opens");
    assert!(open().is_ok());
}

/// Those before it go as the log rolls on, and so may the records of who is in it.
#[test]
fn a_sync_makes_the_snapshots_of_producers_stable() {
    let disk = ForgettingDisk::new();
    let bench = Bench::on(Arc::new(disk.clone()), options());
    bench.append(sequenced(9, 0, 0, 1));
    bench.fill(20);
    let stable = bench.log.sync().expect("sync");
    bench.log.delete_records_before(stable).expect("delete");
    assert!(bench.log.apply_retention(0).expect("retention").segments > 0);
    // So many that none is left of those that retention made stable.
    let mut stable = stable;
    for _ in 0..20 {
        bench.fill(20);
        stable = bench.log.sync().expect("sync");
    }
    let options = OpenOptions { log_start_offset: 1, ..with_recovery_point(stable, false) };
    let bench = Bench::on(Arc::new(cut(&disk)), options);
    assert!(bench.append(sequenced(9, 0, 0, 1)).duplicate, "{:?}", bench.report);
}
