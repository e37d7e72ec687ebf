//! What can happen to a file while a route sends it out of a map, and what the peer sees of it.

mod common;

use std::io::Read;
use std::os::fd::AsFd;
use std::sync::Arc;

use common::{
    Moody, file_of, forced, mapped, overwrite, pattern, tcp_pair, tokio_pair, transfer, transfer_over,
};
use pagewire_zcopy::{Calls, FileRange, OsCalls, Route, SendError, SendPlan, TransferOptions, punch_hole};

const PAGE: usize = 4096;
const FROM_MAPS: [Route; 2] = [Route::Mmap, Route::Zerocopy];

/// Sends `announced` bytes by `route`; says what came of it, and what the peer got.
fn short_file(route: Route, moody: Moody, file: &Arc<std::fs::File>, announced: u64) -> (SendError, Vec<u8>) {
    let (sender, mut receiver) = tcp_pair(false);
    let transfer = transfer_over(forced(route), moody);
    let mut plan = SendPlan::new();
    plan.push_file(FileRange::new(Arc::clone(file), 0, announced));
    let answer = transfer.send_blocking(&sender, &mut plan);
    drop(sender);
    let mut received = Vec::new();
    receiver.read_to_end(&mut received).expect("reading");
    assert_eq!(received.len() as u64, plan.sent(), "the cursor says what the kernel took");
    assert_eq!(transfer.stats().snapshot().shrunk, 1);
    (answer.expect_err("it was too short"), received)
}

#[test]
fn a_file_shorter_than_announced_is_sent_up_to_its_end_and_not_a_zero_further() {
    for route in Route::ALL {
        for kept in [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE + 77, 40 * PAGE, 40 * PAGE + 1] {
            let contents = pattern(kept, 50);
            let (error, received) =
                short_file(route, Moody::default(), &file_of(&contents), 50 * PAGE as u64);
            let told = (50 * PAGE - kept) as u64;
            assert!(
                matches!(error, SendError::FileShrunk { missing } if missing == told),
                "{route:?}: {error}"
            );
            assert!(received == contents, "{route:?}, {kept}");
        }
    }
}

/// The race that no check before can win: what was cut off in between is noticed afterwards, and what left in its place
/// is zeros of the last page at most.
#[test]
fn a_file_cut_between_the_check_and_the_call_is_an_error() {
    for route in FROM_MAPS {
        for cut in [0, 1, PAGE, PAGE + 1, 5 * PAGE - 1, 40 * PAGE, 40 * PAGE + 100] {
            let contents = pattern(50 * PAGE, 51);
            let moody = Moody { cut_to: Some(cut as u64), ..Moody::default() };
            let (error, received) = short_file(route, moody, &file_of(&contents), 50 * PAGE as u64);
            let (zeros_left, told) = (received.len() > cut, (50 * PAGE - cut) as u64);
            match error {
                SendError::FileCut { missing } => assert!(zeros_left && missing == told, "{route:?}, {cut}"),
                SendError::FileShrunk { missing } => {
                    assert!(!zeros_left && missing == told, "{route:?}, {cut}");
                }
                error => panic!("{route:?}, {cut}: {error}"),
            }
            let whole = received.len().min(cut);
            assert!(received[..whole] == contents[..whole], "{route:?}, {cut}");
            assert!(received[whole..].iter().all(|&byte| byte == 0), "{route:?}, {cut}");
            assert!(received.len() <= cut.next_multiple_of(PAGE), "nothing behind the last page");
        }
    }
}

/// Whichever question fails, the cursor stands behind the last byte that the kernel took, and the rest follows it.
#[test]
fn an_end_that_cannot_be_asked_for_doubles_nothing_and_loses_nothing() {
    for route in FROM_MAPS {
        let mut after_some = 0;
        for which in 1..8 {
            let moody = Moody { file_end_error: Some((which, 5)), ..Moody::default() };
            let transfer =
                transfer_over(TransferOptions { turn_bytes: 5 * PAGE as u32, ..forced(route) }, moody);
            let (sender, mut receiver) = tcp_pair(false);
            let mut plan = SendPlan::new();
            plan.push_file(FileRange::new(file_of(&pattern(20 * PAGE, 55)), 0, 20 * PAGE as u64));
            let expected = common::expected(&plan);
            if let Err(error) = transfer.send_blocking(&sender, &mut plan) {
                assert!(matches!(error, SendError::Io(_)), "{route:?}, {which}: {error}");
                after_some += u32::from(plan.sent() > 0);
                transfer.send_blocking(&sender, &mut plan).expect("the rest");
            }
            drop(sender);
            let mut received = Vec::new();
            receiver.read_to_end(&mut received).expect("reading");
            assert!(received == expected, "{route:?}, {which}");
        }
        assert!(after_some > 3, "{route:?}: some failed behind the call");
    }
}

