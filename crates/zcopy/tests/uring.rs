//! Route `uring`: what is in flight is the kernel's and nobody else's, nothing waits, and what is refused goes by copy.

#![cfg(feature = "uring")]

mod common;

use std::io::Read;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use common::{
    LIMIT, Moody, expected, file_of, forced, framed, once, pattern, read_in_background,
    ring_is_available as available, tcp_pair, tokio_pair, transfer, transfer_over, until,
};
use pagewire_zcopy::route::Why;
use pagewire_zcopy::{
    Calls, DirectBuffer, FileRange, MapAccess, MappedFile, OsCalls, Ring, Route, SendError, SendPlan, Sent,
    Transfer, TransferOptions, UringCounts, caps::PLANS_TO_RETRY,
};
use proptest::prelude::*;
use rustix::io::Errno;
use tokio::sync::Mutex;

const MIB: usize = 1 << 20;

fn uring() -> TransferOptions {
    forced(Route::Uring)
}

/// One test at a time: memory that may be locked is counted for all of a user's processes together.
static ALONE: Mutex<()> = Mutex::const_new(());

fn range(len: usize, seed: u64) -> FileRange {
    FileRange::new(file_of(&pattern(len, seed)), 0, len as u64)
}

fn counts(transfer: &Transfer) -> UringCounts {
    transfer.stats().snapshot().uring
}

fn send_blocking(transfer: &Transfer, plan: &mut SendPlan, tiny: bool) -> Sent {
    let (sender, receiver) = tcp_pair(tiny);
    let reader = read_in_background(receiver, plan.total());
    let sent = transfer.send_blocking(&sender, plan).expect("sending");
    drop(sender);
    assert!(reader.join().expect("the reader") == expected(plan));
    sent
}

async fn send(transfer: &Transfer, plan: &mut SendPlan) -> Sent {
    let (sender, receiver) = tokio_pair(false);
    let reader = read_in_background(receiver, plan.total());
    let sent = tokio::time::timeout(LIMIT, transfer.send(&sender, plan)).await;
    let sent = sent.expect("in time").expect("sending");
    drop(sender);
    assert!(reader.join().expect("the reader") == expected(plan));
    sent
}

/// How often a socket was full, whichever route found it so.
fn times_full(transfer: &Transfer) -> u64 {
    transfer.stats().snapshot().routes.iter().map(|route| route.would_block).sum()
}

/// Sends what the socket takes while its peer does not read, and drops the sending.
async fn fill(transfer: &Transfer, socket: &tokio::net::TcpStream, plan: &mut SendPlan) {
    let mut sending = std::pin::pin!(transfer.send(socket, plan));
    let (start, before) = (Instant::now(), times_full(transfer));
    while times_full(transfer) == before {
        assert!(start.elapsed() < LIMIT, "the socket is full some time");
        assert!(once(sending.as_mut()).await.is_pending(), "more than the socket takes");
        tokio::task::yield_now().await;
    }
}

/// On loopback there is no card to read the buffers: the kernel copies when it delivers, and says so.
#[tokio::test]
async fn every_operation_is_reported_and_on_loopback_as_copied() {
    let _alone = ALONE.lock().await;
    let transfer = transfer(uring());
    let sent = send(&transfer, &mut framed(range(3 * MIB, 60))).await;
    if !available() {
        assert!(sent.by(Route::Copy) > 0, "{sent:?}");
        return;
    }
    assert!(sent.by(Route::Uring) > 0, "{sent:?}");
    assert_eq!(sent.by(Route::Uring) + sent.by(Route::Copy), 3 * MIB as u64);
    until("all notifications come", || counts(&transfer).notifications == counts(&transfer).operations);
    let counts = counts(&transfer);
    assert!(counts.operations > 0 && counts.copied == counts.notifications, "{counts:?}");
    assert!([0, 1, 4, 16].contains(&counts.buffers_registered), "{counts:?}");
}

