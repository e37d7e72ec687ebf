//! Produce, consume, topics and groups on a real broker.

mod common;

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use common::{Broker, eventually, signal, wait};

/// So many lines, numbered.
fn lines(count: u32) -> String {
    (0..count).flat_map(|number| [number.to_string(), "\n".to_owned()]).collect()
}

#[test]
fn lines_come_back_with_keys_headers_and_every_codec() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "t"]).ok();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let line = format!("lang:en\tk-{codec}:v-{codec}\n");
        let args = ["produce", "t", "-K", ":", "-z", codec, "-H", "source=test", "--line-headers"];
        broker.run_with(&args, line.as_bytes()).ok();
    }
    let read = broker.run(&["consume", "t", "--format", r"%p/%o %k=%v [%h] %K %S\n"]).ok();
    assert_eq!(
        read,
        "0/0 k-none=v-none [source=test,lang=en] 6 6\n\
         0/1 k-gzip=v-gzip [source=test,lang=en] 6 6\n\
         0/2 k-snappy=v-snappy [source=test,lang=en] 8 8\n\
         0/3 k-lz4=v-lz4 [source=test,lang=en] 5 5\n\
         0/4 k-zstd=v-zstd [source=test,lang=en] 6 6\n"
    );
    let json = broker.run(&["consume", "t", "-n", "1", "-o", "json"]).ok();
    assert!(
        json.contains(r#""key":"k-none","value":"v-none","headers":[{"name":"source","value":"test"}"#),
        "{json}"
    );
}

#[test]
fn reading_begins_where_it_is_told_to() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "t"]).ok();
    for text in ["a\n", "b\n", "c\n"] {
        broker.run_with(&["produce", "t"], text.as_bytes()).ok();
    }
    let from = |position: &str| broker.run(&["consume", "t", "--from", position]).ok();
    assert_eq!(from("beginning"), "a\nb\nc\n");
    assert_eq!(from("1"), "b\nc\n");
    assert_eq!(from("-1"), "c\n");
    assert_eq!(from("99"), "");
    assert_eq!(from("2999-01-01T00:00:00Z"), "");
    let times = broker.run(&["consume", "t", "--format", r"%T\n"]).ok();
    let second = times.lines().nth(1).unwrap();
    assert!(from(second).ends_with("b\nc\n"));
    assert_eq!(broker.run(&["consume", "t", "-n", "2"]).ok(), "a\nb\n");
    assert_eq!(broker.run(&["consume", "t", "-n", "0"]).ok(), "");
}

#[test]
fn keys_choose_javas_partition_and_a_partition_may_be_named() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "t", "-p", "4"]).ok();
    broker.run_with(&["produce", "t", "-K", ":"], b"foobar:1\nabc:2\n").ok();
    let mut read = broker.run(&["consume", "t", "--format", r"%k %p\n"]).ok();
    // murmur2: foobar without its sign bit is 1357151166, abc is 479470107
    let expected = [("foobar", 1_357_151_166 % 4), ("abc", 479_470_107 % 4)];
    for (key, partition) in expected {
        read = read.replace(&format!("{key} {partition}\n"), "");
    }
    assert_eq!(read, "");
    broker.run_with(&["produce", "t", "-p", "3"], b"x\n").ok();
    assert_eq!(broker.run(&["consume", "t", "-p", "3", "--from", "-1"]).ok(), "x\n");
    let said = broker.run_with(&["produce", "t", "-p", "9"], b"x\n").failed(1);
    assert!(said.contains("no partition 9"), "{said}");
    let said = broker.run(&["consume", "t", "-p", "9"]).failed(1);
    assert!(said.contains("no partition 9"), "{said}");
}

#[test]
fn many_lines_arrive_once_and_in_order_with_every_acks() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "t"]).ok();
    let lines = lines(20_000);
    for acks in ["0", "1", "all"] {
        let args = ["produce", "t", "--acks", acks, "--batch-bytes", "4096", "-o", "json"];
        let summary = broker.run_with(&args, lines.as_bytes()).ok();
        assert!(summary.contains("\"records\": 20000"), "{summary}");
        let read = || broker.run(&["consume", "t", "--from", "-20000"]).ok();
        // With acks 0 nobody said that the last ones are there already.
        eventually("all lines are there", || read() == lines);
    }
}

#[test]
fn following_prints_what_comes_and_a_signal_ends_it_well() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "t"]).ok();
    broker.run_with(&["produce", "t"], b"before\n").ok();
    let mut command = broker.command(&["consume", "t", "--follow"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "before");
    broker.run_with(&["produce", "t"], b"after\n").ok();
    assert_eq!(lines.next().unwrap().unwrap(), "after");
    signal(&child, "INT");
    assert_eq!(wait(&mut child), Some(0));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let broker = Broker::start(&[]);
    let lines = lines(50_000);
    broker.run_with(&["produce", "t"], lines.as_bytes()).ok();
    let mut command = broker.command(&["consume", "t"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert_eq!(first, "0\n");
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!((wait(&mut child), said.as_str()), (Some(0), ""));
}

#[test]
fn what_does_not_exist_is_named() {
    let broker = Broker::start(&["--set", "auto.create.topics.enable=false"]);
    for line in [&["consume", "nope"][..], &["topic", "describe", "nope"], &["topic", "delete", "nope"]] {
        let said = broker.run(line).failed(1);
        assert!(said.contains("topic nope does not exist"), "{line:?}: {said}");
    }
    let said = broker.run(&["group", "describe", "nope"]).failed(1);
    assert!(said.contains("nope"), "{said}");
}

#[test]
fn damaged_records_are_named_soon_with_the_way_past_them_and_what_lies_around_them_is_read() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "t", "-p", "2"]).ok();
    for partition in ["0", "1"] {
        for value in ["first", "second", "third"] {
            broker
                .run_with(&["produce", "t", "-q", "--partition", partition], format!("{value}\n").as_bytes())
                .ok();
        }
    }
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    let segment = dir.path().join("data/t-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(6).position(|some| some == b"second").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).unwrap();

    let broker = Broker::start_in(dir, &[]);
    let began = std::time::Instant::now();
    let run = broker.run(&["consume", "t"]);
    assert!(began.elapsed() < std::time::Duration::from_secs(20), "not the whole time");
    assert_eq!(run.out.lines().filter(|line| *line == "first").count(), 2, "{run:?}");
    assert_eq!(run.out.lines().filter(|line| *line == "third").count(), 1, "of the other partition: {run:?}");
    let refused = run.failed(1);
    assert!(refused.contains("t [0] at offset 1") && refused.contains("CORRUPT_MESSAGE"), "{refused}");
    assert!(refused.contains("--partition 0 --from OFFSET"), "{refused}");
    assert!(broker.told().contains("good ones begin at 2"), "{}", broker.told());
    assert_eq!(broker.run(&["consume", "t", "--partition", "0", "--from", "2"]).ok(), "third\n");
}
