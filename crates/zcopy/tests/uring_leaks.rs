//! Ten thousand sendings leave nothing behind. Alone in its file, because it looks at the whole process.

#![cfg(feature = "uring")]

mod common;

use std::sync::Arc;

use common::{
    descriptors, file_of, forced, framed, pattern, read_in_background, ring_is_available, tcp_pair, transfer,
    until,
};
use pagewire_zcopy::{FileRange, Route};

const SENDINGS: u64 = 1_000;
const BYTES: u64 = 4_079;

/// Pinned memory of this process, in KiB.
fn pinned_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with("VmPin:")).expect("the line");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

#[test]
fn ten_thousand_sendings_leave_no_descriptor_no_buffer_and_no_locked_page() {
    let file = file_of(&pattern(100_000, 70));
    let (before, pinned) = (descriptors(), pinned_kib());
    let available = ring_is_available();
    until("the ring that told is gone", || pinned_kib() <= pinned);
    for _ in 0..10 {
        let transfer = transfer(forced(Route::Uring));
        let (sender, receiver) = tcp_pair(false);
        let len = BYTES + 29;
        let reader = read_in_background(receiver, SENDINGS * len);
        let mut by_uring = 0;
        for turn in 0..SENDINGS {
            let mut plan = framed(FileRange::new(Arc::clone(&file), turn * 90, BYTES));
            assert_eq!(plan.total(), len);
            let sent = transfer.send_blocking(&sender, &mut plan).expect("sending");
            assert_eq!(sent.by(Route::Uring) + sent.by(Route::Copy), BYTES);
            by_uring += sent.by(Route::Uring);
        }
        assert_eq!(by_uring > 0, available, "by the ring, where there is one");
        let registered = transfer.stats().snapshot().uring.buffers_registered;
        assert_eq!(pinned_kib() > pinned, registered > 0, "{registered} buffers are locked");
        assert!(pinned_kib() <= pinned + (4 << 10) + 64, "no more than one set of buffers");
        assert_eq!(transfer.buffers().usage().in_use_bytes, 0);
        reader.join().expect("the reader");
        drop((transfer, sender));
        until("the kernel lets the pages go", || pinned_kib() <= pinned);
    }
    assert_eq!(descriptors(), before);
}
