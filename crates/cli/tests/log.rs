//! The files of a broker, checked and printed by the real binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Broker, eventually, lines, run};
use tempfile::TempDir;

/// What a broker has left that wrote a hundred records in batches, some of them compressed, and committed an offset.
fn left() -> TempDir {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "orders"]).ok();
    let records: Vec<String> = (0..50).map(|n| format!("key-{n}\tvalue-{n}\n")).collect();
    let records = records.concat();
    for codec in ["none", "zstd"] {
        broker.run_with(&["produce", "orders", "-K", "\t", "--codec", codec], records.as_bytes()).ok();
    }
    broker.run(&["consume", "orders", "--group", "readers", "--from", "beginning", "-n", "100"]).ok();
    let data = broker.dir.path().join("data");
    let said = run(&["log", "check", text(&data)]).ok();
    assert!(said.contains("0 damage, 0 doubts"), "beside the broker: {said}");
    broker.signal("TERM");
    let (code, dir) = broker.wait();
    assert_eq!(code, Some(0));
    dir
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn log_of(dir: &TempDir, partition: &str) -> PathBuf {
    dir.path().join("data").join(partition).join("00000000000000000000.log")
}

#[test]
fn what_a_broker_leaves_is_whole_and_a_flipped_byte_is_damage() {
    let dir = left();
    let data = dir.path().join("data");
    let said = run(&["log", "check", "--deep", text(&data)]).ok();
    assert!(said.contains("0 damage, 0 doubts, 0 notes"), "{said}");

    let log = log_of(&dir, "orders-0");
    let mut bytes = fs::read(&log).unwrap();
    bytes[100] ^= 1;
    fs::write(&log, bytes).unwrap();
    let run = run(&["log", "check", text(&data), "-o", "json"]);
    let found = lines(&run.out);
    assert_eq!((found[0]["severity"].as_str(), found[0]["position"].as_u64()), (Some("damage"), Some(0)));
    assert!(found[0]["what"].as_str().unwrap().contains("crc"), "{found:?}");
    // Two batches are in it, of fifty records each.
    assert_eq!(found[0]["next_offset"], 50);
    assert_eq!(found.last().unwrap()["summary"]["damage"], 1);
    assert!(run.failed(1).contains("1 damage"));
}

