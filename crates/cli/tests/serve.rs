//! Starting and stopping the broker.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{Broker, eventually, pagewire, run, signal, wait};
use tempfile::TempDir;

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

/// A start that cannot go on while it loads: one of its files is a pipe into which nobody writes.
struct Stuck {
    child: Child,
    dir: TempDir,
    port: u16,
    /// The pipe, and what should be there.
    file: (PathBuf, Vec<u8>),
}

impl Stuck {
    fn start(dir: TempDir) -> Self {
        let data = dir.path().join("data");
        let path = data.join("kept-0/partition.metadata");
        let bytes = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = pagewire()
            .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data-dir"])
            .arg(&data)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stuck = Self { child, dir, port, file: (path, bytes) };
        eventually("it loads", || !stuck.mark().exists() && stuck.heeds_signals());
        stuck
    }

    /// What an orderly stop leaves, and a start takes away before it loads.
    fn mark(&self) -> PathBuf {
        self.dir.path().join("data/.kafka_cleanshutdown")
    }

    fn heeds_signals(&self) -> bool {
        /// SIGTERM in a mask of signals, where signal 1 is the lowest bit.
        const TERM: u64 = 1 << 14;
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & TERM != 0
    }

    /// How it ended, its log, and the directory put right.
    fn stopped_by(mut self, name: &str) -> (Option<i32>, String, TempDir) {
        signal(&self.child, name);
        let code = wait(&mut self.child);
        let mut told = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        let (path, bytes) = self.file;
        fs::remove_file(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        (code, told, self.dir)
    }
}

/// A topic with a record, left in order.
fn kept() -> TempDir {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "kept"]).ok();
    broker.run_with(&["produce", "kept"], b"a\n").ok();
    broker.signal("TERM");
    broker.wait().1
}

#[test]
fn a_start_that_is_stopped_says_so_and_the_next_one_tells_of_no_kill() {
    let (code, told, dir) = Stuck::start(kept()).stopped_by("TERM");
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("stopped by a signal before anything was served"), "{told}");
    let broker = Broker::start_in(dir, &[]);
    assert_eq!(broker.told_times("was not in order"), 0, "{}", broker.told());
    assert_eq!(broker.told_times("the start after it was stopped before it served"), 1, "{}", broker.told());
    assert_eq!(broker.run(&["consume", "kept"]).ok(), "a\n");
}

#[test]
fn a_kill_is_told_though_the_start_after_it_was_stopped() {
    let (_, _, dir) = Stuck::start(kept()).stopped_by("KILL");
    let (_, _, dir) = Stuck::start(dir).stopped_by("TERM");
    let broker = Broker::start_in(dir, &[]);
    assert_eq!(broker.told_times("the last stop was not in order"), 1, "{}", broker.told());
}

#[test]
fn nobody_is_heard_before_the_logs_are_loaded() {
    let stuck = Stuck::start(kept());
    let called = TcpStream::connect(("127.0.0.1", stuck.port));
    assert_eq!(called.map(drop).unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    assert_eq!(stuck.stopped_by("TERM").0, Some(0));
}

#[test]
fn what_messages_name_is_found_from_anywhere() {
    let place = tempfile::tempdir().unwrap();
    let mut child = pagewire()
        .current_dir(place.path())
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir", "data"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let data: &Path = &place.path().canonicalize().unwrap().join("data");
    eventually("it serves", || data.join("control.sock").exists());
    signal(&child, "TERM");
    assert_eq!(wait(&mut child), Some(0));
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.contains(&format!("{}: 0 logs loaded", data.display())), "{told}");
}
