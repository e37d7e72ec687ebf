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
#[path = "../play/mod.rs"]
mod play;
mod player;
mod print;

use std::path::Path;

/// How many there are in the file.
const QUESTIONS: usize = 89;

#[test]
fn transcripts_of_transactions_play_as_written() {
    play::folder("txn_transcripts", || {
        let mut player = player::Player::default();
        move |line| player.run(&command::Command::parse(line))
    });
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
