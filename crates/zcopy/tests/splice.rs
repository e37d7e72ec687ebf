//! Route `splice` in particular: its pipes, its two legs, and what is left between them.

mod common;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use common::{
    Moody, descriptors, expected, file_of, for_tokio, forced, framed, is_alone, once, only, pattern,
    pipes_open, read_in_background, runtime, tcp_pair, transfer_over,
};
use pagewire_zcopy::{FileRange, PipeOptions, Route, SendError, SendPlan, Sent, Transfer, TransferOptions};
use rustix::io::Errno;

fn splicing() -> TransferOptions {
    forced(Route::Splice)
}

fn sent_whole(transfer: &Transfer, plan: &mut SendPlan, tiny: bool) -> Sent {
    let expected = expected(plan);
    let (sender, receiver) = tcp_pair(tiny);
    let reader = read_in_background(receiver, plan.total());
    let sent = transfer.send_blocking(&sender, plan).expect("sending");
    drop(sender);
    assert!(reader.join().expect("the reader") == expected);
    sent
}

fn range(len: usize) -> FileRange {
    FileRange::new(file_of(&pattern(len, 40)), 0, len as u64)
}

/// Polls a future a few times: at first its socket may not be known to be writable. Whether it got ready.
async fn polled<F: Future>(mut future: std::pin::Pin<&mut F>) -> bool {
    for _ in 0..5 {
        if once(future.as_mut()).await.is_ready() {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

#[test]
fn all_file_bytes_go_by_splice_and_nothing_is_corked() {
    let moody = Moody::default();
    let corks = Arc::clone(&moody.corks);
    let transfer = transfer_over(splicing(), moody);
    let sent = sent_whole(&transfer, &mut framed(range(3_000_000)), false);
    assert_eq!((sent.by(Route::Splice), sent.memory_bytes), (3_000_000, 29), "{sent:?}");
    assert_eq!(corks.0.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert_eq!(transfer.pipes().usage().made, 1);
}

#[test]
fn a_pipe_is_filled_and_emptied_in_one_call_each() {
    let transfer = transfer_over(splicing(), Moody::default());
    let sent = sent_whole(&transfer, &mut only(range(40_000)), false);
    assert_eq!((sent.calls, transfer.pipes().usage().idle), (2, 1), "{sent:?}");
}

#[test]
fn what_the_socket_did_not_take_stays_in_the_pipe_and_is_not_read_again() {
    let moody = Moody { splice_out_max: 10_000, ..Moody::default() };
    let transfer = transfer_over(splicing(), moody);
    let sent = sent_whole(&transfer, &mut only(range(100_000)), false);
    assert_eq!(sent.calls, 11, "one into the pipe, ten out of it: {sent:?}");
    assert_eq!(transfer.pipes().usage().discarded, 0);
}

#[test]
fn a_plan_that_is_dropped_half_sent_closes_its_pipe() {
    let transfer = transfer_over(splicing(), Moody::default());
    let (sender, _receiver) = tcp_pair(true);
    let mut plan = only(range(1_000_000));
    runtime().block_on(async {
        let sender = for_tokio(sender);
        let sending = pin!(transfer.send(&sender, &mut plan));
        assert!(!polled(sending).await, "nobody reads");
    });
    assert_eq!((transfer.pipes().usage().in_use, plan.remaining() > 0), (1, true));
    drop(plan);
    let usage = transfer.pipes().usage();
    assert_eq!((usage.in_use, usage.idle, usage.discarded), (0, 0, 1));
}

#[test]
fn while_pipes_are_scarce_a_plan_with_a_full_socket_lets_go_of_its_own() {
    let pipes = PipeOptions { pipes_max: 4, ..PipeOptions::default() };
    let transfer = transfer_over(TransferOptions { pipes, ..splicing() }, Moody::default());
    runtime().block_on(async {
        let mut waiting = Vec::new();
        for _ in 0..6 {
            let (sender, receiver) = common::tokio_pair(true);
            let mut plan = only(range(700_000));
            let bytes = expected(&plan);
            assert!(!polled(pin!(transfer.send(&sender, &mut plan))).await, "nobody reads");
            waiting.push((sender, receiver, plan, bytes));
        }
        let (usage, stats) = (transfer.pipes().usage(), transfer.stats().snapshot());
        assert_eq!((usage.in_use, usage.exhausted), (2, 0), "half of them are kept: {usage:?}");
        assert!(stats.let_go >= 4, "{stats:?}");
        for (sender, receiver, mut plan, bytes) in waiting {
            let reader = read_in_background(receiver, plan.total());
            let sent = tokio::time::timeout(common::LIMIT, transfer.send(&sender, &mut plan)).await;
            let sent = sent.expect("in time").expect("sent");
            assert_eq!(sent.by(Route::Splice), sent.bytes);
            let read = tokio::task::spawn_blocking(move || reader.join().expect("the reader"));
            assert!(read.await.expect("reading") == bytes);
        }
    });
    assert_eq!(transfer.pipes().usage().in_use, 0);
}

#[test]
fn a_plan_that_goes_to_another_socket_by_another_way_does_not_repeat_what_was_in_the_pipe() {
    let moody = Moody { splice_out_max: 10_000, ..Moody::default() };
    let by_splice = transfer_over(splicing(), moody);
    let (sender, receiver) = tcp_pair(false);
    let mut plan = only(range(500_000));
    let expected = expected(&plan);
    let reader = read_in_background(receiver, plan.total());
    runtime().block_on(async {
        let sender = for_tokio(sender);
        for route in [Route::Copy, Route::Splice, Route::Sendfile].into_iter().cycle() {
            let others =
                TransferOptions { route: Some(route), turn_bytes: 7_000, ..TransferOptions::default() };
            for transfer in [&by_splice, &transfer_over(others, Moody::default())] {
                let sending = pin!(transfer.send(&sender, &mut plan));
                polled(sending).await;
            }
            if plan.is_done() {
                break;
            }
        }
    });
    assert!(reader.join().expect("the reader") == expected);
}

#[test]
fn a_refusal_of_either_leg_is_made_good_by_a_copy() {
    for errno in [Errno::NOSYS, Errno::PERM, Errno::INVAL] {
        for legs in [(true, false), (false, true), (true, true)] {
            let error = |leg: bool| leg.then(|| errno.raw_os_error());
            let moody =
                Moody { splice_in_error: error(legs.0), splice_out_error: error(legs.1), ..Moody::default() };
            let transfer = transfer_over(splicing(), moody);
            for _ in 0..2 {
                let sent = sent_whole(&transfer, &mut framed(range(300_000)), false);
                assert_eq!(sent.by(Route::Copy), 300_000, "{errno:?}, {legs:?}: {sent:?}");
            }
            let for_good = errno != Errno::INVAL;
            assert_eq!(transfer.refused().contains(Route::Splice), for_good);
            assert_eq!(transfer.stats().snapshot().refusals, if for_good { 1 } else { 2 });
            assert_eq!(transfer.pipes().usage().in_use, 0);
        }
    }
}

/// No file on a disk says so; what does is better copied than waited for.
#[test]
fn a_file_that_says_would_block_is_copied() {
    let moody = Moody { splice_in_error: Some(Errno::AGAIN.raw_os_error()), ..Moody::default() };
    let transfer = transfer_over(splicing(), moody);
    let sent = sent_whole(&transfer, &mut framed(range(300_000)), false);
    assert_eq!(sent.by(Route::Copy), 300_000, "{sent:?}");
}

#[test]
fn errors_of_either_leg_reach_the_caller_and_no_pipe_is_left() {
    for (splice_in_error, splice_out_error) in
        [(Some(Errno::IO.raw_os_error()), None), (None, Some(Errno::PIPE.raw_os_error()))]
    {
        let transfer =
            transfer_over(splicing(), Moody { splice_in_error, splice_out_error, ..Moody::default() });
        let (sender, _receiver) = tcp_pair(false);
        let mut plan = only(range(100_000));
        let told = transfer.send_blocking(&sender, &mut plan);
        let expected = splice_in_error.or(splice_out_error);
        assert!(matches!(&told, Err(SendError::Io(error)) if error.raw_os_error() == expected), "{told:?}");
        drop(plan);
        assert_eq!(transfer.pipes().usage().in_use, 0);
    }
}

#[test]
fn without_a_pipe_the_plan_is_sent_all_the_same_and_nothing_is_held_against_the_kernel() {
    let pipes = PipeOptions { pipes_max: 0, ..PipeOptions::default() };
    for (route, instead) in [(Some(Route::Splice), Route::Copy), (None, Route::Sendfile)] {
        let thresholds = "max splice".parse().expect("thresholds");
        let options = TransferOptions { route, thresholds, pipes, ..TransferOptions::default() };
        let transfer = transfer_over(options, Moody::default());
        let sent = sent_whole(&transfer, &mut framed(range(300_000)), false);
        assert_eq!(sent.by(instead), 300_000, "{sent:?}");
        assert_eq!((transfer.stats().snapshot().refusals, transfer.pipes().usage().exhausted), (0, 1));
        assert!(!transfer.refused().contains(Route::Splice));
    }
}

#[test]
fn a_sparse_file_arrives_with_its_holes_as_zeros() {
    let file = file_of(b"");
    let end = pattern(5_000, 41);
    std::os::unix::fs::FileExt::write_all_at(&*file, &end, 3 << 20).expect("a hole before it");
    let len = (3 << 20) + 5_000;
    let mut plan = only(FileRange::new(file, 1, len - 1));
    let sent = sent_whole(&transfer_over(splicing(), Moody::default()), &mut plan, false);
    assert_eq!(sent.by(Route::Splice), len - 1);
}

#[test]
fn ten_thousand_transfers_leave_no_pipe_and_no_descriptor() {
    const LEN: usize = 10_000;
    let moody = Moody { shorts: vec![LEN, LEN, LEN, 3_000], interrupt_every: 50, ..Moody::default() };
    let transfer = transfer_over(splicing(), moody);
    let file = file_of(&pattern(LEN, 42));
    let (sender, receiver) = tcp_pair(false);
    let reader = std::thread::spawn(move || std::io::copy(&mut { receiver }, &mut std::io::sink()));
    for round in 0..10_000u64 {
        let mut plan = SendPlan::from(Bytes::from_static(b"header"));
        plan.push_file(FileRange::new(Arc::clone(&file), round % 100, (LEN - 100) as u64));
        transfer.send_blocking(&sender, &mut plan).expect("sent");
    }
    let usage = transfer.pipes().usage();
    assert_eq!((usage.in_use, usage.made, usage.discarded), (0, 1, 0), "{usage:?}");
    drop(sender);
    assert_eq!(reader.join().expect("the reader").expect("reading"), 10_000 * (LEN as u64 - 100 + 6));
    drop(transfer);
}

#[test]
fn descriptors_are_given_back() {
    if !is_alone("descriptors_are_given_back") {
        return;
    }
    // The first runtime of a process opens what it keeps for all.
    drop(runtime());
    let before = (pipes_open(), descriptors());
    let transfer = transfer_over(splicing(), Moody::default());
    let file = file_of(&pattern(300_000, 43));
    let runtime = runtime();
    runtime.block_on(async {
        for round in 0..10_000 {
            let (sender, _receiver) = tokio::net::UnixStream::pair().expect("a pair");
            // Every other one does not fit into the socket, and is given up with bytes in its pipe.
            let fits = round % 2 == 0;
            let mut plan = only(FileRange::new(Arc::clone(&file), 0, if fits { 1_000 } else { 299_000 }));
            let sending = pin!(transfer.send(&sender, &mut plan));
            assert_eq!(polled(sending).await, fits);
        }
    });
    let usage = transfer.pipes().usage();
    assert_eq!((usage.in_use, usage.discarded), (0, 5_000), "{usage:?}");
    assert!(pipes_open() <= before.0 + 2 * transfer.pipes().options().idle_max);
    drop((runtime, transfer, file));
    assert_eq!((pipes_open(), descriptors()), before);
}
