//! Kafka's own message classes read what we write and the other way round, for every message and version of 4.3.1;
//! the tables of API keys and error codes are Kafka's too.
//!
//! Needs a JDK 17 and `PAGEWIRE_KAFKA_CLASSPATH`: a class path with kafka-clients 4.3.1 and slf4j-api. Without it the
//! test says that it skipped; where `CI=true` a missing oracle is a failure. The Java side is
//! `conformance/java-wire/WireOracle.java`.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use bytes::Bytes;
use pagewire_wire::testing::{ALL, Rng};
use pagewire_wire::{ApiKey, ErrorCode, RequestHeader, Writer};

const ROUNDS: u64 = 12;

/// Runs the oracle over `commands` and returns its lines; `None` if there is no oracle here.
fn ask(commands: String) -> Option<Vec<String>> {
    let Some(class_path) = std::env::var_os("PAGEWIRE_KAFKA_CLASSPATH") else {
        let must = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(!must, "PAGEWIRE_KAFKA_CLASSPATH is not set, and CI=true allows no skip");
        eprintln!(
            "skipped: PAGEWIRE_KAFKA_CLASSPATH is not set, so Kafka's classes are not here to compare with"
        );
        return None;
    };
    let source =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../conformance/java-wire/WireOracle.java");
    let mut child = Command::new("java")
        .args(["-XX:TieredStopAtLevel=1", "-Xmx256m", "-cp"])
        .arg(class_path)
        .arg(source)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("java starts");
    let mut input = child.stdin.take().expect("piped");
    // Both sides would wait for each other if one thread wrote and read.
    let writer = thread::spawn(move || input.write_all(commands.as_bytes()));
    let lines =
        BufReader::new(child.stdout.take().expect("piped")).lines().map(|l| l.expect("UTF-8")).collect();
    let status = child.wait().expect("java ends");
    writer.join().expect("the writer ends").expect("java reads everything");
    assert!(status.success(), "the oracle failed: {status}");
    Some(lines)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Bytes {
    let digit = |c: u8| char::from(c).to_digit(16).expect("a hex digit") as u8;
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[test]
fn kafkas_classes_write_back_what_we_wrote() {
    let mut asked = Vec::new();
    let mut commands = String::new();
    for entry in ALL {
        for version in entry.min..=entry.max {
            for round in 0..ROUNDS {
                let bytes = (entry.random)(&mut Rng::new(round + 1000), version).expect("encodes");
                writeln!(commands, "recode {} {version} {}", entry.name, hex(&bytes)).expect("into a string");
                asked.push((entry.name, version, hex(&bytes)));
            }
        }
    }
    for (key, version) in [(ApiKey::Metadata, 8), (ApiKey::Metadata, 9), (ApiKey::OffsetDelete, 0)] {
        for client in [None, Some("client"), Some("")] {
            let header = RequestHeader {
                api_key: key,
                api_version: version,
                correlation_id: -7,
                client_id: client.map(Into::into),
            };
            let mut w = Writer::default();
            header.encode(&mut w).expect("encodes");
            let bytes = w.finish().0;
            let form = if key.is_flexible(version) { 2 } else { 1 };
            writeln!(commands, "recode RequestHeader {form} {}", hex(&bytes)).expect("into a string");
            asked.push(("RequestHeader", form, hex(&bytes)));
        }
    }
    let Some(answers) = ask(commands) else { return };
    assert_eq!(answers.len(), asked.len());
    for ((name, version, ours), answer) in asked.iter().zip(&answers) {
        assert_eq!(answer.strip_prefix("ok "), Some(ours.as_str()), "{name} v{version}: {answer}");
    }
}

#[test]
fn we_write_back_what_kafkas_classes_wrote() {
    let mut commands = String::new();
    for entry in ALL {
        for version in entry.min..=entry.max {
            writeln!(commands, "random {} {version} {version} {ROUNDS}", entry.name).expect("into a string");
        }
    }
    let Some(answers) = ask(commands) else { return };
    let mut answers = answers.iter();
    for entry in ALL {
        for version in entry.min..=entry.max {
            for _ in 0..ROUNDS {
                let answer = answers.next().expect("an answer");
                let theirs = answer
                    .strip_prefix("ok ")
                    .unwrap_or_else(|| panic!("{} v{version}: {answer}", entry.name));
                let (ours, left) = (entry.recode)(unhex(theirs), version)
                    .unwrap_or_else(|e| panic!("{} v{version}: {e} in {theirs}", entry.name));
                assert_eq!((hex(&ours).as_str(), left), (theirs, 0), "{} v{version}", entry.name);
            }
        }
    }
    assert_eq!(answers.next(), None);
}

#[test]
fn the_tables_of_keys_and_errors_are_kafkas() {
    let Some(answers) = ask("keys\nerrors\n".to_owned()) else { return };
    let (mut keys, mut errors) = (0, 0);
    for answer in answers.iter().filter(|answer| *answer != "end") {
        let words: Vec<&str> = answer.split(' ').collect();
        let number = |at: usize| words[at].parse::<i16>().expect("a number");
        if words[0] == "key" {
            let key = ApiKey::from_code(number(1)).unwrap_or_else(|| panic!("{answer}"));
            let ours = (key.name(), *key.valid_versions().start(), *key.valid_versions().end());
            assert_eq!(ours, (words[2], number(3), number(4)), "{answer}");
            assert_eq!(*key.stable_versions().end(), number(5), "{answer}");
            // Kafka's list begins with the first version that still exists.
            assert_eq!(key.flexible_from().map_or(-1, |from| from.max(number(3))), number(6), "{answer}");
            keys += 1;
        } else {
            let error = ErrorCode::from_code(number(1)).unwrap_or_else(|| panic!("{answer}"));
            assert_eq!(
                (error.name(), error.is_retriable().to_string().as_str()),
                (words[2], words[3]),
                "{answer}"
            );
            errors += 1;
        }
    }
    assert_eq!(keys, ApiKey::all().count());
    assert!(errors >= 135, "only {errors} errors");
}
