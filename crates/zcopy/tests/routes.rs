//! Any plan, by any route, over any socket, arrives as the bytes it stands for.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use common::{
    Moody, expected, file_of, forced, is_available, only, pattern, read_in_background, runtime,
    send_blocking, tokio_pair, transfer, transfer_over,
};
use pagewire_zcopy::{
    FileRange, Piece, Route, SendPlan, Sent, Thresholds, Transfer, TransferOptions, route::SocketKind,
};
use proptest::prelude::*;

const FILE_BYTES: usize = 800_000;

/// A piece: bytes, or a range of the file, of lengths on both sides of every threshold.
fn piece() -> impl Strategy<Value = (bool, u64, u64)> {
    let len = prop_oneof![Just(0), 1..200u64, 8_000..8_400u64, 1..70_000u64, 200_000..700_000u64];
    (any::<bool>(), 0..100_000u64, len)
}

fn plan_of(pieces: &[(bool, u64, u64)], file: &Arc<std::fs::File>, contents: &[u8]) -> SendPlan {
    let mut plan = SendPlan::new();
    for &(in_file, offset, len) in pieces {
        if in_file {
            plan.push_file(FileRange::new(Arc::clone(file), offset, len));
        } else {
            let end = (offset + len) as usize;
            plan.push_bytes(Bytes::copy_from_slice(&contents[offset as usize..end]));
        }
    }
    plan
}

fn options() -> impl Strategy<Value = TransferOptions> {
    let route = prop_oneof![1 => Just(None), 4 => prop::sample::select(&Route::ALL[..]).prop_map(Some)];
    (route, 0..20_000u32, prop_oneof![1..100_000u32, Just(1 << 20)]).prop_map(
        |(route, copy_max_bytes, turn_bytes)| TransferOptions {
            route,
            thresholds: Thresholds::copy_up_to(u64::from(copy_max_bytes)),
            turn_bytes,
            ..TransferOptions::default()
        },
    )
}

/// Tiny ones too, and one that gets on.
fn shorts() -> impl Strategy<Value = Vec<usize>> {
    let short = prop_oneof![1..50usize, 1_000..50_000usize];
    prop::collection::vec(short, 0..4).prop_map(|mut shorts| {
        shorts.push(60_000);
        shorts
    })
}

fn kind() -> impl Strategy<Value = SocketKind> {
    prop_oneof![Just(SocketKind::Plain), Just(SocketKind::KernelTls)]
}

/// As [`send_blocking`], on an event loop.
fn send_async(transfer: &Transfer, plan: &mut SendPlan, tiny: bool) -> (Sent, Vec<u8>) {
    runtime().block_on(async {
        let (sender, receiver) = tokio_pair(tiny);
        let reader = read_in_background(receiver, plan.total());
        let sent = tokio::time::timeout(common::LIMIT, transfer.send(&sender, plan)).await;
        let sent = sent.expect("in time").expect("sending");
        drop(sender);
        (sent, reader.join().expect("the reader"))
    })
}

/// How something was sent.
#[derive(Clone, Copy)]
struct Setting {
    options: TransferOptions,
    kind: SocketKind,
    is_async: bool,
}

impl Setting {
    /// The file bytes of `plan` that each route has to carry.
    fn by_route(&self, plan: &SendPlan) -> [u64; Route::COUNT] {
        let is_plain = self.kind == SocketKind::Plain;
        let forced = self.options.route.map(|route| match route {
            Route::Ktls if is_plain => Route::Copy,
            Route::Zerocopy if self.is_async => Route::Copy,
            route if !is_available(route) => Route::Copy,
            route => route,
        });
        let by_length = |len| match self.options.thresholds.route_for(len) {
            Route::Copy => Route::Copy,
            route if is_plain => route,
            _ => Route::Ktls,
        };
        let mut bytes = [0; Route::COUNT];
        for range in plan.pieces().iter().filter(|piece| matches!(piece, Piece::File(_))) {
            bytes[forced.unwrap_or_else(|| by_length(range.len())).index()] += range.len();
        }
        bytes
    }

    /// Everything was sent, and the bytes of files by the routes they were to go by: none falls back unsaid.
    fn check(&self, transfer: &Transfer, plan: &SendPlan, sent: &Sent) {
        let file_bytes = sent.file_bytes.iter().sum::<u64>();
        assert_eq!((sent.bytes, sent.memory_bytes + file_bytes), (plan.total(), plan.total()));
        assert_eq!(plan.remaining(), 0);
        let mut wanted = self.by_route(plan);
        if wanted[Route::Uring.index()] > 0 {
            // Single calls of its go by copy, where a socket takes little or no buffer is free, and are counted.
            let told = transfer.stats().snapshot();
            let instead = told.uring.small + told.uring.no_buffer + told.refusals;
            let copied = sent.by(Route::Copy);
            assert!(copied == 0 || instead > 0, "{sent:?}, {:?}", told.uring);
            wanted[Route::Uring.index()] -= copied;
            wanted[Route::Copy.index()] = copied;
        }
        assert_eq!(sent.file_bytes, wanted, "{:?}, {:?}: {sent:?}", self.options.route, self.kind);
    }
}

