//! From a socket into a file: every byte at its offset, whatever gets in the way, and an offset that tells the truth.

mod common;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::TcpStream;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::thread::JoinHandle;

use common::{LIMIT, Moody, file_of, for_tokio, once, pattern, runtime, tcp_pair, transfer_over};
use pagewire_zcopy::{
    Calls, FileRange, MapAccess, MappedFile, OsCalls, PipeOptions, ReceiveError, Route, Transfer,
    TransferOptions, route::Why,
};
use proptest::prelude::*;
use rustix::io::Errno;

fn by(route: Option<Route>) -> TransferOptions {
    TransferOptions { route, ..TransferOptions::default() }
}

const ROUTES: [Option<Route>; 3] = [None, Some(Route::Copy), Some(Route::Splice)];

/// Sends `bytes` in a thread of its own, in pieces of odd sizes, and closes.
fn write_in_background(mut to: TcpStream, bytes: Vec<u8>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for piece in bytes.chunks(40_111) {
            to.write_all(piece).expect("writing");
        }
    })
}

fn bytes_at(file: &File, offset: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    file.read_exact_at(&mut bytes, offset).expect("as long as that");
    bytes
}

fn receive(transfer: &Transfer, bytes: &[u8], offset: u64, file: &File, is_async: bool, tiny: bool) -> u64 {
    let (sender, receiver) = tcp_pair(tiny);
    let writer = write_in_background(sender, bytes.to_vec());
    let before = transfer.stats().snapshot().received.bytes();
    let mut end = offset;
    let moved = if is_async {
        runtime().block_on(async {
            let receiving = for_tokio(receiver);
            let moving = transfer.transfer_from(&receiving, file, &mut end, u64::MAX);
            tokio::time::timeout(LIMIT, moving).await.expect("in time").expect("receiving")
        })
    } else {
        transfer.transfer_from_blocking(&receiver, file, &mut end, u64::MAX).expect("receiving")
    };
    writer.join().expect("the writer");
    assert_eq!((moved.bytes, moved.eof), (bytes.len() as u64, true));
    // Another one may run at the same time.
    assert!(transfer.stats().snapshot().received.bytes() - before >= moved.bytes);
    end
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_stream_arrives_whole_at_any_offset(
        len in prop_oneof![Just(0), 1..9_000usize, 200_000..900_000usize],
        offset in prop_oneof![Just(0u64), 1..40u64, 4_000..10_000u64, Just((5u64 << 30) + 17)],
        route in prop::sample::select(&ROUTES[..]), turn_bytes in prop_oneof![1_000..100_000u32, Just(1 << 20)],
        shorts in prop::collection::vec(1_000..60_000usize, 0..3), interrupt_every in prop_oneof![Just(0), 2..6u64],
        is_async: bool, tiny: bool,
    ) {
        let bytes = pattern(len, 50);
        let file = file_of(b"");
        let options = TransferOptions { turn_bytes, ..by(route) };
        let transfer = transfer_over(options, Moody { shorts, interrupt_every, ..Moody::default() });
        let end = receive(&transfer, &bytes, offset, &file, is_async, tiny);
        prop_assert_eq!(end, offset + len as u64);
        prop_assert!(bytes_at(&file, offset, len) == bytes);
        prop_assert_eq!(transfer.pipes().usage().in_use, 0);
    }
}

#[test]
fn it_stops_at_its_length_and_leaves_the_rest_in_the_socket() {
    for route in ROUTES {
        let (mut sender, receiver) = tcp_pair(false);
        sender.write_all(b"first part, second part").expect("writing");
        let (file, transfer) = (file_of(b"?????????????"), transfer_over(by(route), Moody::default()));
        let mut offset = 2;
        let moved = transfer.transfer_from_blocking(&receiver, &file, &mut offset, 10).expect("moved");
        assert_eq!((moved.bytes, moved.eof, offset), (10, false, 12));
        assert_eq!(moved.route, route.unwrap_or(Route::Copy));
        assert_eq!(moved.why, if route.is_some() { Why::Forced } else { Why::Received });
        drop(sender);
        let rest = transfer.transfer_from_blocking(&receiver, &file, &mut offset, u64::MAX).expect("moved");
        assert_eq!((rest.bytes, rest.eof, offset), (13, true, 25));
        assert_eq!(bytes_at(&file, 0, 25), b"??first part, second part");
    }
}

#[test]
fn nothing_wanted_is_nothing_received() {
    let (_sender, receiver) = tcp_pair(false);
    let transfer = transfer_over(by(None), Moody::default());
    let moved = transfer.transfer_from_blocking(&receiver, &file_of(b""), &mut 7, 0).expect("moved");
    assert_eq!((moved.bytes, moved.calls, moved.eof), (0, 0, false));
}

