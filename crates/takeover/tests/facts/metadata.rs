//! The metadata log: damage to it, snapshots, and one that Kafka 4.3.1 wrote.

use std::fs;
use std::path::Path;

use pagewire_disk::checkpoint::format_id;
use pagewire_metadata::model::ConfigScope;
use pagewire_takeover::{CutKind, Options};

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
        let told = run(&dry).map(|report| report.topics.len());
        let taken = run(&Options { accept_damage: true, ..dry.clone() });
        (told, taken.map(|report| report.metadata_cut.map(|cut| cut.kind)))
    };
    assert_eq!(topics(&whole).0.unwrap(), 1);
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x20;
        // The leader epoch is the one thing in a batch that nothing speaks for.
        let (told, taken) = topics(&damaged);
        if !is_of_an_epoch(&whole, at) {
            assert!(told.is_err(), "byte {at}");
            assert!(taken.is_err() || taken.is_ok_and(|cut| cut == Some(CutKind::Damage)), "byte {at}");
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
fn a_damaged_metadata_log_is_refused_with_what_hangs_on_it_and_taken_up_to_there_if_that_is_accepted() {
    let mut kafka = Kafka::new(1);
    for name in ["early", "late", "later"] {
        let id = kafka.topic(name, 2);
        for index in 0..2 {
            kafka.fill(name, id, index, 2);
        }
    }
    kafka.stop();
    // The partitions of the last topic are named in the last batch.
    let mut bytes = fs::read(log_of(&kafka)).unwrap();
    let first = 12 + u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize;
    bytes[first + 70..first + 74].fill(0xee);
    fs::write(log_of(&kafka), &bytes).unwrap();
    for dry_run in [true, false] {
        let said = refused(&Options { dry_run, ..options(&kafka) });
        let place = format!(
            "__cluster_metadata-0: {} is damaged at byte {first}, offset 4",
            log_of(&kafka).display()
        );
        for part in [&*place, "--accept-damage", "late, later", &format!("({} bytes)", bytes.len() - first)] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!said.contains("early"), "{said}");
        let accepting = Options { accept_damage: true, dry_run, ..options(&kafka) };
        let report = run(&accepting).unwrap();
        assert_eq!(report.topics.iter().map(|topic| &*topic.name).collect::<Vec<_>>(), ["early"]);
        let cut = report.metadata_cut.as_ref().unwrap();
        assert_eq!((cut.kind, cut.offset, cut.position), (CutKind::Damage, 4, first as u64));
        assert!(
            !report.is_whole() && report.notes.iter().any(|note| note.contains("late, later")),
            "{report:?}"
        );
    }
}

#[test]
fn a_length_in_the_metadata_log_that_reaches_past_its_end_hides_no_batches_behind_it() {
    let mut kafka = Kafka::new(1);
    kafka.topic("early", 2);
    kafka.topic("late", 2);
    kafka.kill();
    let mut bytes = fs::read(log_of(&kafka)).unwrap();
    bytes[8..12].copy_from_slice(&1_000_000_u32.to_be_bytes());
    fs::write(log_of(&kafka), &bytes).unwrap();
    assert!(refused(&Options { allow_missing: true, ..options(&kafka) }).contains("at byte 0, offset 0"));
}

#[test]
fn a_torn_tail_of_the_metadata_log_is_told_after_a_kill_and_damage_after_a_stop() {
    let mut kafka = Kafka::new(1);
    kafka.topic("orders", 2);
    let tails = |whole: &[u8]| [[whole, &[0; 3000]].concat(), [whole, &whole[..70]].concat()];
    kafka.kill();
    let whole = fs::read(log_of(&kafka)).unwrap();
    let dry = Options { dry_run: true, allow_missing: true, ..options(&kafka) };
    for bytes in tails(&whole) {
        fs::write(log_of(&kafka), &bytes).unwrap();
        let report = run(&dry).unwrap();
        let cut = report.metadata_cut.as_ref().unwrap();
        let tail = (bytes.len() - whole.len()) as u64;
        assert_eq!(
            (cut.kind, cut.position, cut.bytes),
            (CutKind::TornTail, whole.len() as u64, tail),
            "{cut}"
        );
        assert_eq!((report.topics.len(), report.cuts.len()), (1, 0), "{report:?}");
    }
    kafka.stop();
    for bytes in tails(&whole) {
        fs::write(log_of(&kafka), &bytes).unwrap();
        assert!(refused(&dry).contains("Kafka had stopped in order"));
    }
}

#[test]
fn damage_that_was_accepted_is_named_before_what_it_makes_of_other_topics() {
    let mut kafka = Kafka::new(1);
    kafka.topic("early", 2);
    kafka.topic("late", 2);
    kafka.stop();
    let mut bytes = fs::read(log_of(&kafka)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(log_of(&kafka), &bytes).unwrap();
    let said = refused(&Options { accept_damage: true, ..options(&kafka) });
    let (cut, missing) = (said.find("the metadata log ends at offset 4"), said.find("early-0"));
    assert!(cut.is_some() && cut < missing, "{said}");
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
