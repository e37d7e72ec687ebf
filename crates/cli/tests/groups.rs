//! Groups on a real broker: members, rebalances, offsets, lag, reset, delete.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use common::{Broker, Run, eventually, signal, wait};
use serde_json::{Value, json};

/// A member that follows, and its lines as they come.
fn follow(broker: &Broker, group: &str) -> (Child, mpsc::Receiver<String>) {
    let mut command = broker.command(&["consume", "t", "--group", group, "--follow"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    (child, receiver)
}

fn next(lines: &mpsc::Receiver<String>) -> String {
    lines.recv_timeout(Duration::from_mins(1)).unwrap()
}

#[test]
fn a_group_goes_on_where_it_stopped_and_can_be_set_back() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "t"]).ok();
    broker.run_with(&["produce", "t"], b"a\nb\nc\nd\n").ok();
    assert_eq!(broker.run(&["consume", "t", "-g", "g", "-n", "1"]).ok(), "a\n");
    assert_eq!(broker.run(&["consume", "t", "-g", "g", "-n", "2", "--no-commit"]).ok(), "b\nc\n");
    assert_eq!(broker.run(&["consume", "t", "-g", "g"]).ok(), "b\nc\nd\n");
    assert_eq!(broker.run(&["consume", "t", "-g", "g"]).ok(), "");

    let plan = broker.run(&["group", "reset", "g", "-t", "t", "--to", "earliest"]);
    assert!(plan.err.contains("--execute"), "{plan:?}");
    plan.ok();
    assert_eq!(broker.run(&["consume", "t", "-g", "g"]).ok(), "", "a plan changes nothing");
    broker.run(&["group", "reset", "g", "--all-topics", "--shift-by", "-2", "--execute"]).ok();
    let lag = broker.run(&["group", "describe", "g", "-o", "json"]).ok();
    assert!(lag.contains("\"lag\": 2"), "{lag}");
    assert_eq!(broker.run(&["consume", "t", "-g", "g"]).ok(), "c\nd\n");

    assert!(broker.run(&["group", "list"]).ok().contains('g'));
    broker.run(&["group", "delete", "g"]).ok();
    broker.run(&["group", "describe", "g"]).failed(1);
}

#[test]
fn groups_that_are_found_are_shown_and_answers_to_programs_have_one_shape() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "t", "gone"]).ok();
    broker.run_with(&["produce", "t"], b"a\n").ok();
    for group in ["g", "h"] {
        broker.run(&["consume", "t", "-g", group]).ok();
    }
    broker.run(&["topic", "delete", "gone"]).ok();
    let run = broker.run(&["group", "describe", "g", "nobody", "h"]);
    assert!(run.out.contains("group g") && run.out.contains("group h"), "{run:?}");
    let said = run.failed(1);
    assert!(said.contains("nobody") && said.contains("1 of 3 failed"), "{said}");

    let rows = |run: Run| -> Value { serde_json::from_str(&run.out).unwrap() };
    let list = rows(broker.run(&["group", "list", "-o", "json"]));
    assert_eq!((&list[0]["group"], &list[1]["group"]), (&json!("g"), &json!("h")));
    let reset = ["group", "reset", "g", "--all-topics", "--to", "earliest", "-o", "json"];
    let plan = rows(broker.run(&reset));
    assert_eq!((&plan["executed"], &plan["offsets"][0]["new"]), (&json!(false), &json!(0)));
    assert_eq!(plan["skipped"], json!([]));

    let delete = |more: &[&str]| {
        let run = broker.run(&[&["group", "delete", "g", "-o", "json"], more].concat());
        let code = run.code;
        (rows(run), code)
    };
    let row = |deleted: bool| json!([{"group": "g", "deleted": deleted, "dry_run": false, "error": null}]);
    assert_eq!(delete(&["-t", "gone"]), (row(false), Some(0)));
    assert_eq!(delete(&["-t", "t"]), (row(true), Some(0)));
    assert_eq!(delete(&[]), (row(true), Some(0)));
    let (failed, code) = delete(&[]);
    assert_eq!((&failed[0]["deleted"], failed[0]["error"].is_string(), code), (&json!(false), true, Some(1)));
}

#[test]
fn two_members_share_and_one_takes_over_when_the_other_leaves() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "t", "-p", "2"]).ok();
    let (mut first, first_lines) = follow(&broker, "g");
    let describe = || broker.run(&["group", "describe", "g", "-o", "json"]).out;
    let shared = |text: &str, each: &str, members: usize| {
        text.contains("\"state\": \"Stable\"") && text.matches(each).count() == members
    };
    eventually("the first has both", || shared(&describe(), "\"partitions\": 2", 1));
    let (mut second, second_lines) = follow(&broker, "g");
    eventually("both have one", || shared(&describe(), "\"partitions\": 1", 2));

    broker.run_with(&["produce", "t", "-p", "0"], b"zero\n").ok();
    broker.run_with(&["produce", "t", "-p", "1"], b"one\n").ok();
    let mut seen = [next(&first_lines), next(&second_lines)];
    seen.sort();
    assert_eq!(seen, ["one", "zero"]);

    broker.run(&["group", "reset", "g", "-t", "t", "--to", "earliest"]).failed(1);
    let said = broker.run(&["group", "delete", "g"]).failed(1);
    assert!(said.contains("stop its members"), "{said}");

    signal(&second, "TERM");
    assert_eq!(wait(&mut second), Some(0));
    eventually("the first has both again", || shared(&describe(), "\"partitions\": 2", 1));
    broker.run_with(&["produce", "t", "-p", "0"], b"2\n").ok();
    broker.run_with(&["produce", "t", "-p", "1"], b"3\n").ok();
    let mut seen = [next(&first_lines), next(&first_lines)];
    seen.sort();
    assert_eq!(seen, ["2", "3"]);
    signal(&first, "INT");
    assert_eq!(wait(&mut first), Some(0));
    eventually("all is committed", || describe().contains("\"lag\": 0"));
}

#[test]
fn a_member_that_comes_to_damaged_records_commits_what_it_printed_before_them() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "t", "-p", "1", "--config", "internal.segment.bytes=150"]).ok();
    for value in ["a\n", "b\n", "c\n", "d\n"] {
        broker.run_with(&["produce", "t", "-q", "--codec", "none"], value.as_bytes()).ok();
    }
    let partition = broker.dir.path().join("data/t-0");
    let mut logs: Vec<_> =
        std::fs::read_dir(&partition).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.extension().is_some_and(|kind| kind == "log"));
    logs.sort();
    // The last byte of its first batch, a value.
    let second = &logs[1];
    let mut bytes = std::fs::read(second).unwrap();
    bytes[65] ^= 1;
    std::fs::write(second, bytes).unwrap();
    let first: i64 = second.file_stem().unwrap().to_str().unwrap().parse().unwrap();
    let run = broker.run(&["consume", "t", "--group", "g", "--timeout", "5"]);
    assert_eq!(run.out.lines().count(), usize::try_from(first).unwrap(), "{run:?}");
    assert!(run.failed(1).contains("damaged"));
    let described = broker.run(&["group", "describe", "g", "-o", "json"]).ok();
    let described: serde_json::Value = serde_json::from_str(&described).unwrap();
    assert_eq!(described[0]["offsets"][0]["committed"], first, "{described}");
}
