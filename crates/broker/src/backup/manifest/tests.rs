//! What is written is read, and nothing else.

use std::path::Path;

use pagewire_disk::Disk;
use pagewire_log::Stretch;
use uuid::Uuid;

use super::reading::parse;
use super::*;

fn manifest() -> Manifest {
    let file = |name: &str, crc32c| FileRecord {
        name: name.to_owned(),
        bytes: 100,
        crc32c,
        source: crc32c.map(|_| (7, 8)),
        source_changed: crc32c.map(|_| 9),
        damage: crc32c.map(|crc| Stretch::new(u64::from(crc)..9, 2..3).into()).into_iter().collect(),
    };
    let log = LogRecord {
        topic: "orders".to_owned(),
        topic_id: Uuid::from_u128(5),
        partition: 1,
        log_start: 3,
        first_base: 0,
        end: 40,
        files: vec![
            file("00000000000000000000.log", Some(1)),
            file("00000000000000000010.log", None),
            file("leader-epoch-checkpoint", Some(3)),
        ],
    };
    Manifest {
        head: Head::new("cluster".to_owned(), 1, 1000, true).without(vec!["big".to_owned()]),
        files: vec![file("metadata.redb", Some(4))],
        logs: vec![log],
        missing: vec![MissingRecord {
            topic: "orders".to_owned(),
            topic_id: Uuid::from_u128(5),
            partition: 0,
            why: "it is offline".to_owned(),
        }],
        rows: vec![RowRecord { key: "topics/orders".to_owned(), value: r#"{"v":3}"#.to_owned() }],
        finished_ms: 2000,
    }
}

fn text() -> Vec<u8> {
    let disk = pagewire_disk::MemoryDisk::new();
    disk.create_dir_all(Path::new("/b")).expect("made");
    let Manifest { head, files, logs, missing, rows, finished_ms } = manifest();
    let mut writing = Writing::begin(&disk, Path::new("/b"), head).expect("begun");
    for log in logs {
        writing.log(log).expect("written");
    }
    for log in missing {
        writing.missing(log).expect("written");
    }
    for file in files {
        writing.file(file).expect("written");
    }
    for row in rows {
        writing.row(row).expect("written");
    }
    writing.finish(finished_ms).expect("finished");
    let path = Path::new("/b").join(MANIFEST_FILE);
    pagewire_disk::read_small(&disk, &path, 1 << 20).expect("read").expect("there")
}

#[test]
fn it_says_what_was_written() {
    assert_eq!(parse(&text()[..]), Ok(manifest()));
}

#[test]
fn every_cut_and_every_flipped_bit_is_noticed() {
    let text = text();
    for at in 0..text.len() {
        assert!(parse(&text[..at]).is_err(), "cut at {at}");
        let mut flipped = text.clone();
        flipped[at] ^= 1;
        let found = parse(&flipped[..]);
        assert!(found.is_err() || found == Ok(manifest()), "byte {at}: {}", flipped[at] as char);
    }
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in ["../x", "/etc/passwd", "a/b", "", ".", ".."] {
        let mut bad = manifest();
        name.clone_into(&mut bad.files[0].name);
        assert!(bad.check_names().is_err(), "{name}");
        let mut bad = manifest();
        bad.logs[0].topic = format!("{name}/t");
        assert!(bad.check_names().is_err(), "{name}");
    }
    let mut twice = manifest();
    twice.logs.push(twice.logs[0].clone());
    assert!(twice.check_names().is_err());
    manifest().check_names().expect("good");
}

#[test]
fn a_segment_ends_where_the_next_begins() {
    let manifest = manifest();
    let bounds: Vec<_> = manifest.logs[0].bounded().map(|(_, bounds)| bounds).collect();
    assert_eq!(bounds, [Some((0, 10)), Some((10, 40)), None]);
}
