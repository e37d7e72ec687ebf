//! How the last stop went, in one line: whether it was in order, what was checked because it was not, and what follows. What was
//! cut or is damaged has lines of its own, after this one.

use std::time::Duration;

use pagewire_log::{Leftovers, LoadReport, Notice, RecoveryReport, Unmarked};
use tracing::{info, warn};

use crate::plural::counted;

/// Leader epochs before and after a start.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epochs {
    pub(super) before: i32,
    pub(super) now: i32,
}

/// Tells it. A first start has nothing to tell.
pub(super) fn tell(report: &LoadReport, took: Duration, epochs: Epochs) {
    match of(report, took, epochs) {
        Some(story) if report.clean || report.unmarked.is_some() => info!("{story}"),
        Some(story) => warn!("{story}"),
        None => {}
    }
    if let Some(line) = left_over(report) {
        info!("{line}");
    }
}

/// It says nothing of records: those that went bad since may be found at any time.
const IN_ORDER: &str = "the last stop was in order: no log has to be checked for what a kill leaves";
const IN_ORDER_BUT: &str =
    "the last stop was in order, and something was lost or damaged since: it is named below";

/// Whether nothing was found that the last stop cannot have left.
fn is_as_it_was_left(report: &LoadReport) -> bool {
    let is_lost = |notice: &Notice| matches!(notice, Notice::Lost { .. });
    let is_whole = |RecoveryReport { cuts, holes, damage, .. }: &RecoveryReport| {
        cuts.is_empty() && holes.is_empty() && damage.is_empty()
    };
    report.failed.is_empty()
        && !report.notices.iter().any(is_lost)
        && report.loaded.iter().all(|log| is_whole(&log.report))
}

fn of(report: &LoadReport, took: Duration, epochs: Epochs) -> Option<String> {
    if report.loaded.is_empty() {
        return None;
    }
    if report.clean {
        let story = if is_as_it_was_left(report) { IN_ORDER } else { IN_ORDER_BUT };
        return Some(story.to_owned());
    }
    let logs = || report.loaded.iter().map(|log| &log.report);
    let checked = logs().filter(|log| log.scanned_bytes > 0).count() as u64;
    let bytes: u64 = logs().map(|log| log.scanned_bytes).sum();
    let cuts = || logs().flat_map(|log| &log.cuts);
    let cut = match cuts().count() as u64 {
        0 => "nothing had to be cut".to_owned(),
        places => {
            let bytes = cuts().map(|cut| cut.bytes).sum();
            format!("{} cut in {}, named below", counted(bytes, "byte"), counted(places, "place"))
        }
    };
    let Epochs { before, now } = epochs;
    let epoch = if now == before {
        String::new()
    } else {
        format!(
            "; the leader epoch rises from {before} to {now}, so that clients look whether they have what is there"
        )
    };
    let how = match report.unmarked {
        None => "the last stop was not in order (killed, crashed, or the power went)",
        Some(Unmarked::Restored) => "the first start after a restore",
        Some(Unmarked::StartStopped) => {
            "the last stop was in order, and the start after it was stopped before it served"
        }
        Some(Unmarked::MarkLost) => {
            "the last stop was in order, and the mark that says so is gone or damaged"
        }
    };
    Some(format!(
        "{how}: {} of {} checked from the last checkpoint on, {} in {:.1} s, {cut}{epoch}",
        checked,
        counted(report.loaded.len() as u64, "log"),
        counted(bytes, "byte"),
        took.as_secs_f64(),
    ))
}

fn left_over(report: &LoadReport) -> Option<String> {
    let mut all = Leftovers::default();
    report.loaded.iter().for_each(|log| all.add(log.report.leftovers));
    let Leftovers { files, bytes } = all;
    (files > 0).then(|| {
        let (files, bytes) = (counted(files, "file"), counted(bytes, "byte"));
        format!(
            "{files} of deleted or unfinished segments, {bytes}, were left by the last run and are removed"
        )
    })
}

#[cfg(test)]
mod tests {
    use pagewire_log::{Cut, Damaged, FailedLog, LoadedLog, LogError};

    use super::*;

