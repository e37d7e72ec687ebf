//! The proof, byte for byte: queue a range, overwrite the file in place, then let the peer read. What was sent by
//! reference arrives new, what was copied arrives old.

mod common;

use std::io::Read;
use std::sync::Arc;

use common::{file_of, forced, overwrite, tcp_pair, tokio_pair, transfer};
use pagewire_zcopy::{FileRange, Route, SendPlan, TransferOptions};

/// Small enough to be queued whole while nobody reads.
const SIZES: [usize; 6] = [100, 1_000, 4_096, 10_000, 65_536, 262_144];

fn new_bytes(received: &[u8]) -> usize {
    received.iter().map(|&byte| usize::from(byte == b'B')).sum()
}

fn plan_of(file: &Arc<std::fs::File>, len: usize) -> SendPlan {
    let mut plan = SendPlan::new();
    plan.push_file(FileRange::new(Arc::clone(file), 0, len as u64));
    plan
}

fn new_bytes_by(route: Route, len: usize) -> usize {
    let file = file_of(&vec![b'A'; len]);
    let (sender, mut receiver) = tcp_pair(false);
    transfer(forced(route)).send_blocking(&sender, &mut plan_of(&file, len)).expect("queued whole");
    overwrite(&file, b'B', len);
    let mut received = vec![0; len];
    receiver.read_exact(&mut received).expect("reading");
    new_bytes(&received)
}

#[test]
fn sendfile_sends_the_page_cache_itself() {
    for len in SIZES {
        assert_eq!(new_bytes_by(Route::Sendfile, len), len, "all {len} bytes are new");
    }
}

#[test]
fn splice_sends_the_page_cache_itself() {
    for len in SIZES {
        assert_eq!(new_bytes_by(Route::Splice, len), len, "all {len} bytes are new");
    }
}

#[test]
fn copy_sends_a_copy() {
    for len in SIZES {
        assert_eq!(new_bytes_by(Route::Copy, len), 0, "none of {len} bytes is new");
    }
}

#[test]
fn what_is_sent_from_a_map_is_a_copy() {
    for len in SIZES {
        assert_eq!(new_bytes_by(Route::Mmap, len), 0, "none of {len} bytes is new");
    }
}

/// Both ways to find out must say the same, whatever the way to the peer is. What is copied after all is copied when it
/// is delivered, and until then it is the file's page: so no more is sent than a peer that does not read takes at once.
#[test]
fn the_kernels_report_about_zerocopy_agrees_with_what_arrives() {
    for len in SIZES.into_iter().filter(|&len| len <= 65_536) {
        let file = file_of(&vec![b'A'; len]);
        let (sender, mut receiver) = tcp_pair(false);
        let transfer = transfer(forced(Route::Zerocopy));
        let sent = transfer.send_blocking(&sender, &mut plan_of(&file, len)).expect("queued whole");
        overwrite(&file, b'B', len);
        let mut received = vec![0; len];
        receiver.read_exact(&mut received).expect("reading");
        assert_eq!((sent.by(Route::Zerocopy), sent.zerocopy.fallbacks), (len as u64, 0));
        let open = sent.zerocopy.sends - sent.zerocopy.completions;
        transfer.reap_completions_within(&sender, open, common::LIMIT).expect("reaping");
        let told = transfer.stats().snapshot().zerocopy;
        assert_eq!((told.sends, told.completions), (1, 1), "{len} bytes: {told:?}");
        let by_reference = told.completions - told.copied;
        assert_eq!(new_bytes(&received), len * by_reference as usize, "{len} bytes: {told:?}");
    }
}

#[test]
fn direct_and_uring_send_a_copy() {
    for route in [Route::Direct, Route::Uring] {
        for len in SIZES {
            assert_eq!(new_bytes_by(route, len), 0, "{route}: none of {len} bytes is new");
        }
    }
}

#[tokio::test]
async fn the_async_sender_sends_by_reference_as_well() {
    for (route, share) in [(Route::Sendfile, 1), (Route::Splice, 1), (Route::Copy, 0)] {
        for len in SIZES {
            let file = file_of(&vec![b'A'; len]);
            let (sender, mut receiver) = tokio_pair(false);
            let transfer = transfer(forced(route));
            transfer.send(&sender, &mut plan_of(&file, len)).await.expect("queued whole");
            overwrite(&file, b'B', len);
            let mut received = vec![0; len];
            receiver.read_exact(&mut received).expect("reading");
            assert_eq!(new_bytes(&received), len * share, "{route:?}, {len} bytes");
        }
    }
}

#[test]
fn left_alone_the_size_decides() {
    for (len, share) in [(8_192, 0), (8_193, 1)] {
        let file = file_of(&vec![b'A'; len]);
        let (sender, mut receiver) = tcp_pair(false);
        transfer(TransferOptions::default())
            .send_blocking(&sender, &mut plan_of(&file, len))
            .expect("queued whole");
        overwrite(&file, b'B', len);
        let mut received = vec![0; len];
        receiver.read_exact(&mut received).expect("reading");
        assert_eq!(new_bytes(&received), len * share, "{len} bytes");
    }
}
