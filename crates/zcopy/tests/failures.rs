//! What can go wrong while sending, and what the caller sees of it: refusals nothing, the rest one clear error.

mod common;

use std::io::Read;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use common::{
    Moody, expected, file_of, framed, is_available, pattern, read_in_background, tokio_pair, transfer,
    transfer_over,
};
use pagewire_zcopy::{FileRange, Route, SendError, SendPlan, Transfer, TransferOptions, route::SocketKind};
use rustix::io::Errno;

async fn sent_whole(transfer: &Transfer, plan: &mut SendPlan) -> bool {
    let expected = expected(plan);
    let (sender, receiver) = tokio_pair(false);
    let reader = read_in_background(receiver, plan.total());
    transfer.send(&sender, plan).await.expect("sending");
    drop(sender);
    reader.join().expect("the reader") == expected
}

fn range(len: usize) -> FileRange {
    FileRange::new(file_of(&pattern(len, 9)), 0, len as u64)
}

#[tokio::test]
async fn a_missing_or_forbidden_sendfile_is_asked_for_once_and_then_copied() {
    for errno in [Errno::NOSYS, Errno::PERM] {
        let moody = Moody { sendfile_error: Some(errno.raw_os_error()), ..Moody::default() };
        let transfer = transfer_over(TransferOptions::default(), moody);
        for _ in 0..3 {
            assert!(sent_whole(&transfer, &mut framed(range(100_000))).await);
        }
        let stats = transfer.stats().snapshot();
        assert_eq!((stats.refusals, stats.routes[Route::Sendfile.index()].calls), (1, 1), "{errno:?}");
        assert_eq!(stats.routes[Route::Copy.index()].bytes, 300_000);
        assert!(transfer.refused().contains(Route::Sendfile));
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_sent_by_reference_is_copied_and_the_next_one_tried_again() {
    for errno in [Errno::INVAL, Errno::OPNOTSUPP] {
        let moody = Moody { sendfile_error: Some(errno.raw_os_error()), ..Moody::default() };
        let options = TransferOptions { route: Some(Route::Sendfile), ..TransferOptions::default() };
        let transfer = transfer_over(options, moody);
        for refusals in 1..4 {
            assert!(sent_whole(&transfer, &mut framed(range(1_000_000))).await);
            assert_eq!(transfer.stats().snapshot().refusals, refusals, "once a plan");
        }
        assert!(!transfer.refused().contains(Route::Sendfile));
    }
}

/// A file of the kernel's that really refuses: the process's own memory can be read, and not sent.
#[tokio::test]
async fn a_file_kind_that_really_refuses_sendfile_is_copied() {
    let secret = pattern(50_000, 10);
    let memory = Arc::new(std::fs::File::open("/proc/self/mem").expect("/proc"));
    let range = FileRange::new(memory, secret.as_ptr() as u64, secret.len() as u64);
    assert_eq!(range.read_to_vec().expect("reading memory"), secret);
    let transfer = transfer(TransferOptions::default());
    assert!(sent_whole(&transfer, &mut framed(range)).await);
    let stats = transfer.stats().snapshot();
    assert_eq!((stats.refusals, stats.routes[Route::Copy.index()].bytes), (1, 50_000));
}

#[tokio::test]
async fn a_shorter_file_is_an_error_and_nothing_is_padded() {
    for route in Route::ALL.map(Some).into_iter().chain([None]) {
        for (kept, announced) in [(100_000, 300_000), (0, 20_000), (999, 1_000), (65_536, 65_537)] {
            let contents = pattern(kept, 11);
            let file = file_of(&contents);
            let transfer = transfer(TransferOptions { route, ..TransferOptions::default() });
            let mut plan = SendPlan::from(Bytes::from_static(b"len"));
            plan.push_file(FileRange::new(file, 0, announced));
            plan.push_bytes(Bytes::from_static(b"never sent"));
            let (sender, mut receiver) = tokio_pair(false);
            let answer = transfer.send(&sender, &mut plan).await;
            drop(sender);
            let missing = announced - kept as u64;
            match answer {
                Err(SendError::FileShrunk { missing: told }) => assert_eq!(told, missing, "{route:?}"),
                other => panic!("{route:?}, {kept} of {announced}: {other:?}"),
            }
            let mut received = Vec::new();
            receiver.read_to_end(&mut received).expect("reading");
            assert_eq!(received.len() as u64, plan.sent());
            assert!(received.starts_with(b"len") || received.is_empty());
            assert!(received.is_empty() || received[3..] == contents, "{route:?}, {kept} of {announced}");
            assert_eq!(transfer.stats().snapshot().shrunk, 1);
        }
    }
}

#[test]
fn a_shorter_file_is_an_error_of_the_blocking_sender_too() {
    for route in Route::ALL {
        let file = file_of(&pattern(10, 12));
        file.set_len(5).expect("cutting");
        let (sender, _receiver) = common::tcp_pair(false);
        let transfer = transfer(TransferOptions { route: Some(route), ..TransferOptions::default() });
        let mut plan = SendPlan::new();
        plan.push_file(FileRange::new(file, 0, 10));
        let answer = transfer.send_blocking(&sender, &mut plan);
        assert!(matches!(answer, Err(SendError::FileShrunk { missing: 5 })), "{answer:?}");
    }
}

#[tokio::test]
async fn a_closed_connection_is_an_error_and_the_cursor_says_how_far_it_got() {
    for route in Route::ALL {
        let (sender, receiver) = tokio_pair(false);
        drop(receiver);
        let transfer = transfer(TransferOptions { route: Some(route), ..TransferOptions::default() });
        let mut plan = framed(range(64 << 20 >> 4));
        let answer = tokio::time::timeout(common::LIMIT, async {
            loop {
                transfer.send(&sender, &mut plan).await?;
                plan.clear();
                plan.push_file(range(100_000));
            }
        });
        let answer: Result<(), SendError> = answer.await.expect("the reset arrives");
        assert!(matches!(answer, Err(SendError::Io(_))), "{answer:?}");
        assert!(plan.remaining() > 0);
    }
}

#[tokio::test]
async fn errors_of_file_and_socket_reach_the_caller() {
    let cases = [
        (Moody { read_error: Some(Errno::IO.raw_os_error()), ..Moody::default() }, 1_000),
        (Moody { sendfile_error: Some(Errno::IO.raw_os_error()), ..Moody::default() }, 100_000),
        (Moody { send_error: Some(Errno::IO.raw_os_error()), ..Moody::default() }, 1_000),
    ];
    for (moody, len) in cases {
        let (sender, _receiver) = tokio_pair(false);
        let answer =
            transfer_over(TransferOptions::default(), moody).send(&sender, &mut framed(range(len))).await;
        match answer {
            Err(SendError::Io(error)) => assert_eq!(error.raw_os_error(), Some(Errno::IO.raw_os_error())),
            other => panic!("{other:?}"),
        }
    }
}

/// A socket says full and has room at the next look, as one does whose peer read in between.
#[test]
fn a_socket_that_was_full_for_a_moment_gets_every_byte_once() {
    for route in Route::ALL.map(Some).into_iter().chain([None]) {
        let kind = SocketKind::KernelTls;
        let moody = Moody { full_every: 3, shorts: vec![20_000, 50_000], kind, ..Moody::default() };
        let transfer = transfer_over(TransferOptions { route, ..TransferOptions::default() }, moody);
        let (sender, receiver) = common::tcp_pair(false);
        sender.set_nonblocking(true).expect("non-blocking");
        let mut plan = framed(range(1_000_000));
        plan.push_file(range(5_000));
        let expected = expected(&plan);
        let reader = read_in_background(receiver, plan.total());
        let sent = transfer.send_blocking(&sender, &mut plan).expect("sending");
        drop(sender);
        assert!(reader.join().expect("the reader") == expected, "{route:?}");
        assert!(sent.would_block > 5 && sent.calls > sent.would_block, "{route:?}: {sent:?}");
        if let Some(route) = route.filter(|&route| is_available(route)) {
            let counts = transfer.stats().snapshot().routes[route.index()];
            assert!(counts.would_block > 0 && counts.bytes > 0, "it was the route's own calls: {counts:?}");
        }
    }
}

#[test]
fn the_time_limit_of_a_blocking_socket_is_an_error() {
    let (sender, _receiver) = common::tcp_pair(true);
    sender.set_write_timeout(Some(std::time::Duration::from_millis(20))).expect("a limit");
    let file = file_of(b"");
    file.write_all_at(b"x", 16 << 20).expect("a large sparse file");
    let mut plan = SendPlan::new();
    plan.push_file(FileRange::new(file, 0, 16 << 20));
    match transfer(TransferOptions::default()).send_blocking(&sender, &mut plan) {
        Err(SendError::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
        other => panic!("{other:?}"),
    }
    assert!(plan.remaining() > 0);
}
