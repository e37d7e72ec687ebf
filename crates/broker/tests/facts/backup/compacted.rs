//! Backups of a compacted log: holes are right in it, so that only its written lengths tell a segment that was cut.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pagewire_broker::backup::{Limits, Outcome, verify};
use pagewire_record::Codec;

use super::Place;
use super::damaged::CORRUPT_MESSAGE;
use crate::harness::{Broker, FetchAt, Fetched, keyed, now_ms, values_of};

const RECORDS: i64 = 60;

/// A broker whose topic was compacted once: every second record has a key of its own, the others were one key's.
fn broker() -> Broker {
    let broker = Broker::with(&[("log.cleaner.backoff.ms", "10")]);
    let mut client = broker.client();
    let settings = [
        ("cleanup.policy", "compact"),
        ("internal.segment.bytes", "1000"),
        ("min.cleanable.dirty.ratio", "0.01"),
    ];
    client.create_topic_with("t", 1, &settings);
    let value = "x".repeat(200);
    for at in 0..RECORDS {
        let key = if at % 2 == 0 { at.to_string() } else { "one".to_owned() };
        client.produce("t", 0, keyed(Codec::None, &[(now_ms(), Some(&key), Some(&value))]));
    }
    let begun = Instant::now();
    let left = |broker: &Broker| values(broker).map_or(usize::MAX, |values| values.len());
    while left(&broker) > usize::try_from(RECORDS).unwrap() * 2 / 3 {
        assert!(begun.elapsed() < Duration::from_mins(1), "it is not compacted");
        std::thread::sleep(Duration::from_millis(5));
    }
    broker
}

/// The offsets that a consumer reads from the beginning; else the offset that it is refused at.
fn values(broker: &Broker) -> Result<Vec<i64>, i64> {
    let mut client = broker.client();
    let (mut offset, mut all) = (0, Vec::new());
    while offset < RECORDS {
        let fetched = client.fetch(&FetchAt::now("t", &[(0, offset)]), 12);
        match fetched.errors()[0].1 {
            0 => {}
            CORRUPT_MESSAGE => return Err(offset),
            other => panic!("error {other} at {offset}"),
        }
        all.extend(values_of(&fetched.records()).into_iter().map(|(at, _)| at).filter(|at| *at >= offset));
        offset = all.last().expect("a fetch below the end brings records") + 1;
    }
    Ok(all)
}

/// The segments of the log in `dir`, oldest first.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut logs: Vec<_> = files.filter(|path| path.extension().is_some_and(|kind| kind == "log")).collect();
    logs.sort();
    logs
}

/// Takes the last batch from the first closed segment that has several; the first offset that is lost.
fn cut(dir: &Path) -> i64 {
    let mut all = segments(dir);
    all.pop();
    all.iter().find_map(|path| cut_one(path)).expect("a segment of several batches")
}

fn cut_one(path: &Path) -> Option<i64> {
    let bytes = fs::read(path).unwrap();
    let number = |at: usize| i32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    let (mut batches, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        batches.push(at);
        at += 12 + usize::try_from(number(at + 8)).unwrap();
    }
    let &[.., before, last] = &batches[..] else { return None };
    // It may be the log's own file by another name.
    fs::remove_file(path).unwrap();
    fs::write(path, &bytes[..last]).unwrap();
    Some(i64::from_be_bytes(bytes[before..before + 8].try_into().unwrap()) + 1)
}

#[test]
fn a_segment_that_was_cut_in_the_backup_is_refused_behind_also_where_the_lengths_went_bad() {
    for spoil in [None, Some("missing"), Some("garbage")] {
        let (broker, place) = (broker(), Place::new());
        place.back_up(&broker, "backup");
        let log = place.path("backup/t-0");
        let lengths = log.join("pagewire-compacted");
        match spoil {
            None => assert!(lengths.exists()),
            Some("missing") => fs::remove_file(&lengths).unwrap(),
            _ => fs::write(&lengths, "garbage").unwrap(),
        }
        let lost = cut(&log);
        let damage = place.restore_with("backup", &["data"], false, true).unwrap().damage;
        assert_eq!((damage.stretches, damage.some[0].offset), (1, lost), "{spoil:?}");
        let anew = damage.altered.iter().find(|altered| altered.file == "t-0/pagewire-compacted");
        let outcome = anew.and_then(|altered| altered.outcome);
        assert_eq!(outcome, spoil.map(|_| Outcome::WrittenAnew), "{spoil:?}");
        let mut again = Broker::on(&place.path("data"));
        for round in 0..2 {
            assert_eq!(values(&again), Err(lost), "{spoil:?}, round {round}");
            let behind = damage.some[0].next_offset;
            let fetched = again.client().fetch(&FetchAt::now("t", &[(0, behind)]), 12);
            assert_eq!(fetched.errors(), [(0, 0)], "{spoil:?}: what lies behind is served");
            again.restart();
        }
    }
}

/// Nothing is in the bytes of a segment that says what it lacks: only the broker knows.
#[test]
fn what_a_log_was_known_to_lack_is_told_by_its_backup_and_by_all_that_is_made_of_it() {
    let (broker, place) = (broker(), Place::new());
    place.back_up(&broker, "whole");
    let lost = cut(&place.path("whole/t-0"));
    place.restore_with("whole", &["data"], false, true).unwrap();
    let again = Broker::on(&place.path("data"));
    let told = place.back_up(&again, "backup").damage;
    assert_eq!((told.stretches, told.altered_files, told.some[0].offset), (1, 0, lost));
    assert_eq!(verify(&place.path("backup"), &Limits::default(), &|_| {}).unwrap().damage, told);
    let restored = place.restore("backup", "second");
    assert_eq!(restored.damage, told);
    assert_eq!(values(&Broker::on(&place.path("second"))), Err(lost));
}
