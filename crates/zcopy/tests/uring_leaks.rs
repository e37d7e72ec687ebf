//! Ten thousand sendings leave nothing behind. Alone in its file, because it looks at the whole process.

#![cfg(feature = "uring")]

mod common;

use std::sync::Arc;
use std::time::Instant;

use common::{LIMIT, file_of, framed, pattern, read_in_background, tcp_pair, transfer};
use pagewire_zcopy::{FileRange, Route, TransferOptions};

/// Pinned memory of this process, in KiB.
fn pinned_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with("VmPin:")).expect("the line");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

#[test]
fn ten_thousand_sendings_leave_no_descriptor_no_buffer_and_no_locked_page() {
    let file = file_of(&pattern(100_000, 70));
    let (before, pinned) = (descriptors(), pinned_kib());
    for _ in 0..10 {
        let transfer = transfer(TransferOptions { route: Some(Route::Uring), ..TransferOptions::default() });
        let (sender, receiver) = tcp_pair(false);
        let len = 4_079 + 29;
        let reader = read_in_background(receiver, 1_000 * len);
        for turn in 0..1_000 {
            let mut plan = framed(FileRange::new(Arc::clone(&file), turn * 90, 4_079));
            assert_eq!(plan.total(), len);
            transfer.send_blocking(&sender, &mut plan).expect("sending");
        }
        assert!(pinned_kib() <= pinned + (4 << 10) + 64, "no more than one set of buffers");
        assert_eq!(transfer.buffers().usage().in_use_bytes, 0);
        reader.join().expect("the reader");
        drop((transfer, sender));
        let start = Instant::now();
        while pinned_kib() > pinned {
            assert!(start.elapsed() < LIMIT, "the kernel lets the pages go: {} KiB", pinned_kib());
            std::thread::yield_now();
        }
    }
    assert_eq!(descriptors(), before);
}
