//! A broker that was killed on a file system that is really full: a small tmpfs in a mount namespace of its own, which goes
//! with its process.
//!
//! Where no such namespace can be made the fact is not tried, and that is said.

#![allow(clippy::unwrap_used, reason = "a test that fails says so")]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;

use common::namespace::{in_a_small_file_system, system};
use common::{Broker, eventually};

fn fill(dir: &Path, name: &str) {
    let mut file = fs::File::create(dir.join(name)).unwrap();
    while file.write_all(&[0; 4096]).is_ok() {}
}

#[test]
fn a_broker_that_was_killed_on_a_full_disk_reads_at_once_and_writes_when_there_is_room() {
    let test = "a_broker_that_was_killed_on_a_full_disk_reads_at_once_and_writes_when_there_is_room";
    let Some(place) = in_a_small_file_system(test, "24m") else { return };
    let place = Path::new(&place);
    let mut broker = Broker::start_in(tempfile::tempdir_in(place).unwrap(), &[]);
    broker.run(&["topic", "create", "t", "-p", "1"]).ok();
    broker.run_with(&["produce", "t", "-q"], b"a\nb\n").ok();
    // Its second life is on a full disk as well, and begins as the first did.
    for filler in ["one", "two"] {
        broker.signal("KILL");
        let (_, dir) = broker.wait();
        if filler == "one" {
            without_room(&dir.path().join("data/metadata.redb"));
        }
        fill(place, filler);
        broker = Broker::start_in(dir, &[]);
        assert_eq!(broker.run(&["consume", "t"]).ok(), "a\nb\n");
        let refused = broker.run(&["topic", "create", "u", "-p", "1", "--timeout", "5"]).failed(1);
        assert!(refused.contains("the disk was full"), "{refused}");
        let told = broker.run(&["cluster", "-o", "json"]).ok();
        assert!(told.contains("\"full\""), "{told}");
    }
    for filler in ["one", "two"] {
        fs::remove_file(place.join(filler)).unwrap();
    }
    eventually("it takes records", || {
        broker.run_with(&["produce", "t", "-q", "--timeout", "2"], b"c\n").code == Some(0)
    });
    let all = broker.run(&["consume", "t"]).ok();
    assert!(all.starts_with("a\nb\nc\n"), "{all}");
    broker.run(&["topic", "create", "u", "-p", "1"]).ok();
    broker.signal("TERM");
    let (code, dir) = broker.wait();
    assert_eq!(code, Some(0));
    assert!(dir.path().join("data/.kafka_cleanshutdown").exists());
}

/// The metadata as a copy of them is: with holes where nothing was written, and no room kept behind their end.
fn without_room(metadata: &Path) {
    let copy = metadata.with_extension("copy");
    system("cp", &["--sparse=always", metadata.to_str().unwrap(), copy.to_str().unwrap()]);
    fs::rename(copy, metadata).unwrap();
}

#[test]
fn a_broker_that_was_killed_on_a_full_disk_makes_room_by_deleting_a_topic() {
    let test = "a_broker_that_was_killed_on_a_full_disk_makes_room_by_deleting_a_topic";
    let Some(place) = in_a_small_file_system(test, "24m") else { return };
    let place = Path::new(&place);
    let at_once = ["--set", "log.segment.delete.delay.ms=0"];
    let mut broker = Broker::start_in(tempfile::tempdir_in(place).unwrap(), &at_once);
    for topic in ["old", "new"] {
        broker.run(&["topic", "create", topic, "-p", "1"]).ok();
    }
    let value = format!("{}\n", "x".repeat(100_000)).repeat(40);
    broker.run_with(&["produce", "old", "-q"], value.as_bytes()).ok();
    broker.run_with(&["produce", "new", "-q"], b"a\n").ok();
    fill(place, "filler");
    for _ in 0..2 {
        broker.signal("KILL");
        let (_, dir) = broker.wait();
        broker = Broker::start_in(dir, &at_once);
    }
    let refused = broker.run_with(&["produce", "new", "-q", "--timeout", "2"], value.as_bytes()).failed(1);
    assert!(refused.contains("full"), "{refused}");
    broker.run(&["topic", "delete", "old"]).ok();
    eventually("it takes records", || {
        broker.run_with(&["produce", "new", "-q", "--timeout", "2"], b"b\n").code == Some(0)
    });
    assert_eq!(broker.run(&["consume", "new"]).ok().lines().filter(|line| *line == "a").count(), 1);
    broker.run(&["topic", "create", "next", "-p", "1"]).ok();
}