#[test]
fn a_dump_has_the_lines_of_kafkas_tool_and_json_the_same() {
    let dir = left();
    let log = log_of(&dir, "orders-0");
    let said = run(&["log", "dump", "--print-data-log", text(&log)]).ok();
    let mut printed = said.lines();
    assert_eq!(printed.next(), Some(format!("Dumping {}", log.display()).as_str()));
    assert_eq!(printed.next(), Some("Log starting offset: 0"));
    let batch = printed.next().unwrap();
    assert!(batch.starts_with("baseOffset: 0 lastOffset: ") && batch.ends_with("isvalid: true"), "{batch}");
    assert!(batch.contains("deleteHorizonMs: OptionalLong.empty position: 0 CreateTime: "), "{batch}");
    let record = printed.next().unwrap();
    assert!(
        record.starts_with("| offset: 0 CreateTime: ") && record.ends_with("key: key-0 payload: value-0"),
        "{record}"
    );

    let rows = lines(&run(&["log", "dump", "--print-data-log", "-o", "json", text(&log)]).ok());
    let of = |kind: &str| rows.iter().filter(|row| row["kind"] == kind).count();
    assert_eq!((of("record"), of("batch") + 100), (100, rows.len()));
    assert!(rows.iter().any(|row| row["codec"] == "zstd") && rows.iter().any(|row| row["codec"] == "none"));

    let groups = run(&["log", "dump", "--offsets-decoder", text(&log_of(&dir, "__consumer_offsets-0"))]).ok();
    let offset =
        r#"key: {"type":"1","data":{"group":"readers","topic":"orders","partition":0}} payload: {"version":"#;
    assert!(groups.contains(offset) && groups.contains(r#""offset":100"#), "{groups}");
    assert!(groups.contains(r#""subscription":{"topics":["orders"]"#), "{groups}");
}

#[test]
fn damage_is_told_where_it_is_and_the_rest_is_printed() {
    let dir = left();
    let log = log_of(&dir, "orders-0");
    let mut bytes = fs::read(&log).unwrap();
    bytes[16] = 9;
    // What begins no batch, behind the last one: how many there are is the client's affair.
    bytes.extend([1; 7]);
    fs::write(&log, bytes).unwrap();
    let run = run(&["log", "dump", text(&log)]);
    assert!(
        run.out.contains("\n! position 0: magic 9 is not a version 2 batch\nbaseOffset: "),
        "{}",
        run.out
    );
    assert!(run.out.contains("invalid bytes at the end of 00000000000000000000.log"), "{}", run.out);
    run.failed(1);
}

#[test]
fn a_damaged_mark_of_an_orderly_stop_is_told_by_check_dump_and_start() {
    let dir = left();
    let mark = dir.path().join("data/.kafka_cleanshutdown");
    run(&["log", "dump", text(&mark)]).ok();
    fs::write(&mark, "garbage").unwrap();
    let dumped = run(&["log", "dump", text(&mark)]);
    assert!(dumped.out.contains("garbage") && dumped.out.contains("! line 1 is not"), "{dumped:?}");
    dumped.failed(1);
    let checked = run(&["log", "check", text(&dir.path().join("data"))]);
    assert!(checked.out.contains("does not vouch for an orderly stop"), "{checked:?}");
    assert!(checked.failed(1).contains("1 damage"));
    let broker = Broker::start_in(dir, &[]);
    let told = broker.told();
    assert!(told.contains("is damaged, so it does not vouch for an orderly stop"), "{told}");
    assert!(told.contains("the mark that says so is gone or damaged"), "{told}");
    assert!(!told.contains("another program"), "{told}");
}

#[test]
fn small_files_are_printed_and_strangers_are_wrong_usage() {
    let dir = left();
    let partition = dir.path().join("data/orders-0");
    let said = run(&["log", "dump", text(&partition.join("leader-epoch-checkpoint"))]).ok();
    assert!(said.ends_with("\n0\n1\n0 0\n"), "{said}");
    let stranger = dir.path().join("stranger.txt");
    fs::write(&stranger, "x").unwrap();
    let both = run(&["log", "dump", text(&stranger), text(&partition.join("partition.metadata"))]);
    assert!(both.out.contains("topic_id"), "{both:?}");
    let said = both.failed(2);
    assert!(said.contains("stranger.txt is no file") && said.contains("log dump prints logs"), "{said}");
    let list = format!("{0}/leader-epoch-checkpoint,{0}/partition.metadata", text(&partition));
    let listed = run(&["log", "dump", "--files", &list]).ok();
    assert_eq!(listed.matches("Dumping ").count(), 2, "{listed}");
}

/// What would be waited for if it were opened, or says nothing about itself.
#[test]
fn sockets_pipes_directories_and_strangers_are_neither_dumped_nor_checked() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let _socket = std::os::unix::net::UnixListener::bind(at("control.sock")).unwrap();
    assert!(
        std::process::Command::new("mkfifo").arg(at("00000000000000000000.log")).status().unwrap().success()
    );
    fs::create_dir(at("empty")).unwrap();
    fs::write(at("passwd"), "root").unwrap();
    for (name, dumped, checked) in [
        ("control.sock", "is a socket. log dump prints", "is a socket. log check takes"),
        ("00000000000000000000.log", "is a FIFO. log dump prints", "is a FIFO. log check takes"),
        ("empty", "is a directory: name files in it", "is an empty directory (if"),
        ("passwd", "is no file that is printed here", "is no file of a log's that can be checked"),
    ] {
        for (command, words) in [("dump", dumped), ("check", checked)] {
            let run = run(&["log", command, text(&at(name))]);
            assert_eq!(run.out, "", "{command} {name}");
            let said = run.failed(2);
            assert!(said.contains(words), "{command} {name}: {said}");
        }
    }
    assert!(
        run(&["log", "check", "/etc"]).failed(2).contains("/etc is a directory without anything of a log's")
    );
}

#[test]
fn what_is_named_beside_a_stranger_is_checked() {
    let dir = left();
    let data = dir.path().join("data");
    let missing = dir.path().join("not there");
    let both = run(&["log", "check", "/etc", text(&data), text(&missing)]);
    assert!(both.out.contains("0 damage, 0 doubts, 0 notes"), "{both:?}");
    let said = both.failed(2);
    assert!(said.contains("not checked: /etc is") && said.contains("not there is not there. log"), "{said}");
}

#[test]
fn what_cannot_be_read_is_told_and_the_others_are_checked() {
    let dir = left();
    let data = dir.path().join("data");
    // No name leads to it, whoever asks.
    let circle = dir.path().join("circle");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let both = run(&["log", "check", text(&circle), text(&data)]);
    assert!(both.out.contains("0 damage"), "{both:?}");
    assert!(both.failed(1).contains("circle cannot be checked"));
    assert!(run(&["log", "check", text(&circle)]).failed(1).contains("circle cannot be checked"));
    let notes = dir.path().join("notes.txt");
    fs::write(&notes, "nothing of a log's").unwrap();
    let neither = run(&["log", "check", text(&circle), text(&notes)]).failed(1);
    assert!(
        neither.contains("circle cannot be checked") && neither.contains("notes.txt is no file"),
        "{neither}"
    );
}

#[test]
fn a_check_of_which_nobody_reads_what_is_told_ends_at_a_signal() {
    let dir = tempfile::tempdir().unwrap();
    // More than a pipe holds is told of these.
    for partition in 0..2000 {
        let own = dir.path().join(format!("unread-{partition}"));
        fs::create_dir(&own).unwrap();
        fs::write(own.join("00000000000000000000.index"), [7; 8]).unwrap();
    }
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pagewire"));
    let command = command.args(["log", "check", "-o", "json", text(dir.path())]);
    let (said, unread) = (std::process::Stdio::null(), std::process::Stdio::piped());
    let mut child = command.stderr(said).stdout(unread).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(child.try_wait().unwrap().is_none(), "it waits for somebody to read");
    let _ = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    eventually("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn findings_past_those_that_are_told_of_one_file_count_as_many_as_they_are() {
    let dir = many_segments(true);
    let data = dir.path().join("data");
    // Of an index of entries none of which can be right.
    let index = logs_in(&data.join("plain-0"))[0].with_extension("index");
    fs::write(&index, [0xff; 8 * 40]).unwrap();
    let found = lines(&run(&["log", "check", "-o", "json", text(&data)]).out);
    let (summary, told) = found.split_last().unwrap();
    let sum = |severity: &str| -> u64 {
        let of = told.iter().filter(|line| line["severity"] == severity);
        of.map(|line| line["count"].as_u64().unwrap()).sum()
    };
    let said = |name: &str| summary["summary"][name].as_u64().unwrap();
    assert_eq!((sum("damage"), sum("doubt"), sum("note")), (said("damage"), said("doubts"), said("notes")));
    assert!(told.iter().any(|line| line["count"].as_u64().unwrap() > 20), "{told:?}");
}

#[test]
fn files_of_our_own_are_printed_and_one_that_nothing_decodes_is_wrong_usage() {
    let dir = left();
    let data = dir.path().join("data");
    for (name, words) in [
        ("pagewire-checkpoint-sums", "\n0\n"),
        ("pagewire-vouched-checkpoint", "\norders 0 "),
        ("metadata.redb", "\ntopics/orders revision: "),
    ] {
        let said = run(&["log", "dump", text(&data.join(name))]).ok();
        assert!(said.contains(words), "{name}: {said}");
    }
    let told = lines(&run(&["log", "dump", "-o", "json", text(&data.join("metadata.redb"))]).ok());
    let topic = told.iter().find(|line| line["key"] == "topics/orders").unwrap();
    assert_eq!((topic["kind"].as_str(), topic["value"]["name"].as_str()), (Some("metadata"), Some("orders")));
    let damaged = dir.path().join("metadata.redb");
    fs::write(&damaged, b"no store").unwrap();
    assert!(run(&["log", "dump", text(&damaged)]).failed(1).contains("damaged"));
    let lengths = dir.path().join("pagewire-compacted");
    fs::write(&lengths, b"").unwrap();
    assert!(run(&["log", "dump", text(&lengths)]).ok().contains("looks at the whole log"));
    fs::write(&lengths, b"what is this").unwrap();
    run(&["log", "dump", text(&lengths)]).failed(1);
    let unknown = dir.path().join("pagewire-restored");
    fs::write(&unknown, "x").unwrap();
    let log = log_of(&dir, "orders-0");
    let both = run(&["log", "dump", text(&unknown), text(&log)]);
    assert!(both.out.contains("\nbaseOffset: 0 "), "{both:?}");
    assert!(both.failed(2).contains("is no file that is printed here"));
}

#[test]
fn what_was_set_aside_of_a_log_is_printed_as_its_records() {
    let dir = left();
    let log = log_of(&dir, "orders-0");
    let batches = |said: String| said.split_once('\n').unwrap().1.split_once('\n').unwrap().1.to_owned();
    let whole = batches(run(&["log", "dump", "--deep", text(&log)]).ok());
    for name in ["00000000000000000000.cut", "00000000000000000000.1.cut"] {
        let cut = log.with_file_name(name);
        fs::copy(&log, &cut).unwrap();
        let said = run(&["log", "dump", "--deep", text(&cut)]).ok();
        assert!(said.contains("Set aside of a log, from offset: 0\n"), "{said}");
        assert_eq!(batches(said), whole);
    }
    let small = run(&["log", "dump", "--deep", "--max-message-size", "10", text(&log)]);
    assert!(small.out.contains("baseOffset") && !small.out.contains("| offset:"), "{small:?}");
    assert!(small.out.contains("longer than --max-message-size 10"), "{small:?}");
    small.failed(1);
}

#[test]
fn what_is_no_file_cannot_be_dumped_and_the_others_are() {
    let dir = left();
    let log = log_of(&dir, "orders-0");
    let missing = dir.path().join("not there");
    assert!(
        run(&["log", "dump", text(&missing)]).failed(2).contains("not there is not there. log dump prints")
    );
    let all = run(&["log", "dump", text(&missing), text(&log), text(&missing)]);
    assert!(all.out.contains("\nbaseOffset: 0 "), "{all:?}");
    assert_eq!(all.failed(2).matches("not there is not there").count(), 2);
}

/// A topic `plain` in many segments, left in order, or by a kill.
fn many_segments(clean: bool) -> TempDir {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "plain", "--config", "internal.segment.bytes=500"]).ok();
    let records: String = [0, 1, 2].map(|n| format!("{n}{}\n", "x".repeat(100))).concat();
    for _ in 0..30 {
        broker.run_with(&["produce", "plain", "--codec", "none"], records.as_bytes()).ok();
    }
    broker.signal(if clean { "TERM" } else { "KILL" });
    broker.wait().1
}

#[test]
fn a_log_of_more_segments_than_a_process_may_have_files_is_checked() {
    for clean in [true, false] {
        let dir = many_segments(clean);
        let script = "ulimit -n 40 && exec \"$0\" \"$@\"";
        let data = dir.path().join("data");
        let command = [env!("CARGO_BIN_EXE_pagewire"), "log", "check", text(&data)];
        let output = std::process::Command::new("sh").arg("-c").arg(script).args(command).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("0 damage, 0 doubts"), "{clean}: {output:?}");
    }
}

#[test]
fn a_segment_or_a_partition_that_is_gone_is_damage() {
    type Loss = fn(&Path);
    let losses: [(&str, Loss); 3] = [
        ("the log begins at offset 0, its first segment at", |data| {
            fs::remove_file(data.join("plain-0/00000000000000000000.log")).unwrap();
        }),
        ("no segment is left of a log that had reached offset 90", |data| {
            for entry in fs::read_dir(data.join("plain-0")).unwrap() {
                let path = entry.unwrap().path();
                if path
                    .extension()
                    .is_some_and(|kind| ["log", "index", "timeindex"].iter().any(|k| kind == *k))
                {
                    fs::remove_file(path).unwrap();
                }
            }
        }),
        ("there is no such directory, and the partition had reached offset 90", |data| {
            fs::remove_dir_all(data.join("plain-0")).unwrap();
        }),
    ];
    for (words, loss) in losses {
        let dir = many_segments(true);
        let data = dir.path().join("data");
        loss(&data);
        let run = run(&["log", "check", text(&data)]);
        assert!(run.out.contains(words), "{words}: {run:?}");
        assert!(run.failed(1).contains("1 damaged"));
    }
}

#[test]
fn metadata_that_no_start_takes_is_told() {
    let dir = left();
    let data = dir.path().join("data");
    let metadata = data.join("metadata.redb");
    let good = fs::read(&metadata).unwrap();
    fs::write(&metadata, &good[..good.len() / 2]).unwrap();
    let found = run(&["log", "check", text(&data)]);
    assert!(found.out.contains("damage: ") && found.out.contains("metadata.redb"), "{}", found.out);
    assert!(found.failed(1).contains("1 damage"));
    fs::remove_file(&metadata).unwrap();
    let said = run(&["log", "check", text(&data)]).ok();
    assert!(said.contains("doubt: ") && said.contains("metadata.redb"), "{said}");
}

#[test]
fn an_identity_that_the_metadata_contradicts_is_damage() {
    let dir = left();
    let data = dir.path().join("data");
    let file = data.join("meta.properties");
    let good = fs::read_to_string(&file).unwrap();
    let flipped = |key: &str| {
        let at = good.find(key).unwrap() + key.len();
        let mut bytes = good.clone().into_bytes();
        // By one bit, to another letter or digit: anything else is no identity at all.
        let others = (0..7).map(|bit| bytes[at] ^ 1 << bit);
        bytes[at] = others.into_iter().find(u8::is_ascii_alphanumeric).unwrap();
        String::from_utf8(bytes).unwrap()
    };
    for key in ["cluster.id=", "node.id=", "directory.id="] {
        fs::write(&file, flipped(key)).unwrap();
        let found = run(&["log", "check", text(&data)]);
        let words = format!("it says {key}");
        assert!(
            found.out.contains(&words) && found.out.contains("written anew at the next start"),
            "{}",
            found.out
        );
        assert!(found.failed(1).contains("1 damage"));
    }
    let anothers = flipped("cluster.id=").replace("node.id=1", "node.id=5");
    fs::write(&file, anothers).unwrap();
    let found = run(&["log", "check", text(&data)]);
    assert!(found.out.contains("a start refuses the directory"), "{}", found.out);
    assert!(found.failed(1).contains("1 damage"));
    fs::write(&file, good).unwrap();
    run(&["log", "check", text(&data)]).ok();
}

/// Takes the second segment of a partition away.
fn lose_a_segment(partition: &Path) {
    let mut logs: Vec<PathBuf> = fs::read_dir(partition)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    logs.sort();
    assert!(logs.len() > 2, "{logs:?}");
    for suffix in ["log", "index", "timeindex"] {
        fs::remove_file(logs[1].with_extension(suffix)).unwrap();
    }
}

#[test]
fn what_a_hole_in_a_log_is_the_settings_of_its_topic_say() {
    let broker = Broker::start(&[]);
    let records: Vec<String> = (0..40).map(|n| format!("key-{n}\t{}\n", "x".repeat(1000))).collect();
    let records = records.concat();
    let topics =
        [("lost", Some("cleanup.policy=delete")), ("kept", Some("cleanup.policy=compact")), ("plain", None)];
    for (topic, policy) in topics {
        let mut create = vec!["topic", "create", topic, "--config", "internal.segment.bytes=50000"];
        if let Some(policy) = policy {
            create.extend(["--config", policy]);
        }
        broker.run(&create).ok();
        // Each run is a batch, and each batch fills a segment.
        for _ in 0..4 {
            broker.run_with(&["produce", topic, "-K", "\t", "--codec", "none"], records.as_bytes()).ok();
        }
    }
    broker.signal("TERM");
    let (code, dir) = broker.wait();
    assert_eq!(code, Some(0));
    let data = dir.path().join("data");
    for (topic, _) in topics {
        lose_a_segment(&data.join(format!("{topic}-0")));
    }
    let severity = |topic: &str| {
        let said = run(&["log", "check", text(&data), "-o", "json"]);
        let found = lines(&said.out);
        let of_topic = |line: &&serde_json::Value| {
            line["path"].as_str().is_some_and(|path| path.ends_with(&format!("{topic}-0")))
        };
        let hole =
            found.iter().filter(of_topic).find(|line| line["what"].as_str().unwrap().contains("missing"));
        hole.map(|line| line["severity"].as_str().unwrap().to_owned())
    };
    assert_eq!(severity("lost").as_deref(), Some("damage"));
    assert_eq!(severity("plain").as_deref(), Some("damage"), "no log was cleaned yet");
    assert_eq!(severity("kept").as_deref(), Some("damage"), "nor was this one, though it may be");
}

/// Its `.log` files, oldest first.
fn logs_in(partition: &Path) -> Vec<PathBuf> {
    let mut logs: Vec<PathBuf> =
        fs::read_dir(partition).unwrap().map(|entry| entry.unwrap().path()).collect();
    logs.retain(|path| path.extension().is_some_and(|kind| kind == "log"));
    logs.sort();
    logs
}

#[test]
fn a_segment_that_is_lost_is_damage_beside_the_broker_as_well() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "plain", "--config", "internal.segment.bytes=500"]).ok();
    for n in 0..8 {
        let record = format!("{n}{}\n", "x".repeat(400));
        broker.run_with(&["produce", "plain", "--codec", "none"], record.as_bytes()).ok();
    }
    let data = broker.dir.path().join("data");
    let check = ["log", "check", text(&data)];
    assert!(run(&check).ok().contains("0 damage, 0 doubts"));
    lose_a_segment(&data.join("plain-0"));
    let found = run(&check);
    assert!(
        found.out.contains("damage: ") && found.out.contains("are missing between two segments"),
        "{found:?}"
    );
    assert!(found.out.contains("good records go on at offset 2 ("), "{found:?}");
    assert!(found.failed(1).contains("1 damage"));
    let told = lines(&run(&[&check[..], &["-o", "json"]].concat()).out);
    let hole = told.iter().find(|line| line["severity"] == "damage").unwrap();
    assert_eq!((hole["offset"].as_i64(), hole["next_offset"].as_i64()), (Some(1), Some(2)), "{hole}");
}

