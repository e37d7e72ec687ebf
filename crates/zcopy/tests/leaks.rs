//! Ten thousand sendings by the common routes leave no descriptor and no buffer behind. Alone in its process, which it counts
//! in.

mod common;

use std::io::Read;
use std::sync::Arc;

use common::{file_of, framed, pattern, tcp_pair, transfer};
use pagewire_zcopy::{FileRange, Route, SendPlan, TransferOptions};

/// Above what is copied unasked.
const BYTES: u64 = 9_000;

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("/proc").count()
}

/// Plans are kept, each as it was when it was sent: a finished one holds nothing but its pieces.
#[test]
fn ten_thousand_sendings_leave_no_descriptor_and_no_buffer() {
    let contents = pattern(100_000, 92);
    let file = file_of(&contents);
    let (sender, mut receiver) = tcp_pair(false);
    for route in [None, Some(Route::Copy), Some(Route::Sendfile), Some(Route::Direct)] {
        let transfer = transfer(TransferOptions { route, ..TransferOptions::default() });
        let (before, mut plans) = (descriptors(), Vec::new());
        for turn in 0..10_000 {
            let offset = turn * 9;
            let mut plan: SendPlan = framed(FileRange::new(Arc::clone(&file), offset, BYTES));
            transfer.send_blocking(&sender, &mut plan).expect("sending");
            let mut received = vec![0; plan.total() as usize];
            receiver.read_exact(&mut received).expect("reading");
            assert!(received[22..][..BYTES as usize] == contents[offset as usize..][..BYTES as usize]);
            plans.push(plan);
        }
        let usage = transfer.buffers().usage();
        assert_eq!((descriptors(), usage.in_use_bytes), (before, 0), "{route:?}");
        assert!(usage.mapped <= 2, "{route:?}: a buffer or two served all: {usage:?}");
        assert_eq!(
            Arc::strong_count(&file),
            1 + plans.len(),
            "{route:?}: pieces keep their file, nobody else"
        );
    }
}
