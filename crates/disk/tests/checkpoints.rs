//! Kafka's text formats, as Apache Kafka 4.3.1 writes them, and every way they come back broken.

use std::path::Path;

use pagewire_disk::checkpoint::{format_id, parse_id};
use pagewire_disk::{
    CheckpointError, CleanMark, Damage, EpochCheckpoint, EpochEntry, LeftBy, MemoryDisk, MetaProperties,
    OffsetCheckpoint, PartitionMetadata, read_small, write_atomically,
};
use proptest::prelude::*;

/// As found in a directory of Kafka 4.3.1.
const KAFKA_OFFSETS: &str = "0\n2\na-b.c 0 0\na-b.c 1 1201\n";
const KAFKA_EPOCHS: &str = "0\n2\n0 0\n3 17\n";
const KAFKA_PARTITION: &str = "version: 0\ntopic_id: 99TEF3KKQf2QFazpBsaU8A";
const KAFKA_META: &str = "#\n#Mon Nov 23 08:04:39 UTC 2026\nnode.id=1\ndirectory.id=83zYoAuHQOihgM-Z_pXpUg\n\
                          version=1\ncluster.id=dhoN_iihQsWf4Su5eL5MmQ\n";

#[test]
fn kafkas_offset_checkpoint_reads_and_writes_to_the_byte() {
    let checkpoint = OffsetCheckpoint::parse(KAFKA_OFFSETS).expect("good");
    assert_eq!(checkpoint.get("a-b.c", 1), Some(1201));
    assert_eq!(checkpoint.get("a-b.c", 2), None);
    assert_eq!(checkpoint.iter().collect::<Vec<_>>(), [("a-b.c", 0, 0), ("a-b.c", 1, 1201)]);
    assert_eq!(checkpoint.render(), KAFKA_OFFSETS);
    assert_eq!(OffsetCheckpoint::new().render(), "0\n0\n");
}

#[test]
fn kafkas_epoch_checkpoint_reads_and_writes_to_the_byte() {
    let checkpoint = EpochCheckpoint::parse(KAFKA_EPOCHS).expect("good");
    let entries = [EpochEntry { epoch: 0, start_offset: 0 }, EpochEntry { epoch: 3, start_offset: 17 }];
    assert_eq!(checkpoint.entries, entries);
    assert_eq!(checkpoint.render(), KAFKA_EPOCHS);
}

#[test]
fn kafkas_partition_metadata_reads_and_writes_to_the_byte() {
    let metadata = PartitionMetadata::parse(KAFKA_PARTITION).expect("good");
    assert_eq!(format_id(metadata.topic_id), "99TEF3KKQf2QFazpBsaU8A");
    assert_eq!(metadata.render(), KAFKA_PARTITION);
}

#[test]
fn kafkas_meta_properties_read_and_ours_read_back() {
    let meta = MetaProperties::parse(KAFKA_META).expect("good");
    assert_eq!(meta.cluster_id, "dhoN_iihQsWf4Su5eL5MmQ");
    assert_eq!(meta.node_id, 1);
    assert_eq!(meta.directory_id, parse_id("83zYoAuHQOihgM-Z_pXpUg"));
    assert_eq!(MetaProperties::parse(&meta.render()), Ok(meta));
}

#[test]
fn meta_properties_of_older_kafkas_are_understood() {
    let meta = MetaProperties::parse("version=0\nbroker.id=7\ncluster.id : a\\=b\nother=1\n").expect("good");
    assert_eq!(meta, MetaProperties { cluster_id: "a=b".to_owned(), node_id: 7, directory_id: None });
}

#[test]
fn meta_properties_without_what_they_are_for_are_damaged() {
    let parse = |text| MetaProperties::parse(text).expect_err("damaged");
    assert_eq!(parse("node.id=1\ncluster.id=x\n"), Damage::Key { key: "version" });
    assert_eq!(parse("version=1\nnode.id=one\ncluster.id=x\n"), Damage::Key { key: "node.id" });
    assert_eq!(parse("version=1\nnode.id=1\ncluster.id=\n"), Damage::Key { key: "cluster.id" });
    assert_eq!(
        parse("version=1\nnode.id=1\ncluster.id=x\ndirectory.id=?\n"),
        Damage::Key { key: "directory.id" }
    );
    assert_eq!(parse("version=9\n"), Damage::Version { found: "9".to_owned(), expected: 1 });
}