#[test]
fn dropped_at_any_await_it_loses_and_doubles_nothing() {
    for route in ROUTES {
        for polls in 1..4 {
            let bytes = pattern(400_000, 51);
            let file = file_of(b"");
            let options = TransferOptions { turn_bytes: 20_000, ..by(route) };
            let transfer = transfer_over(options, Moody { interrupt_every: 7, ..Moody::default() });
            let (mut offset, mut dropped) = (0, 0);
            runtime().block_on(async {
                let (sender, receiver) = tcp_pair(true);
                let writer = write_in_background(sender, bytes.clone());
                let receiver = for_tokio(receiver);
                'all: loop {
                    let mut moving = pin!(transfer.transfer_from(&receiver, &file, &mut offset, u64::MAX));
                    for _ in 0..polls {
                        if let Poll::Ready(answer) = once(moving.as_mut()).await {
                            assert!(answer.expect("receiving").eof);
                            break 'all;
                        }
                        tokio::task::yield_now().await;
                    }
                    dropped += 1;
                    assert_eq!(transfer.pipes().usage().in_use, 0, "nothing is held while it waits");
                }
                writer.join().expect("the writer");
            });
            assert!(dropped > 3, "it was dropped {dropped} times");
            assert_eq!(offset, 400_000);
            assert!(bytes_at(&file, 0, 400_000) == bytes, "{route:?}, dropped after {polls} polls");
        }
    }
}

/// A socket says empty and has something at the next look, as one does to which more came in between.
#[test]
fn a_socket_that_was_empty_for_a_moment_gives_every_byte_once() {
    for route in ROUTES {
        let moody = Moody { full_every: 3, shorts: vec![300, 1_500], ..Moody::default() };
        let empties = Arc::clone(&moody.fulls);
        let transfer = transfer_over(by(route), moody);
        let (bytes, file) = (pattern(50_000, 56), file_of(b""));
        let (mut sender, receiver) = tcp_pair(false);
        receiver.set_nonblocking(true).expect("non-blocking");
        // All of it, and the end: from then on the socket is never empty.
        sender.write_all(&bytes).expect("writing");
        drop(sender);
        let mut offset = 3;
        let moved = transfer.transfer_from_blocking(&receiver, &file, &mut offset, u64::MAX).expect("moved");
        assert_eq!((moved.bytes, moved.eof, offset), (50_000, true, 50_003), "{route:?}");
        assert!(bytes_at(&file, 3, 50_000) == bytes, "{route:?}");
        let empties = empties.load(Ordering::Relaxed);
        assert!(empties > 5 && moved.calls > empties, "{route:?}: {empties} times, {moved:?}");
    }
}

#[test]
fn a_refusal_of_either_leg_is_made_good_by_a_copy() {
    for errno in [Errno::NOSYS, Errno::INVAL] {
        for legs in [(true, false), (false, true)] {
            let error = |leg: bool| leg.then(|| errno.raw_os_error());
            let (splice_in_error, splice_out_error) = (error(legs.0), error(legs.1));
            let moody = Moody { splice_in_error, splice_out_error, ..Moody::default() };
            let transfer = transfer_over(by(Some(Route::Splice)), moody);
            let (bytes, file) = (pattern(300_000, 52), file_of(b""));
            assert_eq!(receive(&transfer, &bytes, 5, &file, true, false), 300_005);
            assert!(bytes_at(&file, 5, 300_000) == bytes, "{errno:?}, {legs:?}");
            let for_good = errno == Errno::NOSYS;
            assert_eq!(transfer.refused().contains(Route::Splice), for_good);
            assert_eq!(transfer.stats().snapshot().refusals, 1);
        }
    }
}

#[test]
fn without_a_pipe_it_copies() {
    let pipes = PipeOptions { pipes_max: 0, ..PipeOptions::default() };
    let transfer = transfer_over(TransferOptions { pipes, ..by(Some(Route::Splice)) }, Moody::default());
    let (bytes, file) = (pattern(300_000, 53), file_of(b""));
    receive(&transfer, &bytes, 0, &file, false, false);
    assert!(bytes_at(&file, 0, 300_000) == bytes);
}