#[test]
fn the_only_segment_the_first_and_the_last_are_missed_beside_the_broker_as_well() {
    let broker = Broker::start(&[]);
    let data = broker.dir.path().join("data");
    let check = ["log", "check", text(&data)];
    for topic in ["first", "last", "only"] {
        let bytes = if topic == "only" { 5_000 } else { 500 };
        let setting = format!("internal.segment.bytes={bytes}");
        broker.run(&["topic", "create", topic, "--config", &setting]).ok();
        for n in 0..4 {
            let record = format!("{n}{}\n", "x".repeat(400));
            broker.run_with(&["produce", topic, "--codec", "none"], record.as_bytes()).ok();
        }
    }
    eventually("a checkpoint names them", || {
        let told = fs::read_to_string(data.join("recovery-point-offset-checkpoint")).unwrap();
        ["first", "last", "only"].iter().all(|topic| told.contains(&format!("{topic} 0 4")))
    });
    assert!(run(&check).ok().contains("0 damage, 0 doubts"));
    for topic in ["first", "last", "only"] {
        let logs = logs_in(&data.join(format!("{topic}-0")));
        let lost = if topic == "last" { logs.last() } else { logs.first() };
        fs::remove_file(lost.unwrap()).unwrap();
        let found = run(&check);
        let named = |line: &&str| line.starts_with("damage: ") && line.contains(&format!("/{topic}-0"));
        assert!(found.out.lines().any(|line| named(&line)), "{topic}: {found:?}");
        found.failed(1);
    }
}

