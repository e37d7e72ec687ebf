//! `{"verb":"online","dir":DIR}`: a log directory that could not be read, or takes no writes any more, is opened anew and
//! served from now on. With `"empty":true` an empty one, in the place of one whose content is lost.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pagewire_log::{Damaged, Hole, LoadMeter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tracing::{info, warn};

use super::opening::Opening;
use super::{Call, Work, fields};
use crate::bounded::fitting;
use crate::broker::Broker;
use crate::cluster::{Name, Online, take_in};
use crate::loaded;

/// Between two lines of progress.
const EVERY: Duration = Duration::from_millis(500);
/// Lines of each kind that are told, and bytes that they take. The broker's log has more.
const TOLD_MAX: usize = 32;
const TOLD_BYTES_MAX: usize = 12 << 10;
/// Names of partitions are shorter.
const SERVED_BYTES_MAX: usize = 4 << 10;
/// Bytes of such a line: one names up to two commands, and the paths in them.
const LINE_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    /// As `log.dirs` names it.
    dir: PathBuf,
    /// What it held is lost: its partitions are made anew.
    #[serde(default)]
    empty: bool,
}

/// The answer.
#[derive(Serialize)]
struct Answer {
    /// Partitions that are served again: how many, and which.
    partitions: usize,
    served: Vec<String>,
    /// How many of them were made anew, and so are empty.
    made: usize,
    /// The directory had been closed in order.
    clean: bool,
    /// Logs that were cut, and why; records that are lost.
    cuts: Vec<String>,
    /// Records that are damaged: their reads are refused.
    damage: Vec<String>,
    /// Partitions that are not served, or take no records, and why; why some could not be made.
    failed: Vec<String>,
    /// What else is worth telling.
    notes: Vec<String>,
}

impl Answer {
    fn of(online: &Online, made: usize) -> Self {
        let report = &online.report;
        let logs = || report.loaded.iter();
        let cuts = logs().flat_map(|log| &log.report.cuts).map(ToString::to_string);
        let holes = logs().flat_map(|log| Hole::told(&log.report.holes));
        let damage = logs().flat_map(|log| Damaged::told(&log.report.damage));
        let failed = report.failed.iter();
        let read_only = online.read_only.iter().map(|((topic, partition), why)| {
            format!("{topic}-{partition}: it can be read, and takes no records: {why}")
        });
        let of_logs = logs().flat_map(|log| {
            log.report.notes.iter().map(move |note| format!("{}-{}: {note}", log.topic, log.partition))
        });
        Self {
            partitions: online.partitions.len(),
            served: within(
                SERVED_BYTES_MAX,
                online.partitions.iter().map(|(topic, partition)| format!("{topic}-{partition}")),
            ),
            made,
            clean: report.clean,
            cuts: told(cuts.chain(holes)),
            damage: told(damage.map(|damage| format!("{damage}: reads of them are refused"))),
            failed: told(
                failed
                    .map(|log| format!("{}-{}: {}", log.topic, log.partition, log.error))
                    .chain(read_only)
                    .chain(online.trouble.clone()),
            ),
            notes: told(report.notices.iter().map(ToString::to_string).chain(of_logs)),
        }
    }
}

/// As many as fit an answer.
fn told(lines: impl Iterator<Item = String>) -> Vec<String> {
    within(TOLD_BYTES_MAX, lines)
}

fn within(bytes: usize, lines: impl Iterator<Item = String>) -> Vec<String> {
    let shortened = |mut line: String| {
        line.truncate(line.floor_char_boundary(LINE_MAX));
        line
    };
    let lines: Vec<String> = lines.take(TOLD_MAX + 1).map(shortened).collect();
    let there = lines.len();
    let mut told = fitting(lines.into_iter().take(TOLD_MAX), bytes);
    if told.len() < there {
        told.push("and more, which are in the broker's log".to_owned());
    }
    told
}

