//! DumpLogSegments over every file of a data directory, in each of its ways of looking.
//!
//! Its exit code is 0 whatever it finds, so its lines are read: those known to be harmless are passed over, every other
//! is an accusation.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::workload::OFFSETS;
use crate::parts::kafka::Oracle;

pub(super) const CLASS: &str = "org.apache.kafka.tools.DumpLogSegments";
/// Files named to one call of the tool.
const FILES_AT_ONCE: usize = 500;
/// An accusation is told with this much of it.
const TOLD_MAX: usize = 5;

/// What the tool looks at, and how.
const LOOKS: [(&[&str], &[&str]); 4] = [
    (&["log", "snapshot", "txnindex"], &["--deep-iteration"]),
    (&["index", "timeindex"], &[]),
    (&["index", "timeindex"], &["--verify-index-only"]),
    (&["index", "timeindex"], &["--index-sanity-check"]),
];

/// Looks at everything in a data directory. Partitions of `compacted` topics may have gaps between offsets.
pub(in crate::parts) fn says_nothing(oracle: &Oracle, data_dir: &Path, compacted: &[&str]) -> Result<()> {
    let folders = partitions(data_dir)?;
    let mut looked_at = 0;
    for (kinds, how) in LOOKS {
        // As few calls as the tool's options allow.
        let mut piles: BTreeMap<(bool, bool), Vec<String>> = BTreeMap::new();
        for folder in &folders {
            let topic = topic_of(folder).context("a partition's folder without a number")?;
            let pile = (compacted.contains(&topic.as_str()), topic == OFFSETS && kinds.contains(&"log"));
            piles.entry(pile).or_default().extend(files_of(folder, kinds)?);
        }
        for ((gaps, decoded), files) in piles {
            for some in files.chunks(FILES_AT_ONCE) {
                looked_at += some.len();
                let mut arguments = how.to_vec();
                arguments.extend(decoded.then_some("--offsets-decoder"));
                let list = some.join(",");
                arguments.extend(["--files", &list]);
                let said = oracle.call(CLASS, &arguments)?;
                let accusations = accusations(&said, gaps);
                let first = accusations.get(..accusations.len().min(TOLD_MAX)).unwrap_or_default();
                ensure!(
                    accusations.is_empty(),
                    "{how:?}: {} accusations: {}",
                    accusations.len(),
                    first.join(" | ")
                );
            }
        }
    }
    ensure!(looked_at > 50, "only {looked_at} files: no workload");
    Ok(())
}

/// The folders of partitions.
pub(super) fn partitions(data_dir: &Path) -> Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(data_dir)? {
        let path = entry?.path();
        if path.is_dir() && path.join("partition.metadata").is_file() && topic_of(&path).is_some() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// `orders` of `.../orders-7`; none of a folder that waits for its deletion.
pub(super) fn topic_of(folder: &Path) -> Option<String> {
    let (topic, number) = folder.file_name()?.to_str()?.rsplit_once('-')?;
    number.parse::<u32>().ok().map(|_| topic.to_owned())
}

pub(super) fn files_of(folder: &Path, kinds: &[&str]) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kinds.iter().any(|known| kind == *known)) {
            files.push(path.display().to_string());
        }
    }
    files.sort();
    Ok(files)
}

/// The lines that are not known to be harmless, with the files they are about.
fn accusations(said: &str, gaps: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut file = "";
    for line in said.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(next) = line.strip_prefix("Dumping ") {
            file = next;
        } else if !is_harmless(line, gaps) {
            found.push(format!("{file}: {line}"));
        }
    }
    found
}

fn is_harmless(line: &str, gaps: bool) -> bool {
    const BEGINNINGS: [&str; 7] = [
        "Log starting offset: ",
        "| offset: ",
        "offset: ",
        "timestamp: ",
        "producerId: ",
        // Of an aborted transaction.
        "version: 0 producerId: ",
        // What it is about follows, a line for each.
        "Non-consecutive offsets in ",
    ];
    const ENDS: [&str; 2] = [" is empty.", " passed sanity check."];
    if let Some((before, _)) = line.split_once(" is followed by ") {
        // The tool says that of the first batch of every file whose name is not zero.
        return gaps || before == "-1";
    }
    (line.starts_with("baseOffset: ") && line.ends_with(" isvalid: true"))
        || BEGINNINGS.iter().any(|beginning| line.starts_with(beginning))
        || ENDS.iter().any(|end| line.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tool_says_of_good_files_is_harmless_and_the_rest_is_not() {
        let good = "Dumping t-0/00.log\nLog starting offset: 0\nbaseOffset: 0 lastOffset: 9 isvalid: true\n\
                    | offset: 0 isvalid: true\nNon-consecutive offsets in t-0/07.log\n  -1 is followed by 7\n";
        assert_eq!(accusations(good, false), Vec::<String>::new());
        let gap = "Non-consecutive offsets in t-0/07.log\n  5 is followed by 7\n";
        assert_eq!(accusations(gap, true), Vec::<String>::new());
        assert_eq!(accusations(gap, false).len(), 1);
        for bad in [
            "baseOffset: 0 lastOffset: 9 isvalid: false",
            "Found 12 invalid bytes at the end of 00.log",
            "Mismatches in :t-0/00.index",
            "Index offset: 5, log offset: 7",
            "Found timestamp mismatch in :t-0/00.timeindex",
        ] {
            assert_eq!(accusations(bad, true).len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_folder_that_waits_for_its_deletion_is_no_partition() {
        assert_eq!(topic_of(Path::new("/d/a-b-7")).as_deref(), Some("a-b"));
        assert_eq!(topic_of(Path::new("/d/a-7.0123-delete")), None);
    }
}
