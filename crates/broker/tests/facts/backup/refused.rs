//! What is no backup, or is not to become one.

use std::fs;
use std::io::Write;

use pagewire_broker::backup::BackupFailed;
use serde_json::json;

use super::Place;
use crate::control::Control;
use crate::harness::{Broker, batch, until};

/// A broker with some closed segments.
fn broker() -> Broker {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("internal.segment.bytes", "1000")]);
    let value = "x".repeat(400);
    for _ in 0..9 {
        client.produce("t", 0, batch(&[&value]));
    }
    broker
}

#[test]
fn only_an_empty_place_outside_the_data_takes_a_backup() {
    let (broker, place) = (broker(), Place::new());
    fs::create_dir(place.path("full")).unwrap();
    fs::write(place.path("full/notes"), "mine").unwrap();
    assert!(place.try_back_up(&broker, "full").unwrap_err().contains("not empty"));
    assert_eq!(fs::read(place.path("full/notes")).unwrap(), b"mine");
    let inside = json!({"verb": "backup", "to": broker.dir().join("backup")});
    assert!(Control::of(broker.dir()).ask(&inside).unwrap_err().contains("data directory"));
    assert!(!broker.dir().join("backup").exists());
    fs::create_dir(place.path("empty")).unwrap();
    place.back_up(&broker, "empty");
    assert!(
        place.try_back_up(&broker, "empty").unwrap_err().contains("holds a backup already"),
        "a second time"
    );
}

#[test]
fn a_client_that_goes_away_ends_its_backup_which_is_not_finished() {
    let (broker, place) = (broker(), Place::new());
    let to = place.path("backup");
    let slow = json!({"verb": "backup", "to": to, "rate_bytes_per_second": 1});
    let mut control = Control::of(broker.dir());
    control.send(format!("{slow}\n").as_bytes());
    until("it is begun", || to.join("backup.unfinished").exists());
    let other = json!({"verb": "backup", "to": place.path("other")});
    assert!(Control::of(broker.dir()).ask(&other).unwrap_err().contains("already"), "one at a time");
    drop(control);
    until("it has ended", || {
        Control::of(broker.dir()).ask(&json!({"verb": "status"})).unwrap()["backing_up"] == json!(false)
    });
    assert!(to.join("backup.unfinished").exists() && !to.join("backup.json").exists());
    assert!(matches!(place.try_restore("backup", "data", false), Err(BackupFailed::Unfinished(_))));
    assert!(!place.path("data").exists());
    place.back_up(&broker, "other");
}

#[test]
fn a_broker_that_stops_ends_a_backup_at_once() {
    let (mut broker, place) = (broker(), Place::new());
    let slow = json!({"verb": "backup", "to": place.path("backup"), "rate_bytes_per_second": 1});
    let mut control = Control::of(broker.dir());
    control.send(format!("{slow}\n").as_bytes());
    until("it is begun", || place.path("backup/backup.unfinished").exists());
    broker.stop();
    assert!(!place.path("backup/backup.json").exists());
    broker.restart();
    assert_eq!(broker.client().end_of("t", 0), 9);
}

/// Whatever is changed, cut or missing is noticed before anything is made of it.
#[test]
fn a_backup_that_was_changed_is_refused() {
    let (broker, place) = (broker(), Place::new());
    place.back_up(&broker, "backup");
    let backup = place.path("backup");
    let segment = backup.join("t-0/00000000000000000000.log");
    let apart = fs::read(&segment).unwrap();
    // It may be the log's own file by another name.
    fs::remove_file(&segment).unwrap();
    let mut flipped = apart.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for (bytes, what) in [(&flipped[..], "flipped"), (&apart[1..], "cut"), (b"", "emptied")] {
        fs::write(&segment, bytes).unwrap();
        let found = place.try_restore("backup", "data", false);
        assert!(matches!(found, Err(BackupFailed::Altered { .. })), "{what}: {found:?}");
        let found = place.restore_with("backup", &[what], false, false);
        assert!(matches!(found, Err(BackupFailed::Altered { .. })), "{what}: {found:?}");
        assert!(!place.path(what).exists(), "{what}: a restore that failed leaves nothing");
    }
    fs::remove_file(&segment).unwrap();
    let found = place.try_restore("backup", "data", false);
    assert!(matches!(found, Err(BackupFailed::Altered { .. })), "missing: {found:?}");
    fs::write(&segment, &apart).unwrap();
    let metadata = backup.join("metadata.redb");
    let good = fs::read(&metadata).unwrap();
    let mut bad = good.clone();
    bad[5000] ^= 1;
    fs::write(&metadata, bad).unwrap();
    assert!(matches!(place.try_restore("backup", "data", false), Err(BackupFailed::Altered { .. })));
    fs::write(&metadata, good).unwrap();
    let mut manifest = fs::OpenOptions::new().append(true).open(backup.join("backup.json")).unwrap();
    manifest.write_all(b"\n").unwrap();
    place.restore("backup", "data");
    let text = fs::read_to_string(backup.join("backup.json")).unwrap();
    fs::write(backup.join("backup.json"), text.replace("\"partition\":0", "\"partition\":1")).unwrap();
    assert!(matches!(place.try_restore("backup", "other", false), Err(BackupFailed::Manifest { .. })));
}
