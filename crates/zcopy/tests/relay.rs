//! From a socket to a socket: every byte once, in order, and the end of the stream where it belongs.

mod common;

use std::io::{Read, Write};
use std::pin::pin;
use std::task::Poll;

use common::{LIMIT, Moody, for_tokio, once, pattern, read_in_background, runtime, tcp_pair, transfer_over};
use pagewire_zcopy::{
    BufferPool, IoPool, PipeOptions, PoolOptions, Relay, RelayError, Relayed, Route, Transfer,
    TransferOptions,
};
use rustix::io::Errno;

const LEN: usize = 700_000;

/// How a relay is run.
#[derive(Clone, Copy, PartialEq)]
enum Face {
    Blocking,
    /// Of sockets that do not wait by themselves, by a thread that does.
    NonBlocking,
    Tokio,
}

/// Relays a stream of `LEN` bytes, with the end of it, and answers with what was done.
fn relay(transfer: &Transfer, face: Face, tiny: bool) -> Relayed {
    let bytes = pattern(LEN, 60);
    let ((mut client, from), (to, server)) = (tcp_pair(tiny), tcp_pair(tiny));
    let reader = read_in_background(server, u64::MAX);
    let writer = std::thread::spawn({
        let bytes = bytes.clone();
        move || client.write_all(&bytes).map(|()| client)
    });
    let mut relay = Relay::new(transfer).shut_down_at_end(true);
    let client = writer;
    let close = std::thread::spawn(move || drop(client.join().expect("the writer").expect("writing")));
    let relayed = if face == Face::Tokio {
        runtime().block_on(async {
            let (from, to) = (for_tokio(from), for_tokio(to));
            let relayed = tokio::time::timeout(LIMIT, relay.run(&from, &to)).await;
            // The end of the stream was handed on: the reader gets to it while both sockets are open.
            let read = tokio::task::spawn_blocking(move || reader.join().expect("the reader"));
            assert!(read.await.expect("reading") == bytes);
            relayed.expect("in time").expect("relaying")
        })
    } else {
        for socket in [&from, &to] {
            socket.set_nonblocking(face == Face::NonBlocking).expect("told whether to wait");
        }
        let relayed = relay.run_blocking(&from, &to).expect("relaying");
        assert!(reader.join().expect("the reader") == bytes);
        relayed
    };
    close.join().expect("closing");
    assert!(relay.is_done());
    assert_eq!((relayed.bytes, transfer.pipes().usage().in_use), (LEN as u64, 0));
    let counted = transfer.stats().snapshot().relayed;
    assert_eq!((counted.bytes(), counted.spliced_bytes), (relayed.bytes, relayed.spliced_bytes));
    relayed
}

#[test]
fn a_stream_arrives_whole_and_ends_and_no_byte_is_copied() {
    for face in [Face::Blocking, Face::NonBlocking, Face::Tokio] {
        for tiny in [false, true] {
            let transfer = transfer_over(TransferOptions::default(), Moody::default());
            assert_eq!(relay(&transfer, face, tiny).spliced_bytes, LEN as u64);
        }
    }
}

#[test]
fn any_short_move_and_interruption_changes_nothing() {
    for face in [Face::Blocking, Face::NonBlocking, Face::Tokio] {
        let moody = Moody { shorts: vec![50_000, 1_000, 30_001], interrupt_every: 5, ..Moody::default() };
        relay(&transfer_over(TransferOptions::default(), moody), face, false);
    }
}

/// Either socket says that it is not ready, and is at the next look.
#[test]
fn sockets_that_were_empty_or_full_for_a_moment_change_nothing() {
    for pipes_max in [0, PipeOptions::default().pipes_max] {
        let moody = Moody { full_every: 3, shorts: vec![50_000, 7_000], ..Moody::default() };
        let pipes = PipeOptions { pipes_max, ..PipeOptions::default() };
        let options = TransferOptions { pipes, ..TransferOptions::default() };
        let relayed = relay(&transfer_over(options, moody), Face::NonBlocking, false);
        assert!(relayed.starved > 5 && relayed.would_block > 5, "{pipes_max} pipes: {relayed:?}");
        assert_eq!(relayed.spliced_bytes == 0, pipes_max == 0);
    }
}

#[test]
fn where_splice_is_refused_bytes_are_copied_and_none_is_lost() {
    for (errno, leg_in) in
        [(Errno::NOSYS, true), (Errno::NOSYS, false), (Errno::INVAL, true), (Errno::INVAL, false)]
    {
        let error = Some(errno.raw_os_error());
        let moody = if leg_in {
            Moody { splice_in_error: error, ..Moody::default() }
        } else {
            Moody { splice_out_error: error, ..Moody::default() }
        };
        let transfer = transfer_over(TransferOptions::default(), moody);
        assert_eq!(relay(&transfer, Face::Tokio, false).spliced_bytes, 0);
        assert_eq!(transfer.stats().snapshot().refusals, 1);
        assert_eq!(transfer.refused().contains(Route::Splice), errno == Errno::NOSYS);
    }
}

