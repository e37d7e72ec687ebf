//! What can happen to a file whose pages are on their way to a peer by reference, and what arrives then.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use common::{expected, file_of, forced, framed, pattern, read_in_background, tcp_pair, transfer};
use pagewire_zcopy::{FileRange, Reserved, Route, SendPlan, TransferOptions, punch_hole};
use rustix::fs::{Advice, MemfdFlags, OFlags, fadvise, fcntl_getfl, fcntl_setfl, memfd_create};

const PAGE: usize = 4096;
const LEN: usize = 20 * PAGE;
const BY_REFERENCE: [Route; 2] = [Route::Sendfile, Route::Splice];
/// Bytes that one call of the kernel's moves at most (`MAX_RW_COUNT`).
const CALL_MAX: u64 = 0x7fff_f000;

fn contents() -> Vec<u8> {
    pattern(LEN, 90)
}

/// Queues `file` whole while nobody reads, lets something happen to it, and returns what arrives.
fn after(route: Route, file: Arc<File>, what: impl FnOnce(&File)) -> Vec<u8> {
    let (sender, mut receiver) = tcp_pair(false);
    let mut plan = SendPlan::new();
    plan.push_file(FileRange::new(Arc::clone(&file), 0, LEN as u64));
    let sent = transfer(forced(route)).send_blocking(&sender, &mut plan).expect("queued whole");
    assert_eq!(sent.by(route), LEN as u64);
    drop(plan);
    what(&file);
    drop(file);
    let mut received = vec![0; LEN];
    receiver.read_exact(&mut received).expect("reading");
    received
}

#[test]
fn pages_that_are_cut_off_punched_out_or_dropped_arrive_as_they_were() {
    let old = contents();
    for route in BY_REFERENCE {
        assert!(after(route, file_of(&old), |file| file.set_len(0).expect("emptying")) == old, "{route}");
        let punched = after(route, file_of(&old), |file| {
            if punch_hole(file, 0, LEN as u64).expect("an answer") == Reserved::NotHere {
                eprintln!("no holes in files of this file system");
            }
        });
        assert!(punched == old, "{route}");
        let dropped = after(route, file_of(&old), |file| {
            file.sync_all().expect("written out, so that pages can be dropped");
            fadvise(file, 0, None, Advice::DontNeed).expect("advice");
        });
        assert!(dropped == old, "{route}");
    }
}

#[test]
fn an_unlinked_and_closed_file_arrives_whole() {
    for route in BY_REFERENCE {
        let mut named = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
        named.write_all(&contents()).expect("writing");
        let file = Arc::new(named.reopen().expect("opening"));
        let received = after(route, file, |_| named.close().expect("unlinking"));
        assert!(received == contents(), "{route}");
    }
}

/// The hazard of sending by reference, pinned: whoever cuts a file must not do so below what he is sending.
#[test]
fn a_cut_inside_a_page_in_flight_arrives_as_zeros() {
    const CUT: usize = 5 * PAGE + 100;
    let old = contents();
    for route in BY_REFERENCE {
        let received = after(route, file_of(&old), |file| file.set_len(CUT as u64).expect("cutting"));
        assert!(received[..CUT] == old[..CUT], "{route}: what was left is left");
        assert!(received[CUT..6 * PAGE].iter().all(|&byte| byte == 0), "{route}: the rest of its page");
        // Whether the page stands alone in memory or in a larger block is the file system's affair.
        let kept_or_zeroed = |(byte, old): (&u8, &u8)| *byte == 0 || byte == old;
        assert!(received[6 * PAGE..].iter().zip(&old[6 * PAGE..]).all(kept_or_zeroed), "{route}");
    }
    let copied = after(Route::Copy, file_of(&old), |file| file.set_len(CUT as u64).expect("cutting"));
    assert!(copied == old, "a copy does not follow the file");
}

/// `sendfile(2)` and `splice(2)` refuse whatever is opened for appending, and any descriptor can be told to be.
#[test]
fn a_socket_marked_for_appending_is_sent_copies() {
    for route in BY_REFERENCE {
        let (sender, receiver) = tcp_pair(false);
        fcntl_setfl(&sender, fcntl_getfl(&sender).expect("flags") | OFlags::APPEND).expect("marking it");
        let mut plan = framed(FileRange::new(file_of(&contents()), 0, LEN as u64));
        let expected = expected(&plan);
        let reader = read_in_background(receiver, plan.total());
        let sent = transfer(forced(route)).send_blocking(&sender, &mut plan).expect("sending");
        drop(sender);
        assert!(reader.join().expect("the reader") == expected, "{route}");
        assert_eq!(sent.by(Route::Copy), LEN as u64, "{route}");
    }
}

/// More than one call may move, asked for in one call. A sparse file in memory, whose holes take none.
#[test]
fn what_is_too_much_for_one_call_of_the_kernels_is_gone_on_with() {
    let file = Arc::new(File::from(memfd_create("sparse", MemfdFlags::CLOEXEC).expect("a memfd")));
    let island = pattern(2_000, 91);
    file.write_all_at(&island, CALL_MAX - 1_000).expect("an island across the limit");
    let len = file.metadata().expect("its length").len();
    assert_eq!(len, CALL_MAX + 1_000);
    let options = TransferOptions { turn_bytes: u32::MAX, ..forced(Route::Sendfile) };
    let (sender, mut receiver) = tcp_pair(false);
    let reader = std::thread::spawn(move || {
        let (mut buffer, zeros) = (vec![0; 1 << 20], vec![0; 1 << 20]);
        let (mut left, mut tail) = (CALL_MAX - 1_000, Vec::new());
        while left > 0 {
            let part = &mut buffer[..left.min(1 << 20) as usize];
            receiver.read_exact(part).expect("reading");
            assert!(*part == zeros[..part.len()], "{left} before the island");
            left -= part.len() as u64;
        }
        receiver.read_to_end(&mut tail).map(|_| tail)
    });
    let mut plan = SendPlan::new();
    plan.push_file(FileRange::new(file, 0, len));
    let sent = transfer(options).send_blocking(&sender, &mut plan).expect("sending");
    drop(sender);
    assert!(reader.join().expect("the reader").expect("reading") == island);
    assert_eq!((sent.by(Route::Sendfile), sent.calls), (len, 2), "a full call, and the rest");
}
