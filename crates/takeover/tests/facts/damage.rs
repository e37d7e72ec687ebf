//! Files that are not as they were written.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pagewire_disk::OsDisk;
use pagewire_log::{AppendContext, Log, LogConfig, Origin, ReadUpTo};
use pagewire_record::{BatchBuilder, Codec, ControlType, EndTxnMarker, control_batch};
use pagewire_takeover::{CutKind, Depth, How, Options};

use crate::kafka::{Kafka, batch, contents};
use crate::support::{POLICIES, opened, options, refused, run};

/// The segments of a partition, oldest first.
fn segments(kafka: &Kafka) -> Vec<PathBuf> {
    let mut paths: Vec<_> = fs::read_dir(kafka.partition_dir("orders", 0))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    paths.sort();
    paths
}

fn filled() -> (Kafka, i64) {
    let mut kafka = Kafka::new(1);
    let orders = kafka.topic("orders", 1);
    let end = kafka.fill("orders", orders, 0, 60);
    assert!(segments(&kafka).len() > 3);
    (kafka, end)
}

fn flip(path: &PathBuf, at: u64) {
    let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x10], at).unwrap();
}

#[test]
fn a_torn_tail_of_a_kafka_that_was_killed_is_cut_and_told() {
    for tail in [&[0; 3000][..], &[0xab; 40], &batch(Codec::None, 0)[..50]] {
        let (mut kafka, end) = filled();
        kafka.recovery_point("orders", 0, 100);
        kafka.kill();
        let last = segments(&kafka).pop().unwrap();
        OpenOptions::new().append(true).open(&last).unwrap().write_all(tail).unwrap();
        let before = contents(&kafka.dir());
        let report = run(&options(&kafka)).unwrap();
        let cut = &report.cuts[0];
        let told = (cut.kind, cut.offset, cut.bytes, cut.file == last);
        assert_eq!(told, (CutKind::TornTail, end, tail.len() as u64, true), "{cut}");
        let (logs, loaded) = opened(&kafka.to(), 1);
        assert!(loaded.clean && loaded.loaded[0].report.cuts.is_empty(), "{loaded:?}");
        assert_eq!(logs.get("orders", 0).unwrap().marks().log_end, end);
        assert_eq!(contents(&kafka.dir()), before);
    }
}

#[test]
fn a_cut_below_a_segment_takes_those_after_it_too_also_when_files_are_linked() {
    let (mut kafka, _) = filled();
    kafka.recovery_point("orders", 0, 0);
    kafka.kill();
    let second = segments(&kafka)[1].clone();
    let base: i64 = second.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    flip(&second, 300);
    let before = contents(&kafka.dir());
    let linked = Options { how: How::Link, ..options(&kafka) };
    let said = refused(&linked);
    assert!(said.contains("--accept-damage") && said.contains("later segments"), "{said}");
    let report = run(&Options { accept_damage: true, ..linked }).unwrap();
    let cut = &report.cuts[0];
    assert!(cut.kind == CutKind::Damage && cut.later_segments > 1 && cut.bytes > 3000, "{cut:?}");
    let (logs, loaded) = opened(&kafka.to(), 1);
    let end = logs.get("orders", 0).unwrap().marks().log_end;
    assert!(loaded.clean && end > base && end < base + 9, "{end} {base}");
    assert_eq!(contents(&kafka.dir()), before, "nothing of a linked file is cut");
}

#[test]
fn damage_to_what_kafka_had_on_the_disk_is_refused() {
    let (kafka, _) = filled();
    kafka.stop();
    flip(&segments(&kafka)[1], 100);
    let said = refused(&options(&kafka));
    assert!(
        said.contains("orders-0") && said.contains("damaged at byte 0") && said.contains("--verify"),
        "{said}"
    );
    // As it is, Kafka would have served it.
    let report = run(&Options { verify: Depth::Headers, ..options(&kafka) }).unwrap();
    assert_eq!(report.topics[0].records, 180);
}