#[test]
fn a_partition_that_is_missing_is_damage_beside_the_broker_as_well() {
    let broker = Broker::start(&[]);
    for topic in ["plain", "empty", "other"] {
        broker.run(&["topic", "create", topic]).ok();
    }
    broker.run_with(&["produce", "plain"], b"one\n").ok();
    let data = broker.dir.path().join("data");
    let check = ["log", "check", text(&data)];
    assert!(run(&check).ok().contains("0 damage, 0 doubts"));
    // What was deleted is missed by nobody.
    broker.run(&["topic", "delete", "other"]).ok();
    assert!(run(&check).ok().contains("0 damage, 0 doubts"));
    for partition in ["plain-0", "empty-0"] {
        fs::remove_dir_all(data.join(partition)).unwrap();
    }
    let found = run(&check);
    assert_eq!(found.out.lines().filter(|line| line.starts_with("damage: ")).count(), 2, "{found:?}");
    assert!(
        found.out.contains("/plain-0") && found.out.contains("/empty-0: the metadata places"),
        "{found:?}"
    );
    assert!(found.failed(1).contains("2 damaged"));
}

#[test]
fn a_partition_alone_is_compared_with_the_metadata_around_it_or_it_is_said_that_it_was_not() {
    let dir = left();
    let partition = dir.path().join("data/orders-0");
    let compared = run(&["log", "check", text(&partition)]).ok();
    assert!(!compared.contains("was not compared"), "{compared}");
    let alone = dir.path().join("alone/deep/orders-0");
    fs::create_dir_all(&alone).unwrap();
    for entry in fs::read_dir(&partition).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), alone.join(entry.file_name())).unwrap();
    }
    let said = run(&["log", "check", text(&alone)]).ok();
    assert!(said.contains("was not compared"), "{said}");
    let metadata = partition.join("partition.metadata");
    fs::write(&metadata, "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ\n").unwrap();
    let by_name = run(&["log", "check", text(&partition)]);
    assert!(by_name.out.contains("it names the topic id"), "{by_name:?}");
    assert!(by_name.failed(1).contains("1 damaged"));
    let mut command = common::pagewire();
    let inside: common::Run =
        command.current_dir(&partition).args(["log", "check", "."]).output().unwrap().into();
    assert!(inside.out.contains("it names the topic id"), "{inside:?}");
    inside.failed(1);
}

