//! Buffers and threads: bounded, reused, and gone when nobody needs them.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use common::until;
use pagewire_zcopy::{BufferPool, DirectBuffer, IoPool, PoolFull, PoolOptions};

const KIB: usize = 1 << 10;

fn pool(max_bytes: usize, idle_max_bytes: usize) -> BufferPool {
    BufferPool::new(PoolOptions { max_bytes, idle_max_bytes, ..PoolOptions::default() })
}

#[test]
fn every_buffer_starts_on_a_page() {
    let pool = pool(100 << 20, 0);
    for len in [0, 1, 64 * KIB, 64 * KIB + 1, 1 << 20, (1 << 20) + 1, 5_000_001] {
        let buffer = pool.take(len).expect("room");
        assert!(buffer.len() >= len && (buffer.as_ptr() as usize).is_multiple_of(4096));
        assert!(len <= 4 << 20 || buffer.len() == len, "beyond the classes exactly what was asked for");
    }
    assert!(DirectBuffer::unpooled(0).is_err());
}

#[test]
fn a_dropped_buffer_is_the_next_one_taken() {
    let pool = pool(1 << 20, 1 << 20);
    let mut first = pool.take(1).expect("room");
    let address = first.as_ptr();
    first[0] = 1;
    drop(first);
    assert_eq!(pool.take(60 * KIB).expect("room").as_ptr(), address);
    let usage = pool.usage();
    assert_eq!((usage.mapped, usage.reused, usage.in_use_bytes, usage.idle_bytes), (1, 1, 0, 64 * KIB));
}

#[test]
fn the_bound_counts_what_is_out_and_idle_buffers_make_way() {
    let pool = pool(256 * KIB, 256 * KIB);
    let small: Vec<_> = (0..4).map(|_| pool.take(1).expect("room")).collect();
    assert!(pool.take(1).is_err() && pool.take(256 * KIB).is_err());
    drop(small);
    assert_eq!(pool.usage().idle_bytes, 256 * KIB);
    let large = pool.take(256 * KIB).expect("the idle ones were given back");
    assert_eq!((pool.usage().idle_bytes, pool.usage().in_use_bytes), (0, 256 * KIB));
    assert!(pool.take(1).is_err());
    drop(large);
    assert_eq!(pool.usage().exhausted, 3);
}

#[test]
fn only_so_many_idle_buffers_are_kept_and_trimming_keeps_what_is_used() {
    let pool = pool(100 << 20, 256 * KIB);
    drop((0..10).map(|_| pool.take(1).expect("room")).collect::<Vec<_>>());
    assert_eq!(pool.usage().idle_bytes, 256 * KIB);
    pool.trim();
    drop((0..3).map(|_| pool.take(1).expect("room")).collect::<Vec<_>>());
    pool.trim();
    assert_eq!(pool.usage().idle_bytes, 3 * 64 * KIB, "one of four was not needed");
    pool.trim();
    assert_eq!(pool.usage().idle_bytes, 0, "nobody needed any since");
}

#[test]
fn a_buffer_is_charged_whole_whatever_its_size() {
    let pool = pool(8 << 20, 0);
    assert!(pool.take(1 << 30).is_err(), "address space is not memory, but who has it may fill it");
    let mut out = Vec::new();
    while let Ok(buffer) = pool.take(2 << 20) {
        assert_eq!((buffer.len(), buffer.charged_bytes()), (4 << 20, 4 << 20));
        out.push(buffer);
        assert!(pool.usage().in_use_bytes <= 8 << 20);
    }
    assert!(!out.is_empty() && pool.usage().in_use_bytes == out.len() * (4 << 20));
    drop(out);
    assert_eq!(pool.usage().in_use_bytes, 0);
}

#[test]
fn a_frozen_buffer_returns_with_its_last_slice() {
    let pool = pool(1 << 20, 1 << 20);
    let mut buffer = pool.take(1).expect("room");
    buffer[..3].copy_from_slice(b"abc");
    let slice = buffer.freeze().slice(1..3);
    assert_eq!((&slice[..], pool.usage().idle_bytes), (&b"bc"[..], 0));
    drop(slice);
    assert_eq!(pool.usage().idle_bytes, 64 * KIB);
}

#[test]
fn threads_start_with_work_and_end_without() {
    let io = IoPool::with_idle_max(3, 100, Duration::from_millis(5));
    assert_eq!(io.threads(), 0);
    let done = Arc::new(AtomicUsize::new(0));
    for _ in 0..50 {
        let done = Arc::clone(&done);
        io.submit(move || {
            let _ = done.fetch_add(1, Ordering::Relaxed);
        })
        .expect("room");
    }
    assert!((1..=3).contains(&io.threads()));
    until("all jobs run", || done.load(Ordering::Relaxed) == 50);
    until("all threads end", || io.threads() == 0);
}

#[test]
fn an_urgent_job_waits_for_no_other() {
    let io = IoPool::new(1, 1);
    let (open, gate) = mpsc::channel::<()>();
    io.submit(move || {
        let _ = gate.recv();
    })
    .expect("room");
    until("the thread has it", || io.queued() == 0);
    io.submit(|| ()).expect("one may wait");
    assert_eq!(io.submit(|| ()), Err(PoolFull));
    let (tell, told) = mpsc::channel();
    io.submit_urgent(move || {
        let _ = tell.send(());
    })
    .expect("a queue of its own");
    assert_eq!(told.recv_timeout(Duration::from_secs(30)), Ok(()));
    drop(open);
}

#[test]
fn a_full_queue_refuses_and_dropping_the_pool_finishes_what_was_accepted() {
    let io = IoPool::new(1, 2);
    let (open, gate) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    io.submit(move || {
        let _ = gate.recv();
    })
    .expect("room");
    until("the thread has it", || io.queued() == 0);
    for at in 0..2 {
        let tell = tell.clone();
        io.submit(move || {
            let _ = tell.send(at);
        })
        .expect("room");
    }
    assert_eq!(io.submit(|| ()), Err(PoolFull));
    drop((io, tell));
    open.send(()).expect("opening");
    assert_eq!(told.iter().collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test]
async fn a_job_answers_and_its_panic_reaches_the_caller_only() {
    let io = IoPool::new(1, 2);
    assert_eq!(io.run(|| 6 * 7).await, Ok(42));
    let failing = io.clone();
    let panicked = tokio::spawn(async move { failing.run(|| panic!("on purpose")).await }).await;
    assert!(panicked.expect_err("it panics").is_panic());
    assert_eq!(io.run(|| 1).await, Ok(1), "the thread lives");
}

#[tokio::test]
async fn a_dropped_wait_does_not_stop_the_job() {
    let io = IoPool::new(1, 2);
    let (tell, told) = mpsc::channel();
    let job = io.run(move || tell.send(7));
    let first = {
        let mut job = std::pin::pin!(job);
        std::future::poll_fn(|cx| std::task::Poll::Ready(job.as_mut().poll(cx).is_ready())).await
    };
    let _ = first;
    assert_eq!(told.recv_timeout(Duration::from_secs(30)), Ok(7));
}
