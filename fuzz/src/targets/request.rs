//! `[header][body]`, as after the size prefix of a frame.

use bytes::Bytes;
use pagewire_wire::testing::{ALL, Entry, Kind, RecodeError, Rng};
use pagewire_wire::{ApiKey, Reader, RequestHeader, RequestPrefix, Str, Writer};

pub(super) fn run(bytes: &[u8]) {
    let frame = Bytes::copy_from_slice(bytes);
    let prefix = RequestPrefix::peek(&frame);
    let mut r = Reader::new(frame.clone());
    let Ok(header) = RequestHeader::decode(&mut r) else { return };
    let prefix = prefix.expect("a header that was read has its first eight bytes");
    assert_eq!((prefix.api_key, prefix.api_version), (header.api_key.code(), header.api_version));
    let key = header.api_key.code();
    if let Some(entry) = ALL.iter().find(|entry| entry.kind == Kind::Request && entry.key == Some(key)) {
        recode(entry, header.api_version, frame.slice(r.position()..));
    }
}

/// What was read can be written, and what was written reads back as the same bytes.
pub(super) fn recode(entry: &Entry, version: i16, body: Bytes) {
    match (entry.recode)(body, version) {
        Err(RecodeError::Decode(_)) => {}
        Err(RecodeError::Encode(error)) => {
            panic!("{} v{version} was read but not written: {error}", entry.name)
        }
        Ok((first, _)) => {
            let again = (entry.recode)(first.clone(), version);
            assert_eq!(again, Ok((first, 0)), "{} v{version} is not the same the second time", entry.name);
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for entry in ALL.iter().filter(|entry| entry.kind == Kind::Request) {
        let Some(api_key) = entry.key.and_then(ApiKey::from_code) else { continue };
        for version in entry.min..=entry.max {
            let header = RequestHeader {
                api_key,
                api_version: version,
                correlation_id: 1,
                client_id: Some(Str::from_static("fuzz")),
            };
            let mut w = Writer::default();
            let body = (entry.random)(&mut Rng::new(version.unsigned_abs().into()), version);
            if let (Ok(()), Ok(body)) = (header.encode(&mut w), body) {
                seeds.push([&w.finish().0[..], &body[..]].concat());
            }
        }
    }
    seeds
}
