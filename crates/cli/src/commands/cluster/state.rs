//! What a broker on this machine says of its disks, compaction and scrub that Kafka's protocol has no words for: asked of its
//! control socket, if that is where its first log directory is said to be. Of others nothing is known.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::timeout;

use super::moves::Moves;
use crate::client::control::Control;
use crate::output::units::{bytes, count, date, several};
use crate::output::{Out, Table};

/// A look does not wait longer.
const LOOK: Duration = Duration::from_secs(2);

/// A broker's answer to `status`. What it does not say is nothing.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) cluster_id: String,
    pub(super) node_id: i32,
    pub(super) log_dirs: Vec<LogDir>,
    compaction: Compaction,
    damage: Damage,
    moves: Moves,
    offline_logs: OfflineLogs,
    missing_logs: OfflineLogs,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_trouble: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata_trouble_ms: Option<i64>,
    backing_up: bool,
    pub(super) metrics: serde_json::Map<String, serde_json::Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct LogDir {
    pub(super) path: String,
    offline: Option<String>,
    offline_since_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hanging_ms: Option<u64>,
    logs_offline: u64,
    logs_missing: u64,
    scrub: Scrub,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Scrub {
    bytes: u64,
    logs: u64,
    damaged: u64,
    unreadable: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Compaction {
    busy: u64,
    due: u64,
    cleans: u64,
    failed: u64,
    uncleanable_partitions_count: u64,
    uncleanable_bytes: u64,
    uncleanable: Vec<SetAside>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct SetAside {
    topic: String,
    partition: i32,
    reason: String,
    since_ms: i64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct OfflineLogs {
    partitions: u64,
    some: Vec<OfflineLog>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct OfflineLog {
    topic: String,
    partition: i32,
    reason: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Damage {
    partitions: u64,
    stretches: u64,
    some: Vec<Place>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Place {
    topic: String,
    partition: i32,
    offset: i64,
    next_offset: i64,
}

/// The state of the node whose first log directory is at `path`, if it is a broker on this machine that may be asked.
pub(super) async fn of(path: &str, cluster_id: Option<&str>, node_id: i32) -> Option<State> {
    let path = Path::new(path);
    let asking = async {
        let control = Control::of(path).await?;
        let Some(control) = control else { return Ok(None) };
        control.ask(&json!({"verb": "status"}), |_| {}).await.map(Some)
    };
    let answer = match timeout(LOOK, asking).await {
        Ok(Ok(answer)) => answer?,
        Ok(Err(error)) => {
            tracing::debug!(%error, node_id, "its state is not known");
            return None;
        }
        Err(_) => return None,
    };
    let state: State = serde_json::from_value(answer).ok()?;
    // The same path on another machine may be another broker's.
    (state.node_id == node_id && Some(&*state.cluster_id) == cluster_id).then_some(state)
}

impl LogDir {
    /// What is wrong with logs of it, if it takes writes itself.
    pub(super) fn lacks(&self) -> Option<String> {
        let said =
            |count: u64, what: &str| (count > 0).then(|| format!("{} {what}", several(count, "partition")));
        let parts = [said(self.logs_missing, "not served"), said(self.logs_offline, "without writes")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (self.offline.is_none() && !parts.is_empty()).then(|| format!("{}, named below", parts.join(", ")))
    }

    /// For how long its disk has not answered, if it is not offline for another reason.
    pub(super) fn hangs(&self) -> Option<String> {
        let ms = self.hanging_ms.filter(|_| self.offline.is_none())?;
        Some(format!("its disk has not answered for {} s", ms / 1000))
    }

    /// Why it is offline and since when, if it is.
    pub(super) fn trouble(&self) -> Option<String> {
        let reason = self.offline.as_ref()?;
        Some(
            self.offline_since_ms
                .map_or_else(|| reason.clone(), |at| format!("since {}: {reason}", date(at))),
        )
    }
}

/// A table of all that could be asked, then what is wrong with any, line by line.
pub(super) fn print(states: &[State], out: &mut Out) -> anyhow::Result<()> {
    let mut table = Table::new(&[
        ">NODE",
        ">CLEANS",
        ">DUE",
        ">BUSY",
        ">FAILED",
        ">SET ASIDE",
        ">SCRUBBED",
        ">DAMAGED",
        "NOTE",
    ]);
    for state in states {
        let Compaction { cleans, due, busy, failed, uncleanable_partitions_count, .. } = state.compaction;
        let scrubbed = state.log_dirs.iter().map(|dir| dir.scrub.bytes).sum();
        table.row([
            state.node_id.to_string(),
            count(cleans),
            count(due),
            count(busy),
            count(failed),
            count(uncleanable_partitions_count),
            bytes(scrubbed),
            count(state.damage.stretches),
            if state.backing_up { "makes a backup" } else { "" }.to_owned(),
        ]);
    }
    table.print(out)?;
    states.iter().try_for_each(|state| complaints(state, out))
}

fn complaints(state: &State, out: &mut Out) -> anyhow::Result<()> {
    let node = state.node_id;
    if let Some(reason) = &state.metadata_trouble {
        let at = state.metadata_trouble_ms.map(|at| format!(" (as of {})", date(at))).unwrap_or_default();
        out.line(format_args!(
            "node {node}: topics, settings and producer ids cannot be changed{at}: {reason}"
        ))?;
    }
    state.moves.print(node, out)?;
    for OfflineLog { topic, partition, reason } in &state.offline_logs.some {
        out.line(format_args!("node {node}: {topic}-{partition} takes no writes: {reason}"))?;
    }
    for OfflineLog { topic, partition, reason } in &state.missing_logs.some {
        out.line(format_args!("node {node}: {topic}-{partition} is not served: {reason}"))?;
    }
    for SetAside { topic, partition, reason, since_ms } in &state.compaction.uncleanable {
        let since = date(*since_ms);
        out.line(format_args!("node {node}: {topic}-{partition} is not compacted since {since}: {reason}"))?;
    }
    for Place { topic, partition, offset, next_offset } in &state.damage.some {
        let last = next_offset - 1;
        out.line(format_args!("node {node}: {topic}-{partition} is damaged at offsets {offset} to {last}"))?;
    }
    let State { compaction, damage, offline_logs, missing_logs, .. } = state;
    let told =
        [compaction.uncleanable.len(), damage.some.len(), offline_logs.some.len(), missing_logs.some.len()];
    let there = [
        compaction.uncleanable_partitions_count,
        damage.stretches,
        offline_logs.partitions,
        missing_logs.partitions,
    ];
    let (told, there) = (told.iter().sum::<usize>(), there.iter().sum::<u64>());
    match there.saturating_sub(told as u64) {
        0 => Ok(()),
        more => out.line(format_args!("node {node}: {} more of these", count(more))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_says_why_it_is_offline_and_since_when() {
        let dir = LogDir { offline: Some("EIO".to_owned()), offline_since_ms: Some(0), ..LogDir::default() };
        assert_eq!(dir.trouble().as_deref(), Some("since 1970-01-01T00:00:00.000Z: EIO"));
        assert_eq!(LogDir::default().trouble(), None);
    }

    #[test]
    fn a_directory_says_for_how_long_its_disk_has_not_answered() {
        let dir = LogDir { hanging_ms: Some(61_500), ..LogDir::default() };
        assert_eq!(dir.hangs().as_deref(), Some("its disk has not answered for 61 s"));
        assert_eq!((dir.trouble(), LogDir::default().hangs()), (None, None));
        let offline = LogDir { offline: Some("EIO".to_owned()), ..dir };
        assert_eq!(offline.hangs(), None);
    }

    #[test]
    fn a_directory_that_takes_writes_says_what_it_lacks() {
        let dir = LogDir { logs_missing: 2, logs_offline: 1, ..LogDir::default() };
        let lacks = "2 partitions not served, 1 partition without writes, named below";
        assert_eq!(dir.lacks().as_deref(), Some(lacks));
        assert_eq!(LogDir::default().lacks(), None);
        let offline = LogDir { offline: Some("EIO".to_owned()), ..dir };
        assert_eq!(offline.lacks(), None);
    }

    #[test]
    fn an_older_brokers_answer_is_understood() {
        let old =
            json!({"cluster_id": "c", "node_id": 1, "log_dirs": [{"path": "/a"}], "compaction": {"due": 2}});
        let state: State = serde_json::from_value(old).expect("understood");
        assert_eq!((state.compaction.due, state.damage.stretches, state.log_dirs.len()), (2, 0, 1));
    }
}
