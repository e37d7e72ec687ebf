//! Ten thousand sendings out of maps leave no map and no descriptor behind. Alone in its process, which it counts in.

mod common;

use std::io::Read;
use std::sync::Arc;

use common::{descriptors, file_of, forced, mapped, maps_of, pattern, tcp_pair, transfer};
use pagewire_zcopy::{FileRange, Route, SendPlan};

const BYTES: usize = 20_000;

#[test]
fn ten_thousand_sendings_leave_no_map_and_no_descriptor() {
    let file = file_of(&pattern(BYTES, 95));
    let (sender, mut receiver) = tcp_pair(false);
    let transfers = [Route::Mmap, Route::Zerocopy].map(|route| transfer(forced(route)));
    let mut received = vec![0; BYTES];
    let before = descriptors();
    for round in 0..10_000 {
        let mut plan = SendPlan::new();
        match round % 3 {
            0 => plan.push_mapped(mapped(&file)),
            _ => plan.push_file(FileRange::new(Arc::clone(&file), 0, BYTES as u64)),
        }
        let sent = transfers[round % 2].send_blocking(&sender, &mut plan).expect("sending");
        assert_eq!(sent.bytes, BYTES as u64);
        receiver.read_exact(&mut received).expect("reading");
        if round % 1_000 == 0 {
            assert!(maps_of(&file) <= 1, "none but that of a plan that is still there");
        }
    }
    assert_eq!((maps_of(&file), descriptors()), (0, before));
    let told = transfers[1].stats().snapshot().zerocopy;
    let open = told.sends - told.completions;
    transfers[1].reap_completions_within(&sender, open, common::LIMIT).expect("reaping");
    let told = transfers[1].stats().snapshot().zerocopy;
    assert_eq!((told.completions, told.fallbacks), (told.sends, 0));
}
