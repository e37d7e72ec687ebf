//! `{"verb":"online","dir":DIR}`: a log directory that could not be read at the start is served from now on.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tracing::{error, info, warn};

use super::{Call, Work, fields};
use crate::cluster::change;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    /// As `log.dirs` names it.
    dir: PathBuf,
}

/// The answer.
#[derive(Serialize)]
struct Online {
    /// Partitions that are served again.
    partitions: usize,
    /// The directory had been closed in order.
    clean: bool,
    /// Logs that were cut, and why.
    cuts: Vec<String>,
    /// Logs that cannot be opened, and why.
    failed: Vec<String>,
}

pub(super) fn begin(request: Map<String, Value>, call: Call) -> Result<Work, String> {
    let Which { dir } = fields(request)?;
    Ok(Box::pin(async move {
        let path = dir.clone();
        let taken = change(&call.broker, |change| async move { change.take_in(path).await }).await;
        let taken = taken.map_err(|refused| refused.message)?;
        let report = taken.report;
        for notice in &report.notices {
            warn!("{notice}");
        }
        let cuts = report.loaded.iter().flat_map(|log| &log.report.cuts).map(ToString::to_string);
        let failed = report.failed.iter();
        let online = Online {
            partitions: taken.partitions,
            clean: report.clean,
            cuts: cuts.inspect(|cut| warn!("{cut}")).collect(),
            failed: failed
                .map(|log| format!("{}-{}: {}", log.topic, log.partition, log.error))
                .inspect(|failed| error!("cannot be opened: {failed}"))
                .collect(),
        };
        info!(dir = %dir.display(), partitions = online.partitions, "log directory is online");
        serde_json::to_value(online).map_err(|error| error.to_string())
    }))
}
