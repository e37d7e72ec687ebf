//! What is not in the page cache is read on the I/O pool, never on the event loop, and arrives whole.

mod common;

use std::{fs::File, os::fd::BorrowedFd, sync::Arc};

use common::{
    Moody, chill, expected, file_of, forced, framed, once, pattern, read_in_background, tokio_pair, transfer,
    transfer_over,
};
use pagewire_zcopy::{
    BufferPool, FileRange, IoPool, PoolOptions, Residency, Route, SendPlan, Sent, Transfer, TransferOptions,
    read_ahead_blocking, residency,
};

async fn send(transfer: &Transfer, plan: &mut SendPlan) -> Sent {
    let (sender, receiver) = tokio_pair(false);
    let reader = read_in_background(receiver, plan.total());
    let sent = tokio::time::timeout(common::LIMIT, transfer.send(&sender, plan)).await;
    drop(sender);
    assert!(reader.join().expect("the reader") == expected(plan));
    sent.expect("in time").expect("sending")
}

#[test]
fn a_file_just_written_is_resident_and_a_dropped_one_cold() {
    let len = 1_000_000;
    let file = file_of(&pattern(len, 20));
    let len = len as u64;
    assert_eq!(residency(&file, 0, len), Residency::Resident);
    assert_eq!(residency(&file, 5, 0), Residency::Resident);
    assert_eq!(residency(&file, u64::MAX, 2), Residency::Unknown);
    if chill(&file, len) {
        assert_eq!(residency(&file, 500_000, 1), Residency::Cold);
        let range = FileRange::new(Arc::clone(&file), 100_000, len);
        assert_eq!(read_ahead_blocking(&range, u64::MAX).expect("reading"), 900_000, "up to the end");
        assert_eq!(residency(&file, 100_000, 900_000), Residency::Resident);
    }
}

#[tokio::test]
async fn a_cold_range_is_offloaded_and_arrives_whole() {
    for route in [Route::Copy, Route::Sendfile, Route::Splice, Route::Mmap] {
        let contents = pattern(3_000_000, 21);
        let file = file_of(&contents);
        let transfer = transfer(TransferOptions { route: Some(route), ..TransferOptions::default() });
        let mut plan = framed(FileRange::new(Arc::clone(&file), 0, 3_000_000));
        let cold = chill(&file, 3_000_000);
        let sent = send(&transfer, &mut plan).await;
        if cold {
            // A disk may be quick enough for reads that do not wait, which is how copy finds out.
            assert!(route == Route::Copy || sent.cold_offloads >= 1, "{route:?}: {sent:?}");
            assert_eq!(transfer.stats().snapshot().cold_offloads, sent.cold_offloads);
        }
        assert_eq!(sent.by(route), 3_000_000);
        plan.clear();
        plan.push_file(FileRange::new(file, 0, 3_000_000));
        let sent = send(&transfer, &mut plan).await;
        assert_eq!(sent.cold_offloads, 0, "{route:?}: it is warm now");
    }
}

#[tokio::test]
async fn a_cold_small_piece_is_offloaded_and_arrives_whole() {
    // A disk may be quick enough for a read that does not wait, so the kernel of the test says what is cold.
    let moody = Moody { reads_are_cold: true, ..Moody::default() };
    let transfer = transfer_over(TransferOptions::default(), moody);
    let file = file_of(&pattern(100_000, 22));
    let sent = send(&transfer, &mut framed(FileRange::new(file, 50_000, 3_000))).await;
    assert_eq!((sent.by(Route::Copy), sent.memory_bytes, sent.cold_offloads), (3_000, 29, 1), "{sent:?}");
}

#[tokio::test]
async fn what_a_probe_always_calls_cold_still_gets_on() {
    let moody = Moody { cold_every: 1, reads_are_cold: true, ..Moody::default() };
    let options = TransferOptions { turn_bytes: 100_000, ..TransferOptions::default() };
    let transfer = transfer_over(options, moody);
    let mut plan = framed(FileRange::new(file_of(&pattern(1_000_000, 23)), 0, 1_000_000));
    let sent = send(&transfer, &mut plan).await;
    assert!(sent.cold_offloads >= 1 && sent.cold_offloads < 40, "at most about one a turn: {sent:?}");
}

/// What a file system without `RWF_NOWAIT` answers; it may say all the same that the pages are there.
#[tokio::test]
async fn where_reading_without_waiting_is_refused_resident_pieces_need_no_pool() {
    const EOPNOTSUPP: i32 = 95;
    let moody = Moody { read_now_error: Some(EOPNOTSUPP), ..Moody::default() };
    let transfer = transfer_over(TransferOptions::default(), moody);
    let sent = send(&transfer, &mut framed(FileRange::new(file_of(&pattern(50_000, 25)), 0, 3_000))).await;
    assert_eq!((sent.by(Route::Copy), sent.cold_offloads), (3_000, 0), "{sent:?}");
}

#[tokio::test]
async fn one_look_serves_the_calls_of_a_whole_piece() {
    let moody = Moody::default();
    let looks = Arc::clone(&moody.looks);
    let options = TransferOptions { turn_bytes: 10_000, ..TransferOptions::default() };
    let transfer = transfer_over(options, moody);
    let sent = send(&transfer, &mut framed(FileRange::new(file_of(&pattern(200_000, 26)), 0, 200_000))).await;
    assert!(sent.calls > 20, "{sent:?}");
    let looks = looks.load(std::sync::atomic::Ordering::Relaxed);
    assert!(
        looks <= 1 + sent.would_block,
        "{looks} looks: one, and one after each wait for the socket: {sent:?}"
    );
}