#[test]
fn what_lies_behind_a_bad_batch_tells_damage_from_a_torn_tail() {
    let (mut kafka, _) = filled();
    kafka.recovery_point("orders", 0, 0);
    kafka.kill();
    let last = segments(&kafka).pop().unwrap();
    // The length of the first batch: it seems to go on past the end of the file, as a torn one does.
    flip(&last, 9);
    assert!(refused(&options(&kafka)).contains("--accept-damage"));
    let report = run(&Options { accept_damage: true, ..options(&kafka) }).unwrap();
    assert_eq!(report.cuts[0].kind, CutKind::Damage);
}

#[test]
fn a_log_that_ends_before_kafkas_recovery_point_is_refused() {
    for is_stopped in [true, false] {
        let (kafka, end) = filled();
        if is_stopped {
            kafka.stop();
        } else {
            kafka.kill();
        }
        let last = segments(&kafka).pop().unwrap();
        let begins: i64 = last.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        // Between two batches: nothing that is there is wrong.
        fs::write(&last, "").unwrap();
        let said = refused(&options(&kafka));
        assert!(
            said.contains(&format!("up to {end}")) && said.contains(&format!("offset {begins}")),
            "{said}"
        );
        let report = run(&Options { accept_damage: true, ..options(&kafka) }).unwrap();
        assert_eq!((report.cuts[0].kind, report.cuts[0].offset), (CutKind::Missing, begins));
        let (logs, loaded) = opened(&kafka.to(), 1);
        assert!(loaded.clean && loaded.loaded[0].report.notes.is_empty(), "{loaded:?}");
        assert_eq!(logs.get("orders", 0).unwrap().marks().log_end, begins);
    }
}

#[test]
fn a_segment_that_is_missing_in_a_log_that_is_not_compacted_is_told_and_read_over() {
    let (kafka, end) = filled();
    kafka.stop();
    let all = segments(&kafka);
    fs::remove_file(&all[1]).unwrap();
    let report = run(&options(&kafka)).unwrap();
    assert!(report.notes.iter().any(|note| note.contains("no records for")), "{:?}", report.notes);
    let base_of = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().parse::<i64>().unwrap();
    let (missing, behind) = (base_of(&all[1]), base_of(&all[2]));
    for _ in 0..2 {
        let (logs, _) = opened(&kafka.to(), 1);
        let log = logs.get("orders", 0).unwrap();
        assert_eq!(log.marks().log_end, end);
        // Kafka's cleaner says nothing of it, and people were told: it may have been compacted once.
        let range =
            log.read(missing, 1 << 20, ReadUpTo::LogEnd, true).unwrap().range.unwrap().read_to_vec().unwrap();
        let first = pagewire_record::batches(&range).next().unwrap().unwrap();
        assert_eq!(first.header.base_offset, behind);
        logs.close_clean(7);
    }
}

/// A topic takes the brokers' policy where it has none, and the cleaner says what it did.
#[test]
fn offsets_that_compaction_took_are_no_loss_whoever_says_that_it_was_compaction() {
    for (kind, owner, name) in
        [(2, "orders", "cleanup.policy"), (4, "", POLICIES), (4, "1", POLICIES), (0, "", "")]
    {
        let mut kafka = Kafka::new(1);
        let orders = kafka.topic("orders", 1);
        let end = kafka.fill("orders", orders, 0, 60);
        if kind > 0 {
            kafka.config(kind, owner, name, "compact");
        } else {
            let cleaned = format!("0\n1\norders 0 {end}\n");
            fs::write(kafka.dir().join("cleaner-offset-checkpoint"), cleaned).unwrap();
        }
        kafka.stop();
        fs::remove_file(&segments(&kafka)[1]).unwrap();
        let report = run(&options(&kafka)).unwrap();
        assert!(!report.notes.iter().any(|note| note.contains("no records")), "{name}: {:?}", report.notes);
        let (_, loaded) = opened(&kafka.to(), 1);
        let report = &loaded.loaded[0].report;
        assert!(report.holes.is_empty() && report.damage.is_empty(), "{name}: {report:?}");
    }
}

