//! One range, one call: what `transfer_to` answers, and where its offset stands whatever ended it.

mod common;

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use common::{
    LIMIT, Moody, file_of, pattern, read_in_background, tcp_pair, tokio_pair, transfer, transfer_over,
};
use pagewire_zcopy::route::Why;
use pagewire_zcopy::{Route, SendError, TransferOptions, transfer_to, transfer_to_blocking};

#[test]
fn a_part_is_moved_and_the_offset_with_it() {
    let contents = pattern(300_000, 1);
    let file = file_of(&contents);
    let (sender, receiver) = tcp_pair(false);
    let reader = read_in_background(receiver, 200_000);
    let mut offset = 50_000;
    let moved = transfer_to_blocking(&file, &mut offset, 200_000, &sender).expect("moved");
    drop(sender);
    assert!(reader.join().expect("the reader") == contents[50_000..250_000]);
    assert_eq!((moved.bytes, offset, moved.eof), (200_000, 250_000, false));
    assert_eq!((moved.route, moved.why, moved.calls > 0), (Route::Sendfile, Why::Large, true));
}

#[tokio::test]
async fn the_end_of_the_file_is_an_answer_and_no_error() {
    let contents = pattern(5_000, 2);
    let file = file_of(&contents);
    for (start, len, moved, eof) in [
        (0, u64::MAX, 5_000, true),
        (0, 5_000, 5_000, true),
        (0, 4_999, 4_999, false),
        (4_000, 9_000, 1_000, true),
        (5_000, 1, 0, true),
        (u64::MAX, u64::MAX, 0, true),
        (0, 0, 0, false),
    ] {
        let (sender, mut receiver) = tokio_pair(false);
        let mut offset = start;
        let answer = transfer_to(&file, &mut offset, len, &sender).await.expect("moved");
        drop(sender);
        let mut received = Vec::new();
        receiver.read_to_end(&mut received).expect("reading");
        assert_eq!((answer.bytes, answer.eof, offset), (moved, eof, start + moved), "{len} from {start}");
        assert!(received == contents[start.min(5_000) as usize..][..moved as usize]);
    }
}

/// Between the look at its size and the sending.
#[test]
fn a_file_that_becomes_shorter_has_only_ended_earlier() {
    for route in Route::ALL {
        let contents = pattern(100_000, 3);
        let file = file_of(&contents);
        let shorter = Arc::clone(&file);
        let moody = Moody {
            before_send: Some(Box::new(move || shorter.set_len(50_000).expect("cutting"))),
            ..Moody::default()
        };
        let transfer = transfer_over(
            TransferOptions { route: Some(route), turn_bytes: 10_000, ..TransferOptions::default() },
            moody,
        );
        let (sender, receiver) = tcp_pair(false);
        let reader = read_in_background(receiver, u64::MAX);
        let mut offset = 0;
        let moved = transfer.transfer_to_blocking(&file, &mut offset, u64::MAX, &sender).expect("moved");
        drop(sender);
        assert!(moved.eof && moved.bytes == offset && offset <= 100_000, "{route}: {moved:?}");
        assert!(reader.join().expect("the reader") == contents[..offset as usize], "{route}: its own bytes");
    }
}

/// Cut between the look at its end and the call: zeros stand behind the end in its last page, and the kernel takes
/// them.
#[test]
fn bytes_that_the_file_did_not_have_are_an_error_and_no_end() {
    const CUT: usize = 1_000;
    for route in [Route::Mmap, Route::Zerocopy] {
        let contents = pattern(4_096, 7);
        let file = file_of(&contents);
        let moody = Moody { cut_to: Some(CUT as u64), ..Moody::default() };
        let options = TransferOptions { route: Some(route), ..TransferOptions::default() };
        let transfer = transfer_over(options, moody);
        let (sender, receiver) = tcp_pair(false);
        let reader = read_in_background(receiver, u64::MAX);
        let mut offset = 0;
        let answer = transfer.transfer_to_blocking(&file, &mut offset, u64::MAX, &sender);
        drop(sender);
        assert!(matches!(answer, Err(SendError::FileCut { missing: 3_096 })), "{route}: {answer:?}");
        let received = reader.join().expect("the reader");
        assert_eq!(received.len() as u64, offset, "{route}: it stands behind what the kernel took");
        assert!(received[..CUT] == contents[..CUT] && received.len() > CUT, "{route}");
        assert!(received[CUT..].iter().all(|&byte| byte == 0), "{route}: which is why");
    }
}

#[test]
fn a_full_socket_ends_a_transfer_that_does_not_wait_and_the_next_goes_on() {
    let contents = pattern(3_000_000, 4);
    let file = file_of(&contents);
    for route in [Route::Copy, Route::Sendfile] {
        let transfer = transfer(TransferOptions { route: Some(route), ..TransferOptions::default() });
        let (sender, mut receiver) = tcp_pair(true);
        sender.set_nonblocking(true).expect("non-blocking");
        let (mut offset, mut received, mut full) = (0, Vec::new(), 0);
        while received.len() < contents.len() {
            let from = offset;
            let moved = transfer.try_transfer_to(&file, &mut offset, u64::MAX, &sender).expect("moved");
            assert_eq!((from + moved.bytes, moved.eof), (offset, offset == 3_000_000), "{route}");
            assert_eq!(moved.would_block, u64::from(!moved.eof), "{route}");
            full += moved.would_block;
            let mut part = vec![0; (offset as usize - received.len()).min(30_000)];
            receiver.read_exact(&mut part).expect("reading");
            received.extend(part);
        }
        assert!(received == contents && full > 10, "{route}, {full} times full");
    }
}

#[tokio::test]
async fn a_future_dropped_at_any_await_leaves_the_offset_at_the_next_byte() {
    let contents = pattern(900_000, 5);
    let file = file_of(&contents);
    for route in Route::ALL {
        let moody = Moody { cold_every: 3, ..Moody::default() };
        let options =
            TransferOptions { route: Some(route), turn_bytes: 20_000, ..TransferOptions::default() };
        let transfer = transfer_over(options, moody);
        let (sender, receiver) = tokio_pair(true);
        let reader = read_in_background(receiver, contents.len() as u64);
        let (mut offset, mut attempts, mut dropped) = (0, 0u32, 0);
        let moved = async {
            while offset < contents.len() as u64 {
                // Not always too short for work on another thread, whose result goes with the future.
                let patience = Duration::from_micros(50 << (attempts % 8));
                let moving = transfer.transfer_to(&file, &mut offset, u64::MAX, &sender);
                dropped += u32::from(tokio::time::timeout(patience, moving).await.is_err());
                attempts += 1;
            }
        };
        tokio::time::timeout(LIMIT, moved).await.expect("in time");
        let received = reader.join().expect("the reader");
        assert!(received == contents && dropped > 3, "{route}, dropped {dropped} times");
    }
}

#[tokio::test]
async fn errors_say_how_far_it_came() {
    let file = file_of(&pattern(100_000, 6));
    let moody = Moody { sendfile_error: Some(rustix::io::Errno::IO.raw_os_error()), ..Moody::default() };
    let transfer = transfer_over(TransferOptions::default(), moody);
    let (sender, _receiver) = tokio_pair(false);
    let mut offset = 7;
    let answer = transfer.transfer_to(&file, &mut offset, u64::MAX, &sender).await;
    assert!(matches!(answer, Err(SendError::Io(_))), "{answer:?}");
    assert_eq!(offset, 7);
}
