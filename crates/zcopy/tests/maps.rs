//! What a map sends, loads and stores is what the file holds, wherever it begins and whoever else writes.

mod common;

use std::io::{ErrorKind, Read};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use common::{file_of, pattern};
use pagewire_zcopy::{FileRange, MapAccess, MapAdvice, MappedFile, SteadyFile, SteadyMap};
use proptest::prelude::*;
use rustix::fs::{SealFlags, fcntl_add_seals};

const LEN: usize = 3 * 4096 + 17;

/// A sealed file in memory with these bytes.
fn sealed(bytes: &[u8]) -> SteadyFile {
    let file = SteadyFile::memory("maps-test", bytes.len() as u64).expect("a memfd");
    file.file().write_all_at(bytes, 0).expect("writing it");
    file
}

fn sent(map: &MappedFile, at: usize, len: usize) -> Vec<u8> {
    let (from, mut to) = UnixStream::pair().expect("a pair");
    let mut range = map.part(at, len);
    while !range.is_empty() {
        let n = range.send_once(&from, false).expect("sending");
        range.advance(n);
    }
    drop(from);
    let mut bytes = Vec::new();
    to.read_to_end(&mut bytes).expect("reading");
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_part_of_any_map_is_sent_as_the_file_has_it(
        offset in 0..LEN, len in 0..LEN, at in 0..LEN, part in 0..LEN,
    ) {
        let contents = pattern(LEN, 70);
        let file = file_of(&contents);
        let len = len.min(LEN - offset);
        let map = MappedFile::new(&FileRange::new(file, offset as u64, len as u64), MapAccess::Read).expect("a map");
        prop_assert_eq!(map.len(), len);
        let mapped = &contents[offset..offset + len];
        let at_clamped = at.min(len);
        let end = at_clamped + part.min(len - at_clamped);
        prop_assert!(sent(&map, at, part) == mapped[at_clamped..end]);
    }

    #[test]
    fn loads_and_stores_do_what_a_slice_does(
        offset in 0..5000_usize, len in 0..LEN,
        writes in prop::collection::vec((0..LEN, prop::collection::vec(any::<u8>(), 0..40)), 0..8),
        at in 0..LEN, count in 0..LEN,
    ) {
        let mut model = pattern(LEN, 71);
        let file = sealed(&model);
        let len = len.min(LEN - offset);
        let mut map =
            SteadyMap::new(&file, offset as u64, len as u64, MapAccess::ReadWrite).expect("a map");
        for (at, bytes) in &writes {
            let fits = at + bytes.len() <= len;
            prop_assert_eq!(map.write_at(bytes, *at).is_ok(), fits);
            if fits {
                model[offset + at..offset + at + bytes.len()].copy_from_slice(bytes);
            }
        }
        let mut whole = vec![0; LEN];
        file.file().read_exact_at(&mut whole, 0).expect("reading the file");
        prop_assert!(whole == model, "and nothing beside");
        let mut loaded = vec![0; count];
        let answer = map.read_at(&mut loaded, at);
        prop_assert_eq!(answer.is_ok(), at + count <= len);
        if answer.is_ok() {
            prop_assert!(loaded == model[offset + at..offset + at + count]);
        }
    }
}

#[test]
fn what_is_stored_through_one_map_is_sent_from_another_and_read_by_the_file() {
    let file = sealed(&pattern(LEN, 72));
    let mut map = SteadyMap::new(&file, 4095, 5, MapAccess::ReadWrite).expect("a map");
    let other = MappedFile::new(&FileRange::new(Arc::clone(file.file()), 0, LEN as u64), MapAccess::Read)
        .expect("a map");
    map.write_at(b"hello", 0).expect("storing");
    assert_eq!(sent(&other, 4095, 5), b"hello");
    assert_eq!(sent(map.mapped(), 1, 3), b"ell");
    file.file().write_all_at(b"J", 4095).expect("writing");
    let mut seen = [0; 5];
    map.read_at(&mut seen, 0).expect("loading");
    assert_eq!(&seen, b"Jello");
}