#[test]
fn notes_of_one_cause_are_one_line_that_names_the_cause_and_json_has_each() {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "kept", "-p", "5", "--config", "cleanup.policy=compact"]).ok();
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    let data = dir.path().join("data");
    let checkpoints = ["recovery-point-offset-checkpoint", "replication-offset-checkpoint"];
    for name in checkpoints {
        let text = fs::read_to_string(data.join(name)).unwrap();
        // Another digit, as legible as the one that was there.
        let altered = text.trim_end().to_owned() + "1\n";
        fs::write(data.join(name), altered).unwrap();
    }
    let said = run(&["log", "check", text(&data)]).out;
    let notes: Vec<_> = said.lines().filter(|line| line.contains("pagewire-compacted")).collect();
    let [note] = notes[..] else { panic!("{said}") };
    assert!(note.starts_with("note: in 5 places (") && note.contains(" and 2 more): "), "{note}");
    assert!(checkpoints.iter().all(|name| note.contains(name)) && note.contains("damaged, or"), "{note}");
    let told = lines(&run(&["log", "check", text(&data), "-o", "json"]).out);
    let paths = told.iter().filter_map(|line| line["path"].as_str());
    assert_eq!(paths.filter(|path| path.ends_with("pagewire-compacted")).count(), 5);
}

