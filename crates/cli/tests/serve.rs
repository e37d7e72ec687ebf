//! Starting and stopping the broker.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::process::Stdio;

use common::{Broker, pagewire, run, wait};

#[test]
fn a_signal_stops_it_cleanly_with_exit_code_0() {
    for name in ["TERM", "INT"] {
        let broker = Broker::start(&[]);
        broker.run(&["topic", "create", "kept"]).ok();
        broker.signal(name);
        assert_eq!(broker.wait().0, Some(0), "{name}");
    }
}

#[test]
fn topics_are_there_after_a_restart() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "kept", "-p", "2"]).ok();
    broker.run_with(&["produce", "kept"], b"a\n").ok();
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    let broker = Broker::start_in(dir, &[]);
    assert_eq!(broker.run(&["consume", "kept"]).ok(), "a\n");
}

#[test]
fn a_directory_in_use_is_a_clear_error() {
    let broker = Broker::start(&[]);
    let dir = broker.dir.path().join("data");
    let said = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", dir.to_str().unwrap()]).failed(1);
    assert!(said.contains("error: ") && said.contains("data"), "{said}");
}

#[test]
fn a_port_in_use_is_a_clear_error() {
    let broker = Broker::start(&[]);
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("other");
    let said = run(&["serve", "--listen", &broker.address, "--data-dir", dir.to_str().unwrap()]).failed(1);
    assert!(said.contains("cannot listen") && said.contains("--listen"), "{said}");
}

#[test]
fn a_directory_that_cannot_be_is_a_clear_error() {
    let said = run(&["serve", "--listen", "127.0.0.1:0", "--data-dir", "/proc/nowhere"]).failed(1);
    assert!(said.contains("/proc/nowhere"), "{said}");
}

#[test]
fn a_file_with_a_misspelt_key_is_an_error_with_the_nearest_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("server.properties");
    std::fs::write(&file, "num.partition=3\n").unwrap();
    let said = run(&["serve", "--config", file.to_str().unwrap()]).failed(1);
    assert!(said.contains("server.properties, line 1") && said.contains("num.partitions"), "{said}");
    let said = run(&["serve", "--config", "/nowhere/server.properties"]).failed(1);
    assert!(said.contains("/nowhere/server.properties"), "{said}");
}

#[test]
fn without_a_command_it_serves_and_keys_without_meaning_are_named_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("server.properties");
    let text = "process.roles=broker,controller\nlisteners=PLAINTEXT://127.0.0.1:0\nlog.dirs=data\nnum.network.threads=3\n";
    std::fs::write(&file, text).unwrap();
    let mut child = pagewire()
        .current_dir(dir.path())
        .args(["--config", file.to_str().unwrap(), "--log-format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    assert!(lines.next().unwrap().unwrap().starts_with("ready on 127.0.0.1:"));
    common::signal(&child, "TERM");
    assert_eq!(wait(&mut child), Some(0));
    let mut log = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut log).unwrap();
    assert_eq!(log.matches("process.roles").count(), 1, "{log}");
    for line in log.lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
    }
}

/// Another broker's directory has the path of this one's now.
#[test]
fn numbers_are_of_the_broker_that_was_asked_or_none() {
    let (asked, other) = (Broker::start(&[]), Broker::start(&[]));
    let json = asked.run(&["cluster", "--metrics", "-o", "json"]).ok();
    let said: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(said["metrics"]["pagewire_connections_total"].as_u64() > Some(0), "{json}");
    assert!(asked.run(&["cluster", "--metrics"]).ok().contains("# TYPE pagewire_connections_total counter"));
    let data = asked.dir.path().join("data");
    std::fs::rename(&data, data.with_extension("moved")).unwrap();
    std::os::unix::fs::symlink(other.dir.path().join("data"), &data).unwrap();
    assert!(asked.run(&["cluster", "--metrics"]).failed(1).contains("no broker of this cluster"));
}
