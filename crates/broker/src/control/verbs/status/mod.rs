//! `{"verb":"status"}`: who this broker is, and how it stands.

mod moves;
mod parts;

use std::collections::BTreeMap;

use pagewire_log::{CleaningReport, DirDescription};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Call, Work, fields};
use crate::{
    aside::aside,
    broker::Broker,
    cleaner,
    described::describe,
    metrics::{Seen, export},
};
use moves::Moves;
use parts::{Compaction, Damage, Directory, MissingLogs, OfflineLogs};

/// Bytes of a reason that are told.
const REASON_MAX: usize = 1000;

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
    /// How many there are.
    log_dirs_count: usize,
    /// As many of them as fit.
    log_dirs: Vec<Directory>,
    offline_logs: OfflineLogs,
    missing_logs: MissingLogs,
    compaction: Compaction,
    damage: Damage,
    moves: Moves,
    /// Why the metadata could not be changed when that was last wanted, or what a look at its file has found, if so.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_trouble: Option<String>,
    /// When that was.
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_trouble_ms: Option<i64>,
    /// A backup is under way.
    backing_up: bool,
    /// Everything that is counted, by its name.
    metrics: BTreeMap<String, u64>,
}

pub(super) fn begin(request: Map<String, Value>, call: Call) -> Result<Work, String> {
    let Nothing {} = fields(request)?;
    Ok(Box::pin(async move {
        let backing_up = call.shared.backups.available_permits() == 0;
        let described = describe(&call.broker).await;
        // Of thousands of logs it takes its time.
        let status = aside(true, || status(&call.broker, described, backing_up));
        serde_json::to_value(status).map_err(|error| error.to_string())
    }))
}

fn status(broker: &Broker, described: Vec<(DirDescription, CleaningReport)>, backing_up: bool) -> Status {
    let (identity, image) = (broker.cluster().identity(), broker.image());
    broker.note_offline_dirs();
    let (dirs, cleaning): (Vec<_>, Vec<_>) = described.into_iter().unzip();
    let gauges = cleaner::gauges_of(broker, cleaning);
    let since = |path: &std::path::Path| broker.metrics().offline_since.of(path);
    let offline_partitions = image.offline_partitions();
    let hanging = |path: &std::path::Path| broker.cluster().lanes().of(path).hanging();
    let trouble = broker.cluster().catalog().store().trouble();
    let hanging_dirs = broker.cluster().lanes().hanging_count();
    let (metrics, sent) = (broker.metrics(), &broker.transfer().stats().snapshot());
    let (moves, metadata_trouble) = (broker.moves().gauges(), trouble.is_some());
    let seen = Seen {
        metrics,
        sent,
        dirs: &dirs,
        cleaner: &gauges,
        offline_partitions,
        hanging_dirs,
        moves,
        metadata_trouble,
    };
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
        metrics: export(&seen),
        damage: Damage::of(broker, &dirs),
        moves: Moves::of(broker.moves().shown(broker)),
        log_dirs_count: dirs.len(),
        log_dirs: Directory::some(&dirs, since, hanging),
        offline_logs: OfflineLogs::of(&dirs),
        missing_logs: MissingLogs::of(&dirs),
        compaction: Compaction::of(gauges),
        metadata_trouble_ms: trouble.as_ref().map(|failed| failed.at_ms),
        metadata_trouble: trouble.map(|failed| shortened(failed.reason)),
        backing_up,
    }
}

fn shortened(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(REASON_MAX));
    reason
}

#[cfg(test)]
mod tests {
    use std::{path::PathBuf, sync::Arc};

    use pagewire_log::{LogDescription, MissingLog, Offline, ScrubCounts};

    use super::*;
    use crate::control::LINE_MAX;
    use crate::testing::Bench;

    /// With a path as long as paths can be, and longer as JSON, and a thousand logs of its own in trouble.
    fn directory(number: usize) -> DirDescription {
        let reason = "\u{1}".repeat(4000);
        let offline = Offline { reason: reason.as_str().into(), kind: std::io::ErrorKind::Other };
        let log = |partition| LogDescription {
            topic: "\u{1}".repeat(249).into(),
            topic_id: uuid::Uuid::nil(),
            partition,
            size_bytes: u64::MAX >> 20,
            damaged: 1,
            held_back: 0,
            offline: Some(offline.clone()),
        };
        DirDescription {
            path: PathBuf::from(format!("/{number}/{}", "d".repeat(4000))),
            away: false,
            opening: None,
            offline: Some(offline.clone()),
            full: false,
            space: None,
            logs: (0..1000).map(log).collect(),
            missing: vec![
                MissingLog {
                    topic: "\u{1}".repeat(249),
                    partition: i32::MAX,
                    reason: reason.clone()
                };
                100
            ],
            scrub: ScrubCounts::default(),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_answer_about_many_directories_with_long_names_fits_its_line_and_says_how_many_there_are() {
        let bench = Bench::on(Arc::new(pagewire_disk::MemoryDisk::new()));
        let dirs: Vec<_> = (0..100).map(directory).collect();
        let gauges = cleaner::gauges(&bench.broker);
        let (metrics, cleaner) = (bench.broker.metrics(), &gauges);
        let sent = &bench.broker.transfer().stats().snapshot();
        let (moves, metadata_trouble) = (crate::moves::MoveGauges::default(), true);
        let seen = Seen {
            metrics,
            sent,
            dirs: &dirs,
            cleaner,
            offline_partitions: 7,
            hanging_dirs: 100,
            moves,
            metadata_trouble,
        };
        let mut told = status(&bench.broker, describe(&bench.broker).await, false);
        told.log_dirs_count = dirs.len();
        told.log_dirs = Directory::some(&dirs, |_| Some(i64::MAX), |_| Some(std::time::Duration::MAX));
        told.offline_logs = OfflineLogs::of(&dirs);
        told.missing_logs = MissingLogs::of(&dirs);
        told.damage = Damage::of(&bench.broker, &dirs);
        told.metrics = export(&seen);
        let text = serde_json::to_string(&told).expect("JSON");
        assert!(text.len() < LINE_MAX, "{}", text.len());
        assert!(!told.log_dirs.is_empty() && text.contains("\"log_dirs_count\":100"));
    }
}
