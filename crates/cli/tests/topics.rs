//! Topics on a real broker, as tables and as JSON.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use common::Broker;
use serde_json::{Value, json};

#[test]
fn a_topic_is_created_listed_described_altered_grown_and_deleted() {
    let broker = Broker::start(&[]);
    let said = broker.run(&["topic", "create", "orders", "-p", "3", "-c", "retention.ms=60000"]).ok();
    assert_eq!(said, "orders: created, partitions 3, replication factor 1\n");
    assert_eq!(
        broker.run(&["topic", "list"]).ok(),
        "TOPIC   PARTITIONS  REPLICATION\norders           3            1\n"
    );

    let said = broker.run(&["topic", "create", "orders"]).failed(1);
    assert!(said.contains("already exists"), "{said}");
    broker.run(&["topic", "create", "orders", "--if-not-exists"]).ok();

    let page = broker.run(&["topic", "describe", "orders", "-o", "json"]).ok();
    assert!(page.contains("\"retention.ms\"") && page.contains("\"60000\""), "{page}");
    broker.run(&["topic", "alter", "orders", "--set", "segment.ms=60000", "--unset", "retention.ms"]).ok();
    let page = broker.run(&["topic", "describe", "orders"]).ok();
    assert!(page.contains("segment.ms") && !page.contains("retention.ms"), "{page}");
    let said = broker.run(&["topic", "alter", "orders", "--set", "retention.mss=1"]).failed(1);
    assert!(said.contains("retention.mss"), "{said}");
    let said = broker.run(&["topic", "alter", "orders", "--unset", "retention.mss"]).failed(1);
    assert!(said.contains("no setting retention.mss"), "{said}");

    broker.run(&["topic", "add-partitions", "orders", "--by", "1"]).ok();
    broker.run(&["topic", "add-partitions", "orders", "--total", "2"]).failed(1);
    assert!(broker.run(&["topic", "list", "-o", "json"]).ok().contains("\"partitions\": 4"));

    broker.run(&["topic", "delete", "orders"]).ok();
    broker.run(&["topic", "delete", "orders"]).failed(1);
    broker.run(&["topic", "delete", "orders", "--if-exists"]).ok();
    assert_eq!(broker.run(&["topic", "list", "-o", "json"]).ok(), "[]\n");
}

#[test]
fn a_check_changes_nothing() {
    let broker = Broker::start(&[]);
    let said = broker.run(&["topic", "create", "t", "--dry-run"]).ok();
    assert!(said.contains("could be created"), "{said}");
    assert_eq!(broker.run(&["topic", "list", "-o", "json"]).ok(), "[]\n");
}

#[test]
fn of_several_the_others_are_done_when_one_fails() {
    let broker = Broker::start(&[]);
    let said = broker.run(&["topic", "create", "a", "not/valid", "b"]).failed(1);
    assert!(said.contains("not/valid") && said.contains("1 of 3 failed"), "{said}");
    let list = broker.run(&["topic", "list"]).ok();
    assert!(list.contains("\na ") && list.contains("\nb "), "{list}");
}

#[test]
fn what_is_found_is_shown_when_something_else_is_not() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "a", "b"]).ok();
    let run = broker.run(&["topic", "describe", "a", "nowhere", "b"]);
    assert!(run.out.contains("topic a") && run.out.contains("topic b"), "{run:?}");
    let said = run.failed(1);
    assert!(said.contains("nowhere") && said.contains("1 of 3 failed"), "{said}");
    let run = broker.run(&["topic", "describe", "nowhere", "a", "-o", "json"]);
    let pages: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(names(&pages, "topic"), ["a"]);
    run.failed(1);
}

fn names<'v>(rows: &'v Value, key: &str) -> Vec<&'v str> {
    rows.as_array().unwrap().iter().map(|row| row[key].as_str().unwrap()).collect()
}

/// The only row that a command prints, and whether it succeeded.
fn row(broker: &Broker, command: &[&str]) -> (Value, bool) {
    let run = broker.run(&[command, &["-o", "json"]].concat());
    let rows: Value = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {run:?}"));
    assert_eq!(rows.as_array().unwrap().len(), 1, "{rows}");
    (rows[0].clone(), run.code == Some(0))
}

#[test]
fn every_change_of_topics_answers_programs_in_one_shape() {
    let broker = Broker::start(&[]);
    let done = |verb: &str, is_done: bool, dry_run: bool| {
        (json!({"topic": "t", verb: is_done, "dry_run": dry_run, "error": null}), true)
    };
    let (made, _) = row(&broker, &["topic", "create", "t", "-p", "2"]);
    assert_eq!(
        (&made["created"], &made["partitions"], &made["exists"]),
        (&json!(true), &json!(2), &json!(false))
    );
    let (made, ok) = row(&broker, &["topic", "create", "t", "--if-not-exists"]);
    assert_eq!(
        (&made["created"], &made["exists"], &made["error"], ok),
        (&json!(false), &json!(true), &Value::Null, true)
    );
    let (made, ok) = row(&broker, &["topic", "create", "t"]);
    assert!(made["error"].as_str().unwrap().contains("already exists") && !ok);

    let alter = ["topic", "alter", "t", "--set", "retention.ms=1000"];
    assert_eq!(row(&broker, &alter), done("changed", true, false));
    assert_eq!(row(&broker, &[&alter[..], &["--dry-run"]].concat()), done("changed", false, true));
    let (altered, ok) = row(&broker, &["topic", "alter", "t", "--set", "retention.mss=1"]);
    assert!(altered["error"].as_str().unwrap().contains("retention.mss") && !ok);

    assert_eq!(row(&broker, &["topic", "add-partitions", "t", "--by", "1"]), done("changed", true, false));
    let (grown, ok) = row(&broker, &["topic", "add-partitions", "nowhere", "--by", "1"]);
    assert!(grown["error"].as_str().unwrap().contains("does not exist") && !ok);

    assert_eq!(row(&broker, &["topic", "delete", "t"]), done("deleted", true, false));
    assert_eq!(row(&broker, &["topic", "delete", "t", "--if-exists"]), done("deleted", false, false));
    let (deleted, ok) = row(&broker, &["topic", "delete", "t"]);
    assert!(deleted["error"].as_str().unwrap().contains("does not exist") && !ok);
}

#[test]
fn a_cluster_shows_its_nodes_and_what_they_speak() {
    let broker = Broker::start(&[]);
    let page = broker.run(&["cluster", "--apis"]).ok();
    let port = broker.address.rsplit(':').next().unwrap();
    assert!(page.contains(port) && page.contains("Produce") && page.contains("0-13"), "{page}");
    assert!(broker.run(&["cluster", "-o", "json"]).ok().contains("\"cluster_id\""));
}