#[test]
fn snapshots_are_not_blamed_for_what_the_log_has_lost() {
    let losses: [fn(&Path); 3] = [
        |log| {
            let mut bytes = fs::read(log).unwrap();
            bytes[100] ^= 1;
            fs::write(log, bytes).unwrap();
        },
        |log| fs::remove_file(log).unwrap(),
        |log| fs::write(log, "").unwrap(),
    ];
    for (number, loss) in losses.into_iter().enumerate() {
        let dir = many_segments(true);
        let data = dir.path().join("data");
        loss(&logs_in(&data.join("plain-0"))[1]);
        let run = run(&["log", "check", text(&data)]);
        assert!(run.out.contains("damage: ") && !run.out.contains(".snapshot"), "{number}: {run:?}");
    }
}

#[test]
fn a_lost_end_is_one_damage_of_its_partition() {
    let dir = many_segments(true);
    let data = dir.path().join("data");
    fs::remove_file(logs_in(&data.join("plain-0")).last().unwrap()).unwrap();
    let run = run(&["log", "check", text(&data), "-o", "json"]);
    let damage: Vec<_> = lines(&run.out).into_iter().filter(|line| line["severity"] == "damage").collect();
    assert_eq!(damage.len(), 1, "{damage:?}");
    assert!(damage[0]["path"].as_str().unwrap().ends_with("data/plain-0"), "{damage:?}");
    assert!(damage[0]["what"].as_str().unwrap().contains("recovery-point-offset-checkpoint"), "{damage:?}");
}