#[test]
fn a_full_disk_is_an_error_and_the_offset_tells_how_much_is_safe() {
    let moody = Moody { write_error: Some((Errno::NOSPC.raw_os_error(), 70_000)), ..Moody::default() };
    let transfer = transfer_over(by(None), moody);
    let (bytes, file) = (pattern(150_000, 54), file_of(b""));
    let (sender, receiver) = tcp_pair(false);
    let writer = std::thread::spawn({
        let (mut sender, bytes) = (sender, bytes.clone());
        move || sender.write_all(&bytes).is_ok()
    });
    let mut offset = 10;
    match transfer.transfer_from_blocking(&receiver, &file, &mut offset, u64::MAX) {
        Err(ReceiveError::File { error, lost }) => {
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
            assert!(lost > 0);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(offset, 70_010);
    assert!(bytes_at(&file, 10, 70_000) == bytes[..70_000]);
    drop(receiver);
    let _ = writer.join().expect("the writer");
}

#[test]
fn an_error_of_either_leg_reaches_the_caller_with_its_side() {
    for (leg_in, code) in [(true, Errno::CONNRESET), (false, Errno::IO)] {
        let error = Some(code.raw_os_error());
        let moody = if leg_in {
            Moody { splice_in_error: error, ..Moody::default() }
        } else {
            Moody { splice_out_error: error, ..Moody::default() }
        };
        let transfer = transfer_over(by(Some(Route::Splice)), moody);
        let (mut sender, receiver) = tcp_pair(false);
        sender.write_all(b"eleven byte").expect("writing");
        let (mut offset, file) = (0, file_of(b""));
        match transfer.transfer_from_blocking(&receiver, &file, &mut offset, u64::MAX) {
            Err(ReceiveError::Socket(told)) if leg_in => assert_eq!(told.raw_os_error(), error),
            Err(ReceiveError::File { error: told, lost: 11 }) => assert_eq!(told.raw_os_error(), error),
            other => panic!("{other:?}"),
        }
        assert_eq!((offset, transfer.pipes().usage().in_use), (0, 0));
    }
}

#[test]
fn files_without_offsets_are_refused_before_anything_is_received() {
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a directory");
    let path = dir.path().join("file");
    std::fs::write(&path, b"").expect("writing");
    let (read_end, write_end) = std::io::pipe().expect("a pipe");
    let appending = OpenOptions::new().append(true).open(&path).expect("opening");
    let files = [
        appending,
        File::open(&path).expect("opening"),
        File::from(std::os::fd::OwnedFd::from(write_end)),
        File::open(dir.path()).expect("opening"),
    ];
    let (mut sender, receiver) = tcp_pair(false);
    sender.write_all(b"kept").expect("writing");
    let transfer = transfer_over(by(None), Moody::default());
    for file in &files {
        let told = transfer.transfer_from_blocking(&receiver, file, &mut 0, 4);
        assert!(matches!(told, Err(ReceiveError::Unsuitable(_))), "{told:?}");
    }
    let file = file_of(b"");
    let mut end_of_all = u64::MAX;
    let beyond = transfer.transfer_from_blocking(&receiver, &file, &mut end_of_all, 4);
    assert!(matches!(beyond, Err(ReceiveError::Unsuitable(_))), "{beyond:?}");
    transfer.transfer_from_blocking(&receiver, &file, &mut 0, 4).expect("it is all still there");
    assert_eq!(bytes_at(&file, 0, 4), b"kept");
    drop(read_end);
}

#[test]
fn the_time_limit_of_a_blocking_socket_is_an_error_of_the_socket() {
    let (_sender, receiver) = tcp_pair(false);
    receiver.set_read_timeout(Some(std::time::Duration::from_millis(20))).expect("a limit");
    for route in ROUTES {
        let transfer = transfer_over(by(route), Moody::default());
        match transfer.transfer_from_blocking(&receiver, &file_of(b""), &mut 0, 1) {
            Err(ReceiveError::Socket(error)) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn two_transfers_fill_their_parts_of_one_file() {
    let (bytes, file) = (pattern(600_000, 55), Arc::clone(&file_of(b"")));
    let transfer = transfer_over(by(None), Moody::default());
    std::thread::scope(|scope| {
        for part in 0..2 {
            let (transfer, file, bytes) = (&transfer, &file, &bytes[part * 300_000..][..300_000]);
            scope.spawn(move || receive(transfer, bytes, part as u64 * 300_000, file, false, false));
        }
    });
    assert!(bytes_at(&file, 0, 600_000) == bytes);
}

/// Words in the error queue, of a send with MSG_ZEROCOPY here, make a socket ready and nothing to receive.
#[test]
fn a_silent_peer_is_waited_for_with_words_in_the_error_queue() {
    let (socket, mut peer) = tcp_pair(false);
    if OsCalls.enable_zerocopy(socket.as_fd()).is_err() {
        eprintln!("without MSG_ZEROCOPY nothing fills the error queue here");
        return;
    }
    let map = MappedFile::new(&FileRange::new(file_of(&[7; 4096]), 0, 4096), MapAccess::Read).expect("a map");
    let n = OsCalls.send_zerocopy(socket.as_fd(), &map.part(0, 4096), false).expect("sending");
    std::io::Read::read_exact(&mut peer, &mut vec![0; n]).expect("reading");
    socket.set_nonblocking(true).expect("non-blocking");
    let writer = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        peer.write_all(b"at last").expect("writing");
    });
    let (file, mut offset) = (tempfile::tempfile().expect("a file"), 0);
    let moved = pagewire_zcopy::transfer_from_blocking(&socket, &file, &mut offset, 7).expect("receiving");
    writer.join().expect("the writer");
    assert_eq!(moved.bytes, 7);
    assert!(moved.calls < 20, "it slept, and did not ask again and again: {moved:?}");
}
