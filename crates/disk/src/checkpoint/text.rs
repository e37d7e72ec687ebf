//! The frame that Kafka's checkpoint files share: a version line, a count line, one line per entry.

use std::fmt::{Display, Write};

use super::error::Damage;

const VERSION: u32 = 0;

/// Renders entries under the version and their count.
pub(crate) fn render<T: Display>(entries: impl ExactSizeIterator<Item = T>) -> String {
    let mut text = format!("{VERSION}\n{}\n", entries.len());
    for entry in entries {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{entry}");
    }
    text
}

/// Parses the frame and every entry; `entry` gets the line's words.
pub(crate) fn parse<T>(
    text: &str,
    expected: &'static str,
    mut entry: impl FnMut(&[&str]) -> Option<T>,
) -> Result<Vec<T>, Damage> {
    let mut lines = text.lines();
    let version = lines.next().unwrap_or_default().trim();
    if version.parse() != Ok(VERSION) {
        let found = version.chars().take(20).collect();
        return Err(Damage::Version { found, expected: VERSION });
    }
    // Every line ends with one, also when Kafka writes it. A last number that was cut would be believed without.
    if !text.ends_with('\n') {
        return Err(Damage::Cut);
    }
    let announced: u64 = lines
        .next()
        .and_then(|line| line.trim().parse().ok())
        .ok_or(Damage::Line { line: 2, expected: "the number of entries" })?;
    let mut entries = Vec::new();
    for (index, line) in lines.enumerate() {
        let words: Vec<&str> = line.split_whitespace().collect();
        entries.push(entry(&words).ok_or(Damage::Line { line: index + 3, expected })?);
    }
    if entries.len() as u64 != announced {
        return Err(Damage::Count { announced, found: entries.len() as u64 });
    }
    Ok(entries)
}
