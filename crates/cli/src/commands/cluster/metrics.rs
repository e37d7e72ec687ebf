//! What a broker on this machine counts, asked of its control socket, printed as it says it: for Prometheus.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::DirectoryRow;
use crate::client::control::Control;
use crate::output::Out;

/// Of the first broker whose first log directory is on this machine.
pub(super) async fn print(directories: &[DirectoryRow]) -> anyhow::Result<()> {
    for row in directories {
        let Some(control) = Control::of(Path::new(&row.path)).await? else { continue };
        let answer = control.ask(&json!({"verb": "metrics"}), |_| {}).await?;
        let text =
            answer.get("text").and_then(Value::as_str).context("the broker's answer is not understood")?;
        let mut out = Out::new();
        for line in text.lines() {
            out.line(line)?;
        }
        return out.flush();
    }
    bail!("no broker of this cluster is on this machine: run it where the broker's control socket is")
}
