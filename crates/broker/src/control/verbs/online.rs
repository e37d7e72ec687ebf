//! `{"verb":"online","dir":DIR}`: a log directory that could not be read, or takes no writes any more, is opened anew and
//! served from now on. With `"empty":true` an empty one, in the place of one whose content is lost.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pagewire_log::{LoadMeter, Loading};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tracing::{info, warn};

use super::{Call, Work, fields};
use crate::cluster::{Online, take_in};
use crate::node::report_load;

/// Between two lines of progress.
const EVERY: Duration = Duration::from_millis(500);
/// Lines of each kind that are told: an answer is one line of bounded length. The broker's log has them all.
const TOLD_MAX: usize = 32;
/// Bytes of such a line.
const LINE_MAX: usize = 400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    /// As `log.dirs` names it.
    dir: PathBuf,
    /// What it held is lost: its partitions are made anew.
    #[serde(default)]
    empty: bool,
}

/// How far it is.
#[derive(Serialize)]
pub(in crate::control::verbs) struct Progress {
    logs: u64,
    logs_total: u64,
    /// Bytes that were checked, of those that must be; none after an orderly stop.
    bytes: u64,
    bytes_total: u64,
}

impl From<Loading> for Progress {
    fn from(at: Loading) -> Self {
        Self { logs: at.logs, logs_total: at.logs_total, bytes: at.bytes, bytes_total: at.bytes_total }
    }
}

/// The answer.
#[derive(Serialize)]
struct Answer {
    /// Partitions that are served again.
    partitions: usize,
    /// The directory had been closed in order.
    clean: bool,
    /// Logs that were cut, and why; records that are lost.
    cuts: Vec<String>,
    /// Records that are damaged: their reads are refused.
    damage: Vec<String>,
    /// Logs that cannot be opened, and why.
    failed: Vec<String>,
    /// What else is worth telling.
    notes: Vec<String>,
}

impl Answer {
    fn of(online: &Online) -> Self {
        let report = &online.report;
        let logs = || report.loaded.iter();
        let cuts = logs().flat_map(|log| &log.report.cuts).map(ToString::to_string);
        let holes = logs().flat_map(|log| &log.report.holes).map(|hole| format!("{hole}: they are lost"));
        let damage = logs().flat_map(|log| &log.report.damage);
        let failed = report.failed.iter();
        let of_logs = logs().flat_map(|log| {
            log.report.notes.iter().map(move |note| format!("{}-{}: {note}", log.topic, log.partition))
        });
        Self {
            partitions: online.partitions,
            clean: report.clean,
            cuts: told(cuts.chain(holes)),
            damage: told(damage.map(|damage| format!("{damage}: reads of them are refused"))),
            failed: told(failed.map(|log| format!("{}-{}: {}", log.topic, log.partition, log.error))),
            notes: told(report.notices.iter().map(ToString::to_string).chain(of_logs)),
        }
    }
}

/// As many as fit an answer.
fn told(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut told: Vec<String> = lines.take(TOLD_MAX + 1).collect();
    for line in &mut told {
        line.truncate(line.floor_char_boundary(LINE_MAX));
    }
    if told.len() > TOLD_MAX {
        told.truncate(TOLD_MAX);
        told.push("and more, which are in the broker's log".to_owned());
    }
    told
}

pub(super) fn begin(request: Map<String, Value>, call: Call) -> Result<Work, String> {
    let Which { dir, empty } = fields(request)?;
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
        report_load(&online.report, &[]);
        info!(dir = %dir.display(), partitions = online.partitions, "log directory is online");
        serde_json::to_value(Answer::of(&online)).map_err(|error| error.to_string())
    }))
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
            progress.send_replace(serde_json::to_value(Progress::from(meter.look())).unwrap_or_default());
        }
    }
}
