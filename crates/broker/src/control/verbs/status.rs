//! `{"verb":"status"}`: who this broker is, and how it stands.

use pagewire_log::DirDescription;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Call, Work, fields};

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
    /// A backup is under way.
    backing_up: bool,
}

#[derive(Serialize)]
struct Directory {
    path: String,
    /// Why it takes no writes, if so.
    offline: Option<String>,
    logs: usize,
    size_bytes: u64,
    usable_bytes: Option<u64>,
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
        backing_up,
    }
}
