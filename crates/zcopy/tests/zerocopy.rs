//! Route `zerocopy`: completions are counted and believed, what cannot fly is copied, and the event loop does without.

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use common::{
    LIMIT, Moody, expected, file_of, forced, framed, pattern, read_in_background, send_blocking, tcp_pair,
    tokio_pair, transfer, transfer_over,
};
use pagewire_zcopy::caps::{PLANS_TO_RETRY, STREAK_MAX};
use pagewire_zcopy::{Completions, FileRange, Route, SendPlan, Thresholds, TransferOptions, route::Why};
use rustix::io::Errno;

fn range(len: usize) -> FileRange {
    FileRange::new(file_of(&pattern(len, 60)), 0, len as u64)
}

fn by_size() -> TransferOptions {
    let thresholds: Thresholds = "100 copy\nmax zerocopy".parse().expect("a ladder");
    TransferOptions { thresholds, ..TransferOptions::default() }
}

#[test]
fn every_send_is_completed_and_counted_once() {
    let transfer = transfer(forced(Route::Zerocopy));
    let (sender, receiver) = tcp_pair(false);
    let mut plan = framed(range(5_000_000));
    let expected = expected(&plan);
    let reader = read_in_background(receiver, plan.total());
    let sent = transfer.send_blocking(&sender, &mut plan).expect("sending");
    assert_eq!((sent.by(Route::Zerocopy) > 0, sent.memory_bytes), (true, 29));
    assert!(sent.zerocopy.sends > 0 && sent.zerocopy.completions <= sent.zerocopy.sends, "{sent:?}");
    assert!(reader.join().expect("the reader") == expected);
    let open = sent.zerocopy.sends - sent.zerocopy.completions;
    let rest = transfer.reap_completions_within(&sender, open, LIMIT).expect("reaping");
    assert_eq!(rest.completed, open);
    let told = transfer.stats().snapshot().zerocopy;
    assert_eq!((told.sends, told.completions), (sent.zerocopy.sends, sent.zerocopy.sends));
    assert_eq!(transfer.reap_completions(&sender).expect("reaping"), Completions::default());
}

#[test]
fn nothing_to_reap_is_no_error_and_no_wait() {
    let transfer = transfer(TransferOptions::default());
    let (sender, _receiver) = tcp_pair(false);
    for wait_max in [Duration::ZERO, Duration::from_millis(1)] {
        let done = transfer.reap_completions_within(&sender, 1, wait_max).expect("reaping");
        assert_eq!(done, Completions::default());
    }
}

/// A unix socket has no error queue, and takes the question for a read.
#[test]
fn asking_a_unix_socket_takes_none_of_its_bytes() {
    let (mut one, mut other) = UnixStream::pair().expect("a pair");
    one.write_all(b"data").expect("writing");
    let transfer = transfer(TransferOptions::default());
    assert_eq!(transfer.reap_completions(&other).expect("reaping"), Completions::default());
    let mut bytes = [0; 4];
    other.read_exact(&mut bytes).expect("reading");
    assert_eq!(&bytes, b"data");
}

#[test]
fn a_unix_socket_refuses_and_is_sent_copies() {
    let transfer = transfer(forced(Route::Zerocopy));
    let (sender, mut receiver) = UnixStream::pair().expect("a pair");
    let mut plan = framed(range(50_000));
    let expected = expected(&plan);
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        receiver.read_to_end(&mut bytes).map(|_| bytes)
    });
    let sent = transfer.send_blocking(&sender, &mut plan).expect("sending");
    drop(sender);
    assert!(reader.join().expect("the reader").expect("reading") == expected);
    assert_eq!((sent.by(Route::Copy), transfer.stats().snapshot().refusals), (50_000, 1));
}

#[test]
fn a_streak_of_unix_sockets_does_not_condemn_the_route_for_tcp_for_ever() {
    let transfer = transfer(forced(Route::Zerocopy));
    let (unix, mut peer) = UnixStream::pair().expect("a pair");
    let mut received = [0; 1_000];
    let file = range(1_000);
    let plan = || {
        let mut plan = SendPlan::new();
        plan.push_file(file.clone());
        plan
    };
    for _ in 0..STREAK_MAX {
        transfer.send_blocking(&unix, &mut plan()).expect("sending");
        peer.read_exact(&mut received).expect("reading");
    }
    assert!(transfer.refused().contains(Route::Zerocopy));
    let (sender, mut receiver) = tcp_pair(false);
    for _ in 0..PLANS_TO_RETRY {
        assert!(transfer.refused().contains(Route::Zerocopy));
        let sent = transfer.send_blocking(&sender, &mut plan()).expect("sending");
        receiver.read_exact(&mut received).expect("reading");
        if sent.by(Route::Zerocopy) > 0 {
            break;
        }
    }
    let sent = transfer.send_blocking(&sender, &mut plan()).expect("sending");
    assert_eq!(sent.by(Route::Zerocopy), 1_000, "it was tried again, and worked");
    assert!(!transfer.refused().contains(Route::Zerocopy));
}