#[test]
fn a_checkpoint_that_is_gone_is_a_doubt_that_says_what_a_start_does_without_it() {
    let broker = Broker::start_in(left(), &[]);
    broker.run_with(&["produce", "orders"], b"more\n").ok();
    broker.signal("TERM");
    let (_, dir) = broker.wait();
    let data = dir.path().join("data");
    fs::remove_file(data.join("recovery-point-offset-checkpoint")).unwrap();
    fs::remove_file(data.join("orders-0/leader-epoch-checkpoint")).unwrap();
    let said = run(&["log", "check", text(&data)]).ok();
    let of = |file: &str| said.lines().filter(|line| line.contains(file)).collect::<Vec<_>>();
    let [recovery] = of("recovery-point-offset-checkpoint")[..] else { panic!("{said}") };
    assert!(recovery.starts_with("doubt: ") && recovery.contains("it is gone"), "{recovery}");
    assert!(recovery.contains("the next start checks all of each log"), "{recovery}");
    assert_eq!(of("leader-epoch-checkpoint").len(), 1, "{said}");
}

#[test]
fn an_index_without_its_log_names_the_log() {
    let dir = left();
    let log = log_of(&dir, "orders-0");
    fs::remove_file(&log).unwrap();
    let index = log.with_extension("timeindex");
    let said = run(&["log", "dump", text(&index)]).failed(1);
    assert!(said.contains(text(&log)) && said.contains("is not there"), "{said}");
    run(&["log", "dump", "--index-sanity-check", text(&index)]).ok();
}

