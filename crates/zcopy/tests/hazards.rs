//! What can happen to a file under a map. Each hazard is pinned: none is undefined, and none is a signal.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use common::{file_of, pattern, tcp_pair};
use pagewire_zcopy::{FileRange, MapAccess, MappedFile, SendError, punch_hole};

const PAGE: usize = 4096;

fn map(file: &Arc<File>, offset: u64, len: usize) -> MappedFile {
    MappedFile::new(&FileRange::new(Arc::clone(file), offset, len as u64), MapAccess::Read).expect("a map")
}

fn send(map: &MappedFile, socket: &TcpStream) -> Result<usize, SendError> {
    map.part(0, map.len()).send_once(socket, false)
}

fn received(from: &mut TcpStream, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    from.read_exact(&mut bytes).expect("reading");
    bytes
}

fn missing(answer: Result<usize, SendError>) -> u64 {
    match answer {
        Err(SendError::FileShrunk { missing } | SendError::FileCut { missing }) => missing,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_shrinks_under_a_map_is_an_error_and_no_signal() {
    let file = file_of(&pattern(3 * PAGE, 80));
    let map = map(&file, 0, 3 * PAGE);
    let (sender, _receiver) = tcp_pair(false);
    assert_eq!(send(&map, &sender).expect("whole"), 3 * PAGE);
    file.set_len(PAGE as u64).expect("truncating");
    assert_eq!(missing(send(&map, &sender)), 2 * PAGE as u64, "part of it is there");
    assert_eq!(
        missing(map.part(PAGE, PAGE).send_once(&sender, false)),
        PAGE as u64,
        "nothing of it is there"
    );
    assert_eq!(map.part(0, PAGE).send_once(&sender, false).expect("what is left"), PAGE);
    file.set_len(0).expect("truncating");
    assert_eq!(missing(send(&map, &sender)), 3 * PAGE as u64);
}

#[test]
fn a_range_that_was_never_there_is_an_error_and_no_signal() {
    let file = file_of(&pattern(10, 81));
    let (sender, _receiver) = tcp_pair(false);
    assert_eq!(missing(send(&map(&file, 0, 5 * PAGE), &sender)), 5 * PAGE as u64 - 10);
    assert_eq!(missing(send(&map(&file, 1 << 40, 7), &sender)), 7);
}

/// The fact that makes a check behind every send necessary: the kernel itself reports nothing.
#[test]
fn a_cut_inside_a_page_zeroes_its_tail_and_is_reported() {
    let contents = pattern(PAGE, 82);
    let file = file_of(&contents);
    let map = map(&file, 0, PAGE);
    let (sender, mut receiver) = tcp_pair(false);
    file.set_len(100).expect("truncating");
    let answer = send(&map, &sender);
    assert!(matches!(answer, Err(SendError::FileCut { missing: 3_996 })), "{answer:?}");
    let bytes = received(&mut receiver, PAGE);
    assert!(bytes[..100] == contents[..100] && bytes[100..].iter().all(|&byte| byte == 0), "zeros left");
}

#[test]
fn what_was_sent_from_a_map_is_a_copy_and_what_is_sent_later_is_the_new_bytes() {
    let contents = pattern(PAGE, 83);
    let file = file_of(&contents);
    let map = map(&file, 0, PAGE);
    let (sender, mut receiver) = tcp_pair(false);
    send(&map, &sender).expect("sending");
    common::overwrite(&file, b'B', PAGE);
    send(&map, &sender).expect("sending");
    assert!(received(&mut receiver, PAGE) == contents, "in flight already: not changed any more");
    assert!(received(&mut receiver, PAGE) == [b'B'; PAGE], "the map shows what the file holds");
}

#[test]
fn a_hole_punched_under_a_map_is_zeros_and_no_error() {
    let contents = pattern(3 * PAGE, 84);
    let file = file_of(&contents);
    let map = map(&file, 0, 3 * PAGE);
    let (sender, mut receiver) = tcp_pair(false);
    send(&map, &sender).expect("sending");
    match punch_hole(&file, PAGE as u64, PAGE as u64) {
        Ok(pagewire_zcopy::Reserved::Yes) => {}
        other => return eprintln!("no holes in files of this file system: {other:?}"),
    }
    send(&map, &sender).expect("sending");
    assert!(received(&mut receiver, 3 * PAGE) == contents, "in flight already");
    let after = received(&mut receiver, 3 * PAGE);
    assert!(after[PAGE..2 * PAGE].iter().all(|&byte| byte == 0));
    assert!(after[..PAGE] == contents[..PAGE] && after[2 * PAGE..] == contents[2 * PAGE..]);
}

#[test]
fn an_unlinked_file_stays_whole_under_its_map() {
    let contents = pattern(2 * PAGE, 85);
    let mut named = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
    named.write_all(&contents).expect("writing");
    let file = Arc::new(named.reopen().expect("opening"));
    let map = map(&file, 0, 2 * PAGE);
    named.close().expect("unlinking");
    drop(file);
    let (sender, mut receiver) = tcp_pair(false);
    send(&map, &sender).expect("sending");
    assert!(received(&mut receiver, 2 * PAGE) == contents);
}

#[test]
fn a_sparse_file_is_zeros_where_nothing_was_written() {
    let file = file_of(b"");
    file.set_len(1 << 30).expect("growing");
    file.write_all_at(b"x", (1 << 30) - 1).expect("writing");
    let map = map(&file, (1 << 30) - 2 * PAGE as u64, 2 * PAGE);
    let (sender, mut receiver) = tcp_pair(false);
    send(&map, &sender).expect("sending");
    let bytes = received(&mut receiver, 2 * PAGE);
    assert!(bytes[..2 * PAGE - 1].iter().all(|&byte| byte == 0) && bytes[2 * PAGE - 1] == b'x');
}

#[test]
fn offsets_beyond_four_gib_are_exact() {
    let offset = (5 << 30) + 123;
    let contents = pattern(PAGE, 86);
    let file = file_of(b"");
    file.write_all_at(&contents, offset).expect("writing");
    let (sender, mut receiver) = tcp_pair(false);
    let map = map(&file, offset, PAGE);
    send(&map, &sender).expect("sending");
    assert!(received(&mut receiver, PAGE) == contents);
    assert_eq!(map.part(7, 1).file_offset(), offset + 7);
    file.set_len(offset + 10).expect("truncating");
    assert_eq!(missing(send(&map, &sender)), PAGE as u64 - 10);
}

#[test]
fn an_empty_range_maps_and_sends_nothing() {
    let file = file_of(b"");
    let empty = map(&file, 12_345, 0);
    let (sender, receiver) = tcp_pair(false);
    drop(receiver);
    assert!(empty.is_empty() && empty.part(0, 9).is_empty());
    assert_eq!(send(&empty, &sender).expect("no call, no error"), 0);
    empty.flush(0, 0).expect("nothing to flush");
}

#[test]
fn a_file_that_grows_under_a_map_is_seen_to_grow() {
    let file = file_of(&pattern(10, 87));
    let map = map(&file, 0, PAGE + 10);
    let contents = pattern(PAGE + 10, 88);
    file.write_all_at(&contents, 0).expect("growing");
    let (sender, mut receiver) = tcp_pair(false);
    assert_eq!(send(&map, &sender).expect("sending"), PAGE + 10);
    assert!(received(&mut receiver, PAGE + 10) == contents);
}
