//! What a broker on this machine counts, asked of its control socket, printed as it says it: for Prometheus.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::json;

use super::{DirectoryRow, state};
use crate::client::control::Control;
use crate::output::{Format, Out};

/// Of the first broker of this cluster whose first log directory is on this machine.
pub(super) async fn print(
    directories: &[DirectoryRow],
    cluster_id: Option<&str>,
    format: Format,
) -> anyhow::Result<()> {
    for row in directories {
        // Another broker may have the same path on this machine.
        let Some(state) = state::of(&row.path, cluster_id, row.node).await else { continue };
        let mut out = Out::new();
        if let Format::Json = format {
            out.json(&json!({ "node": row.node, "metrics": state.metrics }))?;
            return out.flush();
        }
        let Some(control) = Control::of(Path::new(&row.path)).await? else { continue };
        let answer = control.ask(&json!({"verb": "metrics"}), |_| {}).await?;
        let text = answer.get("text").and_then(serde_json::Value::as_str);
        for line in text.context("the broker's answer is not understood")?.lines() {
            out.line(line)?;
        }
        return out.flush();
    }
    bail!(
        "no broker of this cluster is on this machine, or may be asked: run it where the broker's control socket is"
    )
}
