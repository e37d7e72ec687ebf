//! Backups that went bad themselves: nothing is made of them unless that is wished; then what can be used is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pagewire_broker::backup::{BackupFailed, Damage, Limits, Outcome, verify};

use super::Place;
use super::damaged::{CORRUPT_MESSAGE, FIRST, broker, flip, refuses_the_first_alone, value};
use crate::harness::{Broker, FetchAt, Fetched, batch, values_of};

/// A backup of nine batches, two a segment.
fn backup() -> Place {
    let (broker, place) = (broker(), Place::new());
    place.back_up(&broker, "backup");
    place
}

/// Names of the altered files, and what became of them.
fn told(damage: &Damage) -> Vec<(&str, Option<Outcome>)> {
    damage.altered.iter().map(|altered| (&*altered.file, altered.outcome)).collect()
}

/// Nothing is made of the backup without being asked for; then what is found is told as `verify` does.
fn accepted(place: &Place, to: &str, links: bool) -> Damage {
    let refused = place.restore_with("backup", &[&format!("not-{to}")], links, false);
    assert!(matches!(refused, Err(BackupFailed::Altered { .. })), "{refused:?}");
    let verified = verify(&place.path("backup"), &Limits::default(), &|_| {}).unwrap().damage;
    let damage = place.restore_with("backup", &[to], links, true).unwrap().damage;
    let names = |damage| told(damage).into_iter().map(|(name, _)| name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(names(&damage), names(&verified));
    assert_eq!((damage.stretches, damage.altered_files), (verified.stretches, verified.altered_files));
    damage
}

/// All offsets but these are served, these are refused, and the log goes on behind all of them.
fn serves_all_but(dir: &Path, lost: &[i64]) {
    let mut broker = Broker::on(dir);
    for round in 0..2 {
        let mut client = broker.client();
        for at in 0..9 {
            let fetched = client.fetch(&FetchAt::now("t", &[(0, at)]), 12);
            if lost.contains(&at) {
                assert_eq!(fetched.errors(), [(0, CORRUPT_MESSAGE)], "{at} of {lost:?}");
            } else {
                assert_eq!(fetched.errors(), [(0, 0)], "{at} of {lost:?}");
                assert_eq!(values_of(&fetched.records())[0], (at, value(at)), "{lost:?}");
            }
        }
        assert_eq!(client.produce("t", 0, batch(&["more"])), 9 + round, "{lost:?}");
        broker.restart();
    }
}

#[test]
fn a_flipped_byte_of_a_record_is_refused_in_what_is_restored() {
    for (to, links) in [("data", false), ("linked", true)] {
        let place = backup();
        flip(&place.path("backup").join(FIRST), 100);
        let damage = accepted(&place, to, links);
        assert_eq!((damage.stretches, told(&damage)), (1, vec![(FIRST, Some(Outcome::AsItIs))]));
        refuses_the_first_alone(&Broker::on(&place.path(to)));
    }
}

/// They are outside of what a batch's own sum covers: only the backup's sum knows.
#[test]
fn a_flipped_offset_or_epoch_is_told_though_every_batch_is_whole() {
    let place = backup();
    let segment = place.path("backup").join(FIRST);
    let good = fs::read(&segment).unwrap();
    for at in (0..8).chain(12..16) {
        flip(&segment, at);
        let damage = accepted(&place, &format!("data{at}"), at % 2 == 0);
        assert_eq!(told(&damage), [(FIRST, Some(Outcome::AsItIs))], "byte {at}");
        assert_eq!(damage.stretches, usize::from(at < 8), "byte {at}: {damage:?}");
        fs::remove_file(&segment).unwrap();
        fs::write(&segment, &good).unwrap();
    }
    serves_all_but(&place.path("data7"), &[0]);
    serves_all_but(&place.path("data15"), &[]);
    serves_all_but(&place.path("data12"), &[]);
}

#[test]
fn what_the_records_or_the_manifest_know_is_made_anew() {
    let place = backup();
    let backup = place.path("backup");
    let mut derived: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(&backup).unwrap().chain(fs::read_dir(backup.join("t-0")).unwrap()) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let is_log = path.extension().is_some_and(|kind| kind == "log");
        let is_kept = is_log || ["backup.json", "metadata.redb"].contains(&name);
        if path.is_file() && !is_kept {
            derived.push(path);
        }
    }
    assert!(derived.len() > 10, "{derived:?}");
    for (path, how) in derived.iter().zip(0..) {
        match how % 3 {
            0 if fs::metadata(path).unwrap().len() > 0 => flip(path, 0),
            1 => fs::remove_file(path).unwrap(),
            _ => fs::write(path, "garbage").unwrap(),
        }
    }
    let damage = accepted(&place, "data", true);
    assert_eq!(damage.stretches, 0);
    for (file, outcome) in told(&damage) {
        let from_manifest = file == "meta.properties"
            || (file.ends_with("-offset-checkpoint") && !file.starts_with("cleaner"));
        let expected = if from_manifest { Outcome::WrittenAnew } else { Outcome::LeftOut };
        assert_eq!(outcome, Some(expected), "{file}");
    }
    assert_eq!(damage.altered_files, derived.len());
    let aborted = place.path("data").join("t-0/pagewire-aborted");
    assert_eq!(fs::metadata(aborted).unwrap().len(), 0, "a lost .txnindex looks like none: a start looks");
    serves_all_but(&place.path("data"), &[]);
}

