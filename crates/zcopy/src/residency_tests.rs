//! Every rung tells hot from cold, and takes over when those before it are missing.

use std::io::Write;
use std::num::NonZeroU64;

use rustix::fs::{Advice, fadvise, fstat};
use rustix::process::geteuid;

use std::os::fd::AsFd;

use super::*;

const LEN: u64 = 1 << 20;
const PAGE: u64 = 4096;
const NO_CACHESTAT: Rungs = Rungs { cachestat: false, ..ALL };
const PROBES_ONLY: Rungs = Rungs { cachestat: false, mincore: false };

fn hot_file() -> File {
    let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).expect("a temporary file");
    // Page by page: what is written in one go may share a folio, which is dropped as a whole or not at all.
    for _ in 0..LEN / PAGE {
        file.write_all(&[7; PAGE as usize]).expect("writing");
    }
    file
}

/// Drops pages from the cache. Whether the first is gone: a file system in memory keeps them. Nothing is probed here,
/// since a probe may start to read.
fn chill(file: &File, offset: u64, len: u64) -> bool {
    for _ in 0..50 {
        file.sync_all().expect("writing out");
        fadvise(file, offset, NonZeroU64::new(len), Advice::DontNeed).expect("advice");
        if !sys::all_in_core(file.as_fd(), offset, 1).expect("our own file") {
            return true;
        }
    }
    eprintln!("the pages stay: the source directory is on a file system in memory");
    false
}

fn asked(rungs: Rungs, file: &File, offset: u64, len: u64) -> (Residency, ToldBy) {
    ask(rungs, file.as_fd(), offset, len)
}

#[test]
fn each_rung_takes_over_where_the_one_before_is_missing() {
    let file = hot_file();
    let (residency, told_by) = asked(ALL, &file, 0, LEN);
    assert_eq!(residency, Residency::Resident);
    if told_by != ToldBy::Cachestat {
        eprintln!("cachestat is not to be had here: {told_by:?} tells");
    }
    assert_eq!(asked(NO_CACHESTAT, &file, 0, LEN), (Residency::Resident, ToldBy::Mincore));
    assert_eq!(asked(PROBES_ONLY, &file, 0, LEN), (Residency::Resident, ToldBy::Probes));
}

#[test]
fn rungs_that_count_know_a_cold_file() {
    for rungs in [ALL, NO_CACHESTAT] {
        let file = hot_file();
        if chill(&file, 0, LEN) {
            let (residency, told_by) = asked(rungs, &file, 5, LEN - 5);
            assert!(told_by == ToldBy::Probes || residency == Residency::Cold, "{rungs:?} by {told_by:?}");
        }
    }
}

/// A probe starts to read what is cold, and a quick disk may have it there before the probe has ended.
#[test]
fn what_probes_call_resident_is_there_by_then() {
    let file = hot_file();
    if chill(&file, 0, LEN) {
        let (residency, told_by) = asked(PROBES_ONLY, &file, 5, 1);
        assert_eq!(told_by, ToldBy::Probes);
        let is_there = sys::all_in_core(file.as_fd(), 0, 1).expect("our own file");
        assert!(residency == Residency::Cold || is_there, "{residency:?}");
    }
}

#[test]
fn counting_rungs_find_the_one_page_that_is_missing() {
    for rungs in [ALL, NO_CACHESTAT] {
        let file = hot_file();
        if chill(&file, LEN / 2 + 2 * PAGE, PAGE) {
            let (residency, told_by) = asked(rungs, &file, 0, LEN);
            assert!(told_by == ToldBy::Probes || residency == Residency::Cold, "{rungs:?} by {told_by:?}");
        }
    }
}

#[test]
fn a_range_beyond_the_end_is_cold_to_those_who_count() {
    let file = hot_file();
    for rungs in [ALL, NO_CACHESTAT] {
        assert_eq!(asked(rungs, &file, LEN - 1, PAGE + 1).0, Residency::Cold, "{rungs:?}");
        assert_eq!(asked(rungs, &file, 1 << 40, 1).0, Residency::Cold, "{rungs:?}");
    }
}

#[test]
fn more_than_a_piece_is_asked_about_piece_by_piece() {
    let file = hot_file();
    file.set_len(100 << 20).expect("growing");
    assert_eq!(asked(NO_CACHESTAT, &file, 0, 100 << 20), (Residency::Cold, ToldBy::Mincore));
    assert_eq!(asked(NO_CACHESTAT, &file, 0, MINCORE_MAX + 1), (Residency::Unknown, ToldBy::Probes));
}

#[test]
fn mincore_is_not_asked_about_a_file_of_somebody_else() {
    // Every process may read it, and the kernel would say that all of it is there.
    let somebodys = File::open("/proc/1/status").or_else(|_| File::open("/proc/version")).expect("a file");
    if fstat(&somebodys).expect("its owner").st_uid == geteuid().as_raw() {
        eprintln!("this process owns every file there is; asserting that it may ask about its own");
        assert!(os::is_ours(hot_file().as_fd()));
    } else {
        assert!(!os::is_ours(somebodys.as_fd()));
    }
}

#[test]
fn no_bytes_are_resident_and_impossible_ones_unknown() {
    let file = hot_file();
    assert_eq!(asked(ALL, &file, 5, 0), (Residency::Resident, ToldBy::Nobody));
    assert_eq!(asked(ALL, &file, u64::MAX, 2), (Residency::Unknown, ToldBy::Nobody));
}
