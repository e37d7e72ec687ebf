//! Plays the transcripts beside this file's folder: what goes into a shard, and what must come out.
//!
//! ```text
//!   # a comment
//!   join 1 group=g client=c protocols=range:x        a command, a token, fields
//!   ----
//!   reply 1 join ok ...                              what the shard does, one line per effect
//!   <empty line>
//! ```
//! `UPDATE_TRANSCRIPTS=1 cargo test -p pagewire-coordinate` writes what came out into the files; read the difference.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod command;
#[path = "../play/mod.rs"]
mod play;
mod player;
mod print;

#[test]
fn transcripts_play_as_written() {
    play::folder("transcripts", || {
        let mut player = player::Player::default();
        move |line| player.run(&command::Command::parse(line))
    });
}