#[test]
fn flushes_and_advice_end_where_the_map_does() {
    let file = file_of(&pattern(LEN, 73));
    assert!(SteadyFile::sealed(Arc::clone(&file)).is_err(), "an ordinary file can be cut at any time");
    let named = MappedFile::new(&FileRange::new(file, 5000, 5000), MapAccess::ReadWrite).expect("a map");
    named.flush(0, 5000).expect("flushing all");
    named.flush(4999, 1).expect("flushing the last byte");
    named.flush(5000, 0).expect("flushing nothing");
    named.start_flush(1, 4999).expect("starting");
    named.start_flush(5000, 0).expect("starting nothing");
    for (at, len) in [(0, 5001), (5001, 0), (usize::MAX, 2)] {
        assert_eq!(named.flush(at, len).expect_err("beyond").kind(), ErrorKind::InvalidInput);
        assert_eq!(named.start_flush(at, len).expect_err("beyond").kind(), ErrorKind::InvalidInput);
        let advice = named.advise(at, len, MapAdvice::Normal);
        assert_eq!(advice.expect_err("beyond").kind(), ErrorKind::InvalidInput);
    }
}

#[test]
fn no_advice_loses_a_byte() {
    let contents = pattern(LEN, 74);
    let file = sealed(&contents);
    let mut map = SteadyMap::new(&file, 3, 9000, MapAccess::ReadWrite).expect("a map");
    map.write_at(b"dirty", 5000).expect("storing");
    for advice in [
        MapAdvice::Sequential,
        MapAdvice::Random,
        MapAdvice::WillNeed,
        MapAdvice::DontNeed,
        MapAdvice::Normal,
    ] {
        map.mapped().advise(0, 9000, advice).expect("advice");
        map.mapped().advise(4999, 0, advice).expect("advice about nothing");
        let mut seen = [0; 5];
        map.read_at(&mut seen, 5000).expect("loading");
        assert_eq!(&seen, b"dirty", "{advice:?}");
    }
}

#[test]
fn a_steady_map_ends_where_its_file_does() {
    let file = sealed(&pattern(LEN, 75));
    let map = |offset, len| SteadyMap::new(&file, offset, len, MapAccess::Read);
    assert!(map(0, LEN as u64).is_ok());
    assert_eq!(map(1, LEN as u64).expect_err("too long").kind(), ErrorKind::UnexpectedEof);
    assert_eq!(map(u64::MAX, 2).expect_err("no such end").kind(), ErrorKind::InvalidInput);
    let mut read_only = map(0, 10).expect("a map");
    assert_eq!(read_only.write_at(b"x", 0).expect_err("made to read").kind(), ErrorKind::PermissionDenied);
}

#[test]
fn a_slice_is_lent_only_of_what_nobody_can_change() {
    let contents = pattern(LEN, 76);
    let file = sealed(&contents);
    let early = SteadyMap::new(&file, 100, 5000, MapAccess::Read).expect("a map");
    assert!(early.as_slice().is_none());
    assert!(fcntl_add_seals(file.file(), SealFlags::WRITE).is_err(), "while a map could be made writable");
    drop(early);
    fcntl_add_seals(file.file(), SealFlags::WRITE).expect("sealing");
    let frozen = SteadyFile::sealed(Arc::clone(file.file())).expect("sealed");
    assert!(frozen.is_frozen() && !file.is_frozen());
    let map = match SteadyMap::new(&frozen, 100, 5000, MapAccess::Read) {
        Ok(map) => map,
        Err(refused) => {
            assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
            return eprintln!("before Linux 6.7 a frozen file is mapped by a read-only descriptor only");
        }
    };
    assert!(map.as_slice() == Some(&contents[100..5100]));
    assert_eq!(SteadyMap::new(&frozen, 0, 0, MapAccess::Read).expect("empty").as_slice(), Some(&[][..]));
    assert!(SteadyMap::new(&frozen, 100, 5000, MapAccess::ReadWrite).is_err(), "sealed against writing");
    assert!(file.file().write_at(b"x", 0).is_err());
}

#[test]
fn a_range_that_no_map_can_hold_is_refused() {
    let file = file_of(&pattern(10, 77));
    for (offset, len) in
        [(0, u64::MAX), (u64::MAX, 1), (1 << 63, 0), (i64::MAX as u64, 1), (4095, u64::MAX / 2)]
    {
        let refused = MappedFile::new(&FileRange::new(Arc::clone(&file), offset, len), MapAccess::Read);
        assert_eq!(refused.expect_err("refused").kind(), ErrorKind::InvalidInput, "{offset} {len}");
    }
    let readable = Arc::new(std::fs::File::open("/proc/self/exe").expect("this program"));
    let refused = MappedFile::new(&FileRange::new(readable, 0, 10), MapAccess::ReadWrite);
    assert_eq!(refused.expect_err("not open for writing").kind(), ErrorKind::PermissionDenied);
}
