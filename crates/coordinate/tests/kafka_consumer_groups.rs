//! Records of consumer groups that Apache Kafka 4.3.1 wrote, read as what they are and written byte for byte; and the state
//! that they come to.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::Arc;

use pagewire_coordinate::{
    ConsumerGroupState, ConsumerRecord, Decoded, GroupFilter, Now, Record, Settings, Shard, Topic, TopicTable,
};

const LOG: &str = include_str!("kafka/consumer_offsets.txt");
const T1: &str = "469e6a09767e42bfbef7382b3bfd0899";
const T2: &str = "ecd2c9f1dda744c1837d760cd4a6cd87";

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn records() -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let lines = LOG.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split_once(' ').unwrap())
        .map(|(key, value)| (bytes(key), (value != "-").then(|| bytes(value))))
        .collect()
}

fn topic(hex: &str, partitions: i32) -> Topic {
    Topic { id: bytes(hex).try_into().unwrap(), partitions }
}

fn shard_after(count: usize) -> Shard {
    let mut shard = Shard::new(Settings::default());
    let mut topics = TopicTable::default();
    topics.put("t1", topic(T1, 3));
    topics.put("t2", topic(T2, 2));
    shard.set_topics(Arc::new(topics));
    for (key, value) in records().into_iter().take(count) {
        shard.replay(&key, value.as_deref(), 0).unwrap();
    }
    shard
}

#[test]
fn every_record_of_kafka_is_written_byte_for_byte() {
    let mut kinds = BTreeSet::new();
    for (key, value) in records() {
        let Decoded::Record(record) = Record::decode(&key, value.as_deref()).unwrap() else {
            panic!("skipped")
        };
        assert_eq!(record.encode_key().unwrap(), key, "{record:?}");
        assert_eq!(record.encode_value().unwrap().as_deref(), value.as_deref(), "{record:?}");
        kinds.insert((key[1], value.is_some()));
    }
    let of_consumer_groups = [3, 5, 6, 7, 8, 16];
    assert!(
        of_consumer_groups
            .iter()
            .all(|kind| kinds.contains(&(*kind, true)) && kinds.contains(&(*kind, false)))
    );
    assert!(kinds.contains(&(4, false)));
}

/// Kafka 4.3.1 no longer writes values of this kind; its own generated class wrote this one.
#[test]
fn partition_metadata_of_earlier_versions_is_read() {
    let key = bytes("000400026731");
    let value = bytes(
        "000002469e6a09767e42bfbef7382b3bfd08990374310000000303000000000203726100000000010303726103726200\
         0000",
    );
    let Decoded::Record(record) = Record::decode(&key, Some(&value)).unwrap() else { panic!("skipped") };
    let Record::Consumer { record: ConsumerRecord::PartitionMetadata(Some(metadata)), .. } = &record else {
        panic!("{record:?}")
    };
    assert_eq!(metadata.topics[0].partitions[1].racks.len(), 2);
    assert_eq!(record.encode_value().unwrap().unwrap(), value);
}

#[test]
fn a_log_of_kafka_brings_back_its_consumer_groups() {
    // Both members have what they are to have.
    let shard = shard_after(15);
    let group = shard.describe_consumer_group("g1", Now::both(0)).unwrap();
    assert_eq!((group.state, group.epoch, group.target_epoch), (ConsumerGroupState::Stable, 3, 3));
    assert_eq!(group.assignor, "range");
    assert_eq!(group.members.len(), 2);
    let listed = shard.list(&GroupFilter::of(&["stable"], &["Consumer"]));
    assert_eq!((listed.len(), listed[0].group_type, &*listed[0].protocol_type), (1, "consumer", "consumer"));
    // In the end all have left, and the third group is a classic one again.
    let shard = shard_after(usize::MAX);
    let states: Vec<(String, &str, &str)> = shard
        .list(&GroupFilter::default())
        .into_iter()
        .map(|group| (group.group_id.to_string(), group.group_type, group.state))
        .collect();
    let expected = [("g1", "consumer", "Empty"), ("g2", "consumer", "Empty"), ("g3", "classic", "Empty")];
    assert_eq!(states, expected.map(|(id, kind, state)| (id.to_owned(), kind, state)));
    assert!(shard.describe_consumer_group("g1", Now::both(0)).unwrap().members.is_empty());
}

#[test]
fn every_prefix_of_a_record_is_an_error_not_a_panic() {
    for (key, value) in records() {
        let Some(value) = value else { continue };
        for end in 0..value.len() {
            // Offsets have trailing fields that may be missing in older versions.
            let read = Record::decode(&key, Some(&value[..end]));
            assert!(read.is_err() || key[1] <= 2, "{end} of {value:?}");
        }
    }
}
