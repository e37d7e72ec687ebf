//! A sending dropped at any await, and taken up again, loses nothing and doubles nothing.

mod common;

use std::io::Read;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use bytes::Bytes;
use common::{LIMIT, Moody, expected, file_of, framed, once, pattern, tokio_pair, transfer_over};
use pagewire_zcopy::{FileRange, Route, SendPlan, TransferOptions};

const ROUTES: [Option<Route>; 5] =
    [None, Some(Route::Copy), Some(Route::Sendfile), Some(Route::Splice), Some(Route::Mmap)];

fn plan() -> SendPlan {
    let file = file_of(&pattern(900_000, 30));
    let mut plan = SendPlan::new();
    for (offset, len) in [(0, 300_000), (1, 5_000), (300_000, 8_193), (7, 500_000)] {
        plan.push_bytes(Bytes::from(pattern(50, offset)));
        plan.push_file(FileRange::new(Arc::clone(&file), offset, len));
    }
    plan
}

/// Sends with every future dropped after `polls` polls, the peer reading between. Each eighth is polled longer before
/// it is dropped, so that work on another thread, whose result may go with the future, gets somewhere. Returns how
/// often there was such work.
async fn send_in_pieces(route: Option<Route>, polls: usize, moody: Moody) -> u64 {
    let options = TransferOptions { route, turn_bytes: 50_000, ..TransferOptions::default() };
    let transfer = transfer_over(options, moody);
    let (sender, mut receiver) = tokio_pair(true);
    receiver.set_nonblocking(true).expect("non-blocking");
    let mut plan = plan();
    let expected = expected(&plan);
    let (mut received, mut buffer) = (Vec::new(), [0; 3_000]);
    let (mut dropped, mut attempts, mut done) = (0, 0usize, false);
    while received.len() < expected.len() {
        if !done {
            let mut sending = pin!(transfer.send(&sender, &mut plan));
            attempts += 1;
            for _ in 0..if attempts.is_multiple_of(8) { 100 * polls } else { polls } {
                if let Poll::Ready(answer) = once(sending.as_mut()).await {
                    answer.expect("sending");
                    done = true;
                    break;
                }
                tokio::task::yield_now().await;
            }
            dropped += usize::from(!done);
        }
        match receiver.read(&mut buffer) {
            Ok(n) => received.extend_from_slice(&buffer[..n]),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        }
        assert!(received.len() as u64 <= plan.sent(), "nothing arrives that the cursor does not know of");
        tokio::task::yield_now().await;
    }
    assert!(done || plan.is_done());
    assert!(received == expected, "{route:?}, dropped after {polls} polls");
    assert!(dropped > 3, "it was dropped {dropped} times");
    transfer.stats().snapshot().cold_offloads
}

#[tokio::test]
async fn dropped_while_the_socket_is_full_or_others_have_their_turn() {
    for route in ROUTES {
        for polls in 1..4 {
            let sending = send_in_pieces(route, polls, Moody::default());
            tokio::time::timeout(LIMIT, sending).await.expect("in time");
        }
    }
}

#[tokio::test]
async fn dropped_while_buffers_of_a_ring_are_in_flight() {
    for polls in 1..4 {
        for cold_every in [0, 3] {
            let moody = Moody { cold_every, reads_are_cold: cold_every != 0, ..Moody::default() };
            let sending = send_in_pieces(Some(Route::Uring), polls + cold_every as usize, moody);
            tokio::time::timeout(LIMIT, sending).await.expect("in time");
        }
    }
}

/// Even if nobody ever waits for it, a read past the page cache goes on, and the next sending finds what it read.
#[tokio::test]
async fn dropped_while_a_range_is_read_past_the_page_cache() {
    for polls in 1..5 {
        let moody = Moody { interrupt_every: 7, ..Moody::default() };
        let reads = Arc::clone(&moody.direct_reads);
        let sending = send_in_pieces(Some(Route::Direct), polls, moody);
        tokio::time::timeout(LIMIT, sending).await.expect("in time");
        let reads = reads.load(Ordering::Relaxed);
        assert!(reads <= 4, "four pieces are read once each, not {reads} times");
    }
}

#[tokio::test]
async fn dropped_while_a_cold_range_is_read_ahead() {
    for route in ROUTES {
        for polls in 2..5 {
            // Copy reads and sees; the others ask first, and seldom.
            let reads_are_cold = route == Some(Route::Copy);
            let moody = Moody { cold_every: 1, reads_are_cold, interrupt_every: 7, ..Moody::default() };
            let sending = send_in_pieces(route, polls, moody);
            let offloads = tokio::time::timeout(LIMIT, sending).await.expect("in time");
            assert!(offloads > 0, "{route:?}: it was cold");
        }
    }
}

#[tokio::test]
async fn a_long_sending_lets_other_tasks_of_its_thread_run() {
    let options = TransferOptions { turn_bytes: 16 << 10, ..TransferOptions::default() };
    let transfer = transfer_over(options, Moody::default());
    let (sender, receiver) = tokio_pair(false);
    let mut plan = plan();
    let reader = common::read_in_background(receiver, plan.total());
    let other = tokio::spawn(async {
        let mut turns = 0u64;
        loop {
            turns += 1;
            if turns == 10 {
                return;
            }
            tokio::task::yield_now().await;
        }
    });
    transfer.send(&sender, &mut plan).await.expect("sending");
    assert!(other.is_finished(), "on the one thread there is, it ran between the turns");
    assert!(transfer.stats().snapshot().turns >= 10);
    reader.join().expect("the reader");
}

#[tokio::test]
async fn who_has_sent_a_turn_and_is_done_does_not_wait_and_who_sends_on_and_on_does() {
    let turn_bytes = 16 << 10;
    let transfer =
        transfer_over(TransferOptions { turn_bytes, ..TransferOptions::default() }, Moody::default());
    let (sender, receiver) = tokio_pair(false);
    let file = file_of(&vec![7; turn_bytes as usize]);
    let answer = || framed(FileRange::new(Arc::clone(&file), 0, turn_bytes.into()));
    let reader = common::read_in_background(receiver, 5 * answer().total());
    // What it took to read the request.
    tokio::task::consume_budget().await;
    for answers in 1..=5 {
        transfer.send(&sender, &mut answer()).await.expect("sending");
        assert!(transfer.stats().snapshot().turns < answers, "nobody waits behind an answer");
    }
    assert!(transfer.stats().snapshot().turns >= 2, "but before the next one");
    reader.join().expect("the reader");
}
