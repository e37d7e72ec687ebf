//! What a check of the files says of logs that are whole, and of such that are not.

use std::collections::BTreeMap;
use std::path::Path;

use pagewire_log::verify::{Event, Fate, Finding, Severity, Tally, VerifyOptions, verify};
use pagewire_record::{BatchBuilder, Codec};

use crate::support::*;

/// Where a batch says its leader epoch, of which no checksum covers anything.
const EPOCH: u64 = 12;

/// All findings, and what was counted.
fn check(bench: &Bench, deep: bool) -> (Vec<Finding>, Tally) {
    let mut findings = Vec::new();
    let options = VerifyOptions { deep, ..VerifyOptions::default() };
    let tally = verify(&bench.disk, Path::new(DIR), options, &mut |event| {
        if let Event::Found(finding) = event {
            findings.push(finding);
        }
    });
    (findings, tally.expect("checked"))
}

/// Those that are no notes. A log of no topic has no `partition.metadata`, which is none of its business.
fn serious(bench: &Bench, deep: bool) -> Vec<Finding> {
    let (mut findings, _) = check(bench, deep);
    findings
        .retain(|finding| finding.severity > Severity::Note && !finding.path.ends_with("partition.metadata"));
    findings
}

/// Three segments with every codec, idempotent producers, and records without a producer.
fn lived() -> Bench {
    let bench = Bench::new();
    for n in 0..3 {
        for codec in Codec::ALL {
            bench.append(fill(BatchBuilder::new(codec), 4, 1000 + n * 10));
        }
        bench.append(sequenced(7, 0, (n * 2) as i32, 2));
        bench.append(sequenced(8, 0, (n * 3) as i32, 3));
    }
    assert!(bench.log.segments().len() >= 3, "rolled");
    bench
}

fn contents(bench: &Bench) -> BTreeMap<String, Vec<u8>> {
    bench.names().into_iter().map(|name| (name.clone(), bench.bytes(&name))).collect()
}

#[test]
fn of_a_log_that_was_closed_there_is_nothing_to_say_and_nothing_is_changed() {
    let bench = lived();
    bench.log.close(0).expect("closed");
    let before = contents(&bench);
    for deep in [false, true] {
        assert_eq!(serious(&bench, deep), []);
        let (_, tally) = check(&bench, deep);
        let marks = bench.log.marks();
        assert_eq!((tally.logs, tally.segments), (1, bench.log.segments().len() as u64));
        assert_eq!((tally.batches, tally.records), (21, marks.log_end as u64));
        assert_eq!(tally.bytes, bench.log.size_bytes());
    }
    assert_eq!(contents(&bench), before);
}

#[test]
fn a_transaction_that_nobody_ended_is_worth_a_note() {
    let bench = lived();
    let data = fill(BatchBuilder::new(Codec::None).producer(70, 2, 0).transactional(), 3, 5000);
    let first = bench.log.append(data, context()).expect("appended").base_offset;
    bench.log.close(0).expect("closed");
    let (found, _) = check(&bench, false);
    let said: Vec<_> =
        found.iter().filter(|finding| finding.what.contains("producer 70, epoch 2, is open")).collect();
    assert_eq!(
        said.iter().map(|finding| (finding.severity, finding.offset)).collect::<Vec<_>>(),
        [(Severity::Note, Some(first))]
    );
    assert_eq!(serious(&bench, false), []);
}

#[test]
fn of_a_log_that_is_open_or_was_killed_there_is_nothing_to_say_either() {
    let bench = lived();
    assert_eq!(serious(&bench, true), []);
    let bench = bench.killed();
    assert_eq!(serious(&bench, true), []);
    assert_eq!(serious(&bench.restarted(), true), []);
}

/// Every byte of the first `files` files with this ending is flipped in turn; those that nobody notices.
fn unnoticed(ending: &str, files: usize) -> Vec<(String, usize)> {
    let bench = lived();
    bench.log.close(0).expect("closed");
    let mut unnoticed = Vec::new();
    for (name, bytes) in contents(&bench).into_iter().filter(|(name, _)| name.ends_with(ending)).take(files) {
        let file = bench.file(&name);
        for (at, byte) in bytes.iter().enumerate() {
            file.write_at(at as u64, &[byte ^ 0x10]).expect("written");
            if serious(&bench, true).is_empty() {
                unnoticed.push((name.clone(), at));
            }
            file.write_at(at as u64, &[*byte]).expect("written");
        }
    }
    assert_eq!(serious(&bench, true), [], "put right again");
    unnoticed
}

#[test]
fn every_flipped_byte_of_a_log_is_noticed() {
    assert_eq!(unnoticed(".log", 1), []);
}

