//! `[topic u8][flags u8][key as a chunk][value]`: a record of an internal topic, as `pagewire log dump` shows it.

// The program has no library: its decoder is compiled here as it is there.
#[path = "../../../crates/cli/src/commands/log/dump/decode/mod.rs"]
#[expect(dead_code, reason = "control records are shown by another way")]
mod decode;

use bytes::Bytes;
use pagewire_record::Record;

use crate::input::{Input, chunk};
use decode::{Said, Topic};

const TOPICS: [Topic; 4] = [Topic::Offsets, Topic::Transactions, Topic::ShareState, Topic::Metadata];
const NO_KEY: u8 = 1;
const NO_VALUE: u8 = 2;
/// A byte becomes six at most, as `\u001F` does, and names stand beside it.
const GROWTH_MAX: usize = 64;
const WORDS_MAX: usize = 4096;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let topic = TOPICS.get(usize::from(input.u8()) % TOPICS.len()).copied().unwrap_or(Topic::Offsets);
    let flags = input.u8();
    let key = Bytes::copy_from_slice(input.chunk());
    let value = Bytes::copy_from_slice(input.rest());
    let record = Record {
        offset: 5,
        timestamp: 0,
        key: (flags & NO_KEY == 0).then_some(key),
        value: (flags & NO_VALUE == 0).then_some(value),
        headers: Vec::new(),
    };
    let decoded = decode::decode(topic, &record);
    for said in [decoded.key, decoded.value].into_iter().flatten() {
        let text = said.text();
        assert!(
            text.len() <= WORDS_MAX + GROWTH_MAX * bytes.len(),
            "{} bytes of {}",
            text.len(),
            bytes.len()
        );
        if let Said::Data(data) = &said {
            serde_json::from_str::<serde_json::Value>(&data.to_json()).expect("JSON");
        }
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let of =
        |topic: u8, flags: u8, key: &[u8], value: &[u8]| [&[topic, flags][..], &chunk(key), value].concat();
    let offset = [&[0, 1][..], &[0, 1, b'g', 0, 1, b't', 0, 0, 0, 2]].concat();
    let committed = [
        &[0, 4][..],
        &17i64.to_be_bytes(),
        &[0, 0, 0, 0, 3, b'a', b'b'],
        &5i64.to_be_bytes(),
        &[1, 0, 16],
        &[7; 16],
    ]
    .concat();
    let older =
        [&[0, 1][..], &17i64.to_be_bytes(), &[0, 1, b'm'], &5i64.to_be_bytes(), &9i64.to_be_bytes()].concat();
    let group = [&[0, 2][..], &[0, 1, b'g']].concat();
    let member: [&[u8]; 7] =
        [&[0, 1, b'm'], &[0xff, 0xff], &[0, 1, b'c'], &[0, 1, b'h'], &[0, 0, 1, 0], &[0, 0, 2, 0], &[]];
    // What a classic consumer asks for and is given: version, topics, user data.
    let consumer = [0, 0, 0, 12, 0, 0, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0];
    let members = [
        &[0, 3, 0, 8][..],
        b"consumer",
        &[0, 0, 0, 5, 0, 5],
        b"range",
        &[0, 1, b'm'],
        &5i64.to_be_bytes(),
        &[0, 0, 0, 1],
        &member.concat(),
        &consumer,
        &[0, 0, 0, 0],
    ]
    .concat();
    let transaction = [&[0, 0][..], &[0, 1, b'x']].concat();
    let ongoing = [
        &[0, 1][..],
        &9i64.to_be_bytes(),
        &[0, 3, 0, 0, 0xea, 0x60, 1],
        &[2, 2, b't', 3, 0, 0, 0, 0, 0, 0, 0, 1, 0],
        &5i64.to_be_bytes(),
        &4i64.to_be_bytes(),
        &[1, 2, 2, 0, 2],
    ]
    .concat();
    vec![
        of(0, 0, &offset, &committed),
        of(0, 0, &offset, &older),
        of(0, NO_VALUE, &offset, &[]),
        of(0, 0, &group, &members),
        of(1, 0, &transaction, &ongoing),
        of(1, NO_VALUE, &transaction, &[]),
        of(2, 0, &[0, 0, 0, 1, b'g'], &[0, 0]),
        of(3, NO_KEY, &[], &[1, 2, 0, 3, b'a', b'b', 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(key: &[u8], value: &[u8], topic: Topic) -> String {
        let (key, value) = (Some(Bytes::copy_from_slice(key)), Some(Bytes::copy_from_slice(value)));
        let record = Record { offset: 5, timestamp: 0, key, value, headers: Vec::new() };
        decode::decode(topic, &record).value.map_or_else(String::new, |value| value.text())
    }

    #[test]
    fn the_seeds_are_understood() {
        let of = |at: usize| {
            let seed = seeds().swap_remove(at);
            let mut input = Input::new(&seed[2..]);
            let key = input.chunk();
            said(key, input.rest(), TOPICS[usize::from(seed[0])])
        };
        assert!(of(0).contains(r#""offset":17"#), "{}", of(0));
        assert!(of(1).contains(r#""expireTimestamp":9"#), "{}", of(1));
        assert!(of(3).contains(r#""memberId":"m""#), "{}", of(3));
        assert!(of(4).contains(r#""partitionIds":[0,1]"#), "{}", of(4));
    }
}
