//! The metadata log: damage to it, snapshots, and one that Kafka 4.3.1 wrote.

use std::fs;

use pagewire_takeover::Options;

use crate::kafka::{Kafka, metadata_segment};
use crate::support::{options, refused, run};

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
        // The leader epoch is the one thing in a batch that nothing speaks for and that nobody reads.
        if let Ok((_, notes)) = topics(&damaged) {
            let epoch = (12..16).contains(&(at % whole.len())) || notes == 1;
            assert!(epoch || damaged_epoch(&whole, at), "byte {at}");
        }
        let _ = topics(&whole[..at]);
    }
}

/// Whether byte `at` is of a batch's leader epoch.
fn damaged_epoch(bytes: &[u8], at: usize) -> bool {
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
