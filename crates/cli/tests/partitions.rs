//! Single partitions that are not served, of a broker that serves the others: what is said of them, and how they come back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Broker, Run, eventually, run};

/// A broker with one directory, in which topics t and u have a record each.
fn with_records() -> Broker {
    let broker = Broker::start(&[]);
    for topic in ["t", "u"] {
        broker.run(&["topic", "create", topic]).ok();
        broker.run_with(&["produce", topic], b"a\n").ok();
    }
    broker
}

fn home(broker: &Broker) -> PathBuf {
    broker.dir.path().join("data")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Stopped in order, and started again after something was done to the directory.
fn restarted(broker: Broker, meanwhile: impl Fn(&Path)) -> Broker {
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    meanwhile(&dir.path().join("data"));
    Broker::start_in(dir, &[])
}

fn online(broker: &Broker, options: &[&str]) -> Run {
    let home = home(broker);
    run(&[&["log", "online", text(&home), "--data-dir", text(&home)][..], options].concat())
}

/// Of the one partition of a topic.
fn leader_epoch(broker: &Broker, topic: &str) -> i64 {
    let described = broker.run(&["topic", "describe", topic, "-o", "json"]).ok();
    let described: serde_json::Value = serde_json::from_str(&described).unwrap();
    described[0]["partitions"][0]["leader_epoch"].as_i64().unwrap_or_else(|| panic!("{described}"))
}

#[test]
fn a_partition_that_is_gone_is_shown_and_comes_back_when_it_is_put_back() {
    let broker =
        restarted(with_records(), |home| fs::rename(home.join("t-0"), home.with_extension("t-0")).unwrap());
    let shown = broker.run(&["cluster"]).ok();
    assert!(shown.contains("incomplete") && shown.contains("1 partition not served, named below"), "{shown}");
    assert!(shown.contains("t-0 is not served: "), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&broker.run(&["cluster", "-o", "json"]).ok()).unwrap();
    assert_eq!(json["directories"][0]["state"], "incomplete", "{json}");
    assert_eq!(json["states"][0]["missing_logs"]["partitions"], 1, "{json}");

    for _ in 0..2 {
        let said = online(&broker, &[]).failed(1);
        assert!(said.contains("the directories of t-0 are not there, as before"), "{said}");
    }

    fs::rename(home(&broker).with_extension("t-0"), home(&broker).join("t-0")).unwrap();
    let said = online(&broker, &[]).ok();
    assert!(said.contains("online, 1 partition is served again: t-0\n"), "{said}");
    assert_eq!(broker.run(&["consume", "t"]).ok(), "a\n");
    let (of_t, of_u) = (leader_epoch(&broker, "t"), leader_epoch(&broker, "u"));
    assert_eq!(of_t, of_u + 1, "clients are to look, and it rose only when something came");
    assert!(online(&broker, &[]).failed(1).contains("is served already"));
    assert!(!broker.run(&["cluster"]).ok().contains("incomplete"));
}

/// A log whose segment is a directory cannot be opened.
fn spoil(home: &Path) {
    let segment = home.join("t-0/00000000000000000000.log");
    fs::rename(&segment, home.with_extension("log")).unwrap();
    fs::create_dir(segment).unwrap();
}

#[test]
fn one_that_could_not_be_opened_and_is_removed_then_is_made_anew_without_a_restart() {
    let broker = restarted(with_records(), spoil);
    let shown = broker.run(&["cluster"]).ok();
    assert!(shown.contains("t-0 is not served: it cannot be opened"), "{shown}");
    let said = online(&broker, &[]).failed(1);
    assert!(said.contains("nothing of it is served that was not before: t-0: "), "{said}");
    fs::remove_dir_all(home(&broker).join("t-0")).unwrap();
    let said = online(&broker, &[]).failed(1);
    assert!(said.contains("the directories of t-0 are not there"), "{said}");
    let said = online(&broker, &["--empty"]).ok();
    assert!(said.contains("1 partition is served again: t-0; new and empty"), "{said}");
    assert_eq!(leader_epoch(&broker, "t"), leader_epoch(&broker, "u") + 1, "not for what did not come");
    broker.run_with(&["produce", "t"], b"b\n").ok();
    assert_eq!(broker.run(&["consume", "t"]).ok() + &broker.run(&["consume", "u"]).ok(), "b\na\n");
}

#[test]
fn what_came_and_what_did_not_are_told_together_and_the_exit_code_is_1() {
    let broker = restarted(with_records(), |home| {
        spoil(home);
        fs::rename(home.join("u-0"), home.with_extension("u-0")).unwrap();
    });
    fs::rename(home(&broker).with_extension("u-0"), home(&broker).join("u-0")).unwrap();
    let answer = online(&broker, &["-o", "json"]);
    let json: serde_json::Value = serde_json::from_str(&answer.out).unwrap();
    assert_eq!((&json["partitions"], &json["served"]), (&1.into(), &serde_json::json!(["u-0"])), "{json}");
    assert!(json["failed"][0].as_str().unwrap().starts_with("t-0: "), "{json}");
    assert!(answer.failed(1).contains("not everything of"));
    assert_eq!(broker.run(&["consume", "u"]).ok(), "a\n");
}

#[test]
fn of_a_deleted_topic_nothing_is_waited_for_and_nothing_comes_back() {
    let broker = restarted(with_records(), |home| {
        spoil(home);
        fs::rename(home.join("u-0"), home.with_extension("u-0")).unwrap();
    });
    broker.run(&["topic", "delete", "t", "u"]).ok();
    fs::remove_dir_all(home(&broker).join("t-0")).unwrap();
    fs::rename(home(&broker).with_extension("u-0"), home(&broker).join("u-0")).unwrap();
    for _ in 0..2 {
        let said = online(&broker, &[]).failed(1);
        assert!(said.contains("is served already"), "{said}");
    }
    assert_eq!(broker.run(&["topic", "list"]).ok().matches('u').count(), 0);
}

/// The line that a message names, from `pagewire` to a word that ends it.
fn command_in(told: &str, wanted: &str) -> String {
    let at = told.find(wanted).unwrap_or_else(|| panic!("{wanted}: {told}"));
    let line = &told[at..];
    let end = [", or", " makes"].iter().filter_map(|word| line.find(word)).min().unwrap_or(line.len());
    line[..end].to_owned()
}

#[test]
fn the_commands_that_messages_name_can_be_pasted() {
    let broker =
        restarted(with_records(), |home| fs::rename(home.join("t-0"), home.with_extension("t-0")).unwrap());
    eventually("it says so", || broker.told_times("t-0 is not served") > 0);
    let told = broker.told();
    let paste = |line: &str| {
        let binary = Path::new(env!("CARGO_BIN_EXE_pagewire")).parent().unwrap();
        let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
        let run = Command::new("sh").args(["-c", line]).current_dir("/").env("PATH", path).output();
        Run::from(run.unwrap())
    };
    let as_it_is = command_in(&told, "pagewire log online /");
    assert!(paste(&as_it_is).failed(1).contains("the directories of t-0 are not there"), "{as_it_is}");
    let anew = command_in(&told, "pagewire log online --empty");
    assert!(paste(&anew).ok().contains("t-0"), "{anew}");
    assert_eq!(broker.run(&["consume", "t", "--from", "beginning"]).ok(), "");
}
