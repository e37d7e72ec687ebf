//! What people are told of log directories that were loaded, at the start or later: what was cut, what is damaged, what
//! is not served.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use pagewire_log::{Damaged, FailedLog, Hole, LoadReport, LogError, Notice};
use tracing::{error, info, warn};

use crate::plural::{counted, counted_are};

/// Partitions that are gone, told one by one for each directory.
const GONE_TOLD_MAX: usize = 8;

/// Tells people what a start found: what was cut first of all. Directories in `removed` were left of deleted topics.
pub(crate) fn report(report: &LoadReport, removed: &[PathBuf]) {
    let is_leftover = |notice: &&Notice| matches!(notice, Notice::Leftover { .. });
    for notice in report.notices.iter().filter(|notice| !is_about(notice, removed) && !is_leftover(notice)) {
        warn!("{notice}");
    }
    if let Some(first) = report.notices.iter().find(is_leftover) {
        match report.notices.iter().filter(is_leftover).count() {
            1 => info!("{first}"),
            more => info!("{first}; so it is with {}", counted(more as u64 - 1, "other directory")),
        }
    }
    if let Some(first) = removed.first() {
        let what = counted_are(removed.len() as u64, "directory of a deleted topic");
        info!(first = %first.display(), "{what} removed");
    }
    for log in &report.loaded {
        for cut in &log.report.cuts {
            warn!("{cut}");
        }
        for hole in Hole::told(&log.report.holes) {
            error!("{hole}");
        }
        for damage in Damaged::summed(&log.report.damage) {
            error!("{damage}: reads of them are refused, what lies around them is served");
        }
        for note in log.report.noted() {
            info!("{}-{}: {note}", log.topic, log.partition);
        }
    }
    report_gone(&report.failed);
    for log in report.failed.iter().filter(|log| gone_from(log).is_none()) {
        error!("{}-{} cannot be opened and is not served: {}", log.topic, log.partition, log.error);
    }
}

/// Partitions that are gone are told one by one as long as there are few of them.
fn report_gone(failed: &[FailedLog]) {
    let mut by_dir: BTreeMap<&Path, Vec<&FailedLog>> = BTreeMap::new();
    for (dir, log) in failed.iter().filter_map(|log| Some((gone_from(log)?, log))) {
        by_dir.entry(dir).or_default().push(log);
    }
    for (dir, gone) in by_dir {
        for log in gone.iter().take(GONE_TOLD_MAX) {
            error!("{}-{} is not served: {}", log.topic, log.partition, log.error);
        }
        if gone.len() > GONE_TOLD_MAX {
            error!(dir = %dir.display(), partitions = gone.len(), "so many are gone from the directory and not served, of which the above are some");
        }
    }
}

/// The log directory that a partition is gone from, if it is.
fn gone_from(log: &FailedLog) -> Option<&Path> {
    let LogError::Gone { path, .. } = &log.error else { return None };
    path.parent()
}

fn is_about(notice: &Notice, paths: &[PathBuf]) -> bool {
    let (Notice::UnknownTopic { path } | Notice::SetAside { path } | Notice::Stray { path, .. }) = notice
    else {
        return false;
    };
    paths.contains(path)
}
