//! `[which u8][bytes]`: a row of the metadata store as it lies in the file, and the records in its value, which a newer program,
//! a restored backup or a person may have written.

use std::fmt::Debug;

use pagewire_metadata::fuzzing::row;
use pagewire_metadata::model::{
    ClusterRecord, ConfigRecord, ConfigScope, DeletedTopicRecord, LogDirsRecord, ModelError,
    ProducerIdsRecord, Record, TopicRecord, UnmadeTopicRecord, decode, encode, ids,
};

use crate::input::Input;

/// All that a topic may have, whatever the counts in its record say.
const PARTITIONS_MAX: usize = 1 << 20;

pub(super) fn run(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let which = input.u8();
    let bytes = input.rest();
    match which % 9 {
        0 => same::<ClusterRecord>(bytes),
        1 => same::<ConfigRecord>(bytes),
        2 => same::<DeletedTopicRecord>(bytes),
        3 => same::<LogDirsRecord>(bytes),
        4 => same::<ProducerIdsRecord>(bytes),
        5 => topic(bytes),
        6 => same::<UnmadeTopicRecord>(bytes),
        7 => names(bytes),
        _ => {
            if let Ok(again) = row(bytes) {
                assert_eq!(again, bytes, "what was read is what is written");
            }
        }
    }
}

/// Reads a record; what was read can be written, and reads back the same. One that cannot be read says what it should be.
fn same<R: Record + PartialEq + Debug>(bytes: &[u8]) {
    let first: R = match decode(bytes) {
        Ok(first) => first,
        Err(ModelError::Newer { what, found, known }) => {
            return assert!(what == R::WHAT && known == R::VERSION && found > known);
        }
        Err(error) => return assert!(error.to_string().contains(R::WHAT), "{error}"),
    };
    let written = encode(&first).unwrap_or_else(|error| panic!("{first:?} cannot be written: {error}"));
    match decode::<R>(&written) {
        Ok(again) => assert_eq!(first, again, "not the same the second time"),
        Err(error) => panic!("{first:?} is written as {written:?}, which does not read: {error}"),
    }
}

fn topic(bytes: &[u8]) {
    let Ok(topic) = decode::<TopicRecord>(bytes) else { return };
    assert!(topic.partitions.len() <= PARTITIONS_MAX);
    // A million partitions take a while to write.
    if topic.partitions.len() < 1 << 12 {
        same::<TopicRecord>(bytes);
    }
}

/// Keys of settings, and ids.
fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(scope) = ConfigScope::from_key(text) {
        assert_eq!(ConfigScope::from_key(&scope.key()), Some(scope), "{text}");
    }
    if let Some(id) = ids::from_text(text) {
        assert_eq!(ids::from_text(&ids::to_text(id)), Some(id), "{text}");
    }
}

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let id = "UdmYYHvTSyOHkZLtJpLkwQ";
    let partition = format!(r#"{{"replicas":[1],"leader":1,"leader_epoch":0,"directory":"{id}","count":3}}"#);
    let records = [
        r#"{"v":1,"cluster_id":"AAECAwQFBgcICQoLDA0ODw","created_ms":5,"leader_epoch":2}"#.to_owned(),
        r#"{"v":1,"configs":{"log.retention.ms":"60000","a":"b"}}"#.to_owned(),
        format!(r#"{{"v":1,"name":"orders","topic_id":"{id}"}}"#),
        format!(r#"{{"v":1,"dirs":{{"/data":"{id}","/more":"{id}"}}}}"#),
        r#"{"v":1,"next":3000}"#.to_owned(),
        format!(
            r#"{{"v":3,"name":"t","topic_id":"{id}","partitions":[{partition}],"configs":{{}},"created_ms":0}}"#
        ),
        format!(r#"{{"v":1,"name":"orders","topic_id":"{id}"}}"#),
        "configs/broker/7".to_owned(),
    ];
    let mut seeds: Vec<Vec<u8>> = records
        .iter()
        .enumerate()
        .map(|(which, text)| [&[which as u8][..], text.as_bytes()].concat())
        .collect();
    seeds.push([&[7][..], id.as_bytes()].concat());
    let row = [&[8u8, 1][..], &3i64.to_be_bytes(), &0i64.to_be_bytes(), records.concat().as_bytes()].concat();
    seeds.push(row);
    seeds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_are_rows_and_records() {
        let seeds = seeds();
        let of = |which: usize| seeds.get(which).and_then(|seed| seed.get(1..)).expect("a seed");
        assert!(decode::<ClusterRecord>(of(0)).is_ok() && decode::<ConfigRecord>(of(1)).is_ok());
        assert!(decode::<DeletedTopicRecord>(of(2)).is_ok() && decode::<LogDirsRecord>(of(3)).is_ok());
        assert!(decode::<ProducerIdsRecord>(of(4)).is_ok() && decode::<UnmadeTopicRecord>(of(6)).is_ok());
        assert_eq!(decode::<TopicRecord>(of(5)).expect("a topic").partitions.len(), 3);
        assert!(row(of(9)).is_ok());
    }
}
