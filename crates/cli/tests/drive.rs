//! `lab drive` against a real broker: what it prints, and what it leaves behind.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use common::{Broker, Run, eventually, run, signal, wait};
use serde_json::Value;

/// As little as can be measured.
const TINY: &[&str] = &[
    "--rounds=2",
    "--warm-up=0",
    "--seconds=0.2",
    "--round-bytes=1MiB",
    "--hot-bytes=1MiB",
    "--cold-bytes=1MiB",
    "--rate=200",
    "--busy=4",
    "--idle=4",
];

fn drive(broker: &Broker, more: &[&str]) -> Run {
    broker.run(&[&["lab", "drive", "-o", "json"], TINY, more].concat())
}

fn cells(out: &str) -> Vec<Value> {
    out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// The broker's topics.
fn topics(broker: &Broker) -> String {
    broker.run(&["topic", "list", "-o", "json"]).ok()
}

/// A figure's least, middle and largest.
#[track_caller]
fn spread(cell: &Value, key: &str) -> [f64; 3] {
    let found = &cell["figures"][key];
    ["min", "median", "max"].map(|of| found[of].as_f64().unwrap_or_else(|| panic!("no {key}: {cell}")))
}

#[test]
fn every_case_has_its_figures_with_their_cost_and_no_topic_is_left() {
    let broker = Broker::start(&[]);
    let cells = cells(&drive(&broker, &["-b", &format!("ours={}", broker.address)]).ok());
    let names: Vec<&str> = cells.iter().map(|cell| cell["case"].as_str().unwrap()).collect();
    assert_eq!(names, ["produce", "fetch-hot", "fetch-cold", "end-to-end", "connections"]);
    for cell in &cells {
        assert_eq!((&cell["broker"], &cell["rounds"]), (&Value::from("ours"), &Value::from(2)), "{cell}");
        assert!(cell["process"].as_u64().is_some(), "whose CPU? {cell}");
        for key in ["cpu_us_per_record", "client_cpu_us_per_record", "records_per_s", "rss_mib"] {
            let [min, median, max] = spread(cell, key);
            assert!(min <= median && median <= max && max >= 0.0, "{key}: {cell}");
        }
        for key in ["p50", "p99", "p99.9", "max"] {
            assert!(cell["latency_us"][key]["median"].as_f64().unwrap() > 0.0, "{key}: {cell}");
        }
        assert!(!cell["distribution"].as_array().unwrap().is_empty(), "{cell}");
        assert!(!cell["timeline"].as_array().unwrap().is_empty(), "{cell}");
        assert!(cell["machine"]["kernel"].as_str().is_some_and(|kernel| !kernel.is_empty()), "{cell}");
        assert_ne!(cell["machine"]["file_system"], "unknown", "{cell}");
    }
    for on_schedule in &cells[3..] {
        assert!(spread(on_schedule, "missing_records").iter().all(|missing| *missing < 1.0), "{on_schedule}");
        assert!(spread(on_schedule, "behind_ms")[0] >= 0.0, "{on_schedule}");
    }
    assert_eq!(topics(&broker), "[]\n");
}

#[test]
fn brokers_are_compared_with_the_first() {
    let (one, two) = (Broker::start(&[]), Broker::start(&[]));
    let named = [&one, &two].map(|broker| format!("-b{}={}", broker.address, broker.address));
    let cells = cells(&drive(&one, &[&named[0], &named[1], "produce"]).ok());
    let [first, second] = cells.as_slice() else { panic!("{cells:?}") };
    assert!(first.get("ratio_to_first").is_none(), "{first}");
    for key in ["mb_per_s", "p50_us"] {
        assert!(second["ratio_to_first"][key]["median"].as_f64().unwrap() > 0.0, "{key}: {second}");
    }
    assert_ne!(first["process"], second["process"]);
    assert!([topics(&one), topics(&two)].iter().all(|list| list == "[]\n"));
}

#[test]
fn every_way_to_write_is_measured() {
    let broker = Broker::start(&[]);
    for options in [["--acks=0", "-znone"], ["--acks=all", "-zzstd"], ["--acks=1", "-zlz4"]] {
        let options =
            [&options[..], &["--partitions=3", "--connections=4", "produce", "end-to-end"]].concat();
        let cells = cells(&drive(&broker, &options).ok());
        assert_eq!(cells.len(), 2, "{options:?}");
        assert!(cells.iter().all(|cell| spread(cell, "records_per_s")[0] > 0.0), "{cells:?}");
    }
    assert_eq!(topics(&broker), "[]\n");
}

#[test]
fn a_produce_and_the_fetch_of_its_record_are_two_requests() {
    let broker = Broker::start(&[]);
    // One record: the next would be due when the round is over.
    let one = ["end-to-end", "--partitions=1", "--rate=5"];
    let options: Vec<&str> = TINY.iter().copied().filter(|option| !option.starts_with("--rate")).collect();
    let said = broker.run(&[&["lab", "drive", "-o", "json"], &options[..], &one].concat()).ok();
    let cell = &cells(&said)[0];
    let [requests, records] = ["requests_per_s", "records_per_s"].map(|key| spread(cell, key));
    assert!(requests[0] > 1.9 * records[0] && records[0] > 0.0, "{cell}");
}

#[test]
fn making_connections_has_its_cost_and_is_said_to_be_measured_once() {
    let broker = Broker::start(&[]);
    let cell = &cells(&drive(&broker, &["connections"]).ok())[0];
    for key in ["cpu_us_per_connect", "client_cpu_us_per_connect", "connects_per_s"] {
        let [min, median, max] = spread(cell, key);
        assert!(
            min > 0.0 && (min..=max).contains(&median) && (max - min).abs() < f64::EPSILON,
            "{key}: {cell}"
        );
        assert!(cell["notes"].to_string().contains(key), "{key}: {cell}");
    }
}

#[test]
fn what_an_earlier_drive_has_left_is_named_with_the_command_that_removes_it() {
    let broker = Broker::start(&[]);
    for name in ["pagewire-drive-produce-1-2", "orders"] {
        broker.run(&["topic", "create", name]).ok();
    }
    let run = drive(&broker, &["produce"]);
    let said = run.err.lines().find(|line| line.contains("left")).unwrap_or_else(|| panic!("{run:?}"));
    let command = said.split_once(": pagewire ").map(|(_, rest)| format!("pagewire {rest}"));
    let command = command.unwrap_or_else(|| panic!("{said}"));
    let command = command.replace("pagewire topic", "\"$PAGEWIRE\" topic");
    let mut shell = std::process::Command::new("sh");
    let done = shell.args(["-c", &command]).env("PAGEWIRE", env!("CARGO_BIN_EXE_pagewire")).output().unwrap();
    assert!(done.status.success(), "{command}: {done:?}");
    let left = topics(&broker);
    assert!(left.contains("orders") && !left.contains("pagewire-drive"), "{left}");
    assert!(!drive(&broker, &["produce"]).err.contains("left"), "nothing is left");
}

#[test]
fn a_table_says_what_a_rate_cost() {
    let broker = Broker::start(&[]);
    let said = broker.run(&[&["lab", "drive", "produce"], TINY].concat()).ok();
    let rows: Vec<&str> = said.lines().map(|line| line.split("  ").next().unwrap()).collect();
    assert!(rows.contains(&"CPU s/GB") && rows.contains(&"MB/s") && rows.contains(&"p99.9 ms"), "{said}");
}

/// A drive whose second case takes an hour. Killed when dropped, should a test fail.
struct Endless(Child);

impl Endless {
    /// Comes back when the second case runs.
    fn start(broker: &Broker) -> Self {
        let options = ["--rounds=1", "--warm-up=0", "--seconds=3600", "--round-bytes=64KiB", "--rate=200"];
        let args = [&["lab", "drive", "-o", "json", "produce", "end-to-end"], &options[..]].concat();
        let report = broker.dir.path().join("report");
        let args = [&args[..], &["--report", report.to_str().unwrap()]].concat();
        let mut command = broker.command(&args);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let started = Self(child);
        eventually("a topic of the drive", || topics(broker).contains("pagewire-drive-end-to-end"));
        started
    }

    fn end(mut self) -> Run {
        let code = wait(&mut self.0);
        let text = |mut pipe: Box<dyn Read>| {
            let mut text = String::new();
            pipe.read_to_string(&mut text).unwrap();
            text
        };
        let (out, err) = (self.0.stdout.take().unwrap(), self.0.stderr.take().unwrap());
        Run { code, out: text(Box::new(out)), err: text(Box::new(err)) }
    }
}

impl Drop for Endless {
    fn drop(&mut self) {
        // It has ended where all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn when_it_is_stopped_it_prints_what_it_has_and_removes_its_topics() {
    let broker = Broker::start(&[]);
    // A closed terminal too, unless whoever runs the tests has made that be ignored.
    let ignored = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = ignored.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let hears_hangup = u64::from_str_radix(ignored.trim(), 16).unwrap() & 1 == 0;
    if !hears_hangup {
        eprintln!("SIGHUP is ignored here, so the programs started here ignore it");
    }
    for name in ["INT", "TERM", "HUP"].into_iter().filter(|name| hears_hangup || *name != "HUP") {
        let drive = Endless::start(&broker);
        signal(&drive.0, name);
        let run = drive.end();
        assert_eq!(run.code, Some(130), "{name}: {run:?}");
        assert_eq!(cells(&run.out)[0]["case"], "produce", "{name}");
        let report = broker.dir.path().join("report");
        let recorded = std::fs::read_to_string(report.join("drive.jsonl")).unwrap();
        assert_eq!(cells(&recorded), cells(&run.out), "{name}");
        assert!(report.join("index.html").is_file(), "{name}");
        assert_eq!(topics(&broker), "[]\n", "{name}");
    }
}

#[test]
fn a_broker_that_is_not_there_or_is_none_is_told_with_what_to_do() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let said = run(&["lab", "drive", "-b", &free.to_string()]).failed(1);
    assert!(said.contains("nothing listens there") && said.contains("start it"), "{said}");

    let web = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = web.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        // The first connection is the look whether anybody is there.
        for stream in web.incoming().take(2) {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let said = run(&["lab", "drive", "-b", &address]).failed(1);
    assert!(said.contains("does not answer as a Kafka broker does"), "{said}");
    serving.join().unwrap();
}

#[test]
fn a_broker_that_refuses_the_topic_is_told_why_and_nothing_is_left() {
    let broker = Broker::start(&[]);
    let said = drive(&broker, &["produce", "--replication-factor=3"]).failed(1);
    assert!(said.contains("INVALID_REPLICATION_FACTOR") && said.contains("--replication-factor"), "{said}");
    assert_eq!(topics(&broker), "[]\n");
}

#[test]
fn a_broker_that_dies_meanwhile_ends_the_run_with_what_was_measured() {
    let broker = Broker::start(&[]);
    let drive = Endless::start(&broker);
    broker.signal("KILL");
    let run = drive.end();
    assert_eq!(cells(&run.out)[0]["case"], "produce");
    assert!(run.failed(1).contains("end-to-end of broker"), "the case and the broker are named");
}

#[test]
fn a_process_that_is_not_there_is_told_before_anything_is_measured() {
    let broker = Broker::start(&[]);
    // Above the kernel's largest number of a process.
    let said = drive(&broker, &["-b", &format!("{},4194305", broker.address)]).failed(1);
    assert!(said.contains("process 4194305") && said.contains("leave it out"), "{said}");
}
