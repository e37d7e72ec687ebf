//! Room: bytes, and names for files.

use std::io;
use std::path::Path;

use rustix::fs::statvfs;

use crate::finding::Finding;
use crate::{Plan, place, words};

/// Less, and hardly a batch can be written.
const BROKEN_BELOW: u64 = 16 << 20;
/// A partition has up to six files; fewer names left are used up by a topic or two.
const NAMES_MIN: u64 = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    total: u64,
    /// What is left for those without privilege.
    usable: u64,
    /// Names of files, all and left; `None` where the file system does not count them.
    names: Option<(u64, u64)>,
}

pub(crate) fn look(plan: &Plan) -> Vec<Finding> {
    match probe(&place::nearest(&plan.data_dir)) {
        Ok(facts) => {
            let mut findings = vec![judge_bytes(&facts, plan.segment_bytes)];
            findings.extend(facts.names.map(|(total, left)| judge_names(total, left)));
            findings
        }
        Err(error) => vec![Finding::unseen("space", &error)],
    }
}

fn probe(dir: &Path) -> io::Result<Facts> {
    let stat = statvfs(dir)?;
    Ok(Facts {
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
        usable: stat.f_bavail.saturating_mul(stat.f_frsize),
        names: (stat.f_files > 0).then_some((stat.f_files, stat.f_favail)),
    })
}

fn judge_bytes(facts: &Facts, segment_bytes: u64) -> Finding {
    let found = format!(
        "{} of {} left ({} %)",
        words::bytes(facts.usable),
        words::bytes(facts.total),
        words::percent(facts.usable, facts.total)
    );
    if facts.usable < BROKEN_BELOW {
        let advice = "the disk is full, and produce requests are refused: make room, lower log.retention.bytes or \
                      log.retention.hours, or choose another directory with --data-dir";
        return Finding::broken("space", found, advice);
    }
    if facts.total < segment_bytes.saturating_mul(2) {
        let advice = format!(
            "the file system is too small for two full segments of {} (log.segment.bytes): choose a larger one with \
             --data-dir, or lower that setting",
            words::bytes(segment_bytes)
        );
        return Finding::better("space", found, advice);
    }
    if facts.usable < segment_bytes.saturating_mul(2) {
        let advice = format!(
            "two full segments of {} (log.segment.bytes) do not fit: make room, or lower log.retention.bytes or \
             log.retention.hours in time",
            words::bytes(segment_bytes)
        );
        return Finding::better("space", found, advice);
    }
    Finding::ok("space", found)
}

fn judge_names(total: u64, left: u64) -> Finding {
    let found = format!("{left} of {total} left ({} %)", words::percent(left, total));
    let advice = "each partition has up to six files and each further segment three: delete files, or make the file \
                  system anew with more inodes";
    match left {
        0..16 => Finding::broken("inodes", found, advice),
        16..NAMES_MIN => Finding::better("inodes", found, advice),
        _ => Finding::ok("inodes", found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;

    #[test]
    fn a_full_disk_is_broken_and_one_that_soon_will_be_could_be_better() {
        let state = |usable| judge_bytes(&Facts { total: 1 << 40, usable, names: None }, 1 << 30).state;
        assert_eq!(state(0), State::Broken);
        assert_eq!(state(1 << 30), State::CouldBeBetter);
        assert_eq!(state(2 << 30), State::Ok);
    }

    #[test]
    fn a_file_system_that_is_too_small_for_segments_is_told_from_one_that_is_full() {
        let advice = |total| judge_bytes(&Facts { total, usable: 1 << 30, names: None }, 1 << 30).advice;
        assert!(advice(1 << 30).contains("too small") && advice(1 << 40).contains("make room"));
    }

    #[test]
    fn a_disk_without_names_left_is_broken() {
        assert_eq!(judge_names(1 << 20, 0).state, State::Broken);
        assert_eq!(judge_names(1 << 20, 100).state, State::CouldBeBetter);
        assert_eq!(judge_names(1 << 20, 1 << 19).state, State::Ok);
    }
}