#[test]
fn damage_is_looked_for_in_a_dry_run_as_well() {
    let (kafka, _) = filled();
    kafka.stop();
    flip(&segments(&kafka)[0], 100);
    assert!(refused(&Options { dry_run: true, ..options(&kafka) }).contains("damaged"));
}

#[test]
fn offsets_that_go_back_are_damage_at_every_depth_that_sees_them() {
    for verify in [Depth::Deep, Depth::Headers] {
        let (kafka, _) = filled();
        kafka.stop();
        // The base offset of the second segment's first batch, which no CRC covers.
        flip(&segments(&kafka)[1], 0);
        let said = refused(&Options { verify, ..options(&kafka) });
        assert!(said.contains("its header says offsets"), "{said}");
    }
}

#[test]
fn damaged_derived_files_do_not_matter() {
    let (kafka, end) = filled();
    kafka.stop();
    for entry in fs::read_dir(kafka.partition_dir("orders", 0)).unwrap() {
        let path = entry.unwrap().path();
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        if !is_log {
            fs::write(&path, "\u{1}\u{2}\u{3}nothing of the kind").unwrap();
        }
    }
    fs::write(kafka.dir().join("replication-offset-checkpoint"), [0; 64]).unwrap();
    let report = run(&options(&kafka)).unwrap();
    assert!(report.notes.iter().any(|note| note.contains("replication-offset-checkpoint")), "{report:?}");
    let (logs, loaded) = opened(&kafka.to(), 1);
    assert!(loaded.failed.is_empty());
    let log = logs.get("orders", 0).unwrap();
    assert_eq!((log.marks().log_end, log.leader_epoch()), (end, Some(3)));
}

#[test]
fn aborted_transactions_that_kafkas_indexes_lack_are_found_in_the_log() {
    let (mut kafka, end) = filled();
    let dir = kafka.partition_dir("orders", 0);
    let markers = abort_some(&dir);
    for entry in fs::read_dir(&dir).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if name.ends_with(".txnindex") || name == "pagewire-aborted" {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    kafka.recovery_point("orders", 0, end + 80);
    kafka.stop();
    run(&options(&kafka)).unwrap();
    let log = opened(&kafka.to(), 1).0.get("orders", 0).unwrap();
    for marker in markers {
        let slice = log.read(marker - 1, 1, ReadUpTo::LastStable, true).unwrap();
        let found: Vec<i64> = slice.aborted.iter().map(|aborted| aborted.last_offset).collect();
        assert!(found.contains(&marker), "{marker} is not in {found:?}; {end}");
    }
}

/// Transactions of a batch each, aborted; the offsets of their markers.
fn abort_some(dir: &Path) -> Vec<i64> {
    let config = LogConfig { segment_bytes: 2048, ..LogConfig::default() };
    let options = pagewire_log::OpenOptions {
        config,
        recovery_point: 0,
        log_start_offset: 0,
        clean: false,
        leader_epoch: 3,
        now_ms: 0,
    };
    let (log, _) = Log::open(Arc::new(OsDisk::new()), dir, "orders", 0, options).unwrap();
    let context = AppendContext { leader_epoch: 3, origin: Origin::Coordinator, now_ms: 0 };
    let markers = (0..40).map(|sequence| {
        let mut inside = BatchBuilder::new(Codec::None).producer(9, 0, sequence).transactional();
        inside.append(1000, Some(b"key"), Some(b"aborted"), &[]).unwrap();
        log.append(inside.build().unwrap(), context).unwrap();
        let marker = EndTxnMarker { control_type: ControlType::Abort, coordinator_epoch: 0 };
        log.append(control_batch(marker, 9, 0, 1000).unwrap(), context).unwrap().base_offset
    });
    let markers = markers.collect();
    log.close(0).unwrap();
    markers
}