/// Sends `plan` by either face, to a socket of `kind`, as what a kernel in this mood makes of it.
fn send_both_ways(transfer: &Transfer, plan: &SendPlan, kind: SocketKind, tiny: bool) {
    let expected = expected(plan);
    for is_async in [false, true] {
        let setting = Setting { options: *transfer.options(), kind, is_async };
        let mut plan = plan.clone();
        let (sent, received) = if is_async {
            send_async(transfer, &mut plan, tiny)
        } else {
            send_blocking(transfer, &mut plan, tiny)
        };
        assert!(received == expected, "{:?}", setting.options.route);
        setting.check(transfer, &plan, &sent);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn any_plan_by_any_route_arrives_whole(
        pieces in prop::collection::vec(piece(), 0..12), options in options(), kind in kind(), tiny: bool,
    ) {
        let contents = pattern(FILE_BYTES, 1);
        let file = file_of(&contents);
        let plan = plan_of(&pieces, &file, &contents);
        prop_assert_eq!(expected(&plan).len() as u64, plan.total());
        // Whole pages do not fit into a tiny receive buffer: each of them waits for a retransmission.
        let tiny = tiny && options.route != Some(Route::Zerocopy);
        let transfer = transfer_over(options, Moody { kind, ..Moody::default() });
        send_both_ways(&transfer, &plan, kind, tiny);
    }

    #[test]
    fn any_pattern_of_short_sends_and_interruptions_arrives_whole(
        pieces in prop::collection::vec(piece(), 0..8), options in options(), kind in kind(),
        shorts in shorts(), interrupt_every in prop_oneof![Just(0), 2..6u64],
        cold_every in 0..4u64, reads_are_cold: bool,
    ) {
        let contents = pattern(FILE_BYTES, 2);
        let file = file_of(&contents);
        let plan = plan_of(&pieces, &file, &contents);
        let moody = Moody { shorts, interrupt_every, cold_every, reads_are_cold, kind, ..Moody::default() };
        send_both_ways(&transfer_over(options, moody), &plan, kind, false);
    }
}

/// Where it is to be had it is taken, and not `copy` in its name.
#[test]
fn each_forced_route_carries_the_bytes_of_files_itself() {
    let file = file_of(&pattern(FILE_BYTES, 9));
    for route in Route::ALL.into_iter().filter(|&route| is_available(route)) {
        let moody = Moody { kind: SocketKind::KernelTls, ..Moody::default() };
        let transfer = transfer_over(forced(route), moody);
        let plan = only(FileRange::new(Arc::clone(&file), 5, 700_000));
        send_both_ways(&transfer, &plan, SocketKind::KernelTls, false);
        let bytes = transfer.stats().snapshot().routes[route.index()].bytes;
        let times = if route == Route::Zerocopy { 1 } else { 2 };
        assert!(bytes == times * 700_000 || route == Route::Uring && bytes > 0, "{route}: {bytes}");
    }
}

#[tokio::test]
async fn a_unix_socket_gets_the_same_bytes() {
    let contents = pattern(FILE_BYTES, 7);
    let file = file_of(&contents);
    for route in Route::ALL.map(Some).into_iter().chain([None]) {
        let (sender, mut receiver) = tokio::net::UnixStream::pair().expect("a pair");
        socket2::SockRef::from(&sender).set_send_buffer_size(1).expect("a tiny buffer");
        let mut plan =
            plan_of(&[(false, 0, 30), (true, 5, 700_000), (false, 9, 3), (true, 0, 100)], &file, &contents);
        let expected = expected(&plan);
        let reader = tokio::spawn(async move {
            let mut bytes = Vec::new();
            tokio::io::AsyncReadExt::read_to_end(&mut receiver, &mut bytes).await.map(|_| bytes)
        });
        let transfer = transfer(TransferOptions { route, ..TransferOptions::default() });
        tokio::time::timeout(common::LIMIT, transfer.send(&sender, &mut plan))
            .await
            .expect("in time")
            .expect("sent");
        drop(sender);
        assert!(reader.await.expect("the reader").expect("reading") == expected, "{route:?}");
    }
}

#[test]
fn a_plan_of_a_thousand_small_pieces_arrives_whole() {
    let contents = pattern(FILE_BYTES, 3);
    let file = file_of(&contents);
    let pieces: Vec<_> = (0..1000).map(|at| (at % 2 == 1, at * 100, 90)).collect();
    let mut plan = plan_of(&pieces, &file, &contents);
    let expected = expected(&plan);
    let transfer = transfer(TransferOptions::default());
    assert!(send_blocking(&transfer, &mut plan, false).1 == expected);
    let snapshot = transfer.stats().snapshot();
    assert_eq!(snapshot.routes[Route::Sendfile.index()].calls, 0);
    assert!(snapshot.routes[Route::Copy.index()].calls < 40, "small pieces share calls: {snapshot:?}");
}

#[test]
fn large_pieces_go_by_sendfile_and_small_ones_by_copy() {
    let file = file_of(&pattern(FILE_BYTES, 4));
    let transfer = transfer(TransferOptions::default());
    for (len, route) in [(8192, Route::Copy), (8193, Route::Sendfile), (100_000, Route::Sendfile)] {
        let mut plan = SendPlan::new();
        plan.push(Piece::from(FileRange::new(Arc::clone(&file), 7, len)));
        let expected = expected(&plan);
        assert!(send_async(&transfer, &mut plan, false).1 == expected);
        let counts = transfer.stats().snapshot().routes[route.index()];
        assert!(counts.bytes >= len, "{len} by {route:?}: {counts:?}");
    }
    assert_eq!(transfer.stats().snapshot().routes[Route::Copy.index()].bytes, 8192);
}

#[test]
fn ranges_beyond_four_gigabytes_arrive_whole() {
    let start = (5 << 30) + 123;
    let contents = pattern(50_000, 5);
    let file = file_of(b"");
    std::os::unix::fs::FileExt::write_all_at(&*file, &contents, start).expect("a sparse file");
    for route in Route::ALL {
        let transfer = transfer(forced(route));
        let mut plan = SendPlan::new();
        plan.push_file(FileRange::new(Arc::clone(&file), start - 1000, 51_000));
        let (_, got) = send_async(&transfer, &mut plan, true);
        assert!(got[..1000].iter().all(|&byte| byte == 0) && got[1000..] == contents, "{route:?}");
    }
}

#[test]
fn nothing_to_send_makes_no_call() {
    let transfer = transfer(TransferOptions::default());
    assert!(send_async(&transfer, &mut SendPlan::new(), false).1.is_empty());
    assert_eq!(transfer.stats().snapshot().routes[0].calls, 0);
}

#[test]
fn an_unlinked_file_is_sent_whole() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let path = dir.path().join("segment");
    let contents = pattern(100_000, 6);
    std::fs::write(&path, &contents).expect("writing");
    let file = Arc::new(std::fs::File::open(&path).expect("opening"));
    std::fs::remove_file(&path).expect("unlinking");
    let mut plan = SendPlan::new();
    plan.push_file(FileRange::new(file, 0, contents.len() as u64));
    assert!(send_async(&transfer(TransferOptions::default()), &mut plan, true).1 == contents);
}