#[test]
fn a_disk_that_fills_up_under_a_broker_is_told_once_and_so_is_its_end() {
    let test = "a_disk_that_fills_up_under_a_broker_is_told_once_and_so_is_its_end";
    let Some(place) = in_a_small_file_system(test, "24m") else { return };
    let place = Path::new(&place);
    let broker = Broker::start_in(tempfile::tempdir_in(place).unwrap(), &[]);
    broker.run(&["topic", "create", "t", "-p", "1"]).ok();
    broker.run_with(&["produce", "t", "-q"], b"a\n").ok();
    fill(place, "filler");
    let value = format!("{}\n", "x".repeat(100_000));
    for acks in ["none", "leader", "all"] {
        let began = std::time::Instant::now();
        let run = broker.run_with(&["produce", "t", "-q", "--acks", acks], value.as_bytes());
        if acks == "all" {
            assert!(run.failed(1).contains("disk"), "in words");
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(20), "not the whole time");
    }
    assert_eq!(broker.told_times("the disk is full"), 1, "{}", broker.told());
    assert_eq!(broker.told_times("after file.delete.delay.ms, 60000 ms"), 1, "{}", broker.told());
    assert!(broker.told_times("full") + broker.told_times("cannot be changed") < 5, "{}", broker.told());
    fs::remove_file(place.join("filler")).unwrap();
    eventually("room is told", || broker.told_times("there is room on the disk again") == 1);
    broker.run_with(&["produce", "t", "-q", "--acks", "all"], value.as_bytes()).ok();
    assert_eq!(broker.told_times("the disk is full"), 1, "{}", broker.told());
}

#[test]
fn a_group_on_a_full_disk_is_refused_for_that_reason_and_refusals_leave_nothing_behind() {
    let test = "a_group_on_a_full_disk_is_refused_for_that_reason_and_refusals_leave_nothing_behind";
    let Some(place) = in_a_small_file_system(test, "24m") else { return };
    let place = Path::new(&place);
    let broker = Broker::start_in(tempfile::tempdir_in(place).unwrap(), &[]);
    broker.run(&["topic", "create", "t", "-p", "1"]).ok();
    broker.run_with(&["produce", "t", "-q"], b"a\nb\n").ok();
    fill(place, "filler");
    // Nobody had a group yet: each attempt tries to make their topic.
    for _ in 0..3 {
        let refused = broker.run(&["consume", "t", "--group", "g", "--timeout", "1"]).failed(1);
        assert!(refused.contains("full") && !refused.contains("no answer"), "{refused}");
    }
    broker.signal("KILL");
    let (_, dir) = broker.wait();
    let broker = Broker::start_in(dir, &[]);
    assert_eq!(broker.told_times("deleted topic"), 0, "{}", broker.told());
    fs::remove_file(place.join("filler")).unwrap();
    let consume = ["consume", "t", "--group", "g", "--timeout", "5", "-n", "1"];
    eventually("there is room for groups", || broker.run(&consume).code == Some(0));
    fill(place, "filler");
    let mut last = None;
    eventually("what is left of the last page is full", || {
        let run = broker.run(&consume);
        let refused = run.code != Some(0);
        last = Some(run);
        refused
    });
    let refused = last.unwrap().failed(1);
    assert!(refused.lines().any(|line| line.starts_with("error: ") && line.contains("full")), "{refused}");
}
