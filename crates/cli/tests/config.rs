//! Settings of everything that has some, on a real broker.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use common::{Broker, eventually};
use serde_json::{Value, json};

/// The settings shown of one resource, by name.
fn configs(broker: &Broker, line: &[&str]) -> Vec<Value> {
    let out = broker.run(&[&["config", "describe"], line, &["-o", "json"]].concat()).ok();
    let pages: Value = serde_json::from_str(&out).unwrap();
    pages[0]["configs"].as_array().unwrap().clone()
}

#[test]
fn settings_of_topics_brokers_and_groups_are_set_shown_and_taken_back() {
    let broker = Broker::start(&["--set", "log.retention.ms=7200000"]);
    broker.run(&["topic", "create", "orders"]).ok();
    for (resource, key, value, source) in [
        ("topic/orders", "retention.ms", "3600000", "topic"),
        ("broker/1", "log.retention.ms", "4000000", "broker (dynamic)"),
        ("brokers", "log.cleaner.backoff.ms", "14000", "all brokers (dynamic)"),
        ("group/billing", "consumer.session.timeout.ms", "50000", "group"),
    ] {
        let pair = format!("{key}={value}");
        let said = broker.run(&["config", "set", resource, &pair, "--dry-run"]).ok();
        assert_eq!(said, format!("{resource}: could be changed\n"));
        let of = |shown: Vec<Value>| {
            let one = shown.into_iter().find(|config| config["name"] == key);
            one.map(|config| (config["value"].clone(), config["source"].clone()))
        };
        let before = of(configs(&broker, &[resource]));
        assert_ne!(before, Some((json!(value), json!(source))), "only asked");
        assert_eq!(broker.run(&["config", "set", resource, &pair]).ok(), format!("{resource}: changed\n"));
        let own = Some((json!(value), json!(source)));
        assert_eq!(of(configs(&broker, &[resource, "--key", key])), own);
        assert_eq!(of(configs(&broker, &[resource])), own);
        let table = broker.run(&["config", "describe", resource]).ok();
        assert!(table.contains(key) && table.contains(value) && table.contains(source), "{table}");
        let rows = broker.run(&["config", "delete", resource, key, "-o", "json"]).ok();
        let rows: Value = serde_json::from_str(&rows).unwrap();
        assert_eq!(rows, json!([{"resource": resource, "changed": true, "dry_run": false, "error": null}]));
        assert_eq!(of(configs(&broker, &[resource])), before);
    }
}

#[test]
fn what_stands_behind_a_value_is_shown() {
    let broker = Broker::start(&["--set", "log.retention.ms=7200000"]);
    broker.run(&["topic", "create", "orders", "-c", "retention.ms=3600000"]).ok();
    let shown = configs(&broker, &["topic/orders", "--key", "retention.ms"]);
    let synonym =
        |name: &str, value: &str, source: &str| json!({"name": name, "value": value, "source": source});
    let behind = [
        synonym("retention.ms", "3600000", "topic"),
        synonym("log.retention.ms", "7200000", "broker (start)"),
    ];
    assert_eq!(shown[0]["synonyms"].as_array().unwrap()[..2], behind);
    let table = broker.run(&["config", "describe", "topic/orders", "--synonyms"]).ok();
    assert!(table.contains("log.retention.ms=7200000 (broker (start))"), "{table}");
    let few = configs(&broker, &["topic/orders"]).len();
    assert!(few >= 1 && configs(&broker, &["topic/orders", "--all"]).len() > few);
    broker.run(&["config", "set", "group/billing", "consumer.heartbeat.interval.ms=6000"]).ok();
    let listed = broker.run(&["config", "list"]).ok();
    for resource in ["topic/orders", "broker/1", "group/billing", "log-levels/1"] {
        assert!(listed.lines().any(|line| line.trim() == resource), "{resource}: {listed}");
    }
}

#[test]
fn what_cannot_be_set_is_refused_with_what_to_do() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "orders"]).ok();
    let all = |resource: &str| format!("`pagewire config describe {resource} --all -b {}`", broker.address);
    for (line, hints) in [
        (&["set", "topic/orders", "nosuch=1"][..], vec!["nosuch", "INVALID_CONFIG", &all("topic/orders")]),
        (&["set", "topic/orders", "retention.ms=soon"], vec!["soon", &all("topic/orders")]),
        (&["set", "topic/nowhere", "retention.ms=1"], vec!["topic nowhere does not exist"]),
        (&["set", "broker/1", "node.id=2"], vec!["node.id", &all("broker/1")]),
        (&["set", "broker/9", "log.cleaner.threads=2"], vec!["no broker 9, it has 1", "pagewire cluster"]),
        (&["set", "group/g", "consumer.session.timeout.ms=1"], vec!["group.consumer.min.session.timeout.ms"]),
        (&["delete", "topic/orders", "nosuch"], vec!["no setting nosuch", &all("topic/orders")]),
        (&["delete", "topic/orders", "retention.ms"], vec!["not set for topic/orders itself", "default"]),
        (&["delete", "brokers", "log.retention.ms"], vec!["nothing to take back"]),
        (&["describe", "topic/orders", "--key", "nosuch"], vec!["no setting nosuch", &all("topic/orders")]),
    ] {
        let said = broker.run(&[&["config"], line].concat()).failed(1);
        for hint in hints {
            assert!(said.contains(hint), "{line:?}: {said} lacks {hint}");
        }
    }
    let said = broker.run(&["config", "describe", "orders"]).failed(2);
    assert!(said.contains("topic/NAME"), "{said}");
    // One that fails does not hide the others.
    let run = broker.run(&["config", "describe", "topic/nowhere", "topic/orders", "--all"]);
    assert!(run.out.contains("retention.ms"), "{run:?}");
    assert!(run.failed(1).contains("1 of 2 failed"));
}

#[test]
fn log_levels_change_while_it_runs() {
    let broker = Broker::start(&["--log-level", "warn"]);
    let level = |name: &str| {
        let shown = configs(&broker, &["log-levels/1", "--key", name]);
        shown[0]["value"].as_str().unwrap().to_owned()
    };
    assert_eq!((level("root"), level("pagewire_broker")), ("WARN".to_owned(), "WARN".to_owned()));
    broker.run(&["topic", "create", "silent"]).ok();
    broker.run(&["config", "set", "log-levels/1", "pagewire_broker=DEBUG"]).ok();
    assert_eq!((level("root"), level("pagewire_broker::net")), ("WARN".to_owned(), "DEBUG".to_owned()));
    // A frame that is no request ends its connection, which is told at DEBUG alone.
    let nonsense = || {
        use std::io::Write;
        let mut socket = std::net::TcpStream::connect(&broker.address).unwrap();
        socket.write_all(&[0, 0, 0, 1, 7]).unwrap();
    };
    eventually("it is told", || {
        nonsense();
        broker.told_times("DEBUG") > 0
    });
    broker.run(&["config", "delete", "log-levels/1", "pagewire_broker"]).ok();
    assert_eq!(level("pagewire_broker"), "WARN");
    let said = broker.run(&["config", "set", "log-levels/1", "root=LOUD"]).failed(1);
    assert!(said.contains("Valid log levels are"), "{said}");
}