#[test]
fn a_refusal_is_copied_counted_and_remembered() {
    for (errno, for_good) in
        [(Errno::NOSYS, true), (Errno::PERM, true), (Errno::INVAL, false), (Errno::OPNOTSUPP, false)]
    {
        let error = Some(errno.raw_os_error());
        for moody in [
            Moody { enable_error: error, ..Moody::default() },
            Moody { map_error: error, ..Moody::default() },
            Moody { zerocopy_error: error, ..Moody::default() },
        ] {
            let transfer = transfer_over(forced(Route::Zerocopy), moody);
            let mut plan = framed(range(100_000));
            let expected = expected(&plan);
            let (sent, received) = send_blocking(&transfer, &mut plan, false);
            assert!(received == expected);
            assert_eq!((sent.by(Route::Copy), sent.zerocopy.sends), (100_000, 0), "{errno:?}");
            assert_eq!(transfer.stats().snapshot().refusals, 1, "{errno:?}");
            assert_eq!(transfer.refused().contains(Route::Zerocopy), for_good, "{errno:?}");
        }
    }
}

#[test]
fn a_kernel_that_does_not_know_the_option_refuses() {
    let moody = Moody { enable_error: Some(Errno::NOPROTOOPT.raw_os_error()), ..Moody::default() };
    let transfer = transfer_over(forced(Route::Zerocopy), moody);
    let mut plan = framed(range(100_000));
    let expected = expected(&plan);
    assert!(send_blocking(&transfer, &mut plan, false).1 == expected);
    assert_eq!(transfer.stats().snapshot().refusals, 1);
}

#[test]
fn too_much_in_flight_is_copied_call_by_call_and_is_no_refusal() {
    let moody = Moody { zerocopy_error: Some(Errno::NOBUFS.raw_os_error()), ..Moody::default() };
    let transfer = transfer_over(forced(Route::Zerocopy), moody);
    let mut plan = framed(range(3_000_000));
    let expected = expected(&plan);
    let (sent, received) = send_blocking(&transfer, &mut plan, false);
    assert!(received == expected);
    assert_eq!((sent.by(Route::Zerocopy), sent.zerocopy.sends), (3_000_000, 0));
    assert!(sent.zerocopy.fallbacks >= 3, "{sent:?}");
    let stats = transfer.stats().snapshot();
    assert_eq!((stats.refusals, stats.zerocopy.fallbacks), (0, sent.zerocopy.fallbacks));
}