/// Whatever is left of a segment is served, and no offset of what is not has another record.
#[test]
fn a_segment_that_is_cut_or_missing_costs_its_own_records_alone() {
    let cases: [(i64, Option<usize>, &[i64]); 9] = [
        (2, Some(3), &[3]),
        (2, Some(2), &[3]),
        (2, Some(1), &[2, 3]),
        (2, Some(0), &[2, 3]),
        (2, None, &[2, 3]),
        (0, None, &[0, 1]),
        (0, Some(2), &[1]),
        (8, Some(2), &[8]),
        (8, None, &[8]),
    ];
    for (base, left, lost) in cases {
        let place = backup();
        let segment = place.path("backup/t-0").join(format!("{base:020}.log"));
        let bytes = fs::read(&segment).unwrap();
        // It may be the log's own file by another name.
        fs::remove_file(&segment).unwrap();
        if let Some(quarters) = left {
            fs::write(&segment, &bytes[..bytes.len() * quarters / 4]).unwrap();
        }
        let damage = accepted(&place, "data", true);
        assert_eq!((damage.altered_files, damage.stretches), (1, 1), "{base} {left:?}");
        let stretch = &damage.some[0];
        assert_eq!((stretch.offset..stretch.next_offset).collect::<Vec<_>>(), lost, "{base} {left:?}");
        serves_all_but(&place.path("data"), lost);
    }
}

/// Nothing else in a data directory has topics' ids and settings; a backup has them twice.
#[test]
fn metadata_that_went_bad_is_written_anew_with_every_id_and_setting() {
    let place = backup();
    let before = fs::read_to_string(place.path("backup/backup.json")).unwrap();
    assert!(before.contains(r#"{"row":{"key":"topics/t","value":"{\"v\":3,"#), "{before}");
    place.restore("backup", "good");
    let path = place.path("backup/metadata.redb");
    let good = fs::read(&path).unwrap();
    let spoil = |how| match how {
        "flipped" => flip(&path, 5000),
        "emptied" => fs::write(&path, "").unwrap(),
        "cut" => fs::write(&path, &good[..good.len() / 2]).unwrap(),
        _ => fs::remove_file(&path).unwrap(),
    };
    let topic_id = |to: &str| Broker::on(&place.path(to)).client().describe_topic("t").topic_id;
    let expected = topic_id("good");
    for to in ["flipped", "emptied", "cut", "missing"] {
        fs::write(&path, &good).unwrap();
        spoil(to);
        let damage = accepted(&place, to, false);
        assert_eq!(told(&damage), [("metadata.redb", Some(Outcome::WrittenAnew))], "{to}");
        assert_eq!(topic_id(to), expected, "{to}");
        serves_all_but(&place.path(to), &[]);
        let segments = fs::read_dir(place.path(to).join("t-0")).unwrap();
        let segments = segments
            .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|kind| kind == "log"));
        assert!(segments.count() >= 5, "{to}: small ones, as the topic is set");
    }
}
