//! `[which message u8][version u8][body]`: responses, and the two messages inside group protocol fields.

use bytes::Bytes;
use pagewire_wire::testing::{ALL, Entry, Kind, Rng};

use super::request::recode;
use crate::input::Input;

fn entries() -> Vec<&'static Entry> {
    ALL.iter().filter(|entry| entry.kind != Kind::Request).collect()
}

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (which, version) = (usize::from(input.u8()), i16::from(input.u8()));
    if let Some(entry) = entries().get(which) {
        recode(entry, version, Bytes::copy_from_slice(input.rest()));
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (which, entry) in entries().into_iter().enumerate() {
        for version in entry.min..=entry.max {
            if let Ok(body) = (entry.random)(&mut Rng::new(version.unsigned_abs().into()), version) {
                seeds.push([&[which as u8, version as u8][..], &body[..]].concat());
            }
        }
    }
    seeds
}