/// What is in flight is never written again: the buffers run out instead, and copy takes over.
#[tokio::test]
async fn peers_that_do_not_read_use_the_buffers_up_and_everything_arrives_right() {
    let _alone = ALONE.lock().await;
    let transfer = transfer(uring());
    let mut connections = Vec::new();
    for seed in 0..40 {
        let (sender, receiver) = tokio_pair(false);
        let mut plan = framed(range(12 * MIB, 100 + seed));
        let none_free = counts(&transfer).no_buffer > 0;
        fill(&transfer, &sender, &mut plan).await;
        connections.push((sender, receiver, plan));
        if none_free {
            break;
        }
    }
    if available() {
        let counts = counts(&transfer);
        assert!(counts.no_buffer > 0, "{counts:?}");
        assert!(counts.operations - counts.notifications <= 16, "no more in flight than buffers: {counts:?}");
        assert!(transfer.stats().snapshot().routes[Route::Copy.index()].bytes > 0);
    }
    for (sender, receiver, mut plan) in connections {
        let reader = read_in_background(receiver, plan.total());
        tokio::time::timeout(LIMIT, transfer.send(&sender, &mut plan)).await.expect("in time").expect("sent");
        assert!(reader.join().expect("the reader") == expected(&plan));
    }
    until("all buffers come back", || counts(&transfer).notifications == counts(&transfer).operations);
}

/// The kernel keeps the pages of a ring that is gone until they are sent; nobody else gets them before.
#[tokio::test]
async fn a_transfer_dropped_with_buffers_in_flight_has_them_sent_right() {
    let _alone = ALONE.lock().await;
    let (sender, mut receiver) = tokio_pair(false);
    let mut plan = framed(range(12 * MIB, 61));
    {
        let transfer = transfer(uring());
        fill(&transfer, &sender, &mut plan).await;
        let counts = counts(&transfer);
        assert!(!available() || counts.operations > counts.notifications, "some are in flight: {counts:?}");
    }
    let junk: Vec<_> = (0..64)
        .map(|_| {
            let mut buffer = DirectBuffer::unpooled(256 << 10).expect("memory");
            buffer.fill(0xEE);
            buffer
        })
        .collect();
    let mut received = vec![0; plan.sent() as usize];
    receiver.read_exact(&mut received).expect("all that was sent");
    assert!(received == expected(&plan)[..received.len()]);
    assert_eq!(junk.len(), 64);
}

/// With `MSG_DONTWAIT` the kernel completes a send before the call returns, and leaves nothing to a thread of its own.
#[test]
fn a_full_socket_is_told_at_once_whether_it_waits_or_not() {
    let _alone = ALONE.blocking_lock();
    if !available() {
        return;
    }
    for nonblocking in [true, false] {
        let (sender, mut receiver) = tcp_pair(false);
        socket2::SockRef::from(&sender)
            .set_send_buffer_size(64 << 10)
            .expect("full before the buffers run out");
        sender.set_nonblocking(nonblocking).expect("setting it");
        let mut ring = Ring::new(64, 4 << 10, true).expect("a ring of 256 KiB");
        let mut sent = Vec::new();
        let full = loop {
            let Some(mut buffer) = ring.take() else { break None };
            buffer.copy_from_slice(&pattern(4 << 10, sent.len() as u64));
            let bytes = buffer.to_vec();
            match ring.send_zc(sender.as_fd(), buffer, 0..4 << 10, true) {
                Ok(taken) => sent.extend_from_slice(&bytes[..taken]),
                Err(error) => break Some(error),
            }
        };
        if let Some(error) = full {
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
        } else {
            assert_eq!(ring.in_flight(), 64, "the socket holds more than all buffers");
        }
        let tasks = std::fs::read_dir("/proc/self/task").expect("/proc").flatten();
        for task in tasks {
            let name = std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            assert!(!name.starts_with("iou-wrk"), "a worker of the kernel's was needed");
        }
        let mut received = vec![0; sent.len()];
        receiver.read_exact(&mut received).expect("reading");
        assert!(received == sent);
        until("all buffers come back", || {
            ring.reap();
            ring.in_flight() == 0
        });
    }
}