#[test]
fn errors_of_the_socket_reach_the_caller() {
    for (enable_error, zerocopy_error) in [(Some(Errno::IO), None), (None, Some(Errno::IO))] {
        let code = |errno: Option<Errno>| errno.map(Errno::raw_os_error);
        let moody = Moody {
            enable_error: code(enable_error),
            zerocopy_error: code(zerocopy_error),
            ..Moody::default()
        };
        let (sender, _receiver) = tcp_pair(false);
        let answer =
            transfer_over(forced(Route::Zerocopy), moody).send_blocking(&sender, &mut framed(range(9_000)));
        match answer {
            Err(pagewire_zcopy::SendError::Io(error)) => {
                assert_eq!(error.raw_os_error(), Some(Errno::IO.raw_os_error()));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn where_everything_is_copied_after_all_only_force_takes_it() {
    let moody = Moody { copied: Some(true), ..Moody::default() };
    let transfer = transfer_over(TransferOptions { turn_bytes: 50_000, ..by_size() }, moody);
    let mut plan = SendPlan::new();
    let mut learnt = 0;
    while !transfer.copied_after_all() {
        let (sent, _) = send_zerocopy_and_reap(&transfer, &mut plan);
        assert!(sent.zerocopy.sends > 0, "tried until it is known: {sent:?}");
        learnt += 1;
        assert!(learnt < 100, "{:?}", transfer.stats().snapshot().zerocopy);
    }
    let (sent, _) = send_zerocopy_and_reap(&transfer, &mut plan);
    assert_eq!((sent.by(Route::Sendfile), sent.zerocopy.sends), (500_000, 0));
    assert_eq!(sent.last_route, Some((Route::Sendfile, Why::Refused)));
    assert!(!transfer.refused().contains(Route::Zerocopy), "the kernel refused nothing");
}

#[test]
fn one_send_that_was_not_copied_keeps_it_in_the_running() {
    let moody = Moody { copied: Some(false), ..Moody::default() };
    let transfer = transfer_over(TransferOptions { turn_bytes: 50_000, ..by_size() }, moody);
    for _ in 0..5 {
        let (sent, _) = send_zerocopy_and_reap(&transfer, &mut SendPlan::new());
        assert_eq!(sent.by(Route::Zerocopy), 500_000);
    }
    let told = transfer.stats().snapshot().zerocopy;
    assert!(told.completions >= 16 && told.copied == 0 && !transfer.copied_after_all(), "{told:?}");
}

#[test]
fn what_is_forced_stays_forced_though_it_is_copied() {
    let moody = Moody { copied: Some(true), ..Moody::default() };
    let transfer = transfer_over(TransferOptions { turn_bytes: 50_000, ..forced(Route::Zerocopy) }, moody);
    for _ in 0..5 {
        let (sent, _) = send_zerocopy_and_reap(&transfer, &mut SendPlan::new());
        assert_eq!(sent.last_route, Some((Route::Zerocopy, Why::Forced)));
    }
    assert!(transfer.copied_after_all());
}

/// Sends half a megabyte and waits for the kernel's word on all of it.
fn send_zerocopy_and_reap(
    transfer: &pagewire_zcopy::Transfer,
    plan: &mut SendPlan,
) -> (pagewire_zcopy::Sent, Completions) {
    plan.clear();
    plan.push_file(range(500_000));
    let (sender, receiver) = tcp_pair(false);
    let reader = read_in_background(receiver, plan.total());
    let sent = transfer.send_blocking(&sender, plan).expect("sending");
    assert!(reader.join().expect("the reader") == expected(plan));
    let open = sent.zerocopy.sends - sent.zerocopy.completions;
    (sent, transfer.reap_completions_within(&sender, open, LIMIT).expect("reaping"))
}

/// Completions make the socket ready with an error, and no room: they must not end the wait for that.
#[test]
fn a_full_socket_with_completions_is_waited_for_and_not_spun_on() {
    let transfer = transfer(by_size());
    let (sender, receiver) = tcp_pair(false);
    socket2::SockRef::from(&sender).set_send_buffer_size(1).expect("a tiny send buffer");
    sender.set_nonblocking(true).expect("non-blocking");
    let mut plan = SendPlan::new();
    for _ in 0..20 {
        plan.push_file(range(10_000));
        plan.push_bytes(Bytes::from(pattern(40_000, 61)));
    }
    let expected = expected(&plan);
    let reader = read_in_background(receiver, plan.total());
    let sent = transfer.send_blocking(&sender, &mut plan).expect("sending");
    drop(sender);
    assert!(reader.join().expect("the reader") == expected);
    assert!(sent.zerocopy.sends > 0 && sent.would_block > 0, "{sent:?}");
    assert!(sent.would_block <= sent.calls && sent.calls < 5_000, "{sent:?}");
    let told = transfer.stats().snapshot().zerocopy;
    assert_eq!(sent.zerocopy, told, "what is read while waiting is counted as well");
}

#[tokio::test]
async fn the_event_loop_does_without_and_says_so() {
    for (options, instead) in [(forced(Route::Zerocopy), Route::Copy), (by_size(), Route::Sendfile)] {
        let moody = Moody::default();
        let transfer = transfer_over(options, moody);
        for refusals in 1..20 {
            let (sender, receiver) = tokio_pair(false);
            let mut plan = framed(range(60_000));
            let expected = expected(&plan);
            let reader = read_in_background(receiver, plan.total());
            let sent = transfer.send(&sender, &mut plan).await.expect("sending");
            drop(sender);
            assert!(reader.join().expect("the reader") == expected);
            assert_eq!(sent.last_route, Some((instead, Why::Refused)));
            assert_eq!(transfer.stats().snapshot().refusals, refusals, "once a plan");
        }
        assert!(!transfer.refused().contains(Route::Zerocopy), "the blocking face has it still");
        let (sent, _) = send_zerocopy_and_reap(&transfer, &mut SendPlan::new());
        assert_eq!(sent.by(Route::Zerocopy), 500_000);
    }
}

/// What rests comes back after so many plans; on an event loop it must not, whenever in a plan that is.
#[tokio::test]
async fn the_event_loop_does_without_also_when_the_route_comes_back() {
    let moody = Moody { copied: Some(true), ..Moody::default() };
    let transfer = transfer_over(TransferOptions { turn_bytes: 50_000, ..by_size() }, moody);
    for _ in 0..10 {
        send_zerocopy_and_reap(&transfer, &mut SendPlan::new());
    }
    assert!(transfer.copied_after_all());
    let plans = u64::from(pagewire_zcopy::caps::PLANS_TO_RETRY) + 10;
    let piece = range(4_000);
    let (sender, receiver) = tokio_pair(false);
    let reader = read_in_background(receiver, plans * piece.len());
    for _ in 0..plans {
        let mut plan = SendPlan::new();
        plan.push_file(piece.clone());
        let sent = transfer.send(&sender, &mut plan).await.expect("sending");
        assert_eq!(sent.by(Route::Zerocopy), 0);
    }
    drop(sender);
    reader.join().expect("the reader");
    assert!(!transfer.copied_after_all(), "the blocking face may try again");
}

#[tokio::test]
async fn the_event_loop_counts_nothing_where_nothing_wanted_it() {
    let (sender, mut receiver) = tokio_pair(false);
    let transfer = transfer(by_size());
    let mut plan = framed(FileRange::new(Arc::clone(range(100).file()), 0, 100));
    transfer.send(&sender, &mut plan).await.expect("sending");
    receiver.read_exact(&mut [0; 129]).expect("reading");
    assert_eq!(transfer.stats().snapshot().refusals, 0);
}