#[test]
fn the_clean_mark_is_what_kafka_reads() {
    let disk = MemoryDisk::new();
    CleanMark::write(&disk, Path::new("/")).expect("write");
    let bytes = read_small(&disk, Path::new("/.kafka_cleanshutdown"), 100).expect("read").expect("there");
    assert_eq!(bytes, br#"{"version":0,"brokerEpoch":-1}"#);
}

#[test]
fn a_mark_is_ours_kafkas_or_damaged() {
    let disk = MemoryDisk::new();
    let read = |text: &str| {
        write_atomically(&disk, Path::new("/.kafka_cleanshutdown"), text.as_bytes()).expect("write");
        CleanMark::read(&disk, Path::new("/"))
    };
    assert!(matches!(read(r#"{"version":0,"brokerEpoch":-1}"#), Ok(Some(LeftBy::Us))));
    assert!(matches!(read(r#"{"version":0,"brokerEpoch":22}"#), Ok(Some(LeftBy::Kafka))));
    for bad in ["", "\0\0", r#"{"version":0,"brokerEpoch":}"#, r#"{"version":0,"brokerEpoch":-2}"#, "{}", "x"]
    {
        assert!(read(bad).is_err_and(|error| error.is_damage()), "{bad:?}");
    }
}

#[test]
fn lost_content_is_told_apart() {
    let disk = MemoryDisk::new();
    let path = Path::new("/checkpoint");
    let read = |bytes: &[u8]| {
        write_atomically(&disk, path, bytes).expect("write");
        match OffsetCheckpoint::read(&disk, path) {
            Err(error @ CheckpointError::Damaged { .. }) if error.is_damage() => {
                let text = error.to_string();
                assert!(text.contains("/checkpoint"), "{text}");
                let CheckpointError::Damaged { damage, .. } = error else { unreachable!() };
                damage
            }
            other => panic!("not damaged: {other:?}"),
        }
    };
    assert_eq!(read(b""), Damage::Empty);
    assert_eq!(read(&[0; 48]), Damage::Zeroed);
    assert_eq!(read(b"\xff\xfe\x00"), Damage::NotText);
    assert_eq!(read(b"garbage\n"), Damage::Version { found: "garbage".to_owned(), expected: 0 });
    assert_eq!(read(b"1\n0\n"), Damage::Version { found: "1".to_owned(), expected: 0 });
    assert_eq!(read(b"0\n"), Damage::Line { line: 2, expected: "the number of entries" });
    assert_eq!(read(b"0\n-1\n"), Damage::Line { line: 2, expected: "the number of entries" });
    assert_eq!(read(b"0\n2\na 0 1\n"), Damage::Count { announced: 2, found: 1 });
    assert_eq!(read(b"0\n0\na 0 1\n"), Damage::Count { announced: 0, found: 1 });
    for line in ["a 0", "a 0 1 2", "a x 1", "a 0 x", "a -1 1", "a 0 -1", ""] {
        let damage = read(format!("0\n1\n{line}\n").as_bytes());
        assert_eq!(
            damage,
            Damage::Line { line: 3, expected: "a topic, a partition and an offset" },
            "{line:?}"
        );
    }
}

#[test]
fn a_huge_announced_count_costs_nothing() {
    let damage = OffsetCheckpoint::parse("0\n18446744073709551615\n").expect_err("damaged");
    assert_eq!(damage, Damage::Count { announced: u64::MAX, found: 0 });
}

#[test]
fn epochs_that_do_not_rise_are_damage() {
    for lines in ["1 5\n1 6\n", "2 5\n1 6\n", "1 5\n2 5\n", "1 5\n2 4\n"] {
        assert!(EpochCheckpoint::parse(&format!("0\n2\n{lines}")).is_err(), "{lines:?}");
    }
    assert!(EpochCheckpoint::parse("0\n1\n-1 0\n").is_err());
}

#[test]
fn a_partition_without_a_real_topic_id_is_damaged() {
    for id in ["", "short", "AAAAAAAAAAAAAAAAAAAAAA", "99TEF3KKQf2QFazpBsaU8A99", "99TEF3KKQf2QFaz+BsaU8A"] {
        let damage = PartitionMetadata::parse(&format!("version: 0\ntopic_id: {id}")).expect_err("damaged");
        assert_eq!(damage, Damage::Key { key: "topic_id" }, "{id}");
    }
    assert!(PartitionMetadata::parse("topic_id: 99TEF3KKQf2QFazpBsaU8A").is_err());
}

proptest! {
    #[test]
    fn any_offsets_read_back(offsets in prop::collection::btree_map(
        ("[a-zA-Z0-9._-]{1,20}", 0..=i32::MAX), 0..=i64::MAX, 0..20)) {
        let mut checkpoint = OffsetCheckpoint::new();
        for ((topic, partition), offset) in &offsets {
            checkpoint.set(topic, *partition, *offset);
        }
        prop_assert_eq!(checkpoint.len(), offsets.len());
        prop_assert_eq!(OffsetCheckpoint::parse(&checkpoint.render()), Ok(checkpoint));
    }

    #[test]
    fn any_id_reads_back(bytes: [u8; 16]) {
        let id = uuid::Uuid::from_bytes(bytes);
        prop_assert_eq!(parse_id(&format_id(id)), Some(id));
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,60}", lines in "([a0-9 :=\\\\-]{0,12}\n){0,6}") {
        for text in [text, lines] {
            let _ = OffsetCheckpoint::parse(&text);
            let _ = EpochCheckpoint::parse(&text);
            let _ = PartitionMetadata::parse(&text);
            let _ = MetaProperties::parse(&text);
        }
    }
}

/// The last number of a file that was cut could be read, and would be another.
#[test]
fn a_checkpoint_cut_at_any_byte_is_damaged() {
    for len in 0..KAFKA_EPOCHS.len() {
        assert!(EpochCheckpoint::parse(&KAFKA_EPOCHS[..len]).is_err(), "{len}");
    }
    for len in 0..KAFKA_OFFSETS.len() {
        assert!(OffsetCheckpoint::parse(&KAFKA_OFFSETS[..len]).is_err(), "{len}");
    }
}
