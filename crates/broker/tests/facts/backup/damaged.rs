//! Records that are damaged before or after a backup is made: told, carried along, refused to readers, never served.

use std::fs;
use std::path::Path;

use pagewire_broker::backup::{BackupSummary, Limits, verify};
use serde_json::json;

use super::Place;
use crate::control::Control;
use crate::harness::{Broker, FetchAt, Fetched, batch, values_of};

pub(super) const FIRST: &str = "t-0/00000000000000000000.log";
pub(super) const CORRUPT_MESSAGE: i16 = 2;

/// A broker with closed segments of two batches each.
pub(super) fn broker() -> Broker {
    let broker = Broker::start();
    let mut client = broker.client();
    client.create_topic_with("t", 1, &[("internal.segment.bytes", "1000")]);
    for at in 0..9 {
        client.produce("t", 0, batch(&[&value(at)]));
    }
    broker
}

pub(super) fn value(at: i64) -> String {
    format!("{at}{}", "x".repeat(400))
}

pub(super) fn flip(path: &Path, position: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[position] ^= 1;
    // Not in place: it may be another file by another name.
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The first batch cannot be read, from the first attempt on, and all the others can.
pub(super) fn refuses_the_first_alone(broker: &Broker) {
    let mut client = broker.client();
    assert_eq!(client.fetch(&FetchAt::now("t", &[(0, 0)]), 12).errors(), [(0, CORRUPT_MESSAGE)]);
    for at in 1..9 {
        let fetched = client.fetch(&FetchAt::now("t", &[(0, at)]), 12);
        assert_eq!(values_of(&fetched.records())[0], (at, value(at)));
    }
}

#[test]
fn damage_is_told_carried_along_and_refused_in_what_is_restored() {
    let (broker, place) = (broker(), Place::new());
    flip(&broker.dir().join(FIRST), 100);
    let summary = place.back_up(&broker, "backup");
    let [damaged] = &summary.damage.some[..] else { panic!("{summary:?}") };
    assert_eq!((&*damaged.topic, damaged.partition, damaged.offset, damaged.next_offset), ("t", 0, 0, 1));
    let manifest = fs::read_to_string(place.path("backup/backup.json")).unwrap();
    assert!(manifest.contains(r#""damage":[{"from":0,"#), "{manifest}");
    let verified = verify(&place.path("backup"), &Limits::default(), &|_| {}).unwrap();
    assert_eq!(verified.damage, summary.damage);
    for links in [false, true] {
        let to = format!("data{links}");
        let restored = place.try_restore("backup", &to, links).unwrap();
        assert_eq!(restored.damage, summary.damage);
        let mut again = Broker::on(&place.path(&to));
        for _ in 0..2 {
            refuses_the_first_alone(&again);
            again.restart();
        }
    }
}

#[test]
fn damage_that_nobody_looked_for_is_found_by_whoever_restores_it() {
    let (broker, place) = (broker(), Place::new());
    flip(&broker.dir().join(FIRST), 100);
    for (to, links) in [("copied", false), ("linked", true)] {
        let request = json!({"verb": "backup", "to": place.path(to), "verify": false, "links": links});
        let summary = Control::of(broker.dir()).ask(&request).unwrap();
        let summary: BackupSummary = serde_json::from_value(summary).unwrap();
        assert!(summary.damage.is_none() && !summary.verified, "{summary:?}");
        let data = format!("data-{to}");
        assert_eq!(place.restore(to, &data).damage.stretches, 1);
        refuses_the_first_alone(&Broker::on(&place.path(&data)));
    }
}

/// The rest of it would be lost with a backup that gives up.
#[test]
fn a_later_backup_of_what_was_restored_tells_the_same() {
    let (broker, place) = (broker(), Place::new());
    flip(&broker.dir().join(FIRST), 100);
    let first = place.back_up(&broker, "backup");
    place.restore("backup", "data");
    let again = Broker::on(&place.path("data"));
    let second = place.back_up(&again, "second");
    assert_eq!(second.damage, first.damage);
}