#[test]
fn without_a_pipe_bytes_are_copied() {
    let pipes = PipeOptions { pipes_max: 0, ..PipeOptions::default() };
    let transfer = transfer_over(TransferOptions { pipes, ..TransferOptions::default() }, Moody::default());
    assert_eq!(relay(&transfer, Face::Blocking, false).spliced_bytes, 0);
}

#[test]
fn without_pipes_and_with_its_pool_at_the_bound_a_relay_holds_little() {
    let pipes = PipeOptions { pipes_max: 0, ..PipeOptions::default() };
    let options = TransferOptions { pipes, ..TransferOptions::default() };
    let none = BufferPool::new(PoolOptions { max_bytes: 0, ..PoolOptions::default() });
    let transfer = Transfer::new(options, none, IoPool::new(1, 16));
    assert_eq!(relay(&transfer, Face::Tokio, false).spliced_bytes, 0);
    let ((mut client, from), (to, _server)) = (tcp_pair(false), tcp_pair(true));
    client.set_nonblocking(true).expect("non-blocking");
    let (mut relay, bytes) = (Relay::new(&transfer), pattern(100_000, 63));
    runtime().block_on(async {
        let (from, to) = (for_tokio(from), for_tokio(to));
        while relay.held_bytes() == 0 {
            let _ = client.write(&bytes);
            let mut running = pin!(relay.run(&from, &to));
            let _ = once(running.as_mut()).await;
            tokio::task::yield_now().await;
        }
    });
    assert!(relay.held_bytes() <= 16 << 10, "{} bytes", relay.held_bytes());
}

#[test]
fn dropped_at_any_await_it_loses_and_doubles_nothing() {
    for splice_in_error in [None, Some(Errno::NOSYS.raw_os_error())] {
        for polls in 1..4 {
            let options = TransferOptions { turn_bytes: 30_000, ..TransferOptions::default() };
            let transfer = transfer_over(options, Moody { splice_in_error, ..Moody::default() });
            let bytes = pattern(LEN, 61);
            let ((mut client, from), (to, mut server)) = (tcp_pair(true), tcp_pair(true));
            let writer = std::thread::spawn({
                let bytes = bytes.clone();
                move || client.write_all(&bytes).expect("writing")
            });
            server.set_nonblocking(true).expect("non-blocking");
            let (mut received, mut buffer, mut dropped) = (Vec::new(), vec![0; 9_000], 0);
            let mut relay = Relay::new(&transfer);
            runtime().block_on(async {
                let (from, to) = (for_tokio(from), for_tokio(to));
                let mut done = false;
                while received.len() < LEN {
                    if !done {
                        let mut running = pin!(relay.run(&from, &to));
                        for _ in 0..polls {
                            if let Poll::Ready(answer) = once(running.as_mut()).await {
                                done = answer.is_ok();
                                break;
                            }
                            tokio::task::yield_now().await;
                        }
                        dropped += usize::from(!done);
                    }
                    if let Ok(n) = server.read(&mut buffer) {
                        received.extend_from_slice(&buffer[..n]);
                    }
                }
            });
            writer.join().expect("the writer");
            assert!(received == bytes && dropped > 3, "dropped {dropped} times, after {polls} polls");
        }
    }
}

#[test]
fn an_idle_relay_holds_no_pipe_and_a_dropped_one_with_bytes_closes_its_own() {
    let transfer = transfer_over(TransferOptions::default(), Moody::default());
    runtime().block_on(async {
        let ((mut client, from), (to, _server)) = (tcp_pair(false), tcp_pair(true));
        let (from, to) = (for_tokio(from), for_tokio(to));
        let (mut relay, bytes) = (Relay::new(&transfer), pattern(100_000, 62));
        let idle = tokio::time::timeout(std::time::Duration::from_millis(1), relay.run(&from, &to)).await;
        assert!(idle.is_err() && transfer.pipes().usage().in_use == 0);
        client.set_nonblocking(true).expect("non-blocking");
        while relay.held_bytes() == 0 {
            let _ = client.write(&bytes);
            let mut running = pin!(relay.run(&from, &to));
            let _ = once(running.as_mut()).await;
            tokio::task::yield_now().await;
        }
        assert_eq!(transfer.pipes().usage().in_use, 1);
        drop(relay);
        let usage = transfer.pipes().usage();
        assert_eq!((usage.in_use, usage.discarded), (0, 1));
    });
}

#[test]
fn an_error_says_which_side_failed() {
    for (leg_in, errno) in [(true, Errno::CONNRESET), (false, Errno::PIPE)] {
        let error = Some(errno.raw_os_error());
        let moody = if leg_in {
            Moody { splice_in_error: error, ..Moody::default() }
        } else {
            Moody { splice_out_error: error, ..Moody::default() }
        };
        let transfer = transfer_over(TransferOptions::default(), moody);
        let ((mut client, from), (to, _server)) = (tcp_pair(false), tcp_pair(false));
        client.write_all(b"x").expect("writing");
        match Relay::new(&transfer).run_blocking(&from, &to) {
            Err(RelayError::From(told)) if leg_in => assert_eq!(told.raw_os_error(), error),
            Err(RelayError::To(told)) if !leg_in => assert_eq!(told.raw_os_error(), error),
            other => panic!("{other:?}"),
        }
    }
}