#[test]
fn a_mapped_piece_whose_file_shrank_is_an_error_and_no_signal() {
    for kept in [0, PAGE, PAGE + 10] {
        let contents = pattern(4 * PAGE, 52);
        let file = file_of(&contents);
        let part = mapped(&file);
        file.set_len(kept as u64).expect("cutting");
        let (sender, mut receiver) = tcp_pair(false);
        let transfer = transfer(forced(Route::Copy));
        let mut plan = SendPlan::new();
        plan.push_mapped(part);
        let answer = transfer.send_blocking(&sender, &mut plan);
        drop(sender);
        let told = (4 * PAGE - kept) as u64;
        assert!(matches!(answer, Err(SendError::FileShrunk { missing }) if missing == told), "{answer:?}");
        let mut received = Vec::new();
        receiver.read_to_end(&mut received).expect("reading");
        assert!(received == contents[..kept]);
    }
}

/// Queues a file whole while nobody reads, lets something happen to it, and returns what arrives.
fn after(route: Route, len: usize, what: impl FnOnce(&std::fs::File)) -> Vec<u8> {
    let file = file_of(&pattern(len, 53));
    let (sender, mut receiver) = tcp_pair(false);
    let mut plan = SendPlan::new();
    plan.push_file(FileRange::new(Arc::clone(&file), 0, len as u64));
    transfer(forced(route)).send_blocking(&sender, &mut plan).expect("queued whole");
    what(&file);
    let mut received = vec![0; len];
    receiver.read_exact(&mut received).expect("reading");
    received
}

#[test]
fn a_copy_in_the_socket_does_not_follow_the_file() {
    let len = 20 * PAGE;
    let old = pattern(len, 53);
    assert!(after(Route::Mmap, len, |file| overwrite(file, b'B', len)) == old);
    assert!(after(Route::Mmap, len, |file| file.set_len(PAGE as u64 / 2).expect("cutting")) == old);
}

/// The map and the plan are gone by then as well: what is in flight holds the pages.
#[test]
fn pages_taken_away_while_in_flight_arrive_as_they_were() {
    let len = 20 * PAGE;
    for route in FROM_MAPS {
        let old = pattern(len, 53);
        assert!(after(route, len, |file| file.set_len(0).expect("emptying")) == old, "{route:?}");
        assert!(
            after(route, len, |file| {
                // A file system without holes has nothing to show here.
                let _ = punch_hole(file, 0, len as u64);
            }) == old,
            "{route:?}"
        );
    }
}

#[test]
fn holes_of_a_sparse_file_arrive_as_zeros() {
    let file = file_of(b"");
    file.set_len(30 * PAGE as u64).expect("a hole");
    std::os::unix::fs::FileExt::write_all_at(&*file, b"island", 10 * PAGE as u64).expect("an island");
    for route in FROM_MAPS {
        let mut plan = SendPlan::new();
        plan.push_file(FileRange::new(Arc::clone(&file), 100, 30 * PAGE as u64 - 100));
        let expected = common::expected(&plan);
        let (sent, received) = common::send_blocking(&transfer(forced(route)), &mut plan, false);
        assert!(received == expected);
        assert_eq!(sent.by(route), 30 * PAGE as u64 - 100);
    }
}

/// Why the async face does without `zerocopy`: a completion makes a healthy socket look closed to the reactor, for
/// good. Should this ever fail, the reactor has learnt better, and the route may be had.
#[tokio::test]
async fn a_completion_looks_like_a_closed_write_side_to_the_reactor() {
    let (sender, mut receiver) = tokio_pair(false);
    let part = mapped(&file_of(&pattern(PAGE, 54)));
    let ready = sender.ready(tokio::io::Interest::WRITABLE).await.expect("ready");
    assert!(!ready.is_write_closed());
    OsCalls.enable_zerocopy(sender.as_fd()).expect("the option");
    assert_eq!(OsCalls.send_zerocopy(sender.as_fd(), &part, false).expect("sent"), PAGE);
    receiver.read_exact(&mut [0; PAGE]).expect("reading");
    let closed = async {
        while !sender.ready(tokio::io::Interest::WRITABLE).await.expect("ready").is_write_closed() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(common::LIMIT, closed).await.expect("it does");
    assert!(OsCalls.completion(sender.as_fd()).expect("read").is_some());
    let ready = sender.ready(tokio::io::Interest::WRITABLE).await.expect("ready");
    assert!(ready.is_write_closed(), "the queue is empty, and it still does");
}
