//! Route `mmap`: what the kernel refuses is copied, windows follow the cursor, and the end of the file is the end.

mod common;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use common::{
    Moody, expected, file_of, forced, framed, pattern, send_blocking, tcp_pair, tokio_pair, transfer,
    transfer_over,
};
use pagewire_zcopy::{FileRange, Route, SendError, SendPlan, caps::STREAK_MAX, route::Why};
use rustix::io::Errno;

fn range(len: usize) -> FileRange {
    FileRange::new(file_of(&pattern(len, 40)), 0, len as u64)
}

#[test]
fn a_forced_map_carries_every_file_byte_and_no_memory() {
    let mut plan = framed(range(3_000_000));
    let expected = expected(&plan);
    let (sent, received) = send_blocking(&transfer(forced(Route::Mmap)), &mut plan, true);
    assert!(received == expected);
    assert_eq!((sent.by(Route::Mmap), sent.memory_bytes), (3_000_000, 29));
    assert_eq!(sent.last_route, Some((Route::Mmap, Why::Forced)));
}

#[test]
fn one_map_serves_the_calls_and_pieces_of_eight_mebibytes() {
    let len = 20 << 20;
    let file = file_of(&pattern(len, 41));
    let moody = Moody::default();
    let maps = Arc::clone(&moody.maps);
    let transfer = transfer_over(forced(Route::Mmap), moody);
    let mut plan = SendPlan::new();
    plan.push_file(FileRange::new(Arc::clone(&file), 0, len as u64));
    let wanted = expected(&plan);
    let (sent, received) = send_blocking(&transfer, &mut plan, false);
    assert!(received == wanted && sent.calls >= 20, "{sent:?}");
    assert_eq!(maps.swap(0, Ordering::Relaxed), 3);
    plan.clear();
    for at in 0..100 {
        plan.push_file(FileRange::new(Arc::clone(&file), 777 + at * 50_000, 300));
    }
    let wanted = expected(&plan);
    assert!(send_blocking(&transfer, &mut plan, false).1 == wanted);
    assert_eq!(maps.load(Ordering::Relaxed), 1, "close to each other, they share a window");
}

#[test]
fn pieces_of_two_files_and_going_back_in_one_are_mapped_anew() {
    let (one, other) = (file_of(&pattern(500_000, 42)), file_of(&pattern(500_000, 43)));
    let mut plan = SendPlan::new();
    for (file, offset) in [(&one, 400_000), (&other, 0), (&one, 4_095), (&one, 0), (&other, 499_999)] {
        plan.push_file(FileRange::new(Arc::clone(file), offset, 500_000 - offset));
        plan.push_bytes(Bytes::from_static(b"between"));
    }
    let expected = expected(&plan);
    assert!(send_blocking(&transfer(forced(Route::Mmap)), &mut plan, true).1 == expected);
}

#[test]
fn a_refusal_is_copied_counted_and_remembered() {
    for (errno, refusals, for_good) in [
        (Errno::NOSYS, 1, true),
        (Errno::PERM, 1, true),
        (Errno::INVAL, 3, false),
        (Errno::OPNOTSUPP, 3, false),
    ] {
        for in_map in [true, false] {
            let error = Some(errno.raw_os_error());
            let moody = if in_map {
                Moody { map_error: error, ..Moody::default() }
            } else {
                Moody { mapped_error: error, ..Moody::default() }
            };
            let transfer = transfer_over(forced(Route::Mmap), moody);
            for _ in 0..3 {
                let mut plan = framed(range(100_000));
                let expected = expected(&plan);
                let (sent, received) = send_blocking(&transfer, &mut plan, false);
                assert!(received == expected);
                assert_eq!(sent.by(Route::Copy), 100_000);
            }
            assert_eq!(transfer.stats().snapshot().refusals, refusals, "{errno:?}");
            assert_eq!(transfer.refused().contains(Route::Mmap), for_good, "{errno:?}");
        }
    }
}

