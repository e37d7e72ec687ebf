//! `pagewire log dump` beside DumpLogSegments: over every file of a data directory, in each of the tool's ways of looking, both
//! print the same lines in the same order.
//!
//! What the tool tells on standard error at its end, out of maps that have no order, is compared by nobody here: `dump.rs` reads
//! it as an accusation.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use super::dump::{CLASS, files_of, partitions, topic_of};
use crate::harness::commands::run;
use crate::parts::kafka::Oracle;

/// Files named to one call.
const FILES_AT_ONCE: usize = 100;
/// So many characters are shown before what differs.
const BEFORE: usize = 60;
const TRANSACTIONS: &str = "__transaction_state";

/// A way of looking, at the files of which kind and topic.
struct Look {
    kind: &'static str,
    /// Of one topic only.
    of: Option<&'static str>,
    options: &'static [&'static str],
}

const fn look(kind: &'static str, options: &'static [&'static str]) -> Look {
    Look { kind, of: None, options }
}

const LOOKS: &[Look] = &[
    look("log", &[]),
    look("log", &["--deep-iteration"]),
    look("log", &["--print-data-log"]),
    look("log", &["--print-data-log", "--skip-record-metadata"]),
    look("log", &["--deep-iteration", "--max-bytes", "700"]),
    look("log", &["--value-decoder-class", "org.apache.kafka.tools.api.StringDecoder"]),
    Look { kind: "log", of: Some(super::workload::OFFSETS), options: &["--offsets-decoder"] },
    Look { kind: "log", of: Some(TRANSACTIONS), options: &["--transaction-log-decoder"] },
    look("index", &[]),
    look("index", &["--verify-index-only"]),
    look("index", &["--index-sanity-check"]),
    look("timeindex", &[]),
    look("timeindex", &["--verify-index-only"]),
    look("timeindex", &["--index-sanity-check"]),
    look("txnindex", &[]),
    look("snapshot", &[]),
];

/// What the tool begins its last words with.
const LAST_WORDS: [&str; 4] = [
    "Mismatches in :",
    "Found timestamp mismatch in :",
    "Found out of order timestamp in :",
    "Non-consecutive offsets in ",
];

/// Compares all of it; files of each of these `kinds` must be there.
pub(in crate::parts) fn says_the_same(
    oracle: &Oracle,
    binary: &Path,
    data_dir: &Path,
    kinds: &[&str],
) -> Result<()> {
    let folders = partitions(data_dir)?;
    let mut lines = 0;
    for Look { kind, of, options } in LOOKS {
        let mut files = Vec::new();
        for folder in &folders {
            if of.is_none_or(|topic| topic_of(folder).as_deref() == Some(topic)) {
                files.extend(files_of(folder, &[*kind])?);
            }
        }
        ensure!(of.is_some() || !kinds.contains(kind) || !files.is_empty(), "no file of the kind {kind}");
        for some in files.chunks(FILES_AT_ONCE) {
            let (theirs, ours) = (theirs(oracle, options, some)?, ours(binary, options, some)?);
            lines += theirs.len();
            same(&theirs, &ours).with_context(|| format!("{kind} {options:?}"))?;
        }
    }
    ensure!(lines > 1000, "only {lines} lines: no workload");
    Ok(())
}

fn theirs(oracle: &Oracle, options: &[&str], files: &[String]) -> Result<Vec<String>> {
    let list = files.join(",");
    let said = oracle.call(CLASS, &[options, &["--files", list.as_str()][..]].concat())?;
    let is_last = |line: &&str| LAST_WORDS.iter().any(|words| line.starts_with(words));
    Ok(said.lines().take_while(|line| !is_last(line)).map(str::to_owned).collect())
}

fn ours(binary: &Path, options: &[&str], files: &[String]) -> Result<Vec<String>> {
    let mut command = Command::new(binary);
    command.args(["log", "dump"]).args(options);
    Ok(run(command.args(files), "")?.succeeded()?.out.lines().map(str::to_owned).collect())
}

/// Fails with the first line that differs, and the file it is about.
fn same(theirs: &[String], ours: &[String]) -> Result<()> {
    let mut file = "";
    for at in 0..theirs.len().max(ours.len()) {
        let here = |of: &[String]| of.get(at).cloned().unwrap_or_else(|| "(nothing)".to_owned());
        let (theirs_here, ours_here) = (here(theirs), here(ours));
        if theirs_here != ours_here {
            let (theirs, ours) = where_they_part(&theirs_here, &ours_here);
            bail!("{file}, line {at}:\n  theirs ...{theirs:?}...\n  ours   ...{ours:?}...");
        }
        if let Some(next) = theirs.get(at).and_then(|line| line.strip_prefix("Dumping ")) {
            file = next;
        }
    }
    Ok(())
}

/// What stands in each around the first character that differs.
fn where_they_part(theirs: &str, ours: &str) -> (String, String) {
    let same = theirs.chars().zip(ours.chars()).take_while(|(one, other)| one == other).count();
    let around = |line: &str| line.chars().skip(same.saturating_sub(BEFORE)).take(2 * BEFORE).collect();
    (around(theirs), around(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_that_differs_is_told_with_its_file() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let said = lines("Dumping a/0.log\nbaseOffset: 0\nbaseOffset: 7");
        assert!(same(&said, &said).is_ok());
        for other in ["Dumping a/0.log\nbaseOffset: 0", "Dumping a/0.log\nbaseOffset: 0\nbaseOffset: 8"] {
            let told = same(&said, &lines(other)).expect_err("another").to_string();
            assert!(told.contains("a/0.log") && told.contains("baseOffset: 7"), "{told}");
            assert!(same(&lines(other), &said).is_err());
        }
    }
}