#[test]
fn a_blocking_socket_is_waited_for_and_its_time_limit_is_an_error() {
    let _alone = ALONE.blocking_lock();
    let (transfer, (sender, mut receiver)) = (transfer(uring()), tcp_pair(false));
    socket2::SockRef::from(&sender).set_send_buffer_size(64 << 10).expect("full before the buffers run out");
    let mut plan = framed(range(12 * MIB, 62));
    let (full, len) = (transfer.clone(), plan.total() as usize);
    let reader = std::thread::spawn(move || {
        until("the socket is full", || {
            let routes = full.stats().snapshot().routes;
            routes[Route::Uring.index()].would_block > 0 || !available()
        });
        let mut bytes = vec![0; len];
        receiver.read_exact(&mut bytes).map(|()| (bytes, receiver))
    });
    let sent = transfer.send_blocking(&sender, &mut plan).expect("sending");
    assert!(!available() || sent.by(Route::Uring) > 0);
    let (received, _receiver) = reader.join().expect("the reader").expect("all of it");
    assert!(received == expected(&plan));

    sender.set_write_timeout(Some(Duration::from_millis(20))).expect("a limit");
    let mut plan = framed(range(20 * MIB, 63));
    match transfer.send_blocking(&sender, &mut plan) {
        Err(SendError::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        other => panic!("{other:?}"),
    }
    assert!(plan.remaining() > 0);
}

#[tokio::test]
async fn a_ring_that_cannot_be_set_up_is_asked_for_once() {
    let _alone = ALONE.lock().await;
    for errno in [Errno::NOSYS, Errno::PERM, Errno::INVAL] {
        let moody = Moody { ring_errors: (u64::MAX, errno.raw_os_error()), ..Moody::default() };
        let rings = Arc::clone(&moody.rings);
        let transfer = transfer_over(uring(), moody);
        for _ in 0..3 {
            let sent = send(&transfer, &mut framed(range(300_000, 64))).await;
            assert_eq!(sent.by(Route::Copy), 300_000, "{errno:?}");
        }
        let stats = transfer.stats().snapshot();
        assert_eq!((rings.load(Ordering::Relaxed), stats.refusals), (1, 1), "{errno:?}");
        assert!(transfer.refused().contains(Route::Uring), "{errno:?}");
    }
}

#[test]
fn what_was_short_for_a_ring_is_asked_for_again_after_some_plans() {
    let _alone = ALONE.blocking_lock();
    let moody = Moody { ring_errors: (1, Errno::MFILE.raw_os_error()), ..Moody::default() };
    let rings = Arc::clone(&moody.rings);
    let transfer = transfer_over(uring(), moody);
    let (sender, mut receiver) = tcp_pair(false);
    let file = range(100, 71);
    let mut send = || {
        let mut plan = SendPlan::new();
        plan.push_file(file.clone());
        let sent = transfer.send_blocking(&sender, &mut plan).expect("sending");
        receiver.read_exact(&mut [0; 100]).expect("reading");
        sent.by(Route::Copy)
    };
    for _ in 0..PLANS_TO_RETRY {
        assert_eq!(send(), 100);
    }
    assert_eq!(rings.load(Ordering::Relaxed), 1, "not at every plan");
    assert!(!transfer.refused().contains(Route::Uring));
    let copied = send();
    assert_eq!(copied == 0, available());
    assert!(rings.load(Ordering::Relaxed) > 1);
}

/// Another sending, while the first one's ring is being made: it has its bytes copied, and makes no ring of its own.
#[test]
fn one_ring_is_made_whoever_else_wants_it_meanwhile() {
    let _alone = ALONE.blocking_lock();
    let shared: Arc<OnceLock<Transfer>> = Arc::default();
    let other = Arc::clone(&shared);
    let copied = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&copied);
    let on_ring = move || {
        let transfer = other.get().expect("it is set before anything is sent");
        let sent = send_blocking(transfer, &mut framed(range(300_000, 72)), false);
        told.store(sent.by(Route::Copy), Ordering::Relaxed);
    };
    let moody = Moody { on_ring: Some(Box::new(on_ring)), ..Moody::default() };
    let rings = Arc::clone(&moody.rings);
    let transfer = shared.get_or_init(|| transfer_over(uring(), moody));
    let sent = send_blocking(transfer, &mut framed(range(300_000, 73)), false);
    assert_eq!(copied.load(Ordering::Relaxed), 300_000);
    if available() {
        assert!(rings.load(Ordering::Relaxed) == 1 && sent.by(Route::Uring) > 0, "{sent:?}");
    }
}

