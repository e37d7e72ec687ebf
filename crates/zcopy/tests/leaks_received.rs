//! Ten thousand times from a socket, into a file or to another socket, leave nothing behind.

mod common;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;

use common::{Moody, descriptors, file_of, is_alone, once, pattern, pipes_open, runtime, transfer_over};
use pagewire_zcopy::{PipeOptions, Relay, Route, Transfer, TransferOptions};

/// By each way and face.
const TIMES: u64 = 10_000;
const BYTES: usize = 3_000;
/// More than a tiny socket takes, and than is held at a time.
const TOO_MANY: usize = 50_000;

/// Short and interrupted now and then.
fn moody() -> Moody {
    Moody { shorts: vec![BYTES, BYTES, BYTES, 1_000], interrupt_every: 50, ..Moody::default() }
}

/// By `splice`, and without a pipe.
fn transfers() -> [(bool, Transfer); 2] {
    [true, false].map(|splices| {
        let pipes_max = if splices { PipeOptions::default().pipes_max } else { 0 };
        let pipes = PipeOptions { pipes_max, ..PipeOptions::default() };
        let route = Some(if splices { Route::Splice } else { Route::Copy });
        (splices, transfer_over(TransferOptions { route, pipes, ..TransferOptions::default() }, moody()))
    })
}

fn assert_nothing_is_held(transfer: &Transfer) {
    let (buffers, pipes) = (transfer.buffers().usage(), transfer.pipes().usage());
    assert_eq!((buffers.in_use_bytes, pipes.in_use), (0, 0));
    assert!(buffers.mapped <= 2, "a buffer or two served all: {buffers:?}");
}

/// Alone, after what the first runtime of a process opens and keeps for all: descriptors and pipes that are open.
fn counted() -> (usize, usize) {
    drop(runtime());
    (descriptors(), pipes_open())
}

#[test]
fn ten_thousand_transfers_into_a_file_leave_nothing() {
    if !is_alone("ten_thousand_transfers_into_a_file_leave_nothing") {
        return;
    }
    let (before, bytes) = (counted(), pattern(BYTES, 96));
    for (splices, transfer) in transfers() {
        let file = file_of(b"");
        let (mut sender, receiver) = UnixStream::pair().expect("a pair");
        let mut offset = 0;
        for _ in 0..TIMES {
            sender.write_all(&bytes).expect("writing");
            let moved = transfer.transfer_from_blocking(&receiver, &file, &mut offset, BYTES as u64);
            assert_eq!(moved.expect("moved").bytes, BYTES as u64);
        }
        receiver.set_nonblocking(true).expect("non-blocking");
        runtime().block_on(async {
            let receiver = tokio::net::UnixStream::from_std(receiver).expect("inside a runtime");
            for _ in 0..TIMES {
                // One is dropped while it waits, and the next one gets the bytes.
                let mut none = offset;
                let waiting = once(pin!(transfer.transfer_from(&receiver, &file, &mut none, 1))).await;
                assert!(waiting.is_pending() && none == offset);
                sender.write_all(&bytes).expect("writing");
                let moved = transfer.transfer_from(&receiver, &file, &mut offset, BYTES as u64).await;
                assert_eq!(moved.expect("moved").bytes, BYTES as u64);
            }
        });
        assert_eq!(offset, 2 * TIMES * BYTES as u64);
        let received = transfer.stats().snapshot().received;
        assert_eq!((received.bytes(), received.spliced_bytes), (offset, if splices { offset } else { 0 }));
        assert_nothing_is_held(&transfer);
    }
    assert_eq!(counted(), before);
}

/// Every other one on tokio is dropped with bytes that its receiver did not take.
#[test]
fn ten_thousand_relays_leave_nothing() {
    if !is_alone("ten_thousand_relays_leave_nothing") {
        return;
    }
    let before = counted();
    for (splices, transfer) in transfers() {
        (0..TIMES).for_each(|_| relay_blocking(&transfer));
        runtime().block_on(async {
            for turn in 0..TIMES {
                relay_on_tokio(&transfer, turn % 2 == 0).await;
            }
        });
        let pipes = transfer.pipes().usage();
        assert_eq!(pipes.discarded, if splices { TIMES / 2 } else { 0 }, "with bytes in them: {pipes:?}");
        assert_nothing_is_held(&transfer);
        let relayed = transfer.stats().snapshot().relayed;
        assert_eq!(relayed.spliced_bytes, if splices { relayed.bytes() } else { 0 });
    }
    assert_eq!(counted(), before);
}

fn relay_blocking(transfer: &Transfer) {
    let ((mut client, from), (to, mut server)) = pairs();
    client.write_all(&[7; BYTES]).expect("writing");
    drop(client);
    let relayed = Relay::new(transfer).run_blocking(&from, &to).expect("relayed");
    assert_eq!(relayed.bytes, BYTES as u64);
    server.read_exact(&mut [0; BYTES]).expect("reading");
}

async fn relay_on_tokio(transfer: &Transfer, fits: bool) {
    let ((mut client, from), (to, _server)) = pairs();
    let [from, to] = [from, to].map(|socket| {
        socket.set_nonblocking(true).expect("non-blocking");
        tokio::net::UnixStream::from_std(socket).expect("inside a runtime")
    });
    client.write_all(&vec![7; if fits { BYTES } else { TOO_MANY }]).expect("writing");
    let mut relay = Relay::new(transfer);
    if fits {
        drop(client);
        assert_eq!(relay.run(&from, &to).await.expect("relayed").bytes, BYTES as u64);
        return;
    }
    socket2::SockRef::from(&to).set_send_buffer_size(1).expect("a tiny buffer");
    while relay.relayed().would_block == 0 {
        assert!(once(pin!(relay.run(&from, &to))).await.is_pending(), "nobody reads");
        tokio::task::yield_now().await;
    }
    assert!(relay.held_bytes() > 0, "and it is dropped so");
}

fn pairs() -> ((UnixStream, UnixStream), (UnixStream, UnixStream)) {
    let pair = || UnixStream::pair().expect("a pair");
    (pair(), pair())
}
