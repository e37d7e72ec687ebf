//! `{"verb":"status"}`: who this broker is, and how it stands.

use pagewire_log::DirDescription;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Call, Work, fields, online::Progress};
use crate::cleaner::{self, CleanerGauges};

/// Partitions that are told with the reason why they are not compacted: an answer is one line of bounded length.
const SET_ASIDE_TOLD_MAX: usize = 16;
/// Bytes of such a reason.
const REASON_MAX: usize = 512;

/// It takes no fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// The answer.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    process_id: u32,
    cluster_id: String,
    node_id: i32,
    leader_epoch: i32,
    topics: usize,
    partitions: usize,
    connections_total: u64,
    requests_total: u64,
    log_dirs: Vec<Directory>,
    compaction: Compaction,
    /// A backup is under way.
    backing_up: bool,
}

#[derive(Serialize)]
struct Directory {
    path: String,
    /// Why it takes no writes, if so.
    offline: Option<String>,
    /// How far its opening is, while `online` is at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    opening: Option<Progress>,
    logs: usize,
    size_bytes: u64,
    usable_bytes: Option<u64>,
}

/// How compaction stands; the other numbers are counted for metrics.
#[derive(Serialize)]
struct Compaction {
    busy: u64,
    due: u64,
    cleans: u64,
    max_dirty_percent: u64,
    uncleanable_partitions_count: u64,
    uncleanable_bytes: u64,
    /// Some of those.
    uncleanable: Vec<SetAside>,
}

#[derive(Serialize)]
struct SetAside {
    topic: String,
    partition: i32,
    reason: String,
}

impl Compaction {
    fn of(gauges: CleanerGauges) -> Self {
        let some = gauges.uncleanable.into_iter().take(SET_ASIDE_TOLD_MAX);
        let told = some.map(|log| {
            let mut reason = log.reason;
            reason.truncate(reason.floor_char_boundary(REASON_MAX));
            SetAside { topic: log.topic, partition: log.partition, reason }
        });
        Self {
            busy: gauges.busy,
            due: gauges.due,
            cleans: gauges.cleans,
            max_dirty_percent: gauges.max_dirty_percent,
            uncleanable_partitions_count: gauges.uncleanable_partitions_count,
            uncleanable_bytes: gauges.uncleanable_bytes,
            uncleanable: told.collect(),
        }
    }
}

pub(super) fn begin(request: Map<String, Value>, call: Call) -> Result<Work, String> {
    let Nothing {} = fields(request)?;
    Ok(Box::pin(async move {
        let asked = call.broker.io().run({
            let broker = std::sync::Arc::clone(&call.broker);
            let backing_up = call.shared.backups.available_permits() == 0;
            move || status(&broker, backing_up)
        });
        let status = asked.await.map_err(|_| "the broker is busy: try again".to_owned())?;
        serde_json::to_value(status).map_err(|error| error.to_string())
    }))
}

impl Directory {
    fn of(described: DirDescription) -> Self {
        Self {
            path: described.path.display().to_string(),
            offline: described.offline.map(|offline| offline.reason.to_string()),
            opening: described.opening.map(Progress::from),
            logs: described.logs.len(),
            size_bytes: described.logs.iter().map(|log| log.size_bytes).sum(),
            usable_bytes: described.space.map(|space| space.usable_bytes),
        }
    }
}

/// Asks the file systems for their space, so it blocks.
fn status(broker: &crate::broker::Broker, backing_up: bool) -> Status {
    let (identity, image) = (broker.cluster().identity(), broker.image());
    Status {
        version: env!("CARGO_PKG_VERSION"),
        process_id: std::process::id(),
        cluster_id: identity.cluster_id.clone(),
        node_id: identity.node_id,
        leader_epoch: identity.leader_epoch,
        topics: image.topics().len(),
        partitions: image.hosted().count(),
        connections_total: broker.metrics().connections_total(),
        requests_total: broker.metrics().requests_total(),
        log_dirs: broker.cluster().log_dirs().describe().into_iter().map(Directory::of).collect(),
        compaction: Compaction::of(cleaner::gauges(broker)),
        backing_up,
    }
}
