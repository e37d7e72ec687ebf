//! Ten thousand sendings by the common routes, and by every route on tokio, leave nothing behind.

mod common;

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use common::{
    Moody, descriptors, file_of, forced, framed, is_alone, is_available, maps_of, pattern, runtime, tcp_pair,
    tokio_pair, transfer, transfer_over, until,
};
use pagewire_zcopy::{FileRange, Route, SendPlan, Transfer, TransferOptions, route::SocketKind};

const SENDINGS: u64 = 10_000;
/// Above what is copied unasked.
const BYTES: u64 = 9_000;

/// A part of the file, another one each time.
fn plan(file: &Arc<File>, turn: u64) -> SendPlan {
    framed(FileRange::new(Arc::clone(file), turn * 9, BYTES))
}

/// Plans are kept, each as it was when it was sent: a finished one holds nothing but its pieces.
#[test]
fn ten_thousand_sendings_leave_no_descriptor_and_no_buffer() {
    if !is_alone("ten_thousand_sendings_leave_no_descriptor_and_no_buffer") {
        return;
    }
    let contents = pattern(100_000, 92);
    let file = file_of(&contents);
    let (sender, mut receiver) = tcp_pair(false);
    for route in [None, Some(Route::Copy), Some(Route::Sendfile), Some(Route::Direct)] {
        let transfer = transfer(TransferOptions { route, ..TransferOptions::default() });
        let (before, mut plans) = (descriptors(), Vec::new());
        for turn in 0..SENDINGS {
            let mut plan = plan(&file, turn);
            transfer.send_blocking(&sender, &mut plan).expect("sending");
            let mut received = vec![0; plan.total() as usize];
            receiver.read_exact(&mut received).expect("reading");
            let offset = turn as usize * 9;
            assert!(received[22..][..BYTES as usize] == contents[offset..][..BYTES as usize]);
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

/// File bytes that went by `route`.
fn send_on_tokio(transfer: &Transfer, route: Route, file: &Arc<File>) -> u64 {
    runtime().block_on(async {
        let (sender, mut receiver) = tokio_pair(false);
        let mut received = vec![0; 22 + BYTES as usize + 7];
        let mut bytes = 0;
        for turn in 0..SENDINGS {
            let mut plan = plan(file, turn);
            let sent = transfer.send(&sender, &mut plan).await.expect("sending");
            receiver.read_exact(&mut received).expect("reading");
            assert_eq!(sent.by(route) + sent.by(Route::Copy) * u64::from(route != Route::Copy), BYTES);
            bytes += sent.by(route);
        }
        bytes
    })
}

/// `zerocopy` is refused there, and that leaves nothing either.
#[test]
fn ten_thousand_sendings_on_tokio_by_every_route_leave_nothing() {
    if !is_alone("ten_thousand_sendings_on_tokio_by_every_route_leave_nothing") {
        return;
    }
    // The first runtime of a process opens what it keeps for all.
    drop(runtime());
    let file = file_of(&pattern(100_000, 93));
    let before = descriptors();
    for route in Route::ALL {
        let moody = Moody { kind: SocketKind::KernelTls, ..Moody::default() };
        let transfer = transfer_over(forced(route), moody);
        let bytes = send_on_tokio(&transfer, route, &file);
        match route {
            Route::Zerocopy => assert_eq!(bytes, 0),
            Route::Uring => assert_eq!(bytes > 0, is_available(route)),
            route => assert!(bytes == SENDINGS * BYTES || !is_available(route), "{route}: {bytes}"),
        }
        // A thread that has told what it read lets go of its own a little later.
        until("nobody keeps the file or a buffer", || {
            Arc::strong_count(&file) == 1 && transfer.buffers().usage().in_use_bytes == 0
        });
        let (buffers, pipes) = (transfer.buffers().usage(), transfer.pipes().usage());
        assert_eq!((pipes.in_use, maps_of(&file)), (0, 0), "{route}");
        assert!(buffers.mapped <= 2 && pipes.made <= 1, "{route}: one served all: {buffers:?}, {pipes:?}");
        drop(transfer);
        until("nobody keeps a descriptor", || descriptors() <= before);
        assert_eq!(descriptors(), before, "{route}");
    }
}