#[test]
fn the_sign_of_an_epoch_that_flipped_is_noticed_and_one_of_nobody_is_right() {
    let bench = lived();
    bench.log.close(0).expect("closed");
    let file = bench.file(&name(0, "log"));
    let mut epoch = [0; 4];
    file.read_exact_at(EPOCH, &mut epoch).expect("read");
    file.write_at(EPOCH, &[epoch[0] ^ 0x80]).expect("written");
    let found = serious(&bench, false);
    assert!(found.iter().any(|finding| finding.path.ends_with("leader-epoch-checkpoint")), "{found:?}");
    file.write_at(EPOCH, &(-1_i32).to_be_bytes()).expect("written");
    assert_eq!(serious(&bench, false), []);
}

#[test]
fn every_flipped_byte_of_what_is_derived_is_noticed() {
    for ending in [".index", ".timeindex", ".snapshot", "leader-epoch-checkpoint"] {
        assert_eq!(unnoticed(ending, usize::MAX), [], "{ending}");
    }
}

#[test]
fn of_a_log_cut_inside_a_batch_that_is_refused_and_one_cut_between_two_is_missed_by_its_snapshot() {
    let bench = lived();
    bench.log.close(0).expect("closed");
    let name = name(active(&bench.log), "log");
    let whole = bench.bytes(&name);
    assert!(!whole.is_empty());
    let file = bench.file(&name);
    for len in (0..whole.len()).rev() {
        file.set_len(len as u64).expect("cut");
        let found = serious(&bench, false);
        assert!(!found.is_empty(), "cut to {len}");
        for finding in found.iter().filter(|finding| finding.path.ends_with(&name)) {
            assert_eq!(finding.fate, Fate::Refused, "{finding}");
        }
    }
}

#[test]
fn batches_around_a_damaged_one_are_read_and_its_index_is_not_blamed() {
    let bench = lived();
    bench.log.close(0).expect("closed");
    let name = name(0, "log");
    let file = bench.file(&name);
    let batches: Vec<_> = bench.read(0, 2000, true);
    let second = batches.first().expect("a batch").size_in_bytes();
    // Its CRC is wrong; its length is wrong; its magic is.
    for at in [70, 11, 16] {
        let mut byte = [0];
        file.read_exact_at(second + at, &mut byte).expect("read");
        file.write_at(second + at, &[byte[0] ^ 0x10]).expect("written");
        let (findings, tally) = check(&bench, false);
        let found: Vec<_> = findings.iter().filter(|f| f.severity == Severity::Damage).collect();
        // No checkpoint says that it was never stable: nothing goes at the next start.
        assert!(found.iter().all(|finding| finding.fate == Fate::Refused), "{at}: {found:?}");
        assert!(found.iter().all(|finding| finding.path.ends_with(&name)), "{at}: {found:?}");
        assert_eq!(found.first().expect("found").position, Some(second), "{found:?}");
        assert!((10..21).contains(&tally.batches), "{tally:?}");
        file.write_at(second + at, &byte).expect("written");
    }
}

#[test]
fn a_hole_is_doubted_unless_a_batch_shows_that_the_log_is_compacted() {
    let bench = lived();
    bench.log.close(0).expect("closed");
    let segments = bench.log.segments();
    let gone = segments.get(1).expect("a segment").base_offset;
    for suffix in ["log", "index", "timeindex"] {
        bench.disk.remove_file(&path(&name(gone, suffix))).expect("removed");
    }
    let found = serious(&bench, false);
    let hole = found
        .iter()
        .find(|finding| finding.what.contains("if the topic is or was compacted"))
        .expect("a hole");
    assert_eq!((hole.severity, hole.offset), (Severity::Doubt, Some(gone)));
}

#[test]
fn leftovers_are_named_and_left() {
    let bench = lived();
    bench.log.close(0).expect("closed");
    let left = ["00000000000000000000.log.cleaned", "00000000000000000000.log.deleted", "stranger"];
    for name in left {
        bench.disk.open(&path(name), pagewire_disk::OpenMode::Create).expect("made");
    }
    let (findings, tally) = check(&bench, false);
    assert_eq!((tally.damage, tally.notes), (0, 3));
    for name in left {
        assert!(findings.iter().any(|finding| finding.path.ends_with(name)), "{name}");
    }
    assert!(left.iter().all(|name| bench.names().iter().any(|there| there == name)));
}

#[test]
fn missing_indexes_are_a_note_and_are_rebuilt() {
    let bench = lived();
    bench.log.close(0).expect("closed");
    bench.disk.remove_file(&path(&name(0, "index"))).expect("removed");
    assert_eq!(serious(&bench, false), []);
    let (found, _) = check(&bench, false);
    let index: Vec<_> = found.iter().filter(|finding| finding.path.ends_with(name(0, "index"))).collect();
    assert_eq!(index.len(), 1, "{found:?}");
    assert!(index.iter().all(|f| f.severity == Severity::Note && f.fate == Fate::Rebuilt));
}