pub(super) fn begin(request: Map<String, Value>, call: Call) -> Result<Work, String> {
    let Which { dir, empty } = fields(request)?;
    // As the settings have it.
    let dir = std::path::absolute(&dir).unwrap_or(dir);
    Ok(Box::pin(async move {
        info!(dir = %dir.display(), empty, "a log directory is opened");
        let (meter, watched) = watch::channel(None);
        let watch = move |begun: &Arc<LoadMeter>| {
            meter.send_replace(Some(Arc::clone(begun)));
        };
        let telling = tell(watched, call.progress);
        let taking = take_in(&call.broker, dir.clone(), empty, watch);
        let taken = tokio::select! {
            taken = taking => taken,
            never = telling => match never {},
        };
        let online = taken.map_err(|refused| refused.message).inspect_err(|why| {
            warn!(dir = %dir.display(), why, "log directory is not online");
        })?;
        loaded::report(&online.report, &[]);
        let (partitions, read_only, failed) =
            (online.partitions.len(), online.read_only.len(), online.report.failed.len());
        info!(dir = %dir.display(), partitions, read_only, failed, "log directory is online");
        serde_json::to_value(Answer::of(
            &online,
            if empty { made(&call.broker, &online.partitions) } else { 0 },
        ))
        .map_err(|error| error.to_string())
    }))
}

/// How many of these partitions hold nothing and never did: their logs were made just now.
fn made(broker: &Broker, partitions: &[Name]) -> usize {
    let image = broker.image();
    let log_end = |(topic, index): &Name| {
        let entry = image.topic(topic)?.partitions.get(usize::try_from(*index).ok()?)?;
        Some(entry.hosted.as_ref()?.log.marks().log_end)
    };
    partitions.iter().filter(|name| log_end(name) == Some(0)).count()
}

/// Tells how far the opening is, until it is dropped.
async fn tell(
    watched: watch::Receiver<Option<Arc<LoadMeter>>>,
    progress: watch::Sender<Value>,
) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(EVERY).await;
        let meter = watched.borrow().clone();
        if let Some(meter) = meter {
            // Numbers always are JSON.
            progress.send_replace(serde_json::to_value(Opening::from(meter.look())).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use pagewire_log::{FailedLog, LoadReport, LogError, Notice, Offline};

    use super::*;
    use crate::control::LINE_MAX as ANSWER_MAX;

    fn failed(topic: &str) -> FailedLog {
        let error = LogError::Twice { paths: vec![Path::new(topic).into(); 2] };
        FailedLog { topic: topic.to_owned(), partition: 0, error }
    }

    #[test]
    fn an_answer_fits_its_line_whatever_is_to_be_told() {
        // Six bytes each as JSON.
        let topic = "\u{1}".repeat(249);
        let unknown = |_| Notice::Unknown { path: Path::new(&topic).into() };
        let report = LoadReport {
            failed: (0..500).map(|_| failed(&topic)).collect(),
            notices: (0..500).map(unknown).collect(),
            ..LoadReport::default()
        };
        let answer = Answer::of(
            &Online {
                partitions: vec![(topic.clone(), 0); 500],
                read_only: Vec::new(),
                report,
                trouble: None,
            },
            0,
        );
        assert!(answer.failed.len() > 1 && answer.notes.len() > 1);
        assert!(answer.failed.last().is_some_and(|last| last.starts_with("and more")));
        let text = serde_json::to_string(&answer).expect("JSON");
        assert!(text.len() < ANSWER_MAX * 3 / 4, "there is room for one list more: {}", text.len());
        assert!(answer.partitions == 500 && answer.served.len() > 1);
    }

    #[test]
    fn what_fits_is_told_whole() {
        let report = LoadReport { failed: vec![failed("t"), failed("u")], ..LoadReport::default() };
        let why = Offline { reason: "no room for a sync".into(), kind: std::io::ErrorKind::StorageFull };
        let read_only = vec![(("v".to_owned(), 1), why)];
        let online = Online { partitions: vec![("u".to_owned(), 3)], read_only, report, trouble: None };
        let answer = Answer::of(&online, 0);
        assert_eq!(answer.failed.len(), 3);
        assert!(
            answer.failed[2].starts_with("v-1: it can be read, and takes no records: "),
            "{:?}",
            answer.failed
        );
        assert_eq!((answer.served, answer.partitions), (vec!["u-3".to_owned()], 1));
        assert!(answer.failed[1].starts_with("u-0: "), "{:?}", answer.failed);
    }
}
