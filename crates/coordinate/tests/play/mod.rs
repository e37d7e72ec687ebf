//! What the players of transcripts share: reading a folder of them, and a command line of one.

mod line;

use std::fmt::Write as _;
use std::path::Path;

pub(crate) use line::Line;

/// Plays all transcripts of a folder, each with a new player, which makes of a command line what came of it. With
/// `UPDATE_TRANSCRIPTS` set, what came out is written into the files.
pub(crate) fn folder<P: FnMut(&str) -> String>(name: &str, new_player: impl Fn() -> P) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = String::new();
    for file in files {
        let written = std::fs::read_to_string(&file).unwrap();
        let played = play(&written, new_player());
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

fn play(written: &str, mut player: impl FnMut(&str) -> String) -> String {
    let mut played = String::new();
    let mut lines = written.lines().peekable();
    while let Some(line) = lines.next() {
        played.push_str(line);
        played.push('\n');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let output = player(line);
        if lines.next_if_eq(&"----").is_some() {
            while lines.next_if(|line| !line.is_empty()).is_some() {}
        }
        played.push_str("----\n");
        played.push_str(&output);
    }
    played
}
