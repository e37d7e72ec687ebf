//! Route `ktls`: taken on sockets that the kernel encrypts, refused on others. A kernel without TLS is as good as one
//! with it here: what kind of socket it is comes through the seam, and `sendfile` sends the same bytes.

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common::{
    Moody, expected, file_of, forced, framed, pattern, read_in_background, send_blocking, tokio_pair,
    transfer, transfer_over,
};
use pagewire_zcopy::{
    FileRange, KtlsMissing, Route, SendPlan, TransferOptions, caps::STREAK_MAX, ktls_available,
    route::SocketKind, route::Why,
};
use rustix::io::Errno;

fn range(len: usize) -> FileRange {
    FileRange::new(file_of(&pattern(len, 70)), 0, len as u64)
}

fn encrypting() -> Moody {
    Moody { kind: SocketKind::KernelTls, ..Moody::default() }
}

#[tokio::test]
async fn a_socket_that_the_kernel_encrypts_gets_files_its_own_way_and_is_asked_once() {
    let moody = encrypting();
    let (kinds, corks) = (Arc::clone(&moody.kinds), Arc::clone(&moody.corks));
    let transfer = transfer_over(TransferOptions { turn_bytes: 50_000, ..TransferOptions::default() }, moody);
    let (sender, receiver) = tokio_pair(false);
    let mut plan = framed(range(1_000_000));
    plan.push_file(range(100));
    let expected = expected(&plan);
    let reader = read_in_background(receiver, plan.total());
    let sent = transfer.send(&sender, &mut plan).await.expect("sending");
    assert!(reader.join().expect("the reader") == expected);
    assert_eq!((sent.by(Route::Ktls), sent.by(Route::Copy)), (1_000_000, 100));
    assert_eq!(kinds.load(Ordering::Relaxed), 1);
    assert_eq!(corks.0.load(Ordering::Relaxed), 1, "held back as with sendfile");
    plan.clear();
    plan.push_file(range(9_000));
    let sent = transfer.send(&sender, &mut plan).await.expect("sending");
    assert_eq!(sent.last_route, Some((Route::Ktls, Why::Encrypted)));
    assert_eq!(kinds.load(Ordering::Relaxed), 2, "a plan made new asks anew");
}

#[test]
fn a_plan_that_is_copied_anyway_asks_nothing() {
    let moody = encrypting();
    let kinds = Arc::clone(&moody.kinds);
    let transfer = transfer_over(TransferOptions::default(), moody);
    for _ in 0..3 {
        send_blocking(&transfer, &mut framed(range(8_192)), false);
        send_blocking(&transfer, &mut SendPlan::from(bytes::Bytes::from_static(b"a heartbeat")), false);
    }
    assert_eq!(kinds.load(Ordering::Relaxed), 0, "no system call for what does not matter");
}

#[test]
fn what_refuses_is_copied_and_counted() {
    for (errno, for_good) in
        [(Errno::NOSYS, true), (Errno::PERM, true), (Errno::INVAL, false), (Errno::OPNOTSUPP, false)]
    {
        let moody = Moody { sendfile_error: Some(errno.raw_os_error()), ..encrypting() };
        let transfer = transfer_over(TransferOptions::default(), moody);
        let mut plan = framed(range(100_000));
        let expected = expected(&plan);
        let (sent, received) = send_blocking(&transfer, &mut plan, false);
        assert!(received == expected);
        assert_eq!(sent.by(Route::Copy), 100_000, "{errno:?}");
        let stats = transfer.stats().snapshot();
        assert_eq!(stats.routes[Route::Ktls.index()].refusals, 1, "{errno:?}");
        assert_eq!(transfer.refused().contains(Route::Ktls), for_good, "{errno:?}");
    }
}

#[test]
fn forced_on_a_plain_socket_it_is_refused_and_copied() {
    let transfer = transfer(forced(Route::Ktls));
    let mut plan = framed(range(100_000));
    let expected = expected(&plan);
    let (sent, received) = send_blocking(&transfer, &mut plan, false);
    assert!(received == expected);
    assert_eq!((sent.by(Route::Ktls), sent.by(Route::Copy)), (0, 100_000));
    assert_eq!(sent.last_route, Some((Route::Copy, Why::Refused)));
    assert_eq!(transfer.stats().snapshot().refusals, 1);
    for _ in 0..STREAK_MAX {
        send_blocking(&transfer, &mut framed(range(10_000)), false);
    }
    assert!(!transfer.refused().contains(Route::Ktls), "plain sockets say nothing of encrypted ones");
}

#[test]
fn left_alone_a_plain_socket_never_hears_of_it() {
    let transfer = transfer(TransferOptions::default());
    let mut plan = SendPlan::new();
    plan.push_file(range(100_000));
    let (sent, _) = send_blocking(&transfer, &mut plan, false);
    assert_eq!(sent.by(Route::Sendfile), 100_000);
    assert_eq!(transfer.stats().snapshot().refusals, 0);
}

#[test]
fn a_machine_without_it_says_why() {
    match ktls_available() {
        Ok(()) => eprintln!("this kernel has TLS: nothing is missing"),
        Err(missing @ (KtlsMissing::NoModule | KtlsMissing::NotBuilt)) => {
            assert!(missing.to_string().contains("TLS"));
        }
        Err(other) => panic!("{other}"),
    }
}
