//! A lagging reader leaves the page cache as it found it, but for the lag.

mod common;

use std::fs::File;
use std::sync::Arc;

use common::{chill, file_of, pattern, read_in_background, tcp_pair, transfer};
use pagewire_zcopy::{
    DropBehind, DropBehindOptions, FileRange, IoPool, Residency, Route, SendPlan, TransferOptions,
    drop_pages, drop_pages_blocking, read_ahead_blocking, residency,
};

const MIB: u64 = 1 << 20;
const LEN: u64 = 100 * MIB;
const PAGE: u64 = 4096;

/// Bytes of the file that are in the page cache.
fn resident(file: &File, len: u64) -> u64 {
    let is_there = |at: &u64| residency(file, *at, PAGE.min(len - at)) == Residency::Resident;
    (0..len).step_by(PAGE as usize).filter(is_there).count() as u64 * PAGE
}

fn file() -> Arc<File> {
    file_of(&pattern(MIB as usize, 90).repeat(100))
}

/// Sends the file in steps, as a reader that catches up does, reading `window` bytes ahead where it is cold, and drops
/// behind it. How often a window was cold.
fn read_whole(file: &Arc<File>, window: u64, behind: &mut DropBehind) -> u64 {
    let transfer = transfer(TransferOptions { route: Some(Route::Sendfile), ..TransferOptions::default() });
    let (sender, receiver) = tcp_pair(false);
    let reader = read_in_background(receiver, LEN);
    let mut colds = 0;
    for step in 0..LEN / MIB {
        let range = FileRange::new(Arc::clone(file), step * MIB, MIB);
        if residency(file, range.offset(), range.len()) != Residency::Resident {
            colds += 1;
            let window = FileRange::new(Arc::clone(file), range.offset(), window.min(LEN - range.offset()));
            behind.was_cold(&window);
            read_ahead_blocking(&window, MIB).expect("reading");
        }
        let mut plan = SendPlan::new();
        plan.push_file(range.clone());
        transfer.send_blocking(&sender, &mut plan).expect("sending");
        for due in behind.sent(&range) {
            drop_pages_blocking(&due).expect("advice");
        }
    }
    drop(sender);
    assert_eq!(reader.join().expect("the reader").len() as u64, LEN);
    colds
}

#[test]
fn a_cold_file_leaves_the_lag_and_no_more() {
    let options = DropBehindOptions::default();
    for window in [MIB, 8 * MIB] {
        let file = file();
        if !chill(&file, LEN) {
            return;
        }
        let mut behind = DropBehind::new(options);
        let colds = read_whole(&file, window, &mut behind);
        let left = resident(&file, LEN);
        eprintln!("{colds} cold windows of {} MiB; {} MiB left", window / MIB, left / MIB);
        // A kernel that frees what was sent later, on the processor that allocated it, still holds pages of that.
        let slack = options.step_bytes + 4 * MIB;
        assert!(left <= options.lag_bytes + slack, "{left} bytes left behind {colds} cold windows");
        for rest in behind.finish() {
            drop_pages_blocking(&rest).expect("advice");
        }
        let left = resident(&file, LEN);
        assert!(left <= slack, "{left} bytes left in the end");
    }
}

#[test]
fn a_hot_file_stays_wholly_resident() {
    let file = file();
    if resident(&file, LEN) != LEN {
        return eprintln!("this system does not keep 100 MiB that were just written, or does not tell");
    }
    let mut behind = DropBehind::new(DropBehindOptions::default());
    let colds = read_whole(&file, MIB, &mut behind);
    if colds > 0 {
        return eprintln!("somebody needed the memory: {colds} windows were cold");
    }
    assert!(behind.finish().is_empty());
    assert_eq!(resident(&file, LEN), LEN);
}

#[test]
fn pages_are_dropped_on_the_pool_and_bytes_stay() {
    const PART: u64 = 2 * MIB;
    let contents = pattern(3 * PART as usize, 91);
    let file = file_of(&contents);
    file.sync_all().expect("writing out");
    let range = FileRange::new(Arc::clone(&file), 0, 3 * PART);
    let io = IoPool::new(1, 4);
    drop_pages(&io, Vec::new()).expect("nothing to do");
    assert_eq!(io.threads(), 0, "no job is made of nothing");
    drop_pages(&io, vec![range.part(0, PART), range.part(PART, 0), range.part(2 * PART, PART)])
        .expect("room");
    let (done, end) = std::sync::mpsc::channel();
    io.submit(move || done.send(()).expect("somebody waits")).expect("room");
    end.recv().expect("the one thread has dropped them");
    if resident(&file, PART) == PART {
        eprintln!("the pages stay: a file system in memory, or one that is being written");
    } else {
        assert_eq!(residency(&file, PART, PART), Residency::Resident, "an empty range is not all the file");
    }
    assert!(range.read_to_vec().expect("reading") == contents);
}
