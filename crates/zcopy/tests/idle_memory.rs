//! A process at rest is small: after a burst, buffers, threads and their memory are given back. Alone in its file,
//! because it looks at the memory of the whole process.

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{file_of, pattern};
use pagewire_zcopy::{
    BufferPool, FileRange, IoPool, PoolOptions, Receiver, Route, SendPlan, Transfer, TransferOptions,
};

/// Anonymous memory of this process, in bytes.
fn anonymous_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).expect("the line");
    let kib: usize = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kib << 10
}

#[tokio::test]
async fn after_a_burst_nothing_is_held() {
    let buffers = BufferPool::new(PoolOptions::default());
    let io = IoPool::with_idle_max(4, 64, Duration::from_millis(5));
    let options = TransferOptions { route: Some(Route::Copy), ..TransferOptions::default() };
    let transfer = Transfer::new(options, buffers.clone(), io.clone());
    let file = file_of(&pattern(1 << 20, 1));

    let mut stream = (1_000_000i32).to_be_bytes().to_vec();
    stream.extend(pattern(1_000_000, 2));
    let mut receivers: Vec<_> = (0..60).map(|_| Receiver::new(buffers.clone())).collect();
    let mut frames = Vec::new();
    for receiver in &mut receivers {
        let mut source = &stream[..];
        while receiver.fill_from(&mut source).expect("reading") != 0 {
            frames.extend(receiver.frame(1 << 20).expect("allowed"));
        }
    }
    assert_eq!(frames.len(), 60);
    assert!(anonymous_bytes() > 60_000_000, "sixty frames of a megabyte are held");
    for _ in 0..3 {
        let (sender, receiver) = common::tokio_pair(false);
        let reader = common::read_in_background(receiver, 1 << 20);
        let mut plan = SendPlan::new();
        plan.push_file(FileRange::new(Arc::clone(&file), 0, 1 << 20));
        transfer.send(&sender, &mut plan).await.expect("sending");
        io.read_ahead(FileRange::new(Arc::clone(&file), 0, 1 << 20)).await.expect("read");
        drop(sender);
        reader.join().expect("the reader");
    }

    drop((frames, stream));
    assert!(receivers.iter().all(|receiver| !receiver.holds_buffer()));
    let usage = buffers.usage();
    assert_eq!(usage.in_use_bytes, 0);
    assert!(usage.idle_bytes <= buffers.options().idle_max_bytes);
    assert!(anonymous_bytes() < 16 << 20, "{} bytes before trimming", anonymous_bytes());
    buffers.trim();
    buffers.trim();
    assert_eq!(buffers.usage().idle_bytes, 0);
    let start = Instant::now();
    while io.threads() > 0 {
        assert!(start.elapsed() < common::LIMIT, "idle threads end");
        tokio::task::yield_now().await;
    }
    assert!(anonymous_bytes() < 8 << 20, "{} bytes at rest", anonymous_bytes());
}