    fn loaded(report: RecoveryReport) -> LoadedLog {
        LoadedLog { topic: "t".to_owned(), partition: 0, report }
    }

    fn told(report: &LoadReport, now: i32) -> Option<String> {
        of(report, Duration::from_millis(1240), Epochs { before: 7, now })
    }

    #[test]
    fn a_start_says_how_the_last_stop_went_and_what_follows() {
        let first = LoadReport::default();
        assert_eq!(told(&first, 7), None);
        let cut = Cut {
            file: "/d/t-0/0.log".into(),
            offset: 5,
            position: 100,
            bytes: 30,
            reason: "torn".into(),
            good: None,
            set_aside: None,
        };
        let checked = RecoveryReport { scanned_bytes: 900, ..RecoveryReport::default() };
        let torn = RecoveryReport { cuts: vec![cut], ..checked.clone() };
        let mut report =
            LoadReport { loaded: vec![loaded(RecoveryReport::default()), loaded(checked)], ..first };
        assert_eq!(
            told(&report, 8).as_deref(),
            Some(
                "the last stop was not in order (killed, crashed, or the power went): 1 of 2 logs checked from the last \
                 checkpoint on, 900 bytes in 1.2 s, nothing had to be cut; the leader epoch rises from 7 to 8, so that \
                 clients look whether they have what is there"
            )
        );
        report.loaded.push(loaded(torn));
        let story = told(&report, 7).expect("told");
        assert!(story.ends_with("2 of 3 logs checked from the last checkpoint on, 1800 bytes in 1.2 s, 30 bytes cut in 1 place, named below"), "{story}");
        report.unmarked = Some(Unmarked::Restored);
        let story = told(&report, 8).expect("told");
        assert!(story.starts_with("the first start after a restore: 2 of 3 logs checked"), "{story}");
        report.unmarked = Some(Unmarked::StartStopped);
        assert!(told(&report, 8).is_some_and(|story| story.contains("the start after it was stopped")));
        report.unmarked = Some(Unmarked::MarkLost);
        assert!(
            told(&report, 8)
                .is_some_and(|story| story.starts_with("the last stop was in order, and the mark"))
        );
        report.clean = true;
        assert!(told(&report, 7).is_some_and(|story| story.starts_with("the last stop was in order")));
    }

    #[test]
    fn a_log_that_lost_something_since_an_orderly_stop_ends_the_talk_of_order() {
        let damaged = Damaged { file: "/d/t-0/0.log".into(), position: 0, bytes: 9, from: 0, upto: 3 };
        let gone = LogError::Gone { path: "/d/t-1".into(), home: "/d".into(), stray: None };
        let whole = || LoadReport {
            clean: true,
            loaded: vec![loaded(RecoveryReport::default())],
            ..LoadReport::default()
        };
        assert_eq!(told(&whole(), 7).as_deref(), Some(IN_ORDER));
        let lost = Notice::Lost { path: "/d/t-0".into(), log_end: 5, known_end: 9 };
        let damage = RecoveryReport { damage: vec![damaged], ..RecoveryReport::default() };
        let reports = [
            LoadReport { loaded: vec![loaded(damage)], ..whole() },
            LoadReport { notices: vec![lost], ..whole() },
            LoadReport {
                failed: vec![FailedLog { topic: "t".into(), partition: 1, error: gone }],
                ..whole()
            },
        ];
        for report in reports {
            assert_eq!(told(&report, 7).as_deref(), Some(IN_ORDER_BUT), "{report:?}");
        }
    }

    #[test]
    fn leftovers_of_all_logs_are_one_line() {
        let left = |files, bytes| {
            loaded(RecoveryReport { leftovers: Leftovers { files, bytes }, ..RecoveryReport::default() })
        };
        let report =
            LoadReport { loaded: vec![left(3, 100), left(0, 0), left(1, 4)], ..LoadReport::default() };
        assert_eq!(
            left_over(&report).as_deref(),
            Some(
                "4 files of deleted or unfinished segments, 104 bytes, were left by the last run and are removed"
            )
        );
        assert_eq!(left_over(&LoadReport::default()), None);
    }
}
