//! `pagewire log dump` with the options of Kafka's DumpLogSegments, by the real binary.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

mod common;

use std::fs;

use common::{Broker, run};

/// The log of a topic with one record, `key` and `value`.
fn log() -> (tempfile::TempDir, String) {
    let broker = Broker::start(&[]);
    broker.run(&["topic", "create", "orders"]).ok();
    broker.run_with(&["produce", "orders", "-K", "\t"], b"key!\tvalue\n").ok();
    broker.signal("TERM");
    let (code, dir) = broker.wait();
    assert_eq!(code, Some(0));
    let log = dir.path().join("data/orders-0/00000000000000000000.log");
    let log = log.to_str().unwrap().to_owned();
    (dir, log)
}

#[test]
fn kafkas_options_are_taken_by_their_names_or_refused_with_the_reason() {
    let (_dir, log) = log();
    let dump = |options: &[&str]| run(&[&["log", "dump"], options, &["--files", &log]].concat());
    let kafkas = "org.apache.kafka.tools.api.";
    for (options, ends) in [
        // A decoder has records printed with their contents, also the one that is the default.
        (
            vec!["--value-decoder-class", "org.apache.kafka.tools.api.StringDecoder"],
            " key: key! payload: value",
        ),
        (vec!["--value-decoder", "string"], " key: key! payload: value"),
        (vec!["--value-decoder", "base64"], " key: key! payload: dmFsdWU="),
        (vec!["--value-decoder-class", "org.apache.kafka.tools.api.DefaultDecoder"], " payload: dmFsdWU="),
        (
            vec!["--key-decoder-class", "org.apache.kafka.tools.api.IntegerDecoder"],
            " key: 1801812257 payload: value",
        ),
        (vec!["--deep-iteration"], " headerKeys: []"),
    ] {
        let said = dump(&options).ok();
        assert!(said.trim_end().ends_with(ends), "{options:?}: {said}");
    }
    for (options, why) in [
        (vec!["--key-decoder-class", "com.example.Ours"], "a class of Java cannot be loaded here"),
        (vec!["--key-decoder-class", "kafka.serializer.StringDecoder"], kafkas),
        (vec!["--remote-log-metadata-decoder"], "tiered storage writes, which is not served here"),
    ] {
        let said = dump(&options).failed(2);
        assert!(said.contains(why), "{options:?}: {said}");
    }
}

#[test]
fn zeros_and_messages_of_old_formats_are_called_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("00000000000000000000.log");
    // Offset, length, CRC, magic, attributes, time, no key, no value.
    let mut old = [0; 34];
    old[11] = 22;
    old[16] = 1;
    old[26..].fill(0xff);
    for (bytes, what) in [
        (vec![0; 100], "! position 0: 100 bytes of zeros at the end, reserved or never written"),
        (
            old.repeat(3),
            "! position 0: magic 1 is not a version 2 batch, but a message of the format before Kafka 0.11",
        ),
    ] {
        fs::write(&log, bytes).unwrap();
        let said = run(&["log", "dump", log.to_str().unwrap()]);
        assert!(said.out.contains(what), "{}", said.out);
        said.failed(1);
    }
}

#[test]
fn an_index_that_was_cut_within_an_entry_says_so_behind_its_whole_ones() {
    let (dir, log) = log();
    for (suffix, entry_len) in [("index", 8), ("timeindex", 12), ("txnindex", 34)] {
        let file = std::path::Path::new(&log).with_extension(suffix);
        let mut bytes = fs::read(&file).unwrap_or_default();
        let whole = bytes.len() / entry_len * entry_len;
        bytes.truncate(whole);
        bytes.extend([1; 5]);
        fs::write(&file, bytes).unwrap();
        let said = run(&["log", "dump", file.to_str().unwrap()]);
        let line = format!("! position {whole}: 5 bytes are no whole entry");
        assert!(said.out.contains(&line), "{suffix}: {said:?}");
        said.failed(1);
    }
    drop(dir);
}

#[test]
fn entries_of_an_index_that_do_not_rise_are_damage() {
    let (dir, log) = log();
    let index = std::path::Path::new(&log).with_extension("index");
    fs::write(&index, [0, 0, 0, 1, 0, 0, 0, 0].repeat(3)).unwrap();
    let said = run(&["log", "dump", index.to_str().unwrap()]);
    assert_eq!(said.out.matches("does not lie behind the one before it").count(), 2, "{said:?}");
    said.failed(1);
    drop(dir);
}

#[test]
fn aborted_transactions_of_no_known_version_or_out_of_order_are_told_and_the_others_are_printed() {
    let (dir, log) = log();
    let file = std::path::Path::new(&log).with_extension("txnindex");
    let entry = |version: i16, last_offset: i64| {
        let numbers = [7, 1, last_offset, last_offset + 1].map(i64::to_be_bytes).concat();
        [version.to_be_bytes().as_slice(), &numbers].concat()
    };
    fs::write(&file, [entry(0, 5), entry(16, 9), entry(0, 8), entry(0, 12)].concat()).unwrap();
    let said = run(&["log", "dump", file.to_str().unwrap()]);
    assert_eq!(said.out.matches("producerId: 7").count(), 4, "{said:?}");
    assert!(said.out.contains("! position 34: version 16 is not known"), "{said:?}");
    assert!(said.out.contains("! position 68: its marker does not lie behind the one before it"), "{said:?}");
    assert_eq!(said.out.matches("! ").count(), 2, "{said:?}");
    said.failed(1);
    drop(dir);
}
