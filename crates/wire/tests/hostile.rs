//! Bytes from people who mean no good: every message and version, cut short at every byte, with flipped bits, and with
//! huge counts everywhere. The codec answers with an error or reads something else; it never panics and never takes
//! more memory than the frame can account for. One test in this file: the allocator's counters are the process's.

use std::alloc::System;

use bytes::{BufMut, Bytes, BytesMut};
use pagewire_wire::messages::metadata_request::MetadataRequest;
use pagewire_wire::messages::produce_request::ProduceRequest;
use pagewire_wire::testing::{ALL, Entry, RecodeError, Rng};
use pagewire_wire::{DecodeError, Message, Reader, RequestHeader};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// What reading and writing a frame may allocate: structures are larger than the bytes they come from.
fn allowance(frame: &Bytes) -> usize {
    4096 + 400 * frame.len()
}

/// Feeds one frame; the codec's own word is all that is asked, and little memory.
fn feed(entry: &Entry, version: i16, frame: &Bytes) -> Result<(), DecodeError> {
    let region = Region::new(ALLOCATOR);
    let read = (entry.recode)(frame.clone(), version);
    let taken = region.change().bytes_allocated;
    assert!(
        taken <= allowance(frame),
        "{} v{version}: {taken} bytes for a frame of {}",
        entry.name,
        frame.len()
    );
    match read {
        Ok(_) => Ok(()),
        Err(RecodeError::Decode(error)) => Err(error),
        Err(RecodeError::Encode(error)) => {
            panic!("{} v{version} was read but not written: {error}", entry.name)
        }
    }
}

fn with(frame: &Bytes, at: usize, replacement: &[u8]) -> Bytes {
    let mut bytes = frame.to_vec();
    bytes.iter_mut().skip(at).zip(replacement).for_each(|(byte, new)| *byte = *new);
    bytes.into()
}

#[test]
fn hostile_frames_cost_nothing_but_an_error() {
    for entry in ALL {
        for version in entry.min..=entry.max {
            let mut rng = Rng::new(u64::from(version.unsigned_abs()));
            let frame = (0..8)
                .map(|_| (entry.random)(&mut rng, version).expect("encodes"))
                .filter(|frame| frame.len() < 600)
                .max_by_key(Bytes::len)
                .unwrap_or_default();
            for len in 0..frame.len() {
                let cut = feed(entry, version, &frame.slice(..len));
                assert!(
                    cut.is_err(),
                    "{} v{version} was read from {len} of {} bytes",
                    entry.name,
                    frame.len()
                );
            }
            for at in 0..frame.len() {
                for huge in [
                    &[0x7f, 0xff, 0xff, 0xff][..],
                    &[0xff, 0xff, 0xff, 0xff, 0x0f],
                    &[0x80, 0, 0, 0],
                    &[0x40],
                ] {
                    let _ = feed(entry, version, &with(&frame, at, huge));
                }
                let byte = frame.get(at).copied().unwrap_or_default();
                let _ = feed(entry, version, &with(&frame, at, &[byte ^ 1 << rng.below(8)]));
            }
            for len in [4, 16, 64, 300] {
                let _ = feed(entry, version, &rng.bytes(len).into());
                let _ = feed(entry, version, &vec![0x01; len].into());
                let _ = feed(entry, version, &vec![0x00; len].into());
            }
        }
    }
    known_bombs();
    headers();
    a_frame_that_would_unfold_is_refused();
}

/// A dozen bytes that made another codec reserve gigabytes.
fn known_bombs() {
    let metadata = Bytes::from_static(&[0x7f, 0xff, 0xff, 0xff]);
    let error = MetadataRequest::decode(&mut Reader::new(metadata), 0).expect_err("a bomb");
    assert!(matches!(error, DecodeError::CountTooLarge { field: "MetadataRequest.topics", .. }), "{error}");
    let produce = Bytes::from_static(&[0, 0xff, 0xff, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]);
    let error = ProduceRequest::decode(&mut Reader::new(produce), 9).expect_err("a bomb");
    assert!(
        matches!(error, DecodeError::CountTooLarge { field: "ProduceRequest.topic_data", .. }),
        "{error}"
    );
}

fn headers() {
    let mut rng = Rng::new(5);
    for _ in 0..20_000 {
        let mut bytes = BytesMut::new();
        bytes.put_i16(rng.below(100) as i16);
        bytes.put_i16(rng.below(20) as i16);
        let len = rng.below(40);
        bytes.put_slice(&rng.bytes(len));
        let _ = RequestHeader::decode(&mut Reader::new(bytes.freeze()));
    }
}

/// Two bytes on the wire, dozens in memory: the reader stops before the memory is taken.
fn a_frame_that_would_unfold_is_refused() {
    let topics = 20_000_000u32;
    let mut frame = BytesMut::zeroed(2 * topics as usize + 4);
    frame.get_mut(..4).expect("four bytes").copy_from_slice(&topics.to_be_bytes());
    let frame = frame.freeze();
    let region = Region::new(ALLOCATOR);
    let error = MetadataRequest::decode(&mut Reader::new(frame), 0).expect_err("too much");
    assert_eq!(error, DecodeError::MemoryExceeded { field: "MetadataRequest.topics" });
    assert!(region.change().bytes_allocated < 4096);
}
