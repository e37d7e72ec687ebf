//! Compaction, seen by those who write and read: the latest record of a key stays, at its offset, through restarts.

use std::collections::BTreeMap;

use pagewire_record::Codec;
use pagewire_wire::messages::{
    offset_commit_request::{OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic},
    offset_fetch_request::OffsetFetchRequest,
};

use crate::{
    configs::{SET, TOPIC, change},
    groups::{coordinator, once_loaded},
    harness::{Broker, Client, FetchAt, Fetched, Read, keyed, now_ms, records_of, until},
};

const COMMITS: i64 = 600;
const PARTITIONS: i32 = 4;
/// As long as a commit's metadata may be, so that few commits fill a segment.
const METADATA: usize = 4000;

/// Bytes of all segments of a topic's partitions.
fn bytes_of(broker: &Broker, topic: &str) -> u64 {
    let folders = std::fs::read_dir(broker.dir()).unwrap().map(|entry| entry.unwrap());
    let of_topic =
        folders.filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{topic}-")));
    let files = of_topic.flat_map(|folder| std::fs::read_dir(folder.path()).unwrap());
    let logs = files
        .map(|file| file.unwrap())
        .filter(|file| file.path().extension().is_some_and(|kind| kind == "log"));
    // A segment may be renamed away between the two calls.
    logs.map(|file| file.metadata().map_or(0, |metadata| metadata.len())).sum()
}

/// Everything a consumer reads from the start.
fn read(client: &mut Client, topic: &'static str) -> Vec<Read> {
    let (mut offset, end) = (0, client.end_of(topic, 0));
    let mut all = Vec::new();
    while offset < end {
        let records = records_of(&client.fetch(&FetchAt::now(topic, &[(0, offset)]), 12).records());
        offset =
            records.last().map(|record| record.offset + 1).expect("a fetch below the end brings records");
        all.extend(records);
    }
    all
}

#[test]
fn the_latest_record_of_each_key_stays_where_it_was() {
    let mut broker = Broker::with(&[("log.cleaner.backoff.ms", "10")]);
    let mut client = broker.client();
    let configs = [
        ("cleanup.policy", "compact"),
        ("internal.segment.bytes", "2000"),
        ("min.cleanable.dirty.ratio", "0.01"),
        ("delete.retention.ms", "0"),
    ];
    client.create_topic_with("t", 1, &configs);
    let (mut latest, time_ms) = (BTreeMap::new(), now_ms());
    for number in 0..400_i64 {
        let key: &'static str = ["a", "b", "c", "d", "e"][usize::try_from(number).unwrap() % 5];
        let value = number.to_string();
        let value = (key != "e" || number < 300).then_some(value.as_str());
        let codec = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd]
            [usize::try_from(number).unwrap() % 4];
        let offset = client.produce("t", 0, keyed(codec, &[(time_ms + number, Some(key), value)]));
        latest.insert(key, (offset, value.map(str::to_owned)));
    }
    until("few records are left", || read(&mut client, "t").len() < 60);
    for round in 0..2 {
        let records = read(&mut client, "t");
        for (key, (offset, value)) in &latest {
            let found = records.iter().rfind(|record| record.key.as_deref() == Some(key.as_bytes()));
            let Some(value) = value else { continue };
            let found = found.unwrap_or_else(|| panic!("{key} is lost, round {round}"));
            assert_eq!((found.offset, found.value.as_deref()), (*offset, Some(value.as_bytes())), "{key}");
        }
        assert!(records.is_sorted_by_key(|record| record.offset));
        broker.restart();
        client = broker.client();
    }
}

#[test]
fn a_topic_that_becomes_compacted_is_compacted_at_once() {
    let broker = Broker::with(&[("log.cleaner.backoff.ms", "3600000")]);
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("internal.segment.bytes", "1000")]);
    for number in 0..200 {
        client.produce("t", 0, keyed(Codec::None, &[(now_ms() + number, Some("key"), Some("value"))]));
    }
    assert_eq!(change(&mut client, (TOPIC, "t"), &[("cleanup.policy", SET, Some("compact"))], false).0, 0);
    until("compacted", || broker.cleaner().cleans > 0);
    assert!(read(&mut client, "t").len() < 50);
}

/// Every partition's committed offset and metadata.
fn committed(client: &mut Client) -> Vec<(i32, i64, String)> {
    let request = OffsetFetchRequest { group_id: "g".into(), topics: None, ..Default::default() };
    let topics = once_loaded(|| {
        let answer = client.call(&request, 5);
        (answer.error_code, answer.topics)
    });
    let partitions = topics.into_iter().flat_map(|topic| topic.partitions);
    let mut all: Vec<_> = partitions
        .map(|found| {
            (found.partition_index, found.committed_offset, found.metadata.unwrap_or_default().to_string())
        })
        .collect();
    all.sort();
    all
}

#[test]
fn many_commits_of_a_few_partitions_leave_a_small_log_and_the_last_of_each() {
    let settings = [
        ("log.cleaner.backoff.ms", "10"),
        ("offsets.topic.segment.bytes", "1048576"),
        ("offsets.topic.num.partitions", "1"),
    ];
    let mut broker = Broker::with(&settings);
    let mut client = broker.client();
    client.create_topic("t", PARTITIONS);
    coordinator(&mut client);
    let mut expected = Vec::new();
    for number in 0..COMMITS {
        let partition_index = i32::try_from(number % i64::from(PARTITIONS)).unwrap();
        let metadata = format!("{number:0METADATA$}");
        let partition = OffsetCommitRequestPartition {
            partition_index,
            committed_offset: number,
            committed_metadata: Some(metadata.clone().into()),
            ..Default::default()
        };
        let topic =
            OffsetCommitRequestTopic { name: "t".into(), partitions: vec![partition], ..Default::default() };
        let request = OffsetCommitRequest {
            group_id: "g".into(),
            generation_id_or_member_epoch: -1,
            topics: vec![topic],
            ..Default::default()
        };
        once_loaded(|| (client.call(&request, 7).topics[0].partitions[0].error_code, ()));
        if number >= COMMITS - i64::from(PARTITIONS) {
            expected.push((partition_index, number, metadata));
        }
    }
    expected.sort();
    let written = u64::try_from(COMMITS).unwrap() * METADATA as u64;
    until("the log of commits is small", || bytes_of(&broker, "__consumer_offsets") < written * 2 / 3);
    for _ in 0..2 {
        assert_eq!(committed(&mut client), expected);
        broker.restart();
        client = broker.client();
    }
}
