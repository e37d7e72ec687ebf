//! Pieces that lie in a map arrive as the bytes they stand for, whatever else the plan holds and however it is sent.

mod common;

use std::sync::Arc;

use bytes::Bytes;
use common::{
    Moody, expected, file_of, forced, mapped, pattern, read_in_background, send_blocking, tokio_pair,
    transfer, transfer_over,
};
use pagewire_zcopy::{FileRange, Route, SendPlan, TransferOptions, route::Why};
use proptest::prelude::*;

const FILE_BYTES: usize = 300_000;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Memory,
    File,
    Mapped,
}

fn piece() -> impl Strategy<Value = (Kind, usize, usize)> {
    let kind = prop_oneof![Just(Kind::Memory), Just(Kind::File), Just(Kind::Mapped)];
    (kind, 0..100_000usize, prop_oneof![Just(0), 1..200usize, 1..30_000usize, 1..200_000usize])
}

fn plan_of(pieces: &[(Kind, usize, usize)]) -> SendPlan {
    let contents = pattern(FILE_BYTES, 90);
    let file = file_of(&contents);
    let map = mapped(&file);
    let mut plan = SendPlan::new();
    for &(kind, at, len) in pieces {
        match kind {
            Kind::Memory => plan.push_bytes(Bytes::copy_from_slice(&contents[at..at + len])),
            Kind::File => plan.push_file(FileRange::new(Arc::clone(&file), at as u64, len as u64)),
            Kind::Mapped => plan.push_mapped(map.part(at, len)),
        }
    }
    plan
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn any_plan_with_mapped_pieces_arrives_whole(
        pieces in prop::collection::vec(piece(), 0..10), route in prop::sample::select(&Route::ALL[..]),
        auto: bool, tiny: bool, turn_bytes in 1_000..100_000u32,
        shorts in prop::collection::vec(1_000..50_000usize, 0..3),
        interrupt_every in prop_oneof![Just(0), 2..6u64], cold_every in 0..4u64,
    ) {
        let mut plan = plan_of(&pieces);
        let wanted = expected(&plan);
        prop_assert_eq!(wanted.len() as u64, plan.total());
        let route = (!auto).then_some(route);
        // Whole pages do not fit into a tiny receive buffer: each of them waits for a retransmission.
        let tiny = tiny && route != Some(Route::Zerocopy);
        let options = TransferOptions { route, turn_bytes, ..TransferOptions::default() };
        let moody = Moody { shorts, interrupt_every, cold_every, ..Moody::default() };
        let transfer = transfer_over(options, moody);
        prop_assert!(send_blocking(&transfer, &mut plan.clone(), tiny).1 == wanted);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let received = runtime.block_on(async {
            let (sender, receiver) = tokio_pair(tiny);
            let reader = read_in_background(receiver, plan.total());
            let sent = tokio::time::timeout(common::LIMIT, transfer.send(&sender, &mut plan)).await;
            sent.expect("in time").expect("sending");
            drop(sender);
            reader.join().expect("the reader")
        });
        prop_assert!(received == wanted);
    }
}

#[test]
fn a_mapped_piece_goes_out_of_its_map_whatever_is_forced_or_its_size() {
    for route in Route::ALL {
        for len in [1, 5_000, 250_000] {
            let transfer = transfer(forced(route));
            let mut plan = SendPlan::new();
            plan.push_mapped(mapped(&file_of(&pattern(FILE_BYTES, 91))).part(7, len));
            let expected = expected(&plan);
            let (sent, received) = send_blocking(&transfer, &mut plan, false);
            assert!(received == expected);
            assert_eq!(
                (sent.by(Route::Mmap), sent.last_route),
                (len as u64, Some((Route::Mmap, Why::Mapped)))
            );
            assert_eq!(transfer.stats().snapshot().refusals, 0);
        }
    }
}

#[test]
fn a_header_and_its_mapped_body_take_one_call() {
    let transfer = transfer(TransferOptions::default());
    let mut plan = SendPlan::from(Bytes::from_static(b"header"));
    plan.push_mapped(mapped(&file_of(&pattern(2_000, 92))));
    let expected = expected(&plan);
    let (sent, received) = send_blocking(&transfer, &mut plan, false);
    assert!(received == expected);
    assert_eq!((sent.calls, sent.memory_bytes, sent.by(Route::Mmap)), (1, 6, 2_000));
}

/// However little the socket takes of the two.
#[test]
fn a_header_and_its_mapped_body_arrive_whole_in_whatever_pieces_they_leave() {
    for short in [1, 5, 6, 7, 300] {
        let moody = Moody { shorts: vec![short], interrupt_every: 5, ..Moody::default() };
        let transfer = transfer_over(TransferOptions::default(), moody);
        let mut plan = SendPlan::new();
        for seed in [93, 94] {
            plan.push_bytes(Bytes::from_static(b"header"));
            plan.push_mapped(mapped(&file_of(&pattern(2_000, seed))));
        }
        plan.push_bytes(Bytes::from_static(b"trailer"));
        let expected = expected(&plan);
        let (sent, received) = send_blocking(&transfer, &mut plan, false);
        assert!(received == expected, "{short} bytes a call");
        assert_eq!((sent.memory_bytes, sent.by(Route::Mmap)), (19, 4_000));
    }
}

#[test]
fn a_body_that_is_gone_keeps_its_header_back() {
    let file = file_of(&pattern(2_000, 95));
    let mut plan = SendPlan::from(Bytes::from_static(b"header"));
    plan.push_mapped(mapped(&file));
    file.set_len(0).expect("shorter");
    let (sender, receiver) = common::tcp_pair(false);
    let answer = transfer(TransferOptions::default()).send_blocking(&sender, &mut plan);
    assert!(matches!(answer, Err(pagewire_zcopy::SendError::FileShrunk { missing: 2_000 })), "{answer:?}");
    drop(sender);
    let mut nothing = Vec::new();
    std::io::Read::read_to_end(&mut &receiver, &mut nothing).expect("reading");
    assert!(nothing.is_empty());
}

/// There is no other way for it, so what a plain send refuses is an error of the caller's.
#[test]
fn a_socket_that_refuses_a_mapped_piece_is_an_error() {
    let moody = Moody { mapped_error: Some(rustix::io::Errno::INVAL.raw_os_error()), ..Moody::default() };
    let (sender, _receiver) = common::tcp_pair(false);
    let mut plan = SendPlan::new();
    plan.push_mapped(mapped(&file_of(b"bytes")));
    let answer = transfer_over(TransferOptions::default(), moody).send_blocking(&sender, &mut plan);
    assert!(matches!(answer, Err(pagewire_zcopy::SendError::Io(_))), "{answer:?}");
    assert_eq!(plan.remaining(), 5);
}

#[test]
fn an_empty_mapped_piece_is_left_out() {
    let mut plan = SendPlan::new();
    plan.push_mapped(mapped(&file_of(b"bytes")).part(5, 9));
    assert!(plan.is_done() && plan.pieces().is_empty());
}