#[tokio::test]
async fn where_little_memory_may_be_locked_fewer_buffers_do_and_then_unregistered_ones() {
    let _alone = ALONE.lock().await;
    for (refusals, registered) in [(1, 4), (2, 1), (3, 0), (4, 0)] {
        let moody = Moody { ring_errors: (refusals, Errno::NOMEM.raw_os_error()), ..Moody::default() };
        let transfer = transfer_over(uring(), moody);
        let sent = send(&transfer, &mut framed(range(2 * MIB, 65))).await;
        let refused = refusals == 4;
        if available() {
            assert!(!transfer.refused().contains(Route::Uring), "memory may be had later");
            assert_eq!(counts(&transfer).buffers_registered, registered);
            assert_eq!(sent.by(Route::Uring) > 0, !refused, "{refusals}: {sent:?}");
        }
    }
}

#[tokio::test]
async fn a_refusal_at_use_never_reaches_the_caller() {
    let _alone = ALONE.lock().await;
    if !available() {
        return;
    }
    for (errno, for_good) in [
        (Errno::NOSYS, true),
        (Errno::PERM, true),
        (Errno::INVAL, false),
        (Errno::OPNOTSUPP, false),
        (Errno::NOMEM, false),
        (Errno::NOBUFS, false),
    ] {
        let moody = Moody { send_zc_error: Some(errno.raw_os_error()), ..Moody::default() };
        let transfer = transfer_over(uring(), moody);
        let sent = send(&transfer, &mut framed(range(300_000, 66))).await;
        assert_eq!((sent.by(Route::Copy), transfer.stats().snapshot().refusals), (300_000, 1), "{errno:?}");
        assert_eq!(transfer.refused().contains(Route::Uring), for_good, "{errno:?}");
    }
}