/// Partial segments are held back from the file's on, so that a trailer shares one with it, and no longer than that.
#[test]
fn a_file_and_what_follows_it_leave_together() {
    for tail in [true, false] {
        let contents = pattern(100_000, 7);
        let mut plan = SendPlan::new();
        plan.push_bytes(Bytes::from_static(b"header"));
        plan.push_file(FileRange::new(file_of(&contents), 0, 100_000));
        if tail {
            plan.push_bytes(Bytes::from_static(b"tail"));
        }
        let expected = expected(&plan);
        let moody = Moody::default();
        let corks = Arc::clone(&moody.corks);
        assert!(
            send_blocking(&transfer_over(TransferOptions::default(), moody), &mut plan, false).1 == expected
        );
        let corks = (corks.0.load(Ordering::Relaxed), corks.1.load(Ordering::Relaxed));
        assert_eq!(corks, if tail { (1, 1) } else { (0, 0) });
    }
}

#[test]
fn a_socket_that_cannot_hold_segments_back_gets_the_same_bytes() {
    let contents = pattern(300_000, 8);
    let file = file_of(&contents);
    let mut plan = plan_of(
        &[(false, 0, 10), (true, 0, 100_000), (false, 5, 9), (true, 7, 200_000), (false, 1, 1)],
        &file,
        &contents,
    );
    let expected = expected(&plan);
    let moody = Moody { no_cork: true, ..Moody::default() };
    let transfer = transfer_over(TransferOptions::default(), moody);
    assert!(send_async(&transfer, &mut plan, false).1 == expected);
}
