//! A backup where not everything can be read: there is none, unless that is wished; then it says what it lacks, and so
//! does everybody who reads it.

use std::fs;

use pagewire_broker::backup::{BackupSummary, Lacks, Limits, verify};
use serde_json::json;

use super::Place;
use crate::control::Control;
use crate::harness::{Broker, batch};

/// A broker whose second directory went away with two of four partitions; where it is.
fn half(place: &Place) -> (Broker, Vec<i32>) {
    let dirs = ["a", "b"].map(|dir| place.path(dir).display().to_string()).join(",");
    let mut broker = Broker::with(&[("log.dirs", &dirs)]);
    let mut client = broker.client();
    client.create_topic("t", 4);
    client.create_topic("u", 1);
    for partition in 0..4 {
        client.produce("t", partition, batch(&["x"]));
    }
    let lost: Vec<i32> = (0..4).filter(|at| place.path(&format!("b/t-{at}")).exists()).collect();
    assert_eq!(lost.len(), 2);
    broker.stop();
    fs::rename(place.path("b"), place.path("aside")).unwrap();
    broker.restart();
    (broker, lost)
}

fn ask(place: &Place, to: &str, more: &serde_json::Value) -> Result<BackupSummary, String> {
    let mut request = json!({"verb": "backup", "to": place.path(to)});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Control::of(&place.path("a")).ask(&request).map(|summary| serde_json::from_value(summary).unwrap())
}

fn names(lacks: &Lacks) -> Vec<(&str, i32)> {
    lacks.missing.iter().map(|missing| (&*missing.topic, missing.partition)).collect()
}

#[test]
fn partitions_that_cannot_be_read_are_missing_only_where_they_may_be_and_are_told_by_all() {
    let place = Place::new();
    let (broker, lost) = half(&place);
    let said = ask(&place, "none", &json!({})).unwrap_err();
    assert!(said.contains("--allow-missing") && said.contains("--exclude t"), "{said}");
    assert!(!place.path("none").exists(), "a failed backup leaves nothing");
    let summary = ask(&place, "backup", &json!({"allow_missing": true})).unwrap();
    let expected: Vec<_> = lost.iter().map(|at| ("t", *at)).collect();
    assert_eq!((names(&summary.lacks), summary.logs, summary.topics), (expected, 3, 2));
    assert!(summary.lacks.missing.iter().all(|missing| !missing.why.is_empty()));
    let verified = verify(&place.path("backup"), &Limits::default(), &|_| {}).unwrap();
    assert_eq!(verified.lacks, summary.lacks);
    drop(broker);
    assert_eq!(place.restore("backup", "data").lacks, summary.lacks);
    let again = Broker::on(&place.path("data"));
    for partition in 0..4 {
        let end = i64::from(!lost.contains(&partition));
        assert_eq!(again.client().end_of("t", partition), end, "{partition} begins anew where it is missing");
    }
}

#[test]
fn topics_that_are_left_out_are_told_and_are_not_there() {
    let place = Place::new();
    let (broker, _) = half(&place);
    let summary = ask(&place, "backup", &json!({"exclude": ["t", "never-was"]})).unwrap();
    assert_eq!(
        (&summary.lacks.excluded[..], summary.lacks.missing_logs, summary.topics),
        (&["t".to_owned()][..], 0, 1)
    );
    drop(broker);
    assert_eq!(place.restore("backup", "data").lacks, summary.lacks);
    let again = Broker::on(&place.path("data"));
    assert_eq!(again.client().describe_topic("t").error_code, 3);
    assert_eq!(again.client().end_of("u", 0), 0);
}

/// A disk that dies says so at some of its files first.
#[test]
fn a_segment_that_cannot_be_read_costs_its_partition_alone() {
    let (broker, place) = (Broker::start(), Place::new());
    let mut client = broker.client();
    client.create_topic_with("t", 2, &[("internal.segment.bytes", "1000")]);
    for _ in 0..9 {
        client.produce("t", 0, batch(&[&"x".repeat(400)]));
        client.produce("t", 1, batch(&["y"]));
    }
    // What is a directory now cannot be opened, nor read.
    let segment = broker.dir().join("t-0/00000000000000000002.log");
    fs::remove_file(&segment).unwrap();
    fs::create_dir(&segment).unwrap();
    let request =
        |to: &str, allow: bool| json!({"verb": "backup", "to": place.path(to), "allow_missing": allow});
    let said = Control::of(broker.dir()).ask(&request("none", false)).unwrap_err();
    assert!(said.contains("t-0/00000000000000000002.log") && said.contains("--allow-missing"), "{said}");
    assert!(!place.path("none").exists());
    let summary = Control::of(broker.dir()).ask(&request("backup", true)).unwrap();
    let summary: BackupSummary = serde_json::from_value(summary).unwrap();
    assert_eq!((names(&summary.lacks), summary.logs), (vec![("t", 0)], 1));
    assert!(!place.path("backup/t-0").exists() && place.path("backup/t-1").exists());
    assert!(summary.lacks.missing[0].why.contains("00000000000000000002.log"), "{summary:?}");
    place.restore("backup", "data");
}