#[tokio::test]
async fn a_busy_pool_is_waited_for() {
    let io = IoPool::new(1, 1);
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let stuck = io.clone();
    let blocker = tokio::spawn(async move { stuck.run(move || gate.recv()).await });
    while io.threads() == 0 || io.queued() > 0 {
        tokio::task::yield_now().await;
    }
    io.submit(|| ()).expect("the one place in the queue");
    let moody = Moody { cold_every: 1, ..Moody::default() };
    let buffers = BufferPool::new(PoolOptions::default());
    let transfer = Transfer::with_calls(TransferOptions::default(), buffers, io, Box::new(moody));
    let (sender, receiver) = tokio_pair(false);
    let mut plan = framed(FileRange::new(file_of(&pattern(100_000, 24)), 0, 100_000));
    let reader = read_in_background(receiver, plan.total());
    {
        let mut sending = std::pin::pin!(transfer.send(&sender, &mut plan));
        for _ in 0..20 {
            let polled = once(sending.as_mut()).await;
            assert!(polled.is_pending(), "nothing cold is sent while nobody can read it");
            tokio::task::yield_now().await;
        }
        open.send(()).expect("opening the gate");
        let sent = tokio::time::timeout(common::LIMIT, sending).await.expect("in time").expect("sending");
        assert!(sent.cold_offloads > 0);
    }
    drop(sender);
    assert!(reader.join().expect("the reader") == expected(&plan));
    blocker.await.expect("the blocker").expect("room").expect("the gate");
}

/// A file of another length is on another device.
fn device_by_length(file: BorrowedFd<'_>) -> u64 {
    let file = File::from(file.try_clone_to_owned().expect("a descriptor"));
    file.metadata().expect("metadata").len()
}

#[tokio::test]
async fn a_device_that_does_not_answer_holds_up_nobody_who_reads_from_another() {
    for route in [Route::Copy, Route::Sendfile, Route::Direct] {
        let io = IoPool::new(1, 1);
        let moody =
            Moody { cold_every: 1, reads_are_cold: true, device: Some(device_by_length), ..Moody::default() };
        let buffers = BufferPool::new(PoolOptions::default());
        let transfer = Transfer::with_calls(forced(route), buffers, io.clone(), Box::new(moody));
        let of = |len: usize| framed(FileRange::new(file_of(&pattern(len, 29)), 0, 50_000));
        send(&transfer, &mut of(100_000)).await;
        let (open, gate) = std::sync::mpsc::channel::<()>();
        io.submit(move || _ = gate.recv()).expect("room");
        while io.queued() > 0 {
            tokio::task::yield_now().await;
        }
        io.submit(|| ()).expect("the one place in the queue");
        let sent = send(&transfer, &mut of(200_000)).await;
        assert!(sent.cold_offloads > 0, "{route:?}: {sent:?}");
        drop(open);
    }
}

/// What one reader had read ahead is in the page cache for all; only that reader lagged.
#[tokio::test]
async fn a_second_reader_of_what_was_cold_once_is_not_taken_for_one_who_lags() {
    let len = 3_000_000;
    let file = file_of(&pattern(len, 27));
    let transfer = transfer(TransferOptions::default());
    if !chill(&file, len as u64) {
        return;
    }
    let all = || framed(FileRange::new(Arc::clone(&file), 0, len as u64));
    let (mut first, mut second) = (all(), all());
    send(&transfer, &mut first).await;
    assert!(!first.read_ahead_windows().is_empty());
    let queued = transfer.io().queued();
    send(&transfer, &mut second).await;
    assert!(second.read_ahead_windows().is_empty(), "{:?}", second.read_ahead_windows());
    assert_eq!(transfer.io().queued(), queued, "and it gives the pool nothing to do");
}

/// Small responses of one file, one after another, as a consumer that is awake fetches them.
#[tokio::test]
async fn whoever_reads_on_is_not_looked_at_for_every_response() {
    const LEN: u64 = 4 << 20;
    const RESPONSE: u64 = 16 << 10;
    let moody = Moody::default();
    let looks = Arc::clone(&moody.looks);
    let transfer = transfer_over(forced(Route::Sendfile), moody);
    let file = file_of(&pattern(LEN as usize, 28));
    let (sender, receiver) = tokio_pair(false);
    let reader = read_in_background(receiver, LEN);
    let mut plan = SendPlan::new();
    for at in (0..LEN).step_by(RESPONSE as usize) {
        plan.clear();
        plan.push_file(FileRange::new(Arc::clone(&file), at, RESPONSE));
        transfer.send(&sender, &mut plan).await.expect("sending");
    }
    drop(sender);
    assert!(reader.join().expect("the reader") == pattern(LEN as usize, 28));
    let looks = looks.load(std::sync::atomic::Ordering::Relaxed);
    // One for each 2 MiB, a few more at the end of the file, and one after each wait of a tenth of a second.
    assert!(looks < LEN / RESPONSE / 4, "{looks} looks for {} responses", LEN / RESPONSE);
}
