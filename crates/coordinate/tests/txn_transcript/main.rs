//! Plays the transcripts of transactions beside this file's folder: what goes into a shard, and what must come out.
//!
//! ```text
//!   # a comment
//!   init 1 id=a timeout=60000                         a command, a token, fields
//!   ----
//!   write a Empty producer=100:0 ...                  what the shard does, one line per effect
//!   <empty line>
//! ```
//! `UPDATE_TRANSCRIPTS=1 cargo test -p pagewire-coordinate` writes what came out into the files; read the difference.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;
mod player;
mod print;

use std::fmt::Write as _;
use std::path::Path;

/// How many there are in the file.
const QUESTIONS: usize = 89;

#[test]
fn transcripts_of_transactions_play_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/txn_transcripts");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = String::new();
    for file in files {
        let written = std::fs::read_to_string(&file).unwrap();
        let played = play(&written);
        if played != written {
            if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
                std::fs::write(&file, &played).unwrap();
            } else {
                let line = written.lines().zip(played.lines()).take_while(|(a, b)| a == b).count();
                let (was, is) = (written.lines().nth(line), played.lines().nth(line));
                let _ = writeln!(wrong, "{}:{}: written {was:?}, played {is:?}", file.display(), line + 1);
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn questions_are_answered_as_kafka_answered_them() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/txn_kafka_answers.txt");
    let (mut player, mut asked) = (player::Player::default(), 0);
    for line in std::fs::read_to_string(path).unwrap().lines() {
        let Some((question, answer)) = line.split_once(" => ") else {
            assert!(line.is_empty() || line.starts_with('#'), "{line}");
            continue;
        };
        let output = player.run(&command::Command::parse(question));
        let said = output.lines().find_map(|line| line.strip_prefix("reply ")).map_or_else(
            || output.trim_end(),
            // Behind the token and the kind of the question.
            |reply| reply.splitn(3, ' ').nth(2).unwrap(),
        );
        assert_eq!(said, answer, "{question}");
        asked += 1;
    }
    assert_eq!(asked, QUESTIONS);
}

fn play(written: &str) -> String {
    let mut player = player::Player::default();
    let mut played = String::new();
    let mut lines = written.lines().peekable();
    while let Some(line) = lines.next() {
        played.push_str(line);
        played.push('\n');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let output = player.run(&command::Command::parse(line));
        if lines.next_if_eq(&"----").is_some() {
            while lines.next_if(|line| !line.is_empty()).is_some() {}
        }
        played.push_str("----\n");
        played.push_str(&output);
    }
    played
}