#[tokio::test]
async fn errors_of_file_and_socket_reach_the_caller() {
    let _alone = ALONE.lock().await;
    if !available() {
        return;
    }
    let (io, pipe) = (Some(Errno::IO.raw_os_error()), Some(Errno::PIPE.raw_os_error()));
    let cases = [
        (Moody { read_error: io, ..Moody::default() }, io),
        (Moody { send_zc_error: pipe, ..Moody::default() }, pipe),
    ];
    for (moody, told) in cases {
        let (sender, _receiver) = tokio_pair(false);
        match transfer_over(uring(), moody).send(&sender, &mut framed(range(100_000, 67))).await {
            Err(SendError::Io(error)) => assert_eq!(error.raw_os_error(), told),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_socket_with_little_room_gets_copies() {
    let _alone = ALONE.blocking_lock();
    let transfer = transfer(uring());
    let sent = send_blocking(&transfer, &mut framed(range(300_000, 69)), true);
    assert_eq!((sent.by(Route::Copy), counts(&transfer).operations), (300_000, 0));
    assert!(counts(&transfer).small > 0 && transfer.stats().snapshot().refusals == 0);
    if counts(&transfer).small > 0 {
        assert_eq!(sent.last_route, Some((Route::Copy, Why::Shortage)), "the answer is what was done");
    }
}

/// What lies in the error queue ends every wait at once: it neither spins nor hides the time limit.
#[test]
fn a_time_limit_holds_with_words_in_the_error_queue() {
    let _alone = ALONE.blocking_lock();
    let (sender, mut receiver) = tcp_pair(false);
    if !available() || OsCalls.enable_zerocopy(sender.as_fd()).is_err() {
        return;
    }
    let map = MappedFile::new(&range(4096, 80), MapAccess::Read).expect("a map");
    let n = OsCalls.send_zerocopy(sender.as_fd(), &map.part(0, 4096), false).expect("sending");
    std::io::Read::read_exact(&mut receiver, &mut vec![0; n]).expect("reading");
    sender.set_write_timeout(Some(std::time::Duration::from_millis(100))).expect("a time limit");
    let transfer = transfer(uring());
    let mut plan = framed(range(20_000_000, 81));
    let answer = transfer.send_blocking(&sender, &mut plan);
    assert!(
        matches!(&answer, Err(SendError::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock),
        "{answer:?}"
    );
    let calls = transfer.stats().snapshot().routes[Route::Uring.index()].calls;
    assert!(calls < 10_000, "{calls} calls while nobody read");
}

/// A kind of socket that really refuses.
#[tokio::test]
async fn a_unix_socket_gets_copies() {
    let _alone = ALONE.lock().await;
    let (sender, mut receiver) = tokio::net::UnixStream::pair().expect("a pair");
    let mut plan = framed(range(300_000, 68));
    let expected = expected(&plan);
    let reader = tokio::spawn(async move {
        let mut bytes = Vec::new();
        tokio::io::AsyncReadExt::read_to_end(&mut receiver, &mut bytes).await.map(|_| bytes)
    });
    let transfer = transfer(uring());
    let sent = transfer.send(&sender, &mut plan).await.expect("sending");
    drop(sender);
    assert!(reader.await.expect("the reader").expect("reading") == expected);
    assert_eq!((sent.by(Route::Copy), transfer.stats().snapshot().refusals), (300_000, 1));
}

/// The misuse that safe code could commit.
#[test]
fn a_buffer_of_another_ring_or_a_range_beyond_it_is_refused() {
    let _alone = ALONE.blocking_lock();
    if !available() {
        return;
    }
    let (sender, _receiver) = tcp_pair(false);
    let mut small = Ring::new(1, 4096, false).expect("a ring");
    let mut other = Ring::new(2, 8192, false).expect("a ring");
    let foreign = other.take().expect("its last one");
    let buffer = small.take().expect("its own");
    assert_eq!(
        small.send_zc(sender.as_fd(), buffer, 0..4097, false).expect_err("too long").raw_os_error(),
        Some(Errno::INVAL.raw_os_error())
    );
    assert!(small.take().is_some(), "the buffer is back");
    let answer = small.send_zc(sender.as_fd(), foreign, 0..4096, false);
    assert!(answer.is_err(), "it is not of this ring: {answer:?}");
    let foreign = other.take().expect("another one");
    small.put_back(foreign);
    assert!(small.take().is_none(), "nor is it kept");
    assert!(Ring::new(0, 4096, false).is_err() && Ring::new(65, 4096, false).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn any_offset_and_length_arrive_whole(
        ranges in prop::collection::vec((0..1_500_001u64, 0..900_000u64), 1..5),
        shorts in prop::collection::vec(1_000..200_000usize, 0..3), interrupt_every in prop_oneof![Just(0), 3..6u64],
    ) {
        let _alone = ALONE.blocking_lock();
        let len = 1_500_001;
        let file = file_of(&pattern(len as usize, 4));
        let mut plan = SendPlan::new();
        for (offset, range) in ranges {
            plan.push_file(FileRange::new(Arc::clone(&file), offset, range.min(len - offset)));
        }
        let transfer = transfer_over(uring(), Moody { shorts, interrupt_every, ..Moody::default() });
        let total = plan.total();
        let sent = send_blocking(&transfer, &mut plan, false);
        prop_assert_eq!(sent.by(Route::Uring) + sent.by(Route::Copy), total);
    }
}
