//! The metadata log: damage to it, snapshots, and one that Kafka 4.3.1 wrote.

use std::fs;
use std::path::Path;

use pagewire_disk::checkpoint::format_id;
use pagewire_metadata::model::ConfigScope;
use pagewire_takeover::Options;

use crate::kafka::{Kafka, metadata_segment};
use crate::support::{made, options, refused, run};

const LOG: &str = "00000000000000000000.log";
const SNAPSHOT: &str = "00000000000000000195-0000000001.checkpoint";

fn log_of(kafka: &Kafka) -> std::path::PathBuf {
    kafka.dir().join("__cluster_metadata-0").join(format!("{:020}.log", 0))
}

#[test]
fn no_damage_to_the_metadata_log_is_a_panic_or_a_half_read_record() {
    let mut kafka = Kafka::new(1);
    kafka.topic("orders", 2);
    kafka.config(2, "orders", "retention.ms", "1000");
    kafka.stop();
    let whole = fs::read(log_of(&kafka)).unwrap();
    let dry = Options { dry_run: true, allow_missing: true, ..options(&kafka) };
    let topics = |bytes: &[u8]| {
        fs::write(log_of(&kafka), bytes).unwrap();
        run(&dry).map(|report| (report.topics.len(), report.notes.len()))
    };
    assert_eq!(topics(&whole).unwrap(), (1, 0));
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x20;
        // The end of the log is told where it is cut; the leader epoch is the one thing in a batch that nothing speaks
        // for.
        if let Ok((_, notes)) = topics(&damaged) {
            assert!(notes == 1 || is_of_an_epoch(&whole, at), "byte {at}");
        }
        // A cut between two batches leaves a shorter log that is whole.
        let _ = topics(&whole[..at]);
    }
}

/// Whether byte `at` is of a batch's leader epoch.
fn is_of_an_epoch(bytes: &[u8], at: usize) -> bool {
    let mut start = 0;
    while start < bytes.len() {
        let length = u32::from_be_bytes(bytes[start + 8..start + 12].try_into().unwrap()) as usize;
        if (start + 12..start + 16).contains(&at) {
            return true;
        }
        start += 12 + length;
    }
    false
}

#[test]
fn a_hole_in_the_metadata_log_is_refused() {
    let kafka = Kafka::new(1);
    kafka.stop();
    let later = log_of(&kafka).with_file_name(format!("{:020}.log", 100));
    fs::write(later, metadata_segment(&[])).unwrap();
    assert!(refused(&options(&kafka)).contains("misses the records from offset 1 to 100"));
}

/// Taken from a Kafka 4.3.1 that made topics, changed and removed settings, deleted a topic, added partitions, a user
/// and a quota, and stopped; its snapshot was written shortly before that.
const KAFKA_4_3_1: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka-4.3.1");

#[test]
fn what_kafka_wrote_is_read_from_the_log_and_from_its_snapshot_alike() {
    for from in [&[LOG][..], &[LOG, SNAPSHOT]] {
        let kafka = Kafka::new(1);
        kafka.stop();
        for name in from {
            fs::copy(Path::new(KAFKA_4_3_1).join(name), log_of(&kafka).with_file_name(name)).unwrap();
        }
        let report = run(&Options { allow_missing: true, ..options(&kafka) }).unwrap();
        let not = report.not_carried;
        assert_eq!((not.scram_credentials, not.quotas, not.total()), (1, 1, 2));
        assert_eq!((report.leader_epoch, report.next_producer_id), (2, 1000));
        let made = made(&kafka.to());
        let topics: Vec<_> = made
            .topics
            .iter()
            .map(|topic| (topic.name.as_str(), format_id(topic.topic_id), topic.partitions.len()))
            .collect();
        let id = |text: &str| text.to_owned();
        assert_eq!(
            topics,
            [("orders", id("X0tyI8ecQkeVMc3fVs8VTQ"), 3), ("payments", id("gfvOjx3HSb-cK4I8n3rMMQ"), 2)]
        );
        // What was set and taken away again is not there; of the rest the test's own table knows one setting.
        assert_eq!(made.topics[0].configs.keys().collect::<Vec<_>>(), ["segment.bytes"]);
        assert_eq!(made.configs[&ConfigScope::BrokerDefault].configs["log.cleaner.threads"], "2");
    }
}

#[test]
fn a_snapshot_without_its_end_is_refused() {
    let kafka = Kafka::new(1);
    kafka.stop();
    let snapshot = fs::read(Path::new(KAFKA_4_3_1).join(SNAPSHOT)).unwrap();
    let path = log_of(&kafka).with_file_name(SNAPSHOT);
    for len in [0, 200, snapshot.len() - 1] {
        fs::write(&path, &snapshot[..len]).unwrap();
        let said = refused(&options(&kafka));
        assert!(said.contains(SNAPSHOT), "{said}");
    }
}