#[test]
fn of_a_directory_of_kafkas_it_is_said_what_an_import_makes_of_it() {
    // The first of Kafka's log directories has the metadata, and each what it was formatted with.
    let (first, each) = ("__cluster_metadata-0", "bootstrap.checkpoint");
    for (clean, which, sign) in [(true, 0, first), (true, 1, each), (false, 1, first)] {
        let dir = many_segments(clean);
        let data = dir.path().join("data");
        // What is left is what Kafka has as well.
        for entry in fs::read_dir(&data).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if ["pagewire", "metadata", "control"].iter().any(|ours| name.starts_with(ours)) {
                fs::remove_file(&path).unwrap();
            }
        }
        if sign == first {
            fs::create_dir(data.join(sign)).unwrap();
        } else {
            fs::write(data.join(sign), "").unwrap();
        }
        if !clean {
            // Kafka makes it at its first start.
            fs::write(data.join("cleaner-offset-checkpoint"), "0\n0\n").unwrap();
        }
        fs::remove_file(&logs_in(&data.join("plain-0"))[which]).unwrap();
        let run = run(&["log", "check", text(&data)]);
        let told =
            run.out.lines().find(|line| line.contains("are missing")).unwrap_or_else(|| panic!("{run:?}"));
        assert!(told.starts_with("damage: "), "{clean} {which}: {told}");
        assert!(told.ends_with("(pagewire import takes what is there, and says so)"), "{told}");
        assert!(!run.out.contains("next start"), "{}", run.out);
    }
}

#[test]
fn the_scrub_tells_the_file_the_offsets_and_what_to_do() {
    let broker = Broker::start(&["--set", "pagewire.log.scrub.interval.ms=1"]);
    broker.run(&["topic", "create", "t", "-p", "1", "--config", "internal.segment.bytes=150"]).ok();
    for value in ["a\n", "b\n", "c\n", "d\n"] {
        broker.run_with(&["produce", "t", "-q", "--codec", "none"], value.as_bytes()).ok();
    }
    let partition = broker.dir.path().join("data/t-0");
    let mut bytes = fs::read(partition.join("00000000000000000000.log")).unwrap();
    bytes[65] ^= 1;
    fs::write(partition.join("00000000000000000000.log"), bytes).unwrap();
    let found = "the scrub found damaged records";
    common::eventually("it is found", || broker.told_times(found) > 0);
    let told = broker.told();
    let line = told.lines().find(|line| line.contains(found)).unwrap();
    let check = format!("`pagewire log check {}`", partition.display());
    assert!(line.contains("t-0/00000000000000000000.log") && line.contains("offset=0"), "{line}");
    assert!(line.contains(&check), "{line}");
}

#[test]
fn damage_that_a_start_finds_is_one_line_with_the_place_and_what_to_do() {
    let dir = many_segments(true);
    let partition = dir.path().join("data/plain-0");
    let log = logs_in(&partition).remove(0);
    let mut bytes = fs::read(&log).unwrap();
    bytes[65] ^= 1;
    fs::write(&log, bytes).unwrap();
    let broker = Broker::start_in(dir, &[]);
    let name = log.file_name().unwrap().to_str().unwrap();
    let about = |line: &str| line.contains(name) && line.contains("damaged");
    common::eventually("it is told", || broker.told().lines().any(about));
    let scrubbed = || {
        let cluster = broker.run(&["cluster", "-o", "json"]).ok();
        let cluster: serde_json::Value = serde_json::from_str(&cluster).unwrap();
        cluster["states"][0]["log_dirs"][0]["scrub"]["bytes"].as_u64() > Some(0)
    };
    common::eventually("it is scrubbed", scrubbed);
    let told = broker.told();
    let lines: Vec<&str> = told.lines().filter(|line| about(line)).collect();
    assert_eq!(lines.len(), 1, "{told}");
    assert!(lines[0].contains("offset=0") && lines[0].contains("pagewire log check"), "{told}");
}