#[test]
fn whatever_keeps_a_file_from_being_mapped_it_is_copied() {
    for errno in [Errno::NOMEM, Errno::NODEV, Errno::ACCESS, Errno::AGAIN] {
        let moody = Moody { map_error: Some(errno.raw_os_error()), ..Moody::default() };
        let transfer = transfer_over(forced(Route::Mmap), moody);
        for refusals in 1..=u64::from(STREAK_MAX) + 1 {
            let mut plan = framed(range(50_000));
            let expected = expected(&plan);
            assert!(send_blocking(&transfer, &mut plan, false).1 == expected);
            assert_eq!(transfer.stats().snapshot().refusals, refusals, "{errno:?}: once a plan");
        }
        assert!(!transfer.refused().contains(Route::Mmap), "{errno:?}: what is short now may be there later");
    }
}

/// The process's own memory can be read and not mapped; the null device has no length to go by.
#[test]
fn what_cannot_be_mapped_and_what_is_no_file_is_copied() {
    let secret = pattern(50_000, 44);
    let memory = Arc::new(std::fs::File::open("/proc/self/mem").expect("/proc"));
    let zeros = Arc::new(std::fs::File::open("/dev/zero").expect("/dev/zero"));
    for (file, offset, contents) in
        [(memory, secret.as_ptr() as u64, secret.clone()), (zeros, 0, vec![0; 50_000])]
    {
        let transfer = transfer(forced(Route::Mmap));
        let mut plan = SendPlan::new();
        plan.push_file(FileRange::new(file, offset, 50_000));
        let (sent, received) = send_blocking(&transfer, &mut plan, false);
        assert!(received == contents);
        assert_eq!((sent.by(Route::Copy), transfer.stats().snapshot().refusals), (50_000, 1));
    }
}

#[tokio::test]
async fn errors_of_the_socket_reach_the_caller() {
    for errno in [Errno::IO, Errno::PIPE, Errno::CONNRESET] {
        let moody = Moody { mapped_error: Some(errno.raw_os_error()), ..Moody::default() };
        let (sender, _receiver) = tokio_pair(false);
        let answer = transfer_over(forced(Route::Mmap), moody).send(&sender, &mut framed(range(9_000))).await;
        match answer {
            Err(SendError::Io(error)) => assert_eq!(error.raw_os_error(), Some(errno.raw_os_error())),
            other => panic!("{other:?}"),
        }
    }
}

/// A page of the file that is there and cannot be read: the disk failed, not the file shrank.
#[test]
fn a_fault_in_a_file_that_is_long_enough_is_an_error_of_its_own() {
    for moody in [
        Moody { mapped_error: Some(Errno::FAULT.raw_os_error()), ..Moody::default() },
        Moody { zerocopy_error: Some(Errno::FAULT.raw_os_error()), ..Moody::default() },
    ] {
        let route = if moody.mapped_error.is_some() { Route::Mmap } else { Route::Zerocopy };
        let (sender, _receiver) = tcp_pair(false);
        let transfer = transfer_over(forced(route), moody);
        match transfer.send_blocking(&sender, &mut framed(range(9_000))) {
            Err(SendError::Io(error)) => {
                assert_eq!(error.raw_os_error(), Some(Errno::FAULT.raw_os_error()));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(transfer.stats().snapshot().shrunk, 0);
    }
}

#[test]
fn segments_are_held_back_without_a_cork() {
    let moody = Moody::default();
    let corks = Arc::clone(&moody.corks);
    let mut plan = framed(range(100_000));
    let expected = expected(&plan);
    assert!(send_blocking(&transfer_over(forced(Route::Mmap), moody), &mut plan, false).1 == expected);
    assert_eq!((corks.0.load(Ordering::Relaxed), corks.1.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn a_position_no_file_can_have_is_a_file_too_short() {
    for (offset, len) in [(i64::MAX as u64, 5), (u64::MAX - 10, 5), (1 << 40, 70_000)] {
        let (sender, mut receiver) = tcp_pair(false);
        let transfer = transfer(forced(Route::Mmap));
        let mut plan = SendPlan::new();
        plan.push_file(FileRange::new(file_of(b"short"), offset, len));
        let answer = transfer.send_blocking(&sender, &mut plan);
        drop(sender);
        assert!(answer.is_err(), "{offset}");
        let mut received = Vec::new();
        receiver.read_to_end(&mut received).expect("reading");
        assert!(received.is_empty());
    }
}
